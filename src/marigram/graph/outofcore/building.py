"""A graph from files of events that do not fit into memory: numbered, joined and sorted by SQL, then mapped.

Every table of the result passes through memory batch by batch. What stays in memory are the names of nodes and what
the engine was allowed.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple, final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import DTypeLike, NDArray

from marigram.errors import InputError, ParameterError
from marigram.graph.csr import CSR
from marigram.graph.data import Columns, EdgeTable, EdgeType, Graph, NodeTable
from marigram.graph.data.mapped import open_mapped
from marigram.graph.data.roles import encode_labels, encode_parts
from marigram.graph.data.schema import EventSchema, TableSchema
from marigram.graph.outofcore import sql
from marigram.graph.outofcore.engine import DuckEngine, Engine, Paths

CHUNK = 1 << 22
"""Edges that are sorted into rows at a time."""
NAMES = ("mean", "std", "min", "max")


class _Pair(NamedTuple):
    kind: EdgeType
    source: int
    target: int


def build_mapped(
    events: Paths,
    path: str | os.PathLike[str],
    schema: EventSchema,
    *,
    nodes: Mapping[str, Paths] | None = None,
    node_schema: Mapping[str, TableSchema] | None = None,
    memory: str = "2GB",
    threads: int = 2,
) -> Graph:
    """Make a graph of files of events, as :func:`marigram.graph.from_events`, in one mapped file; return it opened.

    Nodes are numbered in the order of their names. An entity that is null or an empty text has no edge.

    Parameters
    ----------
    events
        One or several files of one form: Parquet, CSV or JSON lines.
    path
        Of the graph, ``.mg``; beside it there must be room for about twice its size.
    schema
        Which columns are entities, the time, and numbers.
    nodes, node_schema
        Node type -> files of its nodes, and what their columns mean: ``id``, ``numeric``, ``label``, ``split``.
    memory
        What the engine may take, such as ``"2GB"``.
    threads
        Of the engine, from 1.

    Raises
    ------
    InputError
        A file or column is missing or not what the schema says, an event has no time, a type is empty.
    ParameterError
        The schema asks for what is not made out of core: events as nodes, categories, texts, labels of events.
    """
    target = Path(path)
    with tempfile.TemporaryDirectory(dir=target.absolute().parent, prefix=".marigram-") as scratch:
        with DuckEngine(Path(scratch, "engine"), memory, threads) as engine:
            work = Build(engine, schema, Path(scratch))
            work.read(events, nodes or {}, node_schema or {})
            graph = work.graph()
        graph.save_mapped(target)
    return open_mapped(target)


def node_activity(
    events: Paths,
    node_type: str,
    path: str | os.PathLike[str],
    schema: EventSchema,
    *,
    memory: str = "2GB",
    threads: int = 2,
) -> int:
    """Write what each entity of a type did to a Parquet file; return how many there are.

    Its columns are ``name``, ``events``, ``mean_``, ``std_``, ``min_`` and ``max_`` of each number of the schema, and
    ``first`` and ``last`` time in nanoseconds or steps. Parameters and errors are those of :func:`build_mapped`.
    """
    if node_type not in schema.entities:
        raise ParameterError(
            f"events have no entities of type {node_type!r}, but {', '.join(schema.entities)}"
        )
    with (
        tempfile.TemporaryDirectory(dir=Path(path).absolute().parent, prefix=".marigram-") as scratch,
        DuckEngine(Path(scratch, "engine"), memory, threads) as engine,
    ):
        work = Build(engine, schema, Path(scratch))
        work.read(events, {}, {})
        return work.activity(node_type, path)


@final
class Build:
    """One graph in the making.

    Parameters
    ----------
    engine
        Runs the queries.
    schema
        Of events.
    scratch
        A folder for the arrays.
    """

    def __init__(self, engine: Engine, schema: EventSchema, scratch: Path) -> None:
        other = [name for name in ("event", "categorical", "text", "label", "split") if getattr(schema, name)]
        if other:
            raise ParameterError(f"{other[0]} of events is not made out of core; numbers and times are")
        self._engine, self._schema, self._scratch = engine, schema, scratch
        self._timed, self._numbers = schema.time is not None, schema.numeric
        self._given: dict[str, TableSchema] = {}

    def read(self, events: Paths, nodes: Mapping[str, Paths], node_schema: Mapping[str, TableSchema]) -> None:
        """Look at the files and number the nodes."""
        schema, engine = self._schema, self._engine
        columns: dict[str, tuple[str, str, str | None]] = {
            f"e{i}": (name, "text", None) for i, name in enumerate(schema.columns)
        }
        if schema.time is not None:
            columns["t"] = (schema.time, "time", schema.unit)
        columns |= {f"x{j}": (name, "number", None) for j, name in enumerate(schema.numeric)}
        engine.expose("raw", events, columns)
        engine.define("events", sql.clean(len(schema.columns), self._timed, len(schema.numeric), "raw"))
        if self._timed and (bad := self._count(sql.without_time())):
            raise InputError(0, f"events: {bad:,} rows have no {schema.time!r}, and it is the time")
        for name, paths in nodes.items():
            self._give(name, paths, node_schema.get(name))
        for i, (name, ours) in enumerate(schema.entities.items()):
            at = [schema.columns.index(column) for column in ours]
            engine.define(f"nodes{i}", sql.nodes(at, f"given{i}" if name in self._given else None))

    def graph(self) -> Graph:
        """Return the graph, its columns and sorted edges mapped from the scratch folder."""
        tables = {name: self._node_table(i, name) for i, name in enumerate(self._schema.entities)}
        edges, kept = {}, []
        for number, pair in enumerate(self._pairs()):
            table = self._edge_table(pair, number)
            edges[pair.kind] = table
            kept += [
                (pair.kind, reverse, self._sorted(number, pair.kind, table, tables, reverse))
                for reverse in (False, True)
            ]
        unit = "" if not self._timed else "step" if self._schema.unit == "step" else "ns"
        graph = Graph(nodes=tables, edges=edges, time_unit=unit)  # type: ignore[arg-type]
        for kind, reverse, csr in kept:
            graph.adopt(kind, csr, reverse=reverse)
        return graph

    def activity(self, node_type: str, path: str | os.PathLike[str]) -> int:
        """Write what each node of a type did."""
        schema = self._schema
        at = [schema.columns.index(column) for column in schema.entities[node_type]]
        index = list(schema.entities).index(node_type)
        query = sql.activity(f"nodes{index}", at, self._timed, len(schema.numeric))
        names = ["name", "events", *(f"{s}_{x}" for x in schema.numeric for s in NAMES)]
        names += ["first", "last"] if self._timed else []
        done, writer = 0, None
        for batch in self._engine.rows(query):
            table = pa.Table.from_batches([batch]).drop_columns(["place"]).rename_columns(names)
            writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd")
            writer.write_table(table)
            done += len(table)
        if writer is None:
            raise InputError(0, f"events: node type {node_type!r} is empty")
        writer.close()
        return done

    def _give(self, name: str, paths: Paths, schema: TableSchema | None) -> None:
        """Expose a table of nodes."""
        types = list(self._schema.entities)
        if name not in types:
            raise InputError(
                0, f"nodes {name!r}: events have no entities of this type, but {', '.join(types)}"
            )
        if schema is None or schema.id is None:
            raise InputError(0, f"nodes {name!r}: say in the schema which column is the id that events use")
        other = [what for what in ("categorical", "text", "time") if getattr(schema, what)]
        if other:
            raise ParameterError(
                f"nodes {name!r}: {other[0]} is not read out of core; numbers and labels are"
            )
        columns: dict[str, tuple[str, str, str | None]] = {"name": (schema.id, "text", None)}
        columns |= {f"x{j}": (column, "number", None) for j, column in enumerate(schema.numeric)}
        for short, column in (("y", schema.label), ("s", schema.split)):
            if column is not None:
                columns[short] = (column, "text", None)
        view = f"given{types.index(name)}"
        self._engine.expose(view, paths, columns)
        if self._count(sql.count(view)) != self._count(sql.distinct(view)):
            raise InputError(0, f"nodes {name!r}: ids are missing or occur twice in {schema.id!r}")
        self._given[name] = schema

    def _node_table(self, index: int, name: str) -> NodeTable:
        of, given = f"nodes{index}", self._given.get(name)
        count = self._count(sql.count(of))
        if not count:
            raise InputError(0, f"events: node type {name!r} is empty")
        numbers = () if given is None else given.numeric
        values = self._array(f"n{index}", np.float32, (count, len(numbers)))
        shown = [f"x{j}" for j in range(len(numbers))]
        shown += (
            [] if given is None else [s for s, c in (("y", given.label), ("s", given.split)) if c is not None]
        )
        query = sql.names(of) if given is None else sql.joined(of, f"given{index}", shown)
        ids: list[pa.Array] = []
        told: dict[str, list[pa.Array]] = {"y": [], "s": []}
        done = 0
        for batch in self._engine.rows(query):
            ids.append(batch.column("name").cast(pa.string()))
            _fill(values, done, batch, shown[: len(numbers)])
            for short, parts in told.items():
                if short in shown:
                    parts.append(batch.column(short).cast(pa.string()))
            done += len(batch)
        what = f"nodes {name!r}"
        return NodeTable(
            attributes=Columns.of_numbers(values, tuple(numbers)) if numbers else Columns.empty(count),
            ids=pa.concat_arrays(ids),
            labels=encode_labels(pa.concat_arrays(told["y"]), what, given.labels) if given and told["y"] else None,
            splits=encode_parts(pa.concat_arrays(told["s"]), what) if told["s"] else None,
        )  # fmt: skip

    def _pairs(self) -> Iterator[_Pair]:
        schema = self._schema
        types = {column: name for name, columns in schema.entities.items() for column in columns}
        pairs = schema.pairs or {f"{a}-{b}": (a, b) for a, b in combinations(schema.columns, 2)}
        for relation, (a, b) in pairs.items():
            at = schema.columns.index(a), schema.columns.index(b)
            yield _Pair((types[a], relation, types[b]), *at)

    def _edge_table(self, pair: _Pair, number: int) -> EdgeTable:
        types = list(self._schema.entities)
        ends = (f"nodes{types.index(pair.kind[0])}", f"nodes{types.index(pair.kind[2])}")
        query = sql.edges(pair.source, pair.target, *ends, self._timed, len(self._numbers))
        engine, found = self._engine, f"edges{number}"
        engine.define(found, query)
        count = self._count(sql.count(found))
        arrays = {
            name: self._array(f"{found}.{name}", np.int64, (count,))
            for name in ("src", "dst", *(["t"] if self._timed else []))
        }
        values = self._array(f"{found}.x", np.float32, (count, len(self._numbers)))
        done = 0
        for batch in engine.rows(sql.in_order(found, self._timed, len(self._numbers))):
            for name, array in arrays.items():
                array[done : done + len(batch)] = batch.column(name).to_numpy()
            _fill(values, done, batch, [f"x{j}" for j in range(len(self._numbers))])
            done += len(batch)
        columns = Columns.of_numbers(values, self._numbers) if self._numbers else Columns.empty(count)
        return EdgeTable(src=arrays["src"], dst=arrays["dst"], time=arrays.get("t"), attributes=columns)

    def _sorted(
        self, number: int, kind: EdgeType, table: EdgeTable, nodes: Mapping[str, NodeTable], reverse: bool
    ) -> CSR:
        here, there = (kind[0], kind[2]) if reverse else (kind[2], kind[0])
        rows, columns = (table.src, table.dst) if reverse else (table.dst, table.src)

        def chunks() -> Iterator[Any]:
            for start in range(0, table.count, CHUNK):
                where = slice(start, start + CHUNK)
                yield rows[where], columns[where], None if table.time is None else table.time[where]

        path = self._scratch / f"edges{number}.{int(reverse)}.csr"
        return CSR.build_file(path, chunks, (nodes[here].count, nodes[there].count))

    def _array(self, name: str, dtype: DTypeLike, shape: tuple[int, ...]) -> NDArray[Any]:
        if not all(shape):
            return np.empty(shape, dtype)
        return np.lib.format.open_memmap(self._scratch / f"{name}.npy", "w+", dtype, shape)

    def _count(self, query: str) -> int:
        return sum(int(value) for batch in self._engine.rows(query) for value in batch.column(0).to_pylist())


def _fill(values: NDArray[Any], start: int, batch: pa.RecordBatch, names: list[str]) -> None:
    """Write columns of numbers; null is NaN."""
    for j, name in enumerate(names):
        values[start : start + len(batch), j] = batch.column(name).to_numpy(zero_copy_only=False)


__all__ = ["Build", "build_mapped", "node_activity"]
