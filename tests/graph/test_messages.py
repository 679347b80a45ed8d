"""Message passing against dense algebra, against numerical gradients, and under renumbering."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from marigram.errors import ParameterError
from marigram.graph import messages
from marigram.graph.csr import CSR
from marigram.graph.messages import Adjacency, aggregate, edge_dot, edge_softmax, edge_sum, weighted_sum

ROWS, COLUMNS, HEADS, WIDTH = 6, 5, 2, 3
edge_lists = st.lists(st.tuples(st.integers(0, ROWS - 1), st.integers(0, COLUMNS - 1)), max_size=40)


def adjacency_of(edges, threads=1):
    rows, columns = np.array(edges, np.int64).reshape(-1, 2).T
    return Adjacency(CSR.build(rows, columns, (ROWS, COLUMNS)), threads=threads)


def some_graph(seed=0, edges=25):
    rng = np.random.default_rng(seed)
    return adjacency_of(np.column_stack([rng.integers(0, ROWS, edges), rng.integers(0, COLUMNS, edges)]))


def normal(*shape, seed=0, grad=False):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=torch.float64, generator=generator).requires_grad_(grad)


def tensors(csr):
    return torch.from_numpy(csr.receivers.astype(np.int64)), torch.from_numpy(csr.indices.astype(np.int64))


# --- dense twins ------------------------------------------------------------------------------------------------------


@given(edge_lists, st.sampled_from(["sum", "mean", "max"]), st.integers(1, 9))
def test_aggregate_equals_a_loop(edges, reduce, width):
    adjacency, x = adjacency_of(edges), normal(COLUMNS, width)
    out = aggregate(x, adjacency, reduce)
    for row in range(ROWS):
        said = x[[column for r, column in edges if r == row]]
        expected = torch.zeros(width, dtype=x.dtype)
        if len(said):
            expected = {"sum": said.sum(0), "mean": said.mean(0), "max": said.amax(0)}[reduce]
        torch.testing.assert_close(out[row], expected)


@given(edge_lists)
def test_edge_steps_equal_gathers(edges):
    adjacency = adjacency_of(edges)
    row, column = tensors(adjacency.csr)
    q, k = normal(ROWS, HEADS, WIDTH), normal(COLUMNS, HEADS, WIDTH, seed=1)
    scores = edge_dot(q, k, adjacency)
    torch.testing.assert_close(scores, (q[row] * k[column]).sum(-1))
    torch.testing.assert_close(edge_sum(q[..., 0], k[..., 1], adjacency), q[row, :, 0] + k[column, :, 1])
    weight = edge_softmax(scores * 100, adjacency)
    for node in set(row.tolist()):
        torch.testing.assert_close(weight[row == node], torch.softmax(100 * scores[row == node], 0))
    expected = torch.zeros(ROWS, HEADS, WIDTH, dtype=q.dtype).index_add(0, row, weight[..., None] * k[column])
    torch.testing.assert_close(weighted_sum(weight, k, adjacency), expected)


@pytest.mark.parametrize("width", [1, 7, 8, 19])
def test_inner_products_of_any_width(width):
    adjacency = some_graph()
    row, column = tensors(adjacency.csr)
    q, k = normal(ROWS, 1, width), normal(COLUMNS, 1, width, seed=1)
    torch.testing.assert_close(edge_dot(q, k, adjacency), (q[row] * k[column]).sum(-1))


# --- gradients --------------------------------------------------------------------------------------------------------

STEPS = {
    "sum": lambda a: (lambda x: aggregate(x, a, "sum"), (normal(COLUMNS, WIDTH, grad=True),)),
    "mean": lambda a: (lambda x: aggregate(x, a, "mean"), (normal(COLUMNS, WIDTH, grad=True),)),
    "max": lambda a: (lambda x: aggregate(x, a, "max"), (normal(COLUMNS, WIDTH, grad=True),)),
    "weighted_sum": lambda a: (
        lambda w, x: weighted_sum(w, x, a),
        (normal(len(a), HEADS, grad=True), normal(COLUMNS, HEADS, WIDTH, grad=True)),
    ),
    "edge_dot": lambda a: (
        lambda q, k: edge_dot(q, k, a),
        (normal(ROWS, HEADS, WIDTH, grad=True), normal(COLUMNS, HEADS, WIDTH, seed=1, grad=True)),
    ),
    "edge_sum": lambda a: (
        lambda x, y: edge_sum(x, y, a),
        (normal(ROWS, HEADS, grad=True), normal(COLUMNS, HEADS, seed=1, grad=True)),
    ),
    "edge_softmax": lambda a: (lambda s: edge_softmax(s, a), (normal(len(a), HEADS, grad=True),)),
}


@pytest.mark.parametrize("step", STEPS)
def test_gradients_are_those_of_small_changes(step):
    assert torch.autograd.gradcheck(*STEPS[step](some_graph()))


def test_neighbours_that_share_a_maximum_share_its_gradient():
    adjacency = adjacency_of([(0, 0), (0, 1), (0, 2)])
    x = torch.tensor([[1.0], [1.0], [0.0], [5.0], [5.0]], requires_grad=True)
    aggregate(x, adjacency, "max")[0].backward()
    assert x.grad[:, 0].tolist() == [0.5, 0.5, 0, 0, 0]


# --- laws -------------------------------------------------------------------------------------------------------------


@settings(max_examples=30)
@given(edge_lists, st.permutations(range(ROWS)), st.permutations(range(COLUMNS)), st.randoms())
def test_renumbering_the_nodes_renumbers_the_answer(edges, rows, columns, random):
    moved = [(rows[row], columns[column]) for row, column in edges]
    random.shuffle(moved)
    rows, columns = torch.tensor(rows), torch.tensor(columns)
    x, y = normal(COLUMNS, WIDTH), torch.empty(COLUMNS, WIDTH, dtype=torch.float64)
    y[columns] = x
    for reduce in ("sum", "mean", "max"):
        before = aggregate(x, adjacency_of(edges), reduce)
        torch.testing.assert_close(aggregate(y, adjacency_of(moved), reduce)[rows], before)


@settings(max_examples=20)
@given(edge_lists, st.randoms())
def test_the_order_of_the_edge_list_changes_no_bit(edges, random):
    shuffled = list(edges)
    random.shuffle(shuffled)
    x = normal(COLUMNS, WIDTH).float()
    assert torch.equal(aggregate(x, adjacency_of(edges)), aggregate(x, adjacency_of(shuffled)))


def test_the_number_of_threads_changes_no_bit(monkeypatch):
    monkeypatch.setattr(messages, "_ALONE", 0)
    rng = np.random.default_rng(0)
    edges = np.column_stack([rng.integers(0, ROWS, 200), rng.integers(0, COLUMNS, 200)])
    results = []
    for threads in (1, 2, 5):
        adjacency = adjacency_of(edges, threads)
        inputs = [normal(ROWS, HEADS, WIDTH, grad=True), normal(COLUMNS, HEADS, WIDTH, seed=1, grad=True)]
        weight = edge_softmax(edge_dot(*inputs, adjacency), adjacency)
        weighted_sum(weight, inputs[1], adjacency).square().sum().backward()
        results.append([tensor.grad for tensor in inputs])
    for other in results[1:]:
        assert all(torch.equal(one, two) for one, two in zip(results[0], other, strict=True))


def test_tensors_in_any_memory_order_give_the_same():
    adjacency, x = some_graph(), normal(COLUMNS, WIDTH)
    assert torch.equal(aggregate(x.t().contiguous().t(), adjacency), aggregate(x, adjacency))


@pytest.mark.parametrize(
    "call",
    [
        lambda a: aggregate(normal(ROWS + 1, WIDTH), a),
        lambda a: aggregate(normal(COLUMNS), a),
        lambda a: aggregate(normal(COLUMNS, 2).half(), a),
        lambda a: aggregate(normal(COLUMNS, 2), a, "median"),
        lambda a: edge_dot(normal(ROWS, 1, 2), normal(COLUMNS, 1, 3), a),
        lambda a: edge_sum(normal(ROWS, 1), normal(COLUMNS, 2), a),
        lambda a: edge_softmax(normal(len(a) + 1, 1), a),
        lambda a: weighted_sum(normal(len(a), 2), normal(COLUMNS, 1, 3), a),
        lambda a: Adjacency(a.csr, threads=0),
    ],
)
def test_what_does_not_fit_is_refused(call):
    with pytest.raises(ParameterError):
        call(some_graph())
