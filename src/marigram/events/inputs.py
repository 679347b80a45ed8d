"""One input, opened: its format found out, its first rows looked at, its place in it kept."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Sequence
from typing import Any, BinaryIO, TypeAlias

from marigram.errors import InputError, ParameterError

from .dialect import format_of, header_of, sample_of_csv, sample_of_json, with_dialect
from .infer import SAMPLE_ROWS
from .lines import LineReader
from .schema import Format, Schema
from .streams import BrokenStream, FileStream, PipeStream, Stream, looked_at, unpacked
from .tablefiles import TableFile, open_table, spooled
from .tables import plain_cells

__all__ = [
    "STANDARD_INPUT",
    "Input",
    "TableInput",
    "TextInput",
    "check_columns",
    "check_growing",
    "open_input",
]

STANDARD_INPUT = "<stdin>"


class TextInput:
    """JSON lines or CSV.

    Parameters
    ----------
    path, stream
        Name, and its (unpacked) bytes from the beginning.
    packed
        Whether gzip or zstd was taken off.
    kind
        ``jsonl`` or ``csv``.
    """

    def __init__(self, path: str, stream: Stream, packed: bool, kind: Format) -> None:
        self.path = path
        self.stream = stream
        self.packed = packed
        self.kind = kind
        self.reader = LineReader(stream, path)

    def looked_at(self, schema: Schema) -> tuple[Schema, list[Any]]:
        """Return the schema with the file's dialect, and its first rows for inference; nothing is taken."""
        while True:
            found, rows = self._sample(schema)
            if rows or not self.reader.more():
                return found, rows

    def _sample(self, schema: Schema) -> tuple[Schema, list[Any]]:
        ahead = self.reader.peek().split(b"\n", 2 * SAMPLE_ROWS)
        lines = [line for line in ahead[: 2 * SAMPLE_ROWS] if line.strip()]
        if self.kind == "jsonl":
            return schema, sample_of_json(lines)
        schema = with_dialect(schema, lines)
        if not lines:
            return schema, []
        header = header_of(lines[0], schema, self.path)
        return schema, sample_of_csv(lines, header, schema)

    def header(self, schema: Schema, last: bool) -> list[str] | None:
        """Take the header of a CSV file and return its columns, checked; None for JSON lines.

        Empty when there is no line yet; one without a newline is a line when it is the ``last``.
        """
        if self.kind == "jsonl":
            return None
        ahead = self.reader.peek()
        if not ahead.strip() or (not last and b"\n" not in ahead):
            return []
        if schema.header is False:
            first = next(line for line in ahead.split(b"\n") if line.strip())
        else:
            first = self.reader.take_line() or b""
        columns = header_of(first, schema, self.path)
        check_columns(schema, columns, self.path)
        return columns

    @property
    def is_file(self) -> bool:
        """Whether it can be read again."""
        return os.path.isfile(self.path)

    @property
    def size(self) -> int:
        """Bytes, as far as they are known."""
        return os.path.getsize(self.path) if self.is_file else 0

    def reopen(self) -> None:
        """Start again at the beginning."""
        again = open_input(self.path, self.kind)
        self.close()
        if isinstance(again, TextInput):
            self.stream, self.reader = again.stream, again.reader

    def close(self) -> None:
        """Close the file."""
        self.stream.close()


class TableInput:
    """Parquet or Arrow."""

    def __init__(self, path: str, kind: Format, file: str | BinaryIO) -> None:
        self.path = path
        self.kind = kind
        self.size = 0
        self._file = file
        self.table = self._opened()

    def _opened(self) -> TableFile:
        if not isinstance(self._file, str):
            self._file.seek(0)
        return open_table(self._file, self.kind)

    def looked_at(self, schema: Schema) -> tuple[Schema, list[Any]]:
        """Return the schema, and the first rows for inference; nothing is taken."""
        names = self.table.schema.names
        try:
            batch = next(self.table.batches(names, SAMPLE_ROWS), None)
        except BrokenStream:  # whoever reads it will say so
            batch = None
        self.table = self._opened()
        if batch is None:
            return schema, []
        columns = {name: plain_cells(batch.column(name)) for name in names}
        return schema, [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def close(self) -> None:
        """Remove the temporary file, if there is one."""
        if not isinstance(self._file, str):
            self._file.close()


Input: TypeAlias = TextInput | TableInput


def open_input(path: str, told: Format | None) -> Input:
    """Open a file, or standard input for ``-``.

    Raises
    ------
    InputError
        When it cannot be read at all.
    """
    name = STANDARD_INPUT if path == "-" else path
    stream = _opened(path)
    try:
        stream, packed = unpacked(stream)
        first, stream = looked_at(stream)
        kind = told or format_of(first, name)
        if kind in ("jsonl", "csv"):
            return TextInput(name, stream, packed, kind)
        file: str | BinaryIO = path if isinstance(stream, FileStream) else spooled(stream)
        stream.close()
        return TableInput(name, kind, file)
    except BrokenStream as error:
        stream.close()
        raise InputError(0, f"{name}: {error.reason}") from error
    except InputError:
        stream.close()
        raise


def _opened(path: str) -> Stream:
    if path == "-":
        return PipeStream(os.dup(sys.stdin.fileno()))
    if os.path.isfile(path):
        return FileStream(path)
    if os.path.isdir(path):
        raise InputError(0, f"{path} is a folder; name the files in it, as in {os.path.join(path, '*')}")
    try:
        return PipeStream(os.open(path, os.O_RDONLY))
    except OSError as error:
        raise InputError(0, f"cannot read {path}: {error.strerror}") from error


def check_columns(schema: Schema, columns: Sequence[str], name: str) -> None:
    """Raise ParameterError when a column of the schema is not there, naming the nearest that is."""
    for column in schema.columns:
        if column not in columns:
            near = difflib.get_close_matches(column, columns, n=1)
            some = ", ".join(columns[:20]) + (", …" if len(columns) > 20 else "")
            hint = f" (did you mean {near[0]!r}?)" if near else f"; it has {some}"
            raise ParameterError(f"{name} has no column {column!r}{hint}")


def check_growing(path: str, told: Format | None) -> None:
    """Raise ParameterError when a file is of a form that does not grow line by line."""
    if os.path.isfile(path):
        found = open_input(path, told)
        found.close()
        if isinstance(found, TableInput) or found.packed:
            raise ParameterError(f"{path}: only plain JSON lines and CSV can be followed")
