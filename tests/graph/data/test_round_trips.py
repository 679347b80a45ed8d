"""A graph comes back as it was, whichever way it went."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marigram import graph as mgg
from marigram.errors import InputError, ParameterError, SnapshotError
from marigram.graph import Columns, EdgeTable, Graph, NodeTable, Part

from .graphs import assert_same, bare, plain, typed

graphs = st.builds(
    lambda make, seed: make(seed), st.sampled_from([typed, plain]), st.integers(0, 2**16)
) | st.builds(bare)


@given(graphs)
@settings(max_examples=25)
def test_through_a_folder(tmp_path_factory: pytest.TempPathFactory, graph: Graph) -> None:
    folder = tmp_path_factory.mktemp("graphs") / "graph"
    graph.save(folder)
    assert_same(mgg.load(folder), graph)


@given(graphs)
@settings(max_examples=25)
def test_through_a_mapped_file(tmp_path_factory: pytest.TempPathFactory, graph: Graph) -> None:
    path = tmp_path_factory.mktemp("graphs") / "graph.mg"
    graph.save_mapped(path)
    other = mgg.load(path)
    assert_same(other, graph)
    for kind in graph.edges:
        for reverse in (False, True):
            ours, theirs = graph.csr(kind, reverse=reverse), other.csr(kind, reverse=reverse)
            np.testing.assert_array_equal(ours.indices, theirs.indices)
            np.testing.assert_array_equal(ours.indptr, theirs.indptr)


@given(graphs, st.booleans())
@settings(max_examples=25)
def test_through_pyg(graph: Graph, hetero: bool) -> None:
    pytest.importorskip("torch_geometric")
    assert_same(mgg.as_graph(graph.to_pyg(hetero=hetero)), graph)


@given(graphs)
@settings(max_examples=25)
def test_through_networkx(graph: Graph) -> None:
    pytest.importorskip("networkx")
    assert_same(mgg.as_graph(graph.to_networkx()), graph)


@pytest.mark.parametrize("kind", ["Graph", "DiGraph", "MultiGraph", "MultiDiGraph"])
def test_any_networkx_graph_is_read(kind: str) -> None:
    other = getattr(pytest.importorskip("networkx"), kind)()
    other.add_node("ann", age=31, label=0)
    other.add_node("eve", label=1, id="an attribute")
    other.add_edge("ann", "eve", amount=2.5, time=7)
    other.add_edge("eve", "bob", amount=9.0, time=8)
    graph = mgg.as_graph(other)
    nodes, edges = graph.nodes["node"], graph.edges["node", "edge", "node"]
    assert nodes.ids.to_pylist() == ["ann", "eve", "bob"]
    assert nodes.labels.tolist() == [0, 1, -1]
    assert nodes.attributes.numeric_names == ("age",)
    assert (edges.src.tolist(), edges.dst.tolist()) == ([0, 1], [1, 2])
    assert (edges.time.tolist(), edges.attributes.numeric[:, 0].tolist()) == ([7, 8], [2.5, 9.0])


def test_a_networkx_graph_of_values_of_several_kinds_is_refused() -> None:
    other = pytest.importorskip("networkx").path_graph(2)
    other.nodes[0]["age"], other.nodes[1]["age"] = 3, "four"
    with pytest.raises(InputError, match="values of several kinds"):
        mgg.as_graph(other)


def test_pyg_sees_the_usual_names() -> None:
    pytest.importorskip("torch_geometric")
    data = plain(3).to_pyg()
    data.validate()
    table = plain(3).nodes["node"]
    assert data.x.shape == (table.count, 4)
    assert data.y.tolist() == table.labels.tolist()
    assert data.train_mask.shape == (table.count, 3)


def test_plain_numbers_leave_nothing_beside_the_usual_names() -> None:
    pytest.importorskip("torch_geometric")
    numbers = NodeTable(attributes=Columns.of_numbers(np.ones((2, 3), np.float32)))
    graph = Graph(nodes={"node": numbers}, edges=bare().edges)
    assert sorted(graph.to_pyg().keys()) == ["edge_index", "num_nodes", "x"]
    assert_same(mgg.as_graph(graph.to_pyg()), graph)


def test_what_marigram_does_not_read_is_handed_back() -> None:
    torch = pytest.importorskip("torch")
    from torch_geometric.data import Data

    data = Data(x=torch.ones(2, 1), edge_index=torch.tensor([[0], [1]]), y=torch.tensor([0, -1]), name="mine")
    data.pos = torch.zeros(2, 3)
    back = mgg.as_graph(data).to_pyg()
    assert back.name == "mine"
    assert back.pos is data.pos


def test_neither_way_shares_memory_that_pyg_could_write_to() -> None:
    pytest.importorskip("torch_geometric")
    graph = plain(4)
    before = graph.nodes["node"].attributes.numeric.copy()
    graph.to_pyg().x += 1
    np.testing.assert_array_equal(graph.nodes["node"].attributes.numeric, before)


def test_a_pyg_split_is_chosen_by_its_number() -> None:
    torch = pytest.importorskip("torch")
    from torch_geometric.data import Data

    data = Data(x=torch.ones(3, 1), edge_index=torch.tensor([[0], [1]]))
    data.train_mask = torch.tensor([[True, False], [False, True], [False, False]])
    assert mgg.as_graph(data, split=1).nodes["node"].train_mask.tolist() == [False, True, False]
    with pytest.raises(ParameterError, match=r"0 \.\. 1"):
        mgg.as_graph(data, split=2)


def test_homogenised_pyg_data_come_apart_again() -> None:
    pytest.importorskip("torch_geometric")
    data = plain(5).to_pyg(hetero=True)
    del data["node"]["columns"], data["node"]["codes"], data["node"]["split"]
    merged = data.to_homogeneous(node_attrs=["x", "y"], edge_attrs=[])
    graph = mgg.as_graph(merged)
    assert graph.count == plain(5).count
    assert graph.nodes["0"].labels.tolist() == plain(5).nodes["node"].labels.tolist()


def test_pyg_labels_out_of_range_name_their_row_and_the_way_out() -> None:
    torch = pytest.importorskip("torch")
    from torch_geometric.data import Data

    data = Data(edge_index=torch.tensor([[0], [1]]), y=torch.tensor([0, 2]), num_nodes=2)
    with pytest.raises(InputError, match="row 1: label 2 is none"):
        mgg.as_graph(data)
    assert mgg.as_graph(data, labels={2: -1}).nodes["node"].labels.tolist() == [0, -1]


def test_a_strange_object_is_refused() -> None:
    with pytest.raises(InputError, match="list is neither"):
        mgg.as_graph([1, 2])


# --- folders ---------------------------------------------------------------------------------------------------------


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("pattern", ["graph.toml", "nodes-*.parquet", "edges-*.parquet"])
@pytest.mark.parametrize("damage", [flip, Path.unlink])
def test_a_damaged_folder_is_refused(tmp_path: Path, pattern: str, damage: Callable[[Path], object]) -> None:
    typed(1).save(tmp_path)
    damage(next(tmp_path.glob(pattern)))
    with pytest.raises(SnapshotError, match=r"as it was written|missing|no graph\.toml"):
        mgg.load(tmp_path)


def test_another_save_replaces_the_graph_and_leaves_nothing_behind(tmp_path: Path) -> None:
    typed(1).save(tmp_path)
    bare().save(tmp_path)
    assert_same(mgg.load(tmp_path), bare())
    assert len(list(tmp_path.iterdir())) == 3


def test_a_save_that_is_interrupted_leaves_the_old_graph(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from marigram.graph.data import folder

    typed(1).save(tmp_path)
    real = folder.replace_file

    def stop_at_the_end(path: Path, write: Callable[..., object]) -> None:
        if path.suffix == ".toml":
            raise KeyboardInterrupt
        real(path, write)

    monkeypatch.setattr(folder, "replace_file", stop_at_the_end)
    with pytest.raises(KeyboardInterrupt):
        typed(2).save(tmp_path)
    assert_same(mgg.load(tmp_path), typed(1))


def test_other_programs_read_the_tables(tmp_path: Path) -> None:
    graph = typed(1)
    graph.save(tmp_path)
    tables = [pq.read_table(path).to_pandas() for path in tmp_path.glob("edges-*.parquet")]
    (paid,) = [table for table in tables if "amount" in table]
    table = graph.edges["user", "pays", "user"]
    assert paid["@src"].tolist() == table.src.tolist()
    np.testing.assert_array_equal(paid["amount"].to_numpy(), table.attributes.numeric[:, 0])
    assert paid["country"].isna().tolist() == (table.attributes.codes[:, 0] < 0).tolist()


def test_an_attribute_may_not_take_the_name_of_a_column_of_the_folder(tmp_path: Path) -> None:
    named = Columns.of_numbers(np.zeros((1, 1), np.float32), ("@src",))
    with pytest.raises(ParameterError, match="@src"):
        Graph(nodes={"a": NodeTable(attributes=named)}, edges={}).save(tmp_path)


@pytest.mark.parametrize("damage", [flip, lambda path: path.write_bytes(b"something else")])
def test_a_damaged_mapped_file_is_refused(tmp_path: Path, damage: Callable[[Path], object]) -> None:
    path = tmp_path / "graph.mg"
    typed(1).save_mapped(path)
    damage(path)
    with pytest.raises(SnapshotError):
        mgg.load(path)


def test_a_path_without_a_graph_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="neither a folder"):
        mgg.load(tmp_path / "nothing")
    with pytest.raises(SnapshotError, match="holds no graph"):
        mgg.load(tmp_path)


# --- the graph itself -----------------------------------------------------------------------------------------------


def test_values_by_type_become_one_array_in_the_order_of_the_source() -> None:
    graph = typed(7)
    users = graph.nodes["user"].count
    flat = graph.flat({"user": np.arange(users, dtype=np.float64)})
    assert flat[graph.places("user")].tolist() == list(range(users))
    assert np.isnan(np.delete(flat, graph.places("user"))).all()


def test_edges_are_sorted_by_node_and_time_in_both_directions() -> None:
    graph = plain(11)
    table = graph.edges["node", "edge", "node"]
    for reverse, near in ((False, table.dst), (True, table.src)):
        csr = graph.csr(("node", "edge", "node"), reverse=reverse)
        expected = sorted(range(table.count), key=lambda e: (near[e], table.time[e]))
        assert [int(table.time[e]) for e in csr.edge] == [int(table.time[e]) for e in expected]
        assert csr.degrees.tolist() == np.bincount(near, minlength=graph.count).tolist()


def test_the_past_has_no_later_edges() -> None:
    graph = plain(11)
    times = graph.edges["node", "edge", "node"].time
    now = int(np.median(times))
    assert graph.before(now).edge_count == int((times <= now).sum())


def test_the_masks_are_those_of_the_chosen_split() -> None:
    table = typed(3).nodes["user"]
    for number in range(3):
        chosen = table.with_split(number)
        for part, mask in (
            (Part.TRAIN, chosen.train_mask),
            (Part.VAL, chosen.val_mask),
            (Part.TEST, chosen.test_mask),
        ):
            assert mask.tolist() == (table.splits[number] == part).tolist()


def test_the_matrix_names_every_column() -> None:
    a = typed(3).nodes["user"].attributes
    matrix, names = a.matrix()
    assert names == ("amount", "größe", "note#0", "note#1", "country=AT", "country=", "country=never seen")
    np.testing.assert_array_equal(matrix[:, 4], a.codes[:, 0] == 0)
    assert a.without("note", "country").matrix()[1] == ("amount", "größe")


E = EdgeTable(src=np.array([0, 1]), dst=np.array([0, 5]))


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: Graph(nodes={}, edges={}), "needs a node type"),
        (lambda: Graph(nodes={"a": NodeTable.bare(0)}, edges={}), "'a' is empty"),
        (lambda: Graph(nodes={"a": NodeTable.bare(2)}, edges={("a", "b", "a"): E}), "row 1: target 5"),
        (lambda: Graph(nodes={"a": NodeTable.bare(9)}, edges={("a", "b", "c"): E}), "no node type 'c'"),
        (lambda: NodeTable.bare(2).with_labels(np.array([0, 2], np.int8)), "row 1: label 2"),
        (lambda: NodeTable.bare(2).with_labels(np.array([0, 1])), "int8"),
        (lambda: NodeTable.bare(2).with_splits(np.array([[0, 4]], np.int8)), "row 1: no part 4"),
        (lambda: Columns.of_numbers(np.array([[0], [np.inf]], np.float32)), "row 1: inf"),
        (lambda: Columns.of_numbers(np.zeros((1, 2), np.float32), ("a", "a")), "share a name"),
    ],
)
def test_what_contradicts_itself_is_refused(make: Callable[[], object], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        make()


def test_times_need_a_unit() -> None:
    timed = NodeTable(attributes=Columns.empty(1), time=np.array([5]))
    with pytest.raises(InputError, match="time_unit"):
        Graph(nodes={"a": timed}, edges={})
