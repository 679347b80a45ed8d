"""A graph as a folder: a Parquet file for each table, and ``graph.toml``, which names them with their checksums.

Any program can read the tables: attributes under their own names (missing is null), and ``@id``, ``@time``,
``@label``, ``@split0``, … and, for edges, ``@src`` and ``@dst``, the places of the two ends in their tables. The
name of a table's file has a part of its checksum, and ``graph.toml`` is replaced last: a save that is interrupted
leaves the old graph.
"""

from __future__ import annotations

import hashlib
import io
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from marigram.errors import InputError, ParameterError, SnapshotError
from marigram.graph.data import toml
from marigram.graph.data.columns import Columns
from marigram.graph.data.graph import EdgeType, Graph
from marigram.graph.data.tables import EdgeTable, NodeTable
from marigram.snapshots import replace_file

TOML = "graph.toml"
VERSION = 1
_OURS = b"marigram"


def save(graph: Graph, folder: str | os.PathLike[str]) -> None:
    """Write a graph into a folder, which is made if need be; a graph that is there already is replaced.

    Attributes of PyG objects that marigram does not read (:attr:`Graph.extra`) are not saved.

    Raises
    ------
    ParameterError
        An attribute's name begins with ``@``.
    SnapshotError
        The folder cannot be written to.
    """
    place = Path(folder)
    try:
        place.mkdir(parents=True, exist_ok=True)
        old = set(place.glob("*.parquet")) if (place / TOML).exists() else set()
    except OSError as error:
        raise SnapshotError(f"cannot write {place}: {error.strerror}") from error
    document: dict[str, Any] = {"version": VERSION, "time_unit": graph.time_unit}
    if graph.order is not None:
        document["order"] = _write(place, "order", pa.table({"@place": graph.order}))
    document["nodes"] = [
        {"type": name, "rows": table.count, "split": table.split, **_write(place, "nodes", _to_arrow(table))}
        for name, table in graph.nodes.items()
    ]
    document["edges"] = [
        {
            "type": list(kind),
            "rows": table.count,
            "split": table.split,
            **_write(place, "edges", _to_arrow(table)),
        }
        for kind, table in graph.edges.items()
    ]
    text = toml.dump({name: value for name, value in document.items() if value != []}).encode()
    head = f"# sha256 {hashlib.sha256(text).hexdigest()}\n".encode()
    replace_file(place / TOML, lambda sink: sink.write(head + text))
    for path in old - {place / file for file in _files(document)}:
        path.unlink(missing_ok=True)


def _files(document: Mapping[str, Any]) -> list[str]:
    tables = [
        *document["nodes"],
        *document.get("edges", []),
        *([document["order"]] if "order" in document else []),
    ]
    return [table["file"] for table in tables]


def _write(place: Path, kind: str, table: pa.Table) -> dict[str, str]:
    """Write one table; return its file and checksum."""
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd", use_dictionary=_dictionary_columns(table))
    digest = hashlib.sha256(buffer.getbuffer()).hexdigest()
    file = f"{kind}-{digest[:16]}.parquet"
    replace_file(place / file, lambda sink: sink.write(buffer.getbuffer()))
    return {"file": file, "sha256": digest}


def _dictionary_columns(table: pa.Table) -> list[str]:
    """Floats and ends of edges hardly repeat: a dictionary for them costs time and saves nothing."""
    return [
        field.name for field in table.schema if pa.types.is_dictionary(field.type) or field.type == pa.int8()
    ]


def _to_arrow(table: NodeTable | EdgeTable) -> pa.Table:
    a = table.attributes
    columns: dict[str, Any] = {}
    if isinstance(table, EdgeTable):
        columns |= {"@src": table.src, "@dst": table.dst}
    columns |= {"@id": table.ids, "@time": table.time, "@label": table.labels}
    if table.splits is not None:
        columns |= {f"@split{number}": parts for number, parts in enumerate(table.splits)}
    columns = {name: pa.array(values) for name, values in columns.items() if values is not None}
    for j, name in enumerate(a.numeric_names):
        columns[_legal(name)] = pa.array(a.numeric[:, j], mask=np.isnan(a.numeric[:, j]))
    for j, (name, values) in enumerate(zip(a.code_names, a.vocabularies, strict=True)):
        codes = pa.array(a.codes[:, j], mask=a.codes[:, j] < 0)
        columns[_legal(name)] = pa.DictionaryArray.from_arrays(codes, pa.array(values, pa.string()))
    if a.text_names:
        flat = pa.array(np.ascontiguousarray(a.text).reshape(-1))
        columns["@text"] = pa.FixedSizeListArray.from_arrays(flat, len(a.text_names))
    about = {
        "numeric": a.numeric_names,
        "codes": a.code_names,
        "vocabularies": a.vocabularies,
        "text": a.text_names,
    }
    arrow = pa.table(columns) if columns else pa.table({"@row": np.arange(table.count)})
    return arrow.replace_schema_metadata({_OURS: msgspec.json.encode(about)})


def _legal(name: str) -> str:
    if name.startswith("@"):
        raise ParameterError(
            f"attribute {name!r}: names that begin with @ are taken by the folder's own columns"
        )
    return name


def load_folder(folder: str | os.PathLike[str]) -> Graph:
    """Read what :func:`save` wrote.

    Raises
    ------
    SnapshotError
        The folder holds no graph, was written by a newer version, or a file is not as it was written.
    """
    place = Path(folder)
    document = _document(place)
    try:
        order = _read(place, document["order"])["@place"].to_numpy() if "order" in document else None
        nodes = {
            str(about["type"]): NodeTable(**_columns(_read(place, about), about))
            for about in document["nodes"]
        }
        edges: dict[EdgeType, EdgeTable] = {}
        for about in document.get("edges", []):
            source, relation, target = about["type"]
            table = _read(place, about)
            ends = {name: table[f"@{name}"].to_numpy() for name in ("src", "dst")}
            edges[source, relation, target] = EdgeTable(**ends, **_columns(table, about))
        return Graph(nodes=nodes, edges=edges, time_unit=document["time_unit"], order=order)
    except (KeyError, TypeError, ValueError, pa.ArrowException, InputError) as error:
        raise SnapshotError(f"{place} does not hold a graph of version {VERSION}: {error}") from error


def _document(place: Path) -> dict[str, Any]:
    try:
        head, _, text = (place / TOML).read_bytes().partition(b"\n")
    except FileNotFoundError as error:
        raise SnapshotError(f"{place} holds no graph: it has no {TOML}") from error
    if head.decode("ascii", "replace") != f"# sha256 {hashlib.sha256(text).hexdigest()}":
        raise SnapshotError(f"{place / TOML} is not as it was written")
    document = tomllib.loads(text.decode())
    if document.get("version") != VERSION:
        raise SnapshotError(f"{place} has version {document.get('version')}; this marigram reads {VERSION}")
    return document


def _read(place: Path, about: Mapping[str, Any]) -> pa.Table:
    """Read a table whose file is as it was written."""
    path = place / Path(about["file"]).name
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise SnapshotError(f"{path} is missing") from error
    if hashlib.sha256(content).hexdigest() != about["sha256"]:
        raise SnapshotError(f"{path} is not as it was written")
    return pq.read_table(pa.BufferReader(content))


def _columns(table: pa.Table, about: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that nodes and edges share."""
    names = msgspec.json.decode(table.schema.metadata[_OURS])
    splits = [table[name].to_numpy() for name in table.column_names if name.startswith("@split")]
    return {
        "attributes": _attributes(table, names),
        "time": _optional(table, "@time"),
        "ids": table["@id"].combine_chunks() if "@id" in table.column_names else None,
        "labels": _optional(table, "@label"),
        "splits": np.stack(splits) if splits else None,
        "split": about["split"],
    }


def _optional(table: pa.Table, name: str) -> NDArray[Any] | None:
    return table[name].to_numpy() if name in table.column_names else None


def _attributes(table: pa.Table, names: Mapping[str, Any]) -> Columns:
    numeric = np.empty((table.num_rows, len(names["numeric"])), np.float32)
    for j, name in enumerate(names["numeric"]):
        numeric[:, j] = pc.fill_null(table[name], np.nan).to_numpy()
    codes = np.empty((table.num_rows, len(names["codes"])), np.int32)
    for j, (name, values) in enumerate(zip(names["codes"], names["vocabularies"], strict=True)):
        places = pc.index_in(table[name].cast(pa.string()), pa.array(values, pa.string()))
        codes[:, j] = pc.fill_null(places, -1).to_numpy()
    text = np.empty((table.num_rows, len(names["text"])), np.float32)
    if names["text"]:
        text[:] = table["@text"].combine_chunks().flatten().to_numpy().reshape(text.shape)
    return Columns(
        numeric=numeric, numeric_names=tuple(names["numeric"]), codes=codes, code_names=tuple(names["codes"]),
        vocabularies=tuple(tuple(values) for values in names["vocabularies"]),
        text=text, text_names=tuple(names["text"]),
    )  # fmt: skip


__all__ = ["load_folder", "save"]
