"""Graphs whose nodes stand in one list and whose edges stand in another, with the types as columns.

So do PyG's ``Data`` and the usual ``.npz`` files. Here they are taken apart into one table a type.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from marigram.errors import InputError
from marigram.graph.data.columns import Columns
from marigram.graph.data.graph import EdgeType, Graph, TimeUnit
from marigram.graph.data.tables import EdgeTable, Labels, NodeTable, Part, Times, refuse_first

NODE = "node"
EDGE = "edge"
"""What the types are called when the source has one of each."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Stacked:
    """All nodes and all edges of a source, in its order; see :class:`Graph` for the columns."""

    count: int
    src: NDArray[np.int64]
    dst: NDArray[np.int64]
    attributes: Columns
    edge_attributes: Columns
    labels: Labels | None = None
    splits: NDArray[np.int8] | None = None
    split: int = 0
    time: Times | None = None
    edge_time: Times | None = None
    time_unit: TimeUnit = ""
    node_type: NDArray[Any] | None = None
    edge_type: NDArray[Any] | None = None
    node_names: tuple[str, ...] = ()
    edge_names: tuple[str, ...] = ()
    ids: pa.Array | None = None
    edge_ids: pa.Array | None = None
    edge_labels: Labels | None = None
    edge_splits: NDArray[np.int8] | None = None


def unstack(source: Stacked) -> Graph:
    """Make a graph of tables.

    A node type none of whose labels is known has no labels. When there are several edge types, the ids of an edge
    are its places in the source.

    Raises
    ------
    InputError
        An end of an edge is no node, a type has no name, a table contradicts itself.
    """
    for end, column in (("source", source.src), ("target", source.dst)):
        refuse_first(
            (column < 0) | (column >= source.count),
            lambda row, end=end, column=column: (
                f"edges, row {row}: {end} {column[row]} is not one of the {source.count:,} nodes"
            ),
        )
    nodes = NodeTable(
        attributes=source.attributes, time=source.time, ids=source.ids, labels=source.labels,
        splits=source.splits, split=source.split,
    )  # fmt: skip
    edges = EdgeTable(
        src=source.src, dst=source.dst, attributes=source.edge_attributes, time=source.edge_time,
        ids=source.edge_ids, labels=source.edge_labels, splits=source.edge_splits,
        split=source.split if source.edge_splits is not None else 0,
    )  # fmt: skip
    if source.node_type is None and source.edge_type is None:
        return Graph(nodes={NODE: nodes}, edges={(NODE, EDGE, NODE): edges}, time_unit=source.time_unit)
    return _by_type(source, nodes, edges)


def _by_type(source: Stacked, nodes: NodeTable, edges: EdgeTable) -> Graph:
    of_node, node_names = _types(source.node_type, source.count, source.node_names, NODE)
    of_edge, edge_names = _types(source.edge_type, edges.count, source.edge_names, EDGE)
    local = np.empty(source.count, np.int64)
    tables: dict[str, NodeTable] = {}
    order = []
    for code, name in enumerate(node_names):
        places = np.flatnonzero(of_node == code)
        if not places.size:
            raise InputError(0, f"node type {name!r} is empty")
        local[places] = np.arange(len(places))
        order.append(places)
        table = nodes.take(places)
        known = table.labels is not None and bool((table.labels >= 0).any())
        if not known and len(node_names) > 1:
            table = table.with_labels(None).with_splits(None)
        tables[name] = table
    places = np.concatenate(order)
    return Graph(
        nodes=tables,
        edges=_relations(edges, of_node, of_edge, local, node_names, edge_names),
        time_unit=source.time_unit,
        order=None if (places == np.arange(source.count)).all() else places,
    )


def _relations(
    edges: EdgeTable,
    of_node: NDArray[np.int64],
    of_edge: NDArray[np.int64],
    local: NDArray[np.int64],
    node_names: tuple[str, ...],
    edge_names: tuple[str, ...],
) -> dict[EdgeType, EdgeTable]:
    """Group edges by their type and those of their ends, in the order of (relation, source, target)."""
    key = (of_edge * len(node_names) + of_node[edges.src]) * len(node_names) + of_node[edges.dst]
    relations: dict[EdgeType, EdgeTable] = {}
    kinds = np.flatnonzero(np.bincount(key, minlength=1))
    places = None if edges.ids is not None or len(kinds) == 1 else pa.array(np.arange(edges.count))
    for kind in kinds:
        rest, target = divmod(int(kind), len(node_names))
        relation, origin = divmod(rest, len(node_names))
        rows = np.flatnonzero(key == kind)
        table = edges.take(rows)
        relations[node_names[origin], edge_names[relation], node_names[target]] = EdgeTable(
            src=local[table.src], dst=local[table.dst], attributes=table.attributes, time=table.time,
            ids=table.ids if places is None else places.take(pa.array(rows)),
            labels=table.labels, splits=table.splits, split=table.split,
        )  # fmt: skip
    return relations


def _types(
    codes: NDArray[Any] | None, count: int, names: tuple[str, ...], single: str
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Types as 0, 1, … and their names; without names they are called by the source's numbers."""
    if codes is None:
        return np.zeros(count, np.int64), (single,)
    column = np.asarray(codes)
    if column.ndim != 1 or column.dtype.kind not in "iu" or len(column) != count:
        raise InputError(0, f"{single} types must be whole numbers, one for each of {count:,} {single}s")
    if names:
        refuse_first(
            (column < 0) | (column >= len(names)),
            lambda row: f"{single} {row}: type {column[row]} is none of the {len(names)} named types",
        )
        return column.astype(np.int64), names
    values, places = np.unique(column, return_inverse=True)
    return places.astype(np.int64), tuple(str(value) for value in values)


def parts_of(masks: dict[Part, NDArray[np.bool_]], count: int, what: str) -> NDArray[np.int8] | None:
    """Turn masks ``(S, count)`` or ``(count,)`` into splits; refuses a row that is in two of them."""
    if not masks:
        return None
    widest = max(len(np.atleast_2d(mask)) for mask in masks.values())
    splits = np.zeros((widest, count), np.int8)
    for part, mask in masks.items():
        rows = np.atleast_2d(mask)
        if rows.dtype != np.bool_ or rows.shape[1] != count or len(rows) not in (1, widest):
            raise InputError(
                0, f"{what}: the {part.name.lower()} mask must be bool with {count:,} entries a split"
            )
        for number in range(widest):
            chosen = rows[number if len(rows) > 1 else 0]
            refuse_first(
                chosen & (splits[number] > 0),
                lambda row, n=number, part=part: (
                    f"{what}, row {row}: in the {part.name.lower()} mask and in that of "
                    f"{Part(int(splits[n, row])).name.lower()} (split {n})"
                ),
            )
            splits[number][chosen] = part
    return splits


__all__ = ["EDGE", "NODE", "Stacked", "parts_of", "unstack"]
