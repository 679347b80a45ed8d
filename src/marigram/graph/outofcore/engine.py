"""Where the queries run: DuckDB, within a given memory; the rest of it lies on the disk."""

# ruff: noqa: S608 - files and columns are quoted, the other names are our own

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self, final

import pyarrow as pa

from marigram.errors import InputError, ParameterError

_READERS = {
    ".csv": "read_csv", ".tsv": "read_csv", ".jsonl": "read_json", ".ndjson": "read_json",
    ".json": "read_json", ".parquet": "read_parquet", ".pq": "read_parquet",
}  # fmt: skip
_FACTORS = {"s": 10**9, "ms": 10**6, "us": 1000, "ns": 1, "step": 1}
Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


class Engine(Protocol):
    """Runs the queries of :mod:`marigram.graph.outofcore.sql`."""

    def expose(self, view: str, paths: Paths, columns: Mapping[str, tuple[str, str, str | None]]) -> None:
        """Make a view of files: its column -> (theirs, ``text``, ``number`` or ``time``, unit of a time)."""

    def define(self, name: str, query: str) -> None:
        """Keep the result of a query under a name."""

    def rows(self, query: str) -> Iterator[pa.RecordBatch]:
        """Yield the result of a query in its order."""


@final
class DuckEngine:
    """DuckDB.

    Parameters
    ----------
    folder
        Where it may put what does not fit into memory.
    memory
        How much memory it may take, such as ``"2GB"``.
    threads
        From 1.

    Raises
    ------
    ParameterError
        DuckDB is not installed, or a setting is none of its.
    """

    def __init__(self, folder: str | os.PathLike[str], memory: str = "2GB", threads: int = 2) -> None:
        try:
            import duckdb
        except ImportError as error:
            raise ParameterError(
                'graphs larger than memory need DuckDB: pip install "marigram[graph]"'
            ) from error
        self._errors = duckdb.Error
        try:
            self._connection = duckdb.connect(
                config={"memory_limit": memory, "threads": threads, "temp_directory": os.fspath(folder)}
            )
            self._connection.execute("SET preserve_insertion_order = false")
            # DuckDB 2.0 believes a Parquet file's extremes, which leave NaN out, and takes isnan() for false
            self._connection.execute("SET disabled_optimizers = 'statistics_propagation'")
        except self._errors as error:
            raise ParameterError(f"DuckDB: {_first_line(error)}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def expose(self, view: str, paths: Paths, columns: Mapping[str, tuple[str, str, str | None]]) -> None:
        """As the protocol says; raises ``InputError`` when a file or a column is not there."""
        source = _source(paths)
        kinds = {row[0]: str(row[1]) for row in self._all(f"DESCRIBE SELECT * FROM {source}")}
        parts = []
        for name, (column, kind, unit) in columns.items():
            if column not in kinds:
                raise InputError(
                    0, f"{_shown(paths)}: there is no column {column!r}; it has {', '.join(kinds)}"
                )
            parts.append(f"{_cell(_quoted(column), kinds[column], kind, unit)} AS {name}")
        self._run(f"CREATE OR REPLACE TEMP VIEW {view} AS SELECT {', '.join(parts)} FROM {source}")

    def define(self, name: str, query: str) -> None:
        """As the protocol says."""
        self._run(f"CREATE OR REPLACE TEMP TABLE {name} AS {query}")

    def rows(self, query: str) -> Iterator[pa.RecordBatch]:
        """As the protocol says; one result at a time."""
        try:
            yield from self._connection.sql(query).to_arrow_reader(1 << 17)
        except self._errors as error:
            raise InputError(0, _first_line(error)) from error

    def _run(self, statement: str) -> None:
        try:
            self._connection.execute(statement)
        except self._errors as error:
            raise InputError(0, _first_line(error)) from error

    def _all(self, query: str) -> list[Any]:
        try:
            return list(self._connection.execute(query).fetchall())
        except self._errors as error:
            raise InputError(0, _first_line(error)) from error


def _source(paths: Paths) -> str:
    """The files as DuckDB reads them; all of one form."""
    many = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    missing = [path for path in many if not Path(path).is_file()]
    if missing or not many:
        raise InputError(0, f"no such file: {missing[0]}" if missing else "no file is named")
    suffixes = {
        Path(os.fspath(path).removesuffix(".gz").removesuffix(".zst")).suffix.lower() for path in many
    }
    if len(suffixes) != 1 or not suffixes <= _READERS.keys():
        raise InputError(0, f"{_shown(paths)}: files of one form are needed, {', '.join(_READERS)}")
    listed = ", ".join("'" + os.fspath(path).replace("'", "''") + "'" for path in many)
    return f"{_READERS[suffixes.pop()]}([{listed}])"


def _cell(column: str, found: str, kind: str, unit: str | None) -> str:
    """A column in the type that is wanted of it."""
    if kind == "text":
        return f"CAST({column} AS VARCHAR)"
    if kind == "number":
        return f"CAST({column} AS DOUBLE)"
    if found.startswith("TIMESTAMP") or found in ("DATE", "VARCHAR"):
        return f"epoch_ns(CAST({column} AS {'TIMESTAMPTZ' if 'TIME ZONE' in found else 'TIMESTAMP_NS'}))"
    if unit is None:
        raise ParameterError(
            f"the time {column} is {found}: say its unit in the schema, s, ms, us, ns or step"
        )
    if found in ("DOUBLE", "FLOAT"):
        return f"CAST(round({column} * {_FACTORS[unit]}) AS BIGINT)"
    return f"CAST({column} AS BIGINT) * {_FACTORS[unit]}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _shown(paths: Paths) -> str:
    return os.fspath(paths) if isinstance(paths, str | os.PathLike) else f"{len(paths)} files"


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


__all__ = ["DuckEngine", "Engine", "Paths"]
