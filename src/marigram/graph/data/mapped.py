"""A graph in one file that is used where it lies: for graphs larger than memory.

Every column, and the edges of each type sorted in both directions, are arrays of the file that the system maps into
memory; what is looked at is read, the rest stays on disk.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from marigram import snapshots
from marigram.errors import InputError, SnapshotError
from marigram.graph.csr import CSR
from marigram.graph.data.columns import Columns
from marigram.graph.data.graph import EdgeType, Graph
from marigram.graph.data.tables import EdgeTable, NodeTable

_KIND = "graph"
_CSR = ("indptr", "indices", "edge", "times")
Arrays = dict[str, NDArray[Any]]


def save_mapped(graph: Graph, path: str | os.PathLike[str]) -> None:
    """Write a graph and its sorted edges into one file, all or nothing.

    Raises
    ------
    SnapshotError
        The file cannot be written.
    """
    arrays: Arrays = {} if graph.order is None else {"order": graph.order}
    nodes = [
        {"type": name, **_pack(table, f"n{i}", arrays)} for i, (name, table) in enumerate(graph.nodes.items())
    ]
    edges = []
    for i, (kind, table) in enumerate(graph.edges.items()):
        arrays |= {f"e{i}.src": table.src, f"e{i}.dst": table.dst}
        for reverse in (False, True):
            csr = graph.csr(kind, reverse=reverse)
            arrays |= {f"e{i}.{int(reverse)}.{name}": getattr(csr, name) for name in _CSR}
        edges.append({"type": list(kind), **_pack(table, f"e{i}", arrays)})
    meta = {"time_unit": graph.time_unit, "nodes": nodes, "edges": edges}
    snapshots.save(path, _KIND, meta, {name: np.ascontiguousarray(values) for name, values in arrays.items()})


def _pack(table: NodeTable | EdgeTable, prefix: str, arrays: Arrays) -> dict[str, Any]:
    """Add a table's columns to the arrays; return what else there is to say of it."""
    a = table.attributes
    columns: dict[str, Any] = {"numeric": a.numeric, "codes": a.codes, "text": a.text}
    columns |= {"time": table.time, "labels": table.labels, "splits": table.splits}
    if table.ids is not None:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, pa.schema([("id", table.ids.type)])) as writer:
            writer.write_batch(pa.record_batch([table.ids], names=["id"]))
        columns["ids"] = np.frombuffer(sink.getvalue(), np.uint8)
    arrays |= {f"{prefix}.{name}": values for name, values in columns.items() if values is not None}
    about = {
        "numeric": a.numeric_names,
        "codes": a.code_names,
        "vocabularies": a.vocabularies,
        "text": a.text_names,
    }
    return {"names": msgspec.to_builtins(about), "split": table.split}


def open_mapped(path: str | os.PathLike[str]) -> Graph:
    """Return the graph of a file that :func:`save_mapped` wrote; its columns are read-only views of the file.

    The whole file is read once, for its checksum.

    Raises
    ------
    SnapshotError
        The file is not such a file, or not as it was written.
    """
    if not Path(path).exists():
        raise InputError(0, f"no such file: {os.fspath(path)}")
    meta, arrays, _ = snapshots.load_mapped(path, _KIND)
    try:
        nodes = {
            about["type"]: NodeTable(**_unpack(arrays, f"n{i}", about))
            for i, about in enumerate(meta["nodes"])
        }
        edges: dict[EdgeType, EdgeTable] = {}
        for i, about in enumerate(meta["edges"]):
            source, relation, target = about["type"]
            ends: Any = {name: arrays[f"e{i}.{name}"] for name in ("src", "dst")}
            edges[source, relation, target] = EdgeTable(**ends, **_unpack(arrays, f"e{i}", about))
        graph = Graph(nodes=nodes, edges=edges, time_unit=meta["time_unit"], order=arrays.get("order"))
        _adopt_sorted(graph, arrays)
        return graph
    except (KeyError, TypeError, ValueError, InputError) as error:
        raise SnapshotError(f"{os.fspath(path)} does not hold a graph: {error}") from error


def _adopt_sorted(graph: Graph, arrays: Arrays) -> None:
    """Hand the sorted edges to the graph, so that it does not sort them again."""
    for i, (kind, table) in enumerate(graph.edges.items()):
        for reverse in (False, True):
            far = graph.nodes[kind[2] if reverse else kind[0]].count
            indptr, indices, edge, times = (arrays[f"e{i}.{int(reverse)}.{name}"] for name in _CSR)
            if not len(indices) == len(edge) == table.count:
                raise InputError(0, f"edges {i} are not those that were sorted")
            graph.adopt(kind, CSR(indptr, indices, edge, times, far), reverse=reverse)


def _unpack(arrays: Arrays, prefix: str, about: dict[str, Any]) -> dict[str, Any]:
    names = about["names"]
    given = {
        name: arrays.get(f"{prefix}.{name}")
        for name in ("numeric", "codes", "text", "time", "labels", "splits")
    }
    ids = arrays.get(f"{prefix}.ids")
    return {
        "attributes": Columns(
            numeric=given["numeric"], numeric_names=tuple(names["numeric"]),  # type: ignore[arg-type]
            codes=given["codes"], code_names=tuple(names["codes"]),  # type: ignore[arg-type]
            vocabularies=tuple(tuple(values) for values in names["vocabularies"]),
            text=given["text"], text_names=tuple(names["text"]),  # type: ignore[arg-type]
        ),
        "time": given["time"],
        "labels": given["labels"],
        "splits": given["splits"],
        "split": about["split"],
        "ids": None if ids is None else pa.ipc.open_stream(pa.py_buffer(ids)).read_all()["id"].combine_chunks(),
    }  # fmt: skip


__all__ = ["open_mapped", "save_mapped"]
