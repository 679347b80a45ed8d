"""Parquet and Arrow IPC: rows that carry their types.

Only the columns of the schema are read, in batches.  A column that cannot be what it is said to be (texts as values)
is refused before the first row; a cell that cannot be used rejects its row.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from marigram.errors import ParameterError

from ._numbers import LARGEST
from .batch import Reject
from .decode import Part
from .keys import SEPARATOR, KeyNames
from .schema import Schema
from .streams import BrokenStream, Stream
from .times import LAST, UNITS, Zone, parse_time

__all__ = ["TableDecoder", "TableFile", "check_types", "plain_cells", "spooled"]

_FEW: Final = 20_000
"""Rows of a run whose keys are looked up without compiled code."""
_BUFFER: Final = 1 << 20
"""Bytes of each column that are read at once, so that a row group of any size fits."""
_LARGE: Final = 1 << 26
_MARGIN = 2 * 86_400 * UNITS["s"]


class TableFile:
    """An open Parquet or Arrow file (or Arrow stream).

    Parameters
    ----------
    file
        A path, or an open file that can be read in any order.
    kind
        ``parquet`` or ``arrow``.

    Raises
    ------
    BrokenStream
        When it is no such file.
    """

    def __init__(self, file: str | BinaryIO, kind: str) -> None:
        self._parquet: Any = None
        self._arrow: Any = None
        self._batches: Iterator[Any] = iter(())
        try:
            if kind == "parquet":
                import pyarrow.parquet as pq  # 20 ms that only Parquet pays

                self._parquet = pq.ParquetFile(file, buffer_size=_BUFFER, pre_buffer=False)
                self.schema = self._parquet.schema_arrow
            else:
                self._open_arrow(file)
        except (pa.ArrowException, OSError) as error:
            raise BrokenStream(f"not a readable {kind} file: {_first_line(error)}") from error

    def _open_arrow(self, file: str | BinaryIO) -> None:
        source = pa.OSFile(file) if isinstance(file, str) else pa.PythonFile(file, mode="r")
        try:
            self._arrow = pa.ipc.open_file(source)
        except pa.ArrowInvalid:
            source.seek(0)
            reader = pa.ipc.open_stream(source)
            self._batches, self.schema = iter(reader), reader.schema
            return
        self.schema = self._arrow.schema
        if isinstance(file, str) and source.size() > _LARGE * max(1, self._arrow.num_record_batches):
            self._arrow = pa.ipc.open_file(
                pa.memory_map(file)
            )  # a batch would not fit: let the system page it

    def batches(self, columns: Sequence[str], rows: int, start: int = 0) -> Iterator[pa.RecordBatch]:
        """Yield these columns, from row ``start`` on, at most ``rows`` at a time; may raise BrokenStream."""
        try:
            for batch in self._from(columns, rows, start):
                for first in range(0, len(batch), rows):
                    yield batch.slice(first, rows)
        except (pa.ArrowException, OSError) as error:
            raise BrokenStream(f"the file is damaged: {_first_line(error)}") from error

    def _from(self, columns: Sequence[str], rows: int, start: int) -> Iterator[pa.RecordBatch]:
        if self._parquet is not None:
            metadata = self._parquet.metadata
            groups = list(range(metadata.num_row_groups))
            while groups and start >= metadata.row_group(groups[0]).num_rows:
                start -= metadata.row_group(groups.pop(0)).num_rows
            plain: Iterator[pa.RecordBatch] = self._parquet.iter_batches(
                batch_size=rows, row_groups=groups, columns=list(columns), use_threads=False
            )
        elif self._arrow is not None:
            plain = (self._arrow.get_batch(i) for i in range(self._arrow.num_record_batches))
        else:
            plain = self._batches
        for batch in plain:
            if start >= len(batch):
                start -= len(batch)
                continue
            yield batch.slice(start).select(list(columns))
            start = 0


def plain_cells(column: pa.Array) -> pa.Array:
    """The column as inference reads it: times as texts, decimals as doubles."""
    if pa.types.is_temporal(column.type):
        return column.cast(pa.string())
    return column.cast(pa.float64()) if pa.types.is_decimal(column.type) else column


def spooled(stream: Stream) -> BinaryIO:
    """Return a stream as a temporary file that can be read in any order."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by whoever reads it
    buffer = memoryview(bytearray(1 << 20))
    while got := stream.readinto(buffer):
        file.write(buffer[:got])
    file.seek(0)
    return file


class TableDecoder:
    """Turns record batches into columns of events.

    Parameters
    ----------
    schema
        Complete.
    source
        Name of the file in rejects.
    fields
        Arrow schema of the file; must hold the columns of the schema.
    names
        The keys of the run.

    Raises
    ------
    ParameterError
        When a column has a type that it may not have.
    """

    def __init__(self, schema: Schema, source: str, fields: pa.Schema, names: KeyNames) -> None:
        self.names = names
        self._schema = schema
        self._source = source
        self._zone = Zone(schema.tz)
        self._seen = 0
        check_types(schema, fields)

    def decode(self, batch: pa.RecordBatch, row: int) -> Part:
        """Return the events of a batch whose first row is number ``row`` of its file, from 1."""
        schema, n = self._schema, len(batch)
        values = np.empty((n, schema.d))
        for i, column in enumerate(schema.values or ()):
            values[:, i] = _numbers(batch.column(column))
        values += 0.0
        problems: dict[int, str] = {}
        keys = [_texts(batch.column(column), column, problems) for column in schema.key or ()]
        ids = _texts(batch.column(schema.id), schema.id, problems) if schema.id else None
        for column, key in zip(schema.key or (), keys, strict=True):
            _note(problems, _absent(key), column, "missing, and it belongs to the key")
        times = self._times(batch.column(schema.time), problems) if schema.time else None
        for i, column in enumerate(schema.values or ()):
            beyond = np.flatnonzero(~(np.abs(values[:, i]) <= LARGEST) & ~np.isnan(values[:, i]))
            _note(problems, beyond, column, "is beyond 1e300 in size", values[:, i])
        rejects = [
            Reject(
                self._source, row + i, problems[i], ", ".join(_cell(column, i) for column in batch).encode()
            )
            for i in sorted(problems)
        ]
        if problems:
            keep = np.ones(n, bool)
            keep[list(problems)] = False
            values, times = values[keep], None if times is None else times[keep]
            keys = [key.filter(pa.array(keep)) for key in keys]
            ids = None if ids is None else ids.filter(pa.array(keep))
        return Part(
            values=values,
            times=times,
            codes=self._codes(_joined(keys)) if keys else None,
            ids=None if ids is None else ids.to_numpy(zero_copy_only=False),
            rejects=rejects,
            position=row - 1 + n,
            line=row + n,
            blank=0,
        )

    def _codes(self, keys: pa.Array) -> NDArray[np.int64]:
        self._seen += len(keys)
        if self._seen <= _FEW:
            return self.names.codes_of(keys.to_pylist())
        offsets = np.frombuffer(keys.buffers()[1], np.int64)[keys.offset : keys.offset + len(keys) + 1]
        text = np.frombuffer(keys.buffers()[2] or b"", np.uint8)
        return self.names.codes_in(text, np.column_stack((offsets[:-1], offsets[1:])))

    def _times(self, column: pa.Array, problems: dict[int, str]) -> NDArray[np.int64]:
        name = self._schema.time or ""
        null = np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False))
        _note(problems, null, name, "missing, and it is the time")
        column, kind = _undictionaried(column), _undictionaried(column).type
        if pa.types.is_date(kind):
            column, kind = column.cast(pa.timestamp("s")), pa.timestamp("s")
        if pa.types.is_timestamp(kind):
            whole = column.view(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
            return self._scaled(whole, UNITS[kind.unit], kind.tz is None, problems)
        unit = self._schema.time_unit or "iso"
        if pa.types.is_uint64(kind):
            column, kind = column.cast(pa.float64()), pa.float64()
        if pa.types.is_integer(kind) and unit != "iso":
            wide = column.cast(pa.int64(), safe=False).fill_null(0)
            return self._scaled(wide.to_numpy(zero_copy_only=False), UNITS[unit], False, problems)
        if pa.types.is_floating(kind) and unit != "iso":
            return self._of_floats(_numbers(column), UNITS[unit], problems)
        return self._of_texts(_texts(column, name, problems), unit, problems)

    def _scaled(
        self, count: NDArray[np.int64], factor: int, local: bool, problems: dict[int, str]
    ) -> NDArray[np.int64]:
        """Nanoseconds of a count of units, wall-clock ones turned to UTC."""
        shift = local and not self._zone.is_utc
        most = (LAST - (_MARGIN if shift else 0)) // factor
        beyond = np.flatnonzero((count > most) | (count < -most))
        _note(problems, beyond, self._schema.time or "", "outside the years 1677 to 2262")
        inside = np.where((count > most) | (count < -most), 0, count) if len(beyond) else count
        times = inside * factor
        return self._zone.to_utc_many(times) if shift else times

    def _of_floats(
        self, count: NDArray[np.float64], factor: int, problems: dict[int, str]
    ) -> NDArray[np.int64]:
        usable = np.abs(count) <= (LAST // factor) * (1 - 2.0**-52)
        _note(problems, np.flatnonzero(~usable), self._schema.time or "", "is no usable time", count)
        inside = np.where(usable, count, 0.0)
        whole = np.trunc(inside)
        part = np.trunc(np.round((inside - whole) * factor, 3))
        return whole.astype(np.int64) * factor + part.astype(np.int64)

    def _of_texts(self, column: pa.Array, unit: str, problems: dict[int, str]) -> NDArray[np.int64]:
        if unit == "iso":
            for zone in ("UTC", None):
                try:
                    whole = column.cast(pa.timestamp("ns", zone)).view(pa.int64()).fill_null(0)
                except pa.ArrowInvalid:
                    continue
                return self._scaled(whole.to_numpy(zero_copy_only=False), 1, zone is None, problems)
        times = np.zeros(len(column), np.int64)
        for i, text in enumerate(column.to_pylist()):
            if text is not None:
                try:
                    times[i] = parse_time(text, unit, self._zone)
                except ValueError as error:
                    problems.setdefault(i, f"{self._schema.time}: {error}")
        return times


def check_types(schema: Schema, fields: pa.Schema) -> None:
    """Raise ParameterError when a column of the schema has a type that it may not have."""
    for column in schema.values or ():
        _check(column, fields, _is_number, "numbers")
    for column in (*(schema.key or ()), *((schema.id,) if schema.id else ())):
        _check(column, fields, _is_name, "texts or integers")
    if schema.time:
        _check(schema.time, fields, _is_time, "times")


def _check(column: str, fields: pa.Schema, fits: Any, wanted: str) -> None:
    kind = fields.field(column).type
    inner = kind.value_type if pa.types.is_dictionary(kind) else kind
    if not fits(inner):
        raise ParameterError(f"column {column!r} holds {inner}, and {wanted} are needed")


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _is_name(kind: pa.DataType) -> bool:
    texts = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    return bool(texts or pa.types.is_integer(kind) or pa.types.is_null(kind))


def _is_time(kind: pa.DataType) -> bool:
    times = pa.types.is_timestamp(kind) or pa.types.is_date(kind)
    return bool(times or _is_name(kind) or pa.types.is_floating(kind))


def _note(problems: dict[int, str], rows: Any, column: str, reason: str, cells: Any = None) -> None:
    for i in rows.tolist():
        cell = "" if cells is None else f"{cells[i]} "
        problems.setdefault(i, f"{column}: {cell}{reason}")


def _cell(column: pa.Array, row: int) -> str:
    """The cell as a person may read it, whatever its type."""
    try:
        return str(column.slice(row, 1).cast(pa.string())[0].as_py())
    except (pa.ArrowException, UnicodeDecodeError):
        return "?"


def _undictionaried(column: pa.Array) -> pa.Array:
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def _numbers(column: pa.Array) -> NDArray[np.float64]:
    plain = _undictionaried(column).cast(pa.float64(), safe=False)
    numbers: NDArray[np.float64] = plain.to_numpy(zero_copy_only=False)
    return numbers


def _texts(column: pa.Array, name: str, problems: dict[int, str]) -> pa.Array:
    """The column as large strings; cells that are not UTF-8 are noted and become empty."""
    texts = _undictionaried(column).cast(pa.large_string())
    try:
        texts.validate(full=True)
    except pa.ArrowInvalid:
        cells = texts.view(pa.large_binary()).to_pylist()
        sound = [None if cell is None else _sound(cell) for cell in cells]
        _note(
            problems,
            np.flatnonzero([text == b"" != cell for text, cell in zip(sound, cells, strict=True)]),
            name,
            "invalid UTF-8",
        )
        return pa.array(sound, pa.large_binary()).view(pa.large_string())
    return texts


def _sound(cell: bytes) -> bytes:
    try:
        cell.decode()
    except UnicodeDecodeError:
        return b""
    return cell


def _absent(column: pa.Array) -> NDArray[np.int64]:
    length = pc.fill_null(pc.binary_length(column), 0)
    return np.flatnonzero(length.to_numpy(zero_copy_only=False) == 0)


def _joined(parts: Sequence[pa.Array]) -> pa.Array:
    """The parts of each key as one text, as :func:`marigram.events.keys.joined` makes it."""
    if len(parts) == 1:
        return parts[0]
    escaped = [
        pc.replace_substring(pc.replace_substring(part, "\\", "\\\\"), SEPARATOR, "\\" + SEPARATOR)
        for part in parts
    ]
    return pc.binary_join_element_wise(*escaped, pa.scalar(SEPARATOR, pa.large_string()))


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
