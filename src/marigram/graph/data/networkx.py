"""To and from networkx, without loss: every column as an attribute of its nodes and edges.

Of ours a node is ``(type, id)``; an edge's key is its relation and its place in its table. What concerns a whole type
(names, vocabularies, how many splits) stands in the attributes of the networkx graph. Meant for looking at small
graphs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from msgspec.structs import replace

from marigram.errors import InputError
from marigram.graph.data.building import from_tables
from marigram.graph.data.columns import Columns
from marigram.graph.data.graph import Graph
from marigram.graph.data.guess import guess_table
from marigram.graph.data.schema import GraphSchema
from marigram.graph.data.stacked import EDGE, NODE
from marigram.graph.data.tables import EdgeTable, NodeTable


def to_networkx(graph: Graph) -> Any:
    """Return a networkx ``MultiDiGraph``."""
    import networkx as nx

    other = nx.MultiDiGraph(time_unit=graph.time_unit, order=graph.order, extra=dict(graph.extra))
    other.graph["nodes"] = {name: _about(table) for name, table in graph.nodes.items()}
    other.graph["edges"] = {kind: _about(table) for kind, table in graph.edges.items()}
    names = {name: _ids(table) for name, table in graph.nodes.items()}
    for name, nodes in graph.nodes.items():
        other.add_nodes_from(((name, i), row) for i, row in zip(names[name], _rows(nodes), strict=True))
    for kind, edges in graph.edges.items():
        sources, targets = names[kind[0]], names[kind[2]]
        for place, row in enumerate(_rows(edges)):
            source, target = (kind[0], sources[edges.src[place]]), (kind[2], targets[edges.dst[place]])
            other.add_edge(source, target, key=(kind[1], place), **row)
    return other


def from_networkx(other: Any) -> Graph:
    """Return a networkx graph as one of ours.

    What :func:`to_networkx` made comes back as it was. Any other becomes nodes and edges of one type, an undirected
    edge once; the meaning of the attributes is guessed as :func:`from_tables` does.

    Raises
    ------
    InputError
        As of :func:`from_tables`.
    """
    if not {"nodes", "edges", "time_unit"} <= set(other.graph):
        return _from_any(other)
    rows: dict[Any, list[Any]] = {name: [] for name in (*other.graph["nodes"], *other.graph["edges"])}
    local: dict[Any, int] = {}
    for node, row in other.nodes(data=True):
        local[node] = len(rows[node[0]])
        rows[node[0]].append(row)
    for source, target, (relation, place), row in other.edges(keys=True, data=True):
        rows[source[0], relation, target[0]].append((place, local[source], local[target], row))
    nodes = {name: NodeTable(**_columns(rows[name], about)) for name, about in other.graph["nodes"].items()}
    edges = {kind: _edge_table(rows[kind], about) for kind, about in other.graph["edges"].items()}
    return Graph(
        nodes=nodes, edges=edges, time_unit=other.graph["time_unit"], order=other.graph["order"],
        extra=other.graph["extra"],
    )  # fmt: skip


def _from_any(other: Any) -> Graph:
    """A graph that somebody else made."""
    import pyarrow as pa

    ends = [(source, target) for source, target, *_ in other.edges]
    whole = all(isinstance(node, int) for node in other)
    names = {node: node if whole else str(node) for node in other}
    nodes = pa.table(
        {"@id": pa.array(list(names.values())), **_by_name([row for _, row in other.nodes(data=True)])}
    )
    kind = nodes["@id"].type
    edges = pa.table(
        {
            "@source": pa.array([names[source] for source, _ in ends], kind),
            "@target": pa.array([names[target] for _, target in ends], kind),
            **_by_name([row for *_, row in other.edges(data=True)]),
        }
    )
    of_nodes = guess_table(nodes.drop_columns("@id"), "nodes", edges=False)
    of_edges = guess_table(edges.drop_columns(["@source", "@target"]), "edges", edges=False)
    told = GraphSchema(
        nodes={NODE: replace(of_nodes, id="@id")},
        edges={f"{NODE} {EDGE} {NODE}": replace(of_edges, id=None, source="@source", target="@target")},
    )
    return from_tables(nodes, edges, told)


def _by_name(rows: list[dict[Any, Any]]) -> dict[str, Any]:
    """Attributes of rows as columns, null where a row lacks one."""
    import pyarrow as pa

    names = dict.fromkeys(str(name) for row in rows for name in row)
    try:
        return {name: pa.array([row.get(name) for row in rows]) for name in names}
    except pa.ArrowException as error:
        raise InputError(0, f"an attribute has values of several kinds: {error}") from error


def _edge_table(rows: list[Any], about: dict[str, Any]) -> EdgeTable:
    rows.sort(key=lambda row: row[0])
    ends = np.array([row[1:3] for row in rows], np.int64).reshape(-1, 2)
    return EdgeTable(
        src=ends[:, 0].copy(), dst=ends[:, 1].copy(), **_columns([row[3] for row in rows], about)
    )


def _ids(table: NodeTable) -> list[Any]:
    return list(range(table.count)) if table.ids is None else table.ids.to_pylist()


def _about(table: NodeTable | EdgeTable) -> dict[str, Any]:
    """What holds for a whole table."""
    a = table.attributes
    has = {"time": table.time, "label": table.labels, "id": table.ids, "parts": table.splits}
    return {
        "numeric": a.numeric_names, "codes": a.code_names, "vocabularies": a.vocabularies, "text": a.text_names,
        "has": tuple(name for name, column in has.items() if column is not None), "split": table.split,
        "ids": None if table.ids is None else table.ids.type,
        "splits": 0 if table.splits is None else len(table.splits),
    }  # fmt: skip


def _rows(table: NodeTable | EdgeTable) -> Iterator[dict[str, Any]]:
    """Yield the attributes of each row."""
    a = table.attributes
    ids = None if table.ids is None else table.ids.to_pylist()
    for i in range(table.count):
        row: dict[str, Any] = dict(zip((*a.numeric_names, *a.text_names),
                                       (*a.numeric[i].tolist(), *a.text[i].tolist()), strict=True))  # fmt: skip
        for name, values, code in zip(a.code_names, a.vocabularies, a.codes[i], strict=True):
            row[name] = None if code < 0 else values[code]
        about = {
            "time": None if table.time is None else int(table.time[i]),
            "label": None if table.labels is None else int(table.labels[i]),
            "parts": None if table.splits is None else tuple(map(int, table.splits[:, i])),
            "id": None if ids is None else ids[i],
        }
        yield {"columns": row, **{name: value for name, value in about.items() if value is not None}}


def _columns(rows: list[dict[str, Any]], about: dict[str, Any]) -> dict[str, Any]:
    """Put the attributes of rows back into columns."""
    import pyarrow as pa

    count = len(rows)
    codes = np.full((count, len(about["codes"])), -1, np.int32)
    for j, (name, values) in enumerate(zip(about["codes"], about["vocabularies"], strict=True)):
        places = {value: place for place, value in enumerate(values)} | {None: -1}
        codes[:, j] = [places[row["columns"][name]] for row in rows]
    has = about["has"]
    return {
        "attributes": Columns(
            numeric=_numbers(rows, about["numeric"]), numeric_names=about["numeric"],
            codes=codes, code_names=about["codes"], vocabularies=about["vocabularies"],
            text=_numbers(rows, about["text"]), text_names=about["text"],
        ),
        "time": np.array([row["time"] for row in rows], np.int64) if "time" in has else None,
        "labels": np.array([row["label"] for row in rows], np.int8) if "label" in has else None,
        "ids": pa.array([row["id"] for row in rows], about["ids"]) if "id" in has else None,
        "splits": _splits(rows, about["splits"]) if "parts" in has else None,
        "split": about["split"],
    }  # fmt: skip


def _splits(rows: list[dict[str, Any]], count: int) -> Any:
    return np.array([row["parts"] for row in rows], np.int8).reshape(len(rows), count).T.copy()


def _numbers(rows: list[dict[str, Any]], names: tuple[str, ...]) -> Any:
    numbers = [[row["columns"][name] for name in names] for row in rows]
    return np.array(numbers, np.float32).reshape(len(rows), len(names))


__all__ = ["from_networkx", "to_networkx"]
