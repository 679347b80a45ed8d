"""Each layer equals PyG's with the same weights, and answers to its nodes under any numbers."""

import copy

import numpy as np
import pytest
import torch
from scipy.special import beta
from torch_geometric.nn import GATConv, GCNConv, GINConv, HGTConv, SAGEConv

from marigram.errors import ParameterError
from marigram.graph.csr import CSR
from marigram.graph.layers import (
    BetaWavelets,
    ByRelation,
    GatConv,
    GcnConv,
    GinConv,
    GraphBatch,
    HgtConv,
    OnUnion,
    SageConv,
)
from marigram.graph.layers.batch import AGES, age_class
from marigram.graph.layers.wavelets import beta_coefficients
from marigram.graph.messages import Adjacency
from marigram.graph.sampler import NeighbourSampler

N, D = 12, 6
BUYS, SOLD, KNOWS = ("u", "buys", "i"), ("i", "sold", "u"), ("u", "knows", "u")
SIZES = {"u": 7, "i": 5}


@pytest.fixture(autouse=True)
def seeded():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def plain_graph(symmetric=False):
    rng = np.random.default_rng(0)
    edges = rng.integers(0, N, (2, 40))
    if symmetric:
        edges = np.unique(edges[:, edges[0] != edges[1]], axis=1)
        edges = np.unique(np.concatenate([edges, edges[::-1]], axis=1), axis=1)
    return Adjacency(CSR.build(edges[1], edges[0], (N, N))), torch.from_numpy(edges)


def typed_edges(timed=False):
    rng = np.random.default_rng(1)
    found = {}
    for kind in (BUYS, SOLD, KNOWS):
        src, dst = rng.integers(0, SIZES[kind[0]], 15), rng.integers(0, SIZES[kind[2]], 15)
        found[kind] = (src, dst, rng.integers(0, 1000, 15) if timed else None)
    return found


def typed_batch(edges, features=None, **settings):
    features = features or {name: torch.randn(size, D) for name, size in SIZES.items()}
    relations = {
        kind: CSR.build(dst, src, (SIZES[kind[2]], SIZES[kind[0]]), times)
        for kind, (src, dst, times) in edges.items()
    }
    return GraphBatch(features, relations, "u", **settings)


# --- PyG with the same weights ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("out", [4, 9])
def test_sage_equals_pygs(out):
    adjacency, edges = plain_graph()
    ours, theirs, x = SageConv(D, D, out), SAGEConv(D, out), torch.randn(N, D)
    theirs.lin_l.load_state_dict(ours.neighbours.state_dict())
    theirs.lin_r.load_state_dict(ours.self_.state_dict())
    torch.testing.assert_close(ours(x, x, adjacency), theirs(x, edges))


@pytest.mark.parametrize("out", [4, 9])
def test_gcn_equals_pygs(out):
    adjacency, edges = plain_graph(symmetric=True)
    ours, theirs, x = GcnConv(D, out), GCNConv(D, out), torch.randn(N, D)
    theirs.lin.weight.data = ours.weight.data.t()
    theirs.bias.data = ours.bias.data.normal_()
    torch.testing.assert_close(ours(x, adjacency), theirs(x, edges))


def test_gin_equals_pygs():
    adjacency, edges = plain_graph()
    ours, x = GinConv(D, 4), torch.randn(N, D)
    ours.epsilon.data.fill_(0.3)
    theirs = GINConv(torch.nn.Sequential(*map(copy.deepcopy, ours.mlp)), eps=0.3)  # which draws weights anew
    theirs.nn.load_state_dict(ours.mlp.state_dict())
    torch.testing.assert_close(ours(x, x, adjacency), theirs(x, edges))


def test_gat_equals_pygs():
    adjacency, edges = plain_graph()
    ours, x = GatConv(D, 8, heads=2), torch.randn(N, D)
    theirs = GATConv(D, 4, heads=2, add_self_loops=False, residual=True)
    theirs.lin.load_state_dict(ours.project.state_dict())
    theirs.att_src.data, theirs.att_dst.data = ours.to_sender.data[None], ours.to_receiver.data[None]
    theirs.res.weight.data, theirs.bias.data = ours.keep.weight.data, ours.keep.bias.data
    torch.testing.assert_close(ours(x, x, adjacency), theirs(x, edges))


def test_hgt_equals_pygs():
    edges = typed_edges()
    batch, kinds = typed_batch(edges), list(edges)
    ours = HgtConv(D, list(SIZES), kinds, heads=2)
    theirs = HGTConv(D, D, (list(SIZES), kinds), heads=2)
    for parameter in ours.parameters():
        parameter.data += 0.3 * torch.randn_like(parameter)
    for name in SIZES:
        number = ours.types[name]
        theirs.kqv_lin.lins[name].load_state_dict(ours.kqv[number].state_dict())
        theirs.out_lin.lins[name].load_state_dict(ours.out[number].state_dict())
        theirs.skip[name].data = ours.skip.data[number]
    for number, kind in enumerate(kinds):
        theirs.p_rel["__".join(kind)].data = ours.prior.data[number][None]
    for head in range(2):
        for number in range(len(kinds)):
            theirs.k_rel.weight.data[head * len(kinds) + number] = ours.key_maps.data[number, head]
            theirs.v_rel.weight.data[head * len(kinds) + number] = ours.value_maps.data[number, head]
    lists = {kind: torch.from_numpy(np.stack([src, dst])) for kind, (src, dst, _) in edges.items()}
    expected = theirs(batch.features, lists)
    for name, out in ours(batch.features, batch).items():
        torch.testing.assert_close(out, expected[name])


# --- the papers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [1, 2, 4])
def test_beta_wavelets_are_the_densities_of_the_paper_on_the_spectrum(order):
    adjacency, edges = plain_graph(symmetric=True)
    dense = torch.zeros(N, N, dtype=torch.float64)
    dense[edges[1], edges[0]] = 1
    scale = dense.sum(1).clamp(min=1).rsqrt()
    values, vectors = torch.linalg.eigh(torch.eye(N) - scale[:, None] * dense * scale)
    layer, x = BetaWavelets(3, 5, order).double(), torch.randn(N, 3, dtype=torch.float64)
    parts = []
    for p in range(order + 1):
        density = (values / 2) ** p * (1 - values / 2) ** (order - p) / (2 * beta(p + 1, order + 1 - p))
        parts.append(vectors @ (density[:, None] * (vectors.t() @ x)))
    torch.testing.assert_close(layer(x, adjacency), layer.mix(torch.cat(parts, dim=1)))
    # together they let every frequency through: the densities of all p sum to (C + 1) / 2
    total = beta_coefficients(order).sum(0)
    np.testing.assert_allclose(total, [(order + 1) / 2] + [0] * order, atol=1e-12)


def test_time_enters_the_transformer_as_if_added_to_every_sender_of_every_edge():
    edges = typed_edges(timed=True)
    batch, kinds = typed_batch(edges), list(edges)
    layer = HgtConv(D, list(SIZES), kinds, heads=2, timed=True)
    out, width = layer(batch.features, batch), D // 2
    for name, x in batch.features.items():
        for node in range(len(x)):
            scores, values = [], []
            _, q, _ = (part.view(2, width) for part in layer.kqv[layer.types[name]](x[node]).chunk(3))
            for number, kind in enumerate(kinds):
                src, dst, times = edges[kind]
                if kind[2] != name:
                    continue
                latest = times[dst == node].max(initial=0)
                for s, time in zip(src[dst == node], times[dst == node], strict=True):
                    age = int(latest - time).bit_length()
                    sender = batch.features[kind[0]][s] + layer.time(layer.waves[age])
                    k, _, v = (
                        part.view(2, width) for part in layer.kqv[layer.types[kind[0]]](sender).chunk(3)
                    )
                    k = torch.einsum("hc,hcd->hd", k, layer.key_maps[number])
                    values.append(torch.einsum("hc,hcd->hd", v, layer.value_maps[number]))
                    scores.append((q * k).sum(-1) * layer.prior[number] / width**0.5)
            mixed = torch.zeros(D)
            if scores:
                weight = torch.softmax(torch.stack(scores), 0)
                mixed = (weight[..., None] * torch.stack(values)).sum(0).flatten()
            share = torch.sigmoid(layer.skip[layer.types[name]])
            expected = (
                share * layer.out[layer.types[name]](torch.nn.functional.gelu(mixed)) + (1 - share) * x[node]
            )
            torch.testing.assert_close(out[name][node], expected)


def test_ages_have_as_many_digits_as_their_class():
    ages = np.array([-5, 0, 1, 2, 3, 4, 1023, 1024, 2**62])
    assert age_class(ages).tolist() == [0, 0, 1, 2, 2, 3, 10, 11, AGES - 1]


# --- typed layers -----------------------------------------------------------------------------------------------------

TYPED = {
    "by relation": lambda kinds: ByRelation(lambda: SageConv(D, D, D), kinds),
    "on the union": lambda kinds: OnUnion(GcnConv(D, D)),
    "transformer": lambda kinds: HgtConv(D, list(SIZES), kinds, heads=3, timed=True),
}


@pytest.mark.parametrize("make", TYPED.values(), ids=TYPED)
def test_renumbered_nodes_get_what_they_got(make):
    edges = typed_edges(timed=True)
    batch = typed_batch(edges)
    layer = make(list(edges))
    order = {name: torch.randperm(size) for name, size in SIZES.items()}
    moved = {
        kind: (order[kind[0]][src].numpy(), order[kind[2]][dst].numpy(), times)
        for kind, (src, dst, times) in edges.items()
    }
    features = {name: torch.empty_like(x) for name, x in batch.features.items()}
    for name, x in batch.features.items():
        features[name][order[name]] = x
    out, other = layer(batch.features, batch), layer(features, typed_batch(moved, features))
    for name in SIZES:
        torch.testing.assert_close(other[name][order[name]], out[name])


@pytest.mark.parametrize("make", TYPED.values(), ids=TYPED)
def test_a_sample_of_all_neighbours_gives_the_seeds_what_the_whole_graph_gives(make):
    edges = typed_edges(timed=True)
    batch = typed_batch(edges)
    layer = make(list(edges))
    relations = {kind: adjacency.csr for kind, adjacency in batch.relations.items()}
    found = NeighbourSampler(relations, [-1, -1]).sample("u", [4, 1])
    part = GraphBatch.of_sample(found, batch.features, relations, "u", seeds=2)
    out = layer(batch.features, batch)["u"][[4, 1]]
    # the union normalises by the degree of senders too, of which the second hop has all
    torch.testing.assert_close(layer(part.features, part)["u"][:2], out)


def test_many_that_send_nothing_change_nothing_and_are_not_worked_out():
    """Half of all users and more are strangers: who sends gets the columns, with the same answers and gradients."""
    edges = typed_edges(timed=True)
    layer, found = HgtConv(D, list(SIZES), list(edges), heads=2, timed=True), []
    near = {name: torch.randn(size, D) for name, size in SIZES.items()}
    for strangers in (0, 30):
        features = {name: torch.cat([x, torch.randn(strangers, D)]) for name, x in near.items()}
        relations = {
            kind: CSR.build(dst, src, (len(features[kind[2]]), len(features[kind[0]])), times)
            for kind, (src, dst, times) in edges.items()
        }
        batch = GraphBatch(features, relations, "u")
        assert all((some is not None) == bool(strangers) for some in batch.senders.values())
        out = torch.cat([layer(features, batch)[name][: SIZES[name]] for name in SIZES])
        layer.zero_grad()
        out.square().sum().backward()
        found.append([out, *(p.grad.clone() for p in layer.parameters())])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


def test_seeds_with_times_count_ages_from_them():
    edges = typed_edges(timed=True)
    batch = typed_batch(edges)
    relations = {kind: adjacency.csr for kind, adjacency in batch.relations.items()}
    times = np.array([700, 800])
    found = NeighbourSampler(relations, [-1]).sample("u", [4, 1], times)
    part = GraphBatch.of_sample(found, batch.features, relations, "u", seeds=2, times=times)
    expected = []
    for number, kind in enumerate(relations):
        ages = times[found.groups[kind[2]][found.receivers[kind]]] - relations[kind].times[found.slots[kind]]
        assert (ages >= 0).all()
        expected += (number * AGES + age_class(ages)).tolist()
    assert sorted(part.aged.csr.indices.tolist()) == sorted(expected)


def test_types_that_nothing_leads_to_pass_through():
    batch = typed_batch({BUYS: typed_edges()[BUYS]})
    out = ByRelation(lambda: SageConv(D, D, D), [BUYS])(batch.features, batch)
    assert torch.equal(out["u"], batch.features["u"])
    assert not torch.equal(out["i"], batch.features["i"])


def test_what_does_not_fit_is_refused():
    with pytest.raises(ParameterError, match="nodes of type 'i'"):
        typed_batch(typed_edges(), {"u": torch.randn(7, D), "i": torch.randn(4, D)})
    with pytest.raises(ParameterError, match="target"):
        GraphBatch({"i": torch.randn(4, D)}, {}, "u")
    for make in (
        lambda: GatConv(6, 6, heads=4),
        lambda: HgtConv(6, ["u"], [KNOWS], heads=4),
        lambda: BetaWavelets(6, 6, order=0),
    ):
        with pytest.raises(ParameterError):
            make()
