"""Files of arrays, in the common and in the published form, and the shared data sets in them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from marigram import graph as mgg
from marigram.errors import InputError, ParameterError

COMMON: dict[str, Any] = {
    "x": np.arange(8, dtype=np.float64).reshape(4, 2),
    "edge_index": np.array([[0, 3, 1], [2, 1, 0]], np.int32),
    "y": np.array([1, 0, -1, 0], np.int8),
    "train_mask": np.array([[1, 0, 0, 0], [0, 1, 0, 0]], bool),
    "test_mask": np.array([[0, 0, 0, 1], [0, 0, 0, 1]], bool),
    "edge_time": np.array([3, 5, 9], np.int32),
    "edge_weight": np.array([0.5, 1, 2]),
    "edge_attack_count": np.array([9, 9, 9]),
}


def saved(tmp_path: Path, **changes: Any) -> Path:
    arrays = {name: values for name, values in (COMMON | changes).items() if values is not None}
    np.savez(tmp_path / "graph.npz", **arrays)
    return tmp_path / "graph.npz"


def test_the_common_form(tmp_path: Path) -> None:
    graph = mgg.load(saved(tmp_path), split=1)
    nodes, edges = graph.nodes["node"], graph.edges["node", "edge", "node"]
    assert nodes.train_mask.tolist() == [False, True, False, False]
    assert nodes.labels.tolist() == [1, 0, -1, 0]
    np.testing.assert_array_equal(nodes.attributes.numeric, COMMON["x"])
    assert edges.time.tolist() == [3, 5, 9]
    assert edges.attributes.numeric_names == ("edge_weight",), "other arrays may give the label away"
    asked = mgg.load(saved(tmp_path), attributes=["edge_attack_count"])
    assert asked.edges["node", "edge", "node"].attributes.numeric_names == (
        "edge_weight",
        "edge_attack_count",
    )


def test_types_that_are_mixed_come_apart_and_back_in_order(tmp_path: Path) -> None:
    names = {"node_type_names": np.array(["user", "card"]), "edge_type_names": np.array(["owns", "pays"])}
    types = {"node_type": np.array([1, 0, 0, 1], np.int8), "edge_type": np.array([0, 1, 1], np.int8)}
    graph = mgg.load(saved(tmp_path, **names, **types))
    assert list(graph.edges) == [("card", "owns", "user"), ("user", "pays", "card"), ("card", "pays", "user")]
    assert graph.flat({name: t.attributes.numeric[:, 0] for name, t in graph.nodes.items()}).tolist() == [
        0,
        2,
        4,
        6,
    ]
    for (source, _, target), table in graph.edges.items():
        for place, s, d in zip(table.ids.to_pylist(), table.src, table.dst, strict=True):
            ends = [int(graph.places(source)[s]), int(graph.places(target)[d])]
            assert ends == COMMON["edge_index"][:, place].tolist()
    assert graph.nodes["user"].labels.tolist() == [0, -1]


def test_a_type_without_known_labels_has_none(tmp_path: Path) -> None:
    graph = mgg.load(saved(tmp_path, node_type=np.array([0, 0, 1, 0])))
    assert graph.labelled_types == ("0",)
    assert np.isnan(graph.flat({"0": np.ones(3)})[2])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"edge_index": np.array([[0, 9, 1], [2, 1, 0]])}, "row 1: source 9 is not one of the 4 nodes"),
        ({"edge_index": np.array([[0, 1.5, 1], [2, 1, 0]])}, "whole numbers"),
        ({"edge_index": None}, "no edge_index"),
        ({"y": np.array([1, 0, 5, 0])}, "row 2: label 5"),
        ({"y": np.array([1, 0, np.nan, 0])}, "row 2: the label is NaN"),
        ({"val_mask": np.array([1, 0, 0, 0], bool)}, "row 0: in the val mask and in that of train"),
        ({"val_mask": np.array([1, 0, 0], bool)}, "the val mask must be bool with 4"),
        ({"x": np.array([[1], [np.inf], [0], [0]])}, "row 1: inf"),
        (
            {"node_type": np.array([0, 0, 2, 0]), "node_type_names": np.array(["a", "b"])},
            "node 2: type 2 is none",
        ),
        ({"node_type": np.zeros(4, int), "node_type_names": np.array(["a", "b"])}, "node type 'b' is empty"),
        ({"edge_time": np.array([1.0, np.nan, 2.0])}, "row 1: time nan"),
        ({"edge_time": np.array([1_700_000_000, 1, 1_700_000_000_000])}, "mixed units"),
        ({"edge_weight": np.ones(2)}, "edge_weight has 2 rows, 3 are expected"),
        ({"x": np.array([[None]], object)}, "plain arrays"),
    ],
)
def test_bad_files_are_refused_with_the_row_and_the_reason(tmp_path: Path, changes: Any, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        mgg.load(saved(tmp_path, **changes))


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "graph.npz").write_bytes(b"PK nothing")
    with pytest.raises(InputError, match="is not an"):
        mgg.load(tmp_path / "graph.npz")
    with pytest.raises(ParameterError, match=r"0 \.\. 1"):
        mgg.load(saved(tmp_path), split=2)


def shared(name: str) -> Path:
    if not (place := os.environ.get("MARIGRAM_DATA")):
        pytest.skip("MARIGRAM_DATA is not set: the larger data sets are not there")
    return Path(place, name)


@pytest.mark.parametrize(
    ("name", "nodes", "edges", "anomalous", "splits"),
    [
        ("tolokers", 11_758, 519_000, 2_566, 10),
        ("reddit", 10_984, 168_016, 366, 10),
        ("sffsd/sffsd_hetero", 109_575, 311_524, 5_256, 1),
        ("cloudtrail_stratus/cloudtrail_hetero", 3_414, 13_014, 214, 0),
    ],
)
def test_shared_graphs_are_read_whole(name: str, nodes: int, edges: int, anomalous: int, splits: int) -> None:
    graph = mgg.load(shared(f"{name if '/' in name else f'{name}/{name}'}.npz"))
    (labelled,) = graph.labelled_types
    assert (graph.count, graph.edge_count, graph.split_count) == (nodes, edges, splits)
    assert int((graph.nodes[labelled].labels == 1).sum()) == anomalous


def test_the_split_by_time_of_sffsd_is_the_one_in_its_file() -> None:
    ours = mgg.by_time(mgg.from_events(shared("sffsd/transactions.parquet"))).nodes["event"]
    published = mgg.load(shared("sffsd/sffsd_hetero.npz")).nodes["transaction"]
    assert ours.labels.tolist() == published.labels.tolist()
    assert ours.splits.tolist() == published.splits.tolist()
