"""The graph of a table of events, from the schema that their streams have."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike

from marigram.bridge.columns import names_of, plain_table
from marigram.errors import InputError
from marigram.events.entities import EntitySchema
from marigram.events.names import kind_of_name
from marigram.graph.data.events import from_events
from marigram.graph.data.graph import Graph
from marigram.graph.data.schema import EventSchema, TableSchema

__all__ = ["graph_of", "graph_schema"]

_LABEL = "label"


def graph_schema(schema: EntitySchema) -> EventSchema:
    """Return the graph half's schema of the same events: each event a node, with an edge to each of its entities.

    Examples
    --------
    >>> schema = EntitySchema(time="at", entities={"user": "account", "ip": "address"}, numbers=("bytes",))
    >>> graph_schema(schema).entities
    {'account': ('user',), 'address': ('ip',)}
    """
    return EventSchema(
        entities={kind: schema.of_type(kind) for kind in schema.node_types},
        event=schema.event,
        time=schema.time,
        unit=schema.unit,
        label=schema.label,
        labels=schema.labels,
        numeric=schema.numbers,
        categorical=schema.attributes,
        text=schema.text,
    )


def graph_of(table: Any, schema: EntitySchema, *, labels: ArrayLike | None = None) -> Graph:
    """Return the graph of a table of events.

    Nodes of the type ``schema.event`` are the rows, in their order; then come the entities, type by type, in the
    order of their first appearance.  An edge ``(event, column, node type)`` leads from each event to each of its
    entities, with the event's time.  An entity that is null or empty has no edge.  Where names enter as kind and hash
    only, the ids of the nodes are these, and the kind is an attribute of the node.

    Parameters
    ----------
    table
        Arrow, pandas, polars, or a mapping of names to columns.
    schema
        Which column is what.
    labels
        (n,) 1, 0 or -1 for unknown, instead of the schema's label.

    Raises
    ------
    InputError
        The table does not fit the schema, or the labels are not one a row.

    Examples
    --------
    >>> schema = EntitySchema(time="at", unit="s", entities={"user": "account", "ip": "address"})
    >>> events = {"at": [0, 5], "user": ["ann", "ann"], "ip": ["10.0.0.1", "10.0.0.2"]}
    >>> graph_of(events, schema)
    Graph(event 2, account 1, address 2; event-[user]->account 2, event-[ip]->address 2)
    """
    plain = plain_table(table, schema)
    told = graph_schema(schema if schema.label in plain.column_names else schema.without_label())
    if labels is not None:
        known = np.asarray(labels)
        if known.shape != (plain.num_rows,):
            raise InputError(0, f"labels are of shape {known.shape}, and there are {plain.num_rows} events")
        column = _unused(plain, schema)
        plain = plain.append_column(column, pa.array(known.astype(np.int8)))
        told = msgspec.structs.replace(graph_schema(schema.without_label()), label=column)
    return from_events(plain, told, **_kinds(plain, schema))


def _unused(table: pa.Table, schema: EntitySchema) -> str:
    name = _LABEL
    while name in table.column_names or name in schema.columns:
        name += "_"
    return name


def _kinds(table: pa.Table, schema: EntitySchema) -> dict[str, Any]:
    """Tables of the entities of types whose names are hashed, with the kind of each as an attribute."""
    nodes: dict[str, Any] = {}
    for kind in dict.fromkeys(schema.entities[column] for column in schema.hashed):
        names = dict.fromkeys(n for column in schema.of_type(kind) for n in names_of(table, column) if n)
        kinds = [name.rpartition("#")[0] or kind_of_name(name) for name in names]
        if names:
            nodes[kind] = pa.table({"id": list(names), "kind": kinds})
    return {
        "nodes": nodes,
        "node_schema": {kind: TableSchema(id="id", categorical=("kind",)) for kind in nodes},
    }
