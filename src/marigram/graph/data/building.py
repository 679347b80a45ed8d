"""Graphs from tables of nodes and tables of edges, column by column."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from marigram.errors import InputError, ParameterError
from marigram.graph.data.cells import one_unit
from marigram.graph.data.encode import column, encode_columns
from marigram.graph.data.frames import to_table, with_exact_names
from marigram.graph.data.graph import EdgeType, Graph, TimeUnit
from marigram.graph.data.guess import guess_table
from marigram.graph.data.roles import encode_labels, encode_parts, encode_times, places_of, unique_ids
from marigram.graph.data.schema import GraphSchema, TableSchema
from marigram.graph.data.stacked import EDGE, NODE
from marigram.graph.data.tables import EdgeTable, NodeTable

Units = dict[str, TimeUnit]


def from_tables(nodes: Any, edges: Any, schema: GraphSchema | None = None) -> Graph:
    """Make a graph from tables of nodes and tables of edges.

    Parameters
    ----------
    nodes
        Node type -> table, or one table, whose type is then ``"node"``. A table is Arrow, pandas, polars, a mapping
        of names to columns, or the path of a file (CSV, JSON lines, Parquet, Arrow).
    edges
        ``(source type, relation, target type)``, or the three in one text with spaces, -> table; or one table, of
        ``("node", "edge", "node")``.
    schema
        Which column is what; what it does not mention is guessed: ids, ends, times and labels by their names, the
        rest are attributes.

    Raises
    ------
    InputError
        Dangling edges, duplicate or missing ids, NaN or out of range labels, unknown types, times of mixed
        units, an empty type: with the table, the row (from 0) and the reason.

    Examples
    --------
    >>> from marigram import graph as mgg
    >>> users = {"id": ["ann", "bob", "eve"], "age": [31, 40, None], "label": [0, None, 1]}
    >>> paid = {"source": ["ann", "eve"], "target": ["bob", "bob"], "amount": [9.5, 120.0]}
    >>> data = mgg.from_tables({"user": users}, {("user", "paid", "user"): paid})
    >>> data
    Graph(user 3; user-[paid]->user 2)
    >>> data.nodes["user"].labels
    array([ 0, -1,  1], dtype=int8)
    """
    known = schema or GraphSchema()
    units: Units = {}
    node_tables: dict[str, NodeTable] = {}
    for name, source in _by_type(nodes, NODE).items():
        what = f"nodes {name!r}"
        table = to_table(source, what)
        told = known.nodes.get(name) or guess_table(table, what, edges=False)
        table = with_exact_names(table, source, [told.id])
        node_tables[name] = encode_nodes(table, told, what, units)
    edge_tables: dict[EdgeType, EdgeTable] = {}
    for key, source in _by_type(edges, (NODE, EDGE, NODE)).items():
        kind = _edge_type(key)
        what = f"edges {'-'.join(kind)}"
        table = to_table(source, what)
        told = known.edges.get(" ".join(kind)) or guess_table(table, what, edges=True)
        table = with_exact_names(table, source, [told.source, told.target])
        edge_tables[kind] = _edges(table, told, kind, node_tables, units)
    _refuse_unused(known, node_tables, edge_tables)
    return Graph(nodes=node_tables, edges=edge_tables, time_unit=one_unit(units))


def _by_type(tables: Any, single: Any) -> Mapping[Any, Any]:
    """Tables by type; a mapping of names to columns is one table."""
    if isinstance(tables, Mapping) and not _is_columns(tables):
        return tables
    return {single: tables}


def _is_columns(tables: Mapping[Any, Any]) -> bool:
    return bool(tables) and all(
        isinstance(v, list | tuple | np.ndarray | pa.Array | pa.ChunkedArray) for v in tables.values()
    )


def _edge_type(key: Any) -> EdgeType:
    parts = tuple(key.split()) if isinstance(key, str) else tuple(key)
    if len(parts) != 3 or not all(isinstance(part, str) for part in parts):
        raise ParameterError(f"an edge type is (source type, relation, target type), not {key!r}")
    return parts[0], parts[1], parts[2]


def _refuse_unused(schema: GraphSchema, nodes: Mapping[str, Any], edges: Mapping[EdgeType, Any]) -> None:
    there = {*nodes, *(" ".join(kind) for kind in edges)}
    unused = [name for name in (*schema.nodes, *schema.edges) if name not in there]
    if unused:
        raise ParameterError(f"the schema tells of {unused[0]!r}, and there is no such table")


def encode_nodes(table: pa.Table, schema: TableSchema, what: str, units: Units) -> NodeTable:
    """Return a table of nodes as a graph holds it; what its times count is added to ``units``."""
    if not table.num_rows:
        raise InputError(0, f"{what}: the table is empty")
    ids = None if schema.id is None else unique_ids(column(table, schema.id, what), what)
    return NodeTable(ids=ids, **encode_rows(table, schema, what, units))


def _edges(
    table: pa.Table, schema: TableSchema, kind: EdgeType, nodes: Mapping[str, NodeTable], units: Units
) -> EdgeTable:
    what = f"edges {'-'.join(kind)}"
    ends = []
    for end, name, node_type in (("source", schema.source, kind[0]), ("target", schema.target, kind[2])):
        if node_type not in nodes:
            raise InputError(0, f"{what}: there is no node type {node_type!r}")
        if name is None:
            raise ParameterError(f"{what}: the schema does not say which column is the {end}")
        values, at = column(table, name, what), nodes[node_type]
        ends.append(places_of(values, at.ids, at.count, f"{what}: the {end}", node_type))
    return EdgeTable(src=ends[0], dst=ends[1], **encode_rows(table, schema, what, units))


def encode_rows(table: pa.Table, schema: TableSchema, what: str, units: Units) -> dict[str, Any]:
    """Return the columns that nodes, edges and events share; what the times count is added to ``units``."""
    text = {"numeric": schema.numeric, "categorical": schema.categorical, "text": schema.text}
    time = None
    if schema.time is not None:
        time, units[what] = encode_times(column(table, schema.time, what), what, schema.unit)
    labels, split = schema.label, schema.split
    return {
        "attributes": encode_columns(table, what, **text, buckets=schema.buckets),
        "time": time,
        "labels": None if labels is None else encode_labels(column(table, labels, what), what, schema.labels),
        "splits": None if split is None else encode_parts(column(table, split, what), what),
    }


__all__ = ["Units", "encode_nodes", "encode_rows", "from_tables"]
