"""Files of any of the forms, one after the other, as tables of events; what cannot be used is told with its number."""

from __future__ import annotations

import gzip
import io
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.csv as arrow_csv

from marigram.bridge.presets import Preset
from marigram.bridge.readers.cloudtrail import Found, records_of
from marigram.bridge.readers.lines import flow_of, syslog_of
from marigram.bridge.readers.typed import as_preset, lacking, typed
from marigram.errors import InputError
from marigram.events.batch import Reject
from marigram.graph.data.frames import read_table

__all__ = ["EventBatch", "open_events"]

_TABLES = frozenset((".parquet", ".pq", ".arrow", ".feather", ".ipc"))
_ROWS = 1 << 16


@dataclass(frozen=True)
class EventBatch:
    """Events in the order of their file."""

    file: str
    table: pa.Table
    """Columns of the preset, those that a file lacks full of nulls."""
    rejects: list[Reject] = field(default_factory=list)
    absent: frozenset[str] = frozenset()
    """Columns that the file lacks."""


def open_events(paths: Sequence[str], preset: Preset, *, rows: int = _ROWS) -> Iterator[EventBatch]:
    """Yield the events of files, or of standard input (``-``), by the way of a preset.

    Parquet, Arrow, CSV and JSON lines with the preset's fields are tables; everything else is in the preset's own
    form. gzip and zstd are unpacked.

    Parameters
    ----------
    paths
        Read one after the other.
    preset
        Whose log it is.
    rows
        Most events of a batch.

    Raises
    ------
    InputError
        A file is missing, or is nothing that can be read.
    """
    if not paths:
        raise InputError(0, "no input is named")
    for path in paths:
        if path != "-" and not Path(path).is_file():
            raise InputError(0, f"no such file: {path}")
    for path in paths:
        try:
            yield from of_file(path, preset, Tally(rows=rows))
        except InputError as error:
            if len(paths) == 1:
                raise InputError(error.line, f"{path}: {error.reason}") from error
            yield refused_file(path, preset, error)


def refused_file(path: str, preset: Preset, error: InputError) -> EventBatch:
    """A file of which nothing can be read, as one reject."""
    reason = str(error).removeprefix(f"{path}: ")
    return EventBatch(path, as_preset(pa.table({}), preset.schema, {}), [Reject(path, 0, reason)])


@dataclass
class Tally:
    """How records are counted: up to ``skip`` they are left out, to numbers ``shift`` is added, ``last`` came last."""

    skip: int = 0
    shift: int = 0
    rows: int = _ROWS
    last: int = 0

    def over(self, found: Iterator[Found]) -> Iterator[Found]:
        """Yield records with their numbers."""
        for number, what, raw in found:
            self.last = max(self.last, number)
            if number > self.skip:
                yield number + self.shift, what, raw


def of_file(path: str, preset: Preset, tally: Tally) -> Iterator[EventBatch]:
    """Yield the events of a whole file."""
    if _inner(path) in _TABLES:
        table = _with_times(read_table(path), preset)
        tally.last = len(table)
        for start in range(tally.skip, len(table), tally.rows):
            part = table.slice(start, tally.rows)
            yield _batch(path, part, preset, range(start + 1, start + 1 + len(part)), [])
        return
    yield from of_data(path, _unpacked(path), preset, tally)


def of_data(path: str, data: bytes, preset: Preset, tally: Tally) -> Iterator[EventBatch]:
    """Yield the events of the bytes of a file, unpacked."""
    head = data[:4096].lstrip()
    if _is_csv(path, head, preset):
        yield _of_csv(path, data, preset, tally)
    elif preset.reader == "table" or (_inner(path) == ".jsonl" and not _own(head, preset)):
        yield from _of_found(path, _objects(data), preset, tally)
    else:
        yield from _of_found(path, _READERS[preset.reader](data), preset, tally)


def tells_columns(path: str, head: bytes, preset: Preset) -> bool:
    """Whether the first line of a text names its columns."""
    first = head.split(b"\n", 1)[0].split()
    told = preset.reader == "flow" and (b"srcaddr" in first or b"account-id" in first)
    return told or _is_csv(path, head.lstrip(), preset)


def _is_csv(path: str, head: bytes, preset: Preset) -> bool:
    return _inner(path) == ".csv" or (preset.reader == "table" and not head.startswith(b"{"))


def _inner(path: str) -> str:
    """The suffix of a file, or that of what is packed in it."""
    names = [suffix.lower() for suffix in Path(path).suffixes]
    return names[-2] if len(names) > 1 and names[-1] in (".gz", ".zst") else names[-1] if names else ""


def _own(head: bytes, preset: Preset) -> bool:
    """Whether a file of JSON lines is in CloudTrail's own form."""
    return preset.reader == "cloudtrail" and (b'"eventTime"' in head or b'"Records"' in head)


def _unpacked(path: str) -> bytes:
    data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    try:
        if data.startswith(b"\x1f\x8b"):
            return gzip.decompress(data)
        if data.startswith(b"\x28\xb5\x2f\xfd"):
            with pa.CompressedInputStream(pa.BufferReader(data), "zstd") as stream:
                unpacked: bytes = stream.read()
            return unpacked
    except (OSError, EOFError, pa.ArrowException) as error:
        raise InputError(0, f"cannot be unpacked: {error}") from error
    return data


_READERS: dict[str, Callable[[bytes], Iterator[Found]]] = {
    "cloudtrail": records_of,
    "flow": lambda data: flow_of(iter(data.splitlines())),
    "syslog": lambda data: syslog_of(iter(data.splitlines())),
}


def _of_found(path: str, found: Iterator[Found], preset: Preset, tally: Tally) -> Iterator[EventBatch]:
    numbered = tally.over(found)
    while stretch := list(islice(numbered, tally.rows)):
        good = [(number, what) for number, what, _ in stretch if isinstance(what, dict)]
        bad = [Reject(path, number, what, raw) for number, what, raw in stretch if isinstance(what, str)]
        yield _batch(path, _table([what for _, what in good]), preset, [number for number, _ in good], bad)


def _objects(data: bytes) -> Iterator[Found]:
    """JSON lines."""
    for number, line in enumerate(data.splitlines(), 1):
        if line.strip():
            try:
                yield number, msgspec.json.decode(line, type=dict[str, Any]), b""
            except msgspec.DecodeError as error:
                yield number, f"broken JSON: {error}", line[:4096]


def _of_csv(path: str, data: bytes, preset: Preset, tally: Tally) -> EventBatch:
    rejects: list[Reject] = []
    if not data.strip():
        raise InputError(0, "there are no rows")
    first = data.split(b"\n", 1)[0]
    try:
        first.decode()
    except UnicodeDecodeError as error:
        raise InputError(0, f"is no text in UTF-8: byte {error.start + 1} of its first line") from error

    def refuse(row: Any) -> str:
        why = f"{row.actual_columns} cells, and {row.expected_columns} are expected"
        rejects.append(Reject(path, (row.number or 0) + tally.shift, why, row.text.encode()[:4096]))
        return "skip"

    schema = preset.schema
    names = (*schema.entities, *schema.attributes, *schema.text, *filter(None, [schema.id]))
    texts = dict.fromkeys((*names, *preset.aliases), pa.string())
    converting = arrow_csv.ConvertOptions(strings_can_be_null=True, column_types=texts)
    try:
        table = arrow_csv.read_csv(
            io.BytesIO(data),
            read_options=arrow_csv.ReadOptions(use_threads=False),  # in one thread Arrow numbers the rows
            parse_options=arrow_csv.ParseOptions(invalid_row_handler=refuse),
            convert_options=converting,
        )
    except pa.ArrowException as error:
        raise InputError(0, str(error).splitlines()[0]) from error
    _with_times(table, preset)
    bad = {reject.line for reject in rejects}
    first_row = 2 + tally.shift
    numbers = [line for line in range(first_row, len(table) + len(bad) + first_row) if line not in bad]
    tally.last = len(numbers) + len(bad) + 1
    fresh = sum(line <= tally.skip for line in numbers)
    rejects = [reject for reject in rejects if reject.line > tally.skip]
    return _batch(path, table.slice(fresh), preset, numbers[fresh:], rejects)


def _with_times(table: pa.Table, preset: Preset) -> pa.Table:
    """The same table; InputError where it has no column of times."""
    if preset.schema.time in lacking(table, preset.schema, preset.aliases):
        raise InputError(0, f"there is no column {preset.schema.time!r}, which has the times")
    return table


def _table(rows: list[dict[str, Any]]) -> pa.Table:
    """Rows as a table; where the cells of a column are of several types, they are texts."""
    columns = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        cells = [row.get(name) for row in rows]
        try:
            columns[name] = pa.array(cells)
        except (pa.ArrowException, TypeError):
            columns[name] = pa.array([None if cell is None else str(cell) for cell in cells], pa.string())
    return pa.table(columns)


def _batch(
    path: str, table: pa.Table, preset: Preset, numbers: Sequence[int], rejects: list[Reject]
) -> EventBatch:
    """The rows of a table that can be used; ``numbers`` are those of their lines, rows or records."""
    given = as_preset(table, preset.schema, preset.aliases)
    absent = lacking(table, preset.schema, preset.aliases)
    used, problems = typed(given, preset.schema)
    more = [Reject(path, numbers[row], problems[row]) for row in problems]
    told = sorted([*rejects, *more], key=lambda reject: reject.line)
    return EventBatch(path, used, told, absent if len(table) else frozenset())
