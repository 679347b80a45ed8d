"""Parquet and Arrow IPC: rows that carry their types.

Only the columns of the schema are read, in batches.  A column that cannot be what it is said to be (texts as values)
is refused before the first row; a cell that cannot be used rejects its row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

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
from .times import LAST, UNITS, Zone, parse_time

__all__ = ["TableDecoder", "check_types", "plain_cells"]

_FEW: Final = 20_000
"""Rows of a run whose keys are looked up without compiled code."""
_MARGIN = 2 * 86_400 * UNITS["s"]


def plain_cells(column: pa.Array) -> list[Any]:
    """The column as inference reads it: times as texts, decimals as doubles."""
    column = _undictionaried(column)
    if pa.types.is_temporal(column.type):
        column = column.cast(pa.string())
    if pa.types.is_decimal(column.type):
        column = column.cast(pa.float64())
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        raw = column.cast(pa.large_binary()).to_pylist()
        return [None if cell is None else cell.decode(errors="replace") for cell in raw]
    cells: list[Any] = column.to_pylist()
    return cells


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
        self._last: tuple[pa.Array, KeyNames | None, NDArray[np.int64]] = (None, None, np.empty(0, np.int64))
        check_types(schema, fields)

    def decode(self, batch: pa.RecordBatch, row: int) -> Part:
        """Return the events of a batch whose first row is number ``row`` of its file, from 1."""
        schema, n = self._schema, len(batch)
        values = np.empty((n, schema.d))
        for i, column in enumerate(schema.values or ()):
            values[:, i] = _numbers(batch.column(column))
        values += 0.0
        problems: dict[int, str] = {}
        codes = self._codes(batch, problems) if schema.key else None
        ids = _texts(batch.column(schema.id), schema.id, problems) if schema.id else None
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
            codes = None if codes is None else codes[keep]
            ids = None if ids is None else ids.filter(pa.array(keep))
        return Part(
            values=values,
            times=times,
            codes=codes,
            ids=None if ids is None else ids.to_numpy(zero_copy_only=False),
            rejects=rejects,
            position=row - 1 + n,
            line=row + n,
            blank=0,
        )

    def _codes(self, batch: pa.RecordBatch, problems: dict[int, str]) -> NDArray[np.int64]:
        """Codes of the keys; -1, and a problem, where a part of a key is absent."""
        columns = self._schema.key or ()
        first = batch.column(columns[0])
        if len(columns) == 1 and pa.types.is_dictionary(first.type) and len(first.dictionary) <= len(first):
            codes = self._of_dictionary(first)
            if codes is not None:
                _note(problems, np.flatnonzero(codes < 0), columns[0], "missing, and it belongs to the key")
                return codes
        parts = [_texts(batch.column(column), column, problems) for column in columns]
        for column, part in zip(columns, parts, strict=True):
            _note(problems, np.flatnonzero(~_present(part)), column, "missing, and it belongs to the key")
        return self._of_texts(_joined(parts), np.logical_and.reduce([_present(part) for part in parts]))

    def _of_dictionary(self, column: pa.DictionaryArray) -> NDArray[np.int64] | None:
        """Codes by way of the dictionary, which is often that of the batch before; None when it is not sound."""
        known, names, codes = self._last
        if names is not self.names or not column.dictionary.equals(known):
            texts = column.dictionary.cast(pa.large_string())
            try:
                texts.validate(full=True)
            except pa.ArrowInvalid:
                return None
            codes = np.append(self._of_texts(texts, _present(texts)), -1)
            self._last = (column.dictionary, self.names, codes)
        indices = column.indices.fill_null(-1) if column.null_count else column.indices
        coded: NDArray[np.int64] = codes[indices.to_numpy(zero_copy_only=False)]
        return coded

    def _of_texts(self, texts: pa.Array, present: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Codes of large strings; -1 where they are not present."""
        if not present.all():
            codes = np.full(len(texts), -1)
            codes[present] = self._of_texts(texts.filter(pa.array(present)), present[present])
            return codes
        self._seen += len(texts)
        if self._seen <= _FEW:
            return self.names.codes_of(texts.to_pylist())
        offsets = np.frombuffer(texts.buffers()[1], np.int64)[texts.offset : texts.offset + len(texts) + 1]
        data = np.frombuffer(texts.buffers()[2] or b"", np.uint8)
        return self.names.codes_in(data, np.column_stack((offsets[:-1], offsets[1:])))

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
        return self._of_spellings(_texts(column, name, problems), unit, problems)

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

    def _of_spellings(self, column: pa.Array, unit: str, problems: dict[int, str]) -> NDArray[np.int64]:
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


def _present(column: pa.Array) -> NDArray[np.bool_]:
    """Whether each text is there and not empty."""
    length = pc.fill_null(pc.binary_length(column), 0)
    present: NDArray[np.bool_] = length.to_numpy(zero_copy_only=False) > 0
    return present


def _joined(parts: Sequence[pa.Array]) -> pa.Array:
    """The parts of each key as one text, as :func:`marigram.events.keys.joined` makes it."""
    if len(parts) == 1:
        return parts[0]
    escaped = [
        pc.replace_substring(pc.replace_substring(part, "\\", "\\\\"), SEPARATOR, "\\" + SEPARATOR)
        for part in parts
    ]
    return pc.binary_join_element_wise(*escaped, pa.scalar(SEPARATOR, pa.large_string()))
