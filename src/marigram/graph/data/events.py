"""Graphs from rows of events: the entities that events name become nodes, column by column."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from marigram.errors import InputError
from marigram.graph.data.building import Units, encode_nodes, encode_rows
from marigram.graph.data.cells import one_unit
from marigram.graph.data.columns import Columns
from marigram.graph.data.encode import column
from marigram.graph.data.frames import to_table, with_exact_names
from marigram.graph.data.graph import EdgeType, Graph
from marigram.graph.data.guess import guess_events, guess_table
from marigram.graph.data.roles import refuse_missing
from marigram.graph.data.schema import EventSchema, TableSchema
from marigram.graph.data.tables import EdgeTable, NodeTable


def from_events(
    events: Any,
    schema: EventSchema | None = None,
    *,
    nodes: Mapping[str, Any] | None = None,
    node_schema: Mapping[str, TableSchema] | None = None,
) -> Graph:
    """Make a graph from rows of events: their entities become nodes; see :class:`EventSchema`.

    An entity that is null or an empty text in an event has no edge there.

    Parameters
    ----------
    events
        A table, in any form that :func:`from_tables` takes.
    schema
        Which columns are entities, and what else there is; None guesses (:func:`infer_events` tells what).
    nodes
        Node type -> a table with the attributes, labels and ids of entities of this type. Its rows come first;
        entities that only events name follow, with everything missing and the label unknown.
    node_schema
        Node type -> the meaning of the columns of its table; None guesses.

    Raises
    ------
    InputError
        As of :func:`from_tables`.
    """
    table = to_table(events, "events")
    told = schema or guess_events(table, "events")[0]
    table = with_exact_names(table, events, told.columns)
    if not table.num_rows:
        raise InputError(0, "events: the table is empty")
    units: Units = {}
    given = {
        name: _given_nodes(name, source, (node_schema or {}).get(name), told, units)
        for name, source in (nodes or {}).items()
    }
    tables, places = _entities(table, told, given)
    rows = encode_rows(table, told.row, "events", units)
    if told.event is not None:
        tables = {told.event: NodeTable(**rows), **tables}
        edges = _edges_of_events(told, places, rows)
    else:
        edges = _edges_of_pairs(told, places, rows)
    return Graph(nodes=tables, edges=edges, time_unit=one_unit(units))


def infer_events(events: Any) -> tuple[EventSchema, tuple[str, ...]]:
    """Return the schema that :func:`from_events` would guess, and for each column the reason."""
    return guess_events(to_table(events, "events"), "events")


def _given_nodes(
    name: str, source: Any, schema: TableSchema | None, events: EventSchema, units: Units
) -> NodeTable:
    what = f"nodes {name!r}"
    if name not in events.entities:
        raise InputError(0, f"{what}: events have no entities of this type, but {', '.join(events.entities)}")
    table = to_table(source, what)
    known = schema or guess_table(table, what, edges=False)
    if known.id is None:
        raise InputError(0, f"{what}: say in the schema which column is the id that events use")
    table = with_exact_names(table, source, [known.id])
    return encode_nodes(table, known, what, units)


def _entities(
    table: pa.Table, schema: EventSchema, given: Mapping[str, NodeTable]
) -> tuple[dict[str, NodeTable], dict[str, NDArray[np.int64]]]:
    """The nodes of each type, and for each column the node that each event names (-1 for none)."""
    tables: dict[str, NodeTable] = {}
    places: dict[str, NDArray[np.int64]] = {}
    for name, columns in schema.entities.items():
        values = [_named(column(table, c, "events")) for c in columns]
        for c, part in zip(columns, values, strict=True):
            if pa.types.is_floating(part.type):
                refuse_missing(part.drop_null(), f"events: entity {c!r}")
        known = given.get(name)
        parts = values if known is None else [known.ids, *values]
        encoded = pa.concat_arrays(_one_type(parts)).dictionary_encode()
        if not len(encoded.dictionary):
            raise InputError(0, f"events: node type {name!r} is empty")
        codes = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
        start = 0 if known is None else known.count
        for j, c in enumerate(columns):
            places[c] = codes[start + j * table.num_rows : start + (j + 1) * table.num_rows]
        tables[name] = _extended(known, encoded.dictionary)
    return tables, places


def _named(values: pa.Array) -> pa.Array:
    """Entities, with null for an empty name."""
    if not pa.types.is_string(values.type):
        return values
    return pc.if_else(pc.equal(values, ""), pa.scalar(None, values.type), values)


def _one_type(parts: list[pa.Array]) -> list[pa.Array]:
    return parts if len({part.type for part in parts}) == 1 else [part.cast(pa.string()) for part in parts]


def _extended(table: NodeTable | None, ids: pa.Array) -> NodeTable:
    """The nodes of a table, then nodes of which only the id is known."""
    count = len(ids)
    if table is None:
        return NodeTable(attributes=Columns.empty(count), ids=ids)
    more = count - table.count
    if more and table.time is not None:
        raise InputError(
            0, f"events name {ids[table.count].as_py()!r}, whose time the table of nodes does not tell"
        )
    a = table.attributes
    return NodeTable(
        attributes=Columns(
            numeric=_filled(a.numeric, more, np.nan), numeric_names=a.numeric_names,
            codes=_filled(a.codes, more, -1), code_names=a.code_names, vocabularies=a.vocabularies,
            text=_filled(a.text, more, 0), text_names=a.text_names,
        ),
        ids=ids,
        time=table.time,
        labels=None if table.labels is None else np.concatenate([table.labels, np.full(more, -1, np.int8)]),
        splits=None if table.splits is None else np.pad(table.splits, ((0, 0), (0, more))),
    )  # fmt: skip


def _filled(matrix: NDArray[Any], more: int, value: float) -> NDArray[Any]:
    rest = np.full((more, matrix.shape[1]), value, matrix.dtype)
    return np.concatenate([matrix, rest])


def _edges_of_events(
    schema: EventSchema, places: Mapping[str, NDArray[np.int64]], rows: Mapping[str, Any]
) -> dict[EdgeType, EdgeTable]:
    """From each event to each of its entities."""
    edges: dict[EdgeType, EdgeTable] = {}
    assert schema.event is not None  # noqa: S101 - the caller's case
    for node_type, columns in schema.entities.items():
        for name in columns:
            present = np.flatnonzero(places[name] >= 0)
            time = rows["time"]
            edges[schema.event, name, node_type] = EdgeTable(
                src=present, dst=places[name][present], time=None if time is None else time[present]
            )
    return edges


def _edges_of_pairs(
    schema: EventSchema, places: Mapping[str, NDArray[np.int64]], rows: Mapping[str, Any]
) -> dict[EdgeType, EdgeTable]:
    """Between the two entities of each pair of columns, an edge for each event that names both."""
    types = {name: node_type for node_type, columns in schema.entities.items() for name in columns}
    pairs = schema.pairs or {f"{a}-{b}": (a, b) for a, b in combinations(schema.columns, 2)}
    edges: dict[EdgeType, EdgeTable] = {}
    for relation, (a, b) in pairs.items():
        table = EdgeTable(src=places[a], dst=places[b], **rows) if _all_present(places, a, b) else None
        if table is None:
            present = np.flatnonzero((places[a] >= 0) & (places[b] >= 0))
            attributes = rows["attributes"].take(present)
            rest = {
                name: rows[name] if rows[name] is None else rows[name][..., present]
                for name in ("time", "labels", "splits")
            }
            table = EdgeTable(src=places[a][present], dst=places[b][present], attributes=attributes, **rest)
        edges[types[a], relation, types[b]] = table
    return edges


def _all_present(places: Mapping[str, NDArray[np.int64]], *names: str) -> bool:
    return all(not len(places[name]) or int(places[name].min()) >= 0 for name in names)


__all__ = ["from_events", "infer_events"]
