"""Graphs with everything in them, for the tests of this folder, and what it means that two are the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from marigram.graph import Columns, EdgeTable, Graph, NodeTable


def columns(rng: np.random.Generator, count: int) -> Columns:
    """Return attributes of all three blocks, some missing; a vocabulary has a value that no row has."""
    numeric = rng.normal(size=(count, 2)).astype(np.float32)
    numeric[rng.random(numeric.shape) < 0.2] = np.nan
    return Columns(
        numeric=numeric,
        numeric_names=("amount", "größe"),
        codes=rng.integers(-1, 2, (count, 1)).astype(np.int32),
        code_names=("country",),
        vocabularies=(("AT", "", "never seen"),),
        text=rng.normal(size=(count, 2)).astype(np.float32),
        text_names=("note#0", "note#1"),
    )


def rows(rng: np.random.Generator, count: int) -> dict[str, Any]:
    """Return every column that nodes and edges share."""
    return {
        "attributes": columns(rng, count),
        "time": rng.integers(-(2**62), 2**62, count),
        "labels": rng.integers(-1, 2, count).astype(np.int8),
        "splits": rng.integers(0, 4, (3, count)).astype(np.int8),
        "split": 1,
    }


def typed(seed: int) -> Graph:
    """Return a graph of three node types and three edge types, one of them without edges."""
    rng = np.random.default_rng(seed)
    users, cards = int(rng.integers(1, 9)), int(rng.integers(1, 5))
    nodes = {
        "user": NodeTable(ids=pa.array([f"u{i}" for i in range(users)]), **rows(rng, users)),
        "card": NodeTable.bare(cards),
        "shop": NodeTable(
            attributes=Columns.empty(2), ids=pa.array([7, 5]), splits=np.array([[0, 3]], np.int8)
        ),
    }
    edges = {}
    for kind, many in (
        (("user", "owns", "card"), 6),
        (("user", "pays", "user"), 9),
        (("card", "at", "shop"), 0),
    ):
        ends = (rng.integers(0, nodes[end].count, many) for end in (kind[0], kind[2]))
        src, dst = ends
        extra = rows(rng, many) if kind[1] == "pays" else {}
        edges[kind] = EdgeTable(src=src, dst=dst, **extra)
    order = rng.permutation(users + cards + 2)
    return Graph(nodes=nodes, edges=edges, time_unit="ns", order=order)


def plain(seed: int) -> Graph:
    """Return a graph of one node type and one edge type, under the names that PyG's `Data` stands for."""
    rng = np.random.default_rng(seed)
    count, many = int(rng.integers(1, 9)), int(rng.integers(0, 12))
    edges = EdgeTable(src=rng.integers(0, count, many), dst=rng.integers(0, count, many), **rows(rng, many))
    return Graph(
        nodes={"node": NodeTable(**rows(rng, count))},
        edges={("node", "edge", "node"): edges},
        time_unit="step",
    )


def bare() -> Graph:
    """Return a graph of nothing but two nodes."""
    return Graph(
        nodes={"node": NodeTable.bare(2)},
        edges={("node", "edge", "node"): EdgeTable(src=np.array([1]), dst=np.array([0]))},
    )


def assert_same(a: Graph, b: Graph) -> None:
    """Fail unless two graphs agree in every column, bit for bit."""
    assert list(a.nodes) == list(b.nodes)
    assert list(a.edges) == list(b.edges)
    assert a.time_unit == b.time_unit
    equal(a.order, b.order)
    for kind, table in (*a.nodes.items(), *a.edges.items()):
        other = b.table(kind)
        assert table.split == other.split
        assert (table.ids is None and other.ids is None) or table.ids.equals(other.ids)
        for name in ("time", "labels", "splits", *(("src", "dst") if isinstance(table, EdgeTable) else ())):
            equal(getattr(table, name), getattr(other, name))
        for name in ("numeric", "codes", "text"):
            equal(getattr(table.attributes, name), getattr(other.attributes, name))
        for name in ("numeric_names", "code_names", "vocabularies", "text_names"):
            assert getattr(table.attributes, name) == getattr(other.attributes, name)


def equal(a: Any, b: Any) -> None:
    """Fail unless both are absent, or are arrays of one type with the same values."""
    assert (a is None) == (b is None)
    if a is not None:
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
