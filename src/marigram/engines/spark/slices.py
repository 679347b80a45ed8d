"""Files cut into slices that tasks read side by side, every line by the embedded engine's own readers.

A slice is a stretch of whole lines of a plain text, a stretch of rows of a Parquet or Arrow file, or a whole packed
file.  Slice and row within it number the events in the order in which the embedded engine would read them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from marigram.errors import InputError, ParameterError
from marigram.events.batch import Offset, Reject
from marigram.events.decode import Part
from marigram.events.inputs import Input, TableInput, TextInput, open_input
from marigram.events.keys import KeyNames
from marigram.events.reading import reading_of
from marigram.events.schema import Schema

TEXT_BYTES = 1 << 23
TABLE_ROWS = 1 << 17
"""Size of a slice: about 100,000 events either way."""
_PART_ROWS = 1 << 16
_NEWLINE = b"\n"


class Slice(msgspec.Struct, frozen=True):
    """A stretch of one file; plain JSON values."""

    path: str
    begin: int = 0
    """Of bytes in a text, of rows in a table."""
    end: int = -1
    """Behind it; -1: the end of the file."""
    line: int = 1
    """Number of its first line."""
    header: int = 0
    """Bytes of the first line of a CSV file, which every slice of it needs."""
    size: int = 0
    """Bytes of the whole file, by which a changed one is recognised."""


def sliced(paths: Sequence[str], schema: Schema) -> list[Slice]:
    """Return the slices of these files, in their order; the schema is complete."""
    return [piece for path in paths for piece in _of_file(path, schema)]


def _of_file(path: str, schema: Schema) -> Iterator[Slice]:
    size = os.path.getsize(path)
    try:
        found = open_input(path, schema.format)
    except InputError:
        yield Slice(path, size=size)  # whoever reads it tells why it cannot be read
        return
    if isinstance(found, TableInput):
        yield from _of_table(found, path, size)
    elif found.packed:
        yield Slice(path, size=size)
    else:
        header = (
            len((found.reader.peek().split(_NEWLINE, 1) or [b""])[0]) + 1 if _has_header(found, schema) else 0
        )
        yield from _of_text(path, size, header)
    found.close()


def _has_header(found: TextInput, schema: Schema) -> bool:
    return found.kind == "csv" and schema.header is not False


def _of_table(found: TableInput, path: str, size: int) -> Iterator[Slice]:
    rows = sum(len(batch) for batch in found.table.batches(found.table.schema.names[:1], _PART_ROWS))
    for begin in range(0, max(rows, 1), TABLE_ROWS):
        yield Slice(path, begin, min(begin + TABLE_ROWS, rows), begin + 1, size=size)


def _of_text(path: str, size: int, header: int) -> Iterator[Slice]:
    """Yield stretches that end where a line ends; the file is read once, to count its lines."""
    with open(path, "rb") as file:
        begin, line = 0, 1
        while begin < size:
            file.seek(begin)
            block = file.read(TEXT_BYTES) + file.readline()
            yield Slice(path, begin, begin + len(block), line, header if begin else 0, size)
            begin += len(block)
            line += block.count(_NEWLINE)


def events_in(piece: Slice, schema: Schema, strict: bool) -> Iterator[pa.RecordBatch]:
    """Yield a slice's events and rejects in their order, columns as :func:`event_schema` says.

    Raises
    ------
    InputError
        With ``strict``, at the first line that cannot be used.
    """
    read = False
    try:
        for part, row, names in _parts(piece, schema):
            read = True
            yield _columns(part, names, schema, row)
            yield from _rejects(part.rejects, schema, strict)
    except (InputError, ParameterError) as error:
        if read or strict:
            raise
        yield from _rejects([Reject(piece.path, 0, str(error))], schema, strict)


def _parts(piece: Slice, schema: Schema) -> Iterator[tuple[Part, int, KeyNames]]:
    """Yield what the readers give of a slice, the number of its first row, and the names that its codes mean."""
    names, row = KeyNames(), 0
    found = _opened(piece, schema)
    try:
        start = Offset(position=piece.begin) if isinstance(found, TableInput) else Offset()
        for part in reading_of(found, schema, names, _PART_ROWS, start, 0, None).parts():
            yield part, row, names
            row += len(part.values)
    finally:
        found.close()


def _opened(piece: Slice, schema: Schema) -> Input:
    found = open_input(piece.path, schema.format)
    if isinstance(found, TableInput):
        found.table = _Rows(found.table, piece.end)
    elif piece.begin or 0 <= piece.end < piece.size:
        found.close()
        found = TextInput(piece.path, _Stretch(piece), False, found.kind)
        found.reader.line = piece.line - (1 if piece.header else 0)
    return found


class _Stretch:
    """A stretch of a plain file as a stream, behind the file's header."""

    def __init__(self, piece: Slice) -> None:
        self._file = open(piece.path, "rb", buffering=0)  # noqa: SIM115 - closed by close()
        self._header = self._file.read(piece.header)
        self._file.seek(piece.begin)
        self._left = piece.end - piece.begin

    def readinto(self, view: memoryview) -> int:
        """Fill the front of ``view``."""
        if self._header:
            taken = len(self._header)
            view[:taken], self._header = self._header, b""
            return taken
        got = self._file.readinto(view[: self._left]) if self._left else 0
        self._left -= got or 0
        return got or 0

    def seek(self, position: int) -> None:
        """A stretch is read from its beginning only."""
        raise NotImplementedError(f"a stretch of a file was to be read from {position}")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class _Rows:
    """The rows of a table up to one of them."""

    def __init__(self, table: Any, end: int) -> None:
        self._table, self._end = table, end
        self.schema = table.schema

    def batches(
        self, columns: Sequence[str], rows: int, start: int = 0, coded: str | None = None
    ) -> Iterator[pa.RecordBatch]:
        """As the table itself."""
        for batch in self._table.batches(columns, rows, start, coded):
            start += len(batch)
            yield batch.slice(0, len(batch) - max(0, start - self._end))
            if start >= self._end:
                return


def event_schema(schema: Schema) -> pa.Schema:
    """Return the columns that a source gives: events, and in their place rejects or the end."""
    value = pa.float64() if schema.d == 1 else pa.list_(pa.float64())
    fields = [("key", pa.string()), ("time", pa.int64()), ("value", value), ("id", pa.string())]
    places = [("slice", pa.int32()), ("row", pa.int64())]
    return pa.schema([*fields, *places, ("reject", pa.binary()), ("ended", pa.bool_())])


def _columns(part: Part, names: KeyNames, schema: Schema, row: int) -> pa.RecordBatch:
    n, form = len(part.values), event_schema(schema)
    known = pa.array(list(names), pa.string())
    columns = {
        "key": pa.array([""] * n, pa.string()) if part.codes is None else known.take(pa.array(part.codes)),
        "time": pa.nulls(n, pa.int64()) if part.times is None else pa.array(part.times),
        "value": _values(part.values),
        "id": pa.nulls(n, pa.string()) if part.ids is None else pa.array(part.ids, pa.string()),
        "slice": pa.array(np.zeros(n, np.int32)),
        "row": pa.array(np.arange(row, row + n)),
        "reject": pa.nulls(n, pa.binary()),
        "ended": pa.array(np.zeros(n, np.bool_)),
    }
    return pa.record_batch([columns[field.name] for field in form], schema=form)


def _values(values: Any) -> pa.Array:
    n, d = values.shape
    flat = pa.array(values.reshape(-1))
    offsets = pa.array(np.arange(n + 1, dtype=np.int32) * np.int32(d))
    return flat if d == 1 else pa.ListArray.from_arrays(offsets, flat)


def _rejects(rejects: Sequence[Reject], schema: Schema, strict: bool) -> Iterator[pa.RecordBatch]:
    if rejects and strict:
        first = rejects[0]
        raise InputError(first.line, f"{first.reason} ({first.file})")
    if rejects:
        yield control(schema, rejects=[msgspec.json.encode(reject) for reject in rejects])


def control(schema: Schema, *, rejects: Sequence[bytes] = (), ended: bool = False) -> pa.RecordBatch:
    """Return rows that are no events: rejects, or the end of the stream."""
    form, n = event_schema(schema), max(len(rejects), 1)
    columns = {field.name: pa.nulls(n, field.type) for field in form}
    columns["ended"] = pa.array([ended] * n)
    if rejects:
        columns["reject"] = pa.array(rejects, pa.binary())
    return pa.record_batch([columns[field.name] for field in form], schema=form)


__all__ = ["Slice", "control", "event_schema", "events_in", "sliced"]
