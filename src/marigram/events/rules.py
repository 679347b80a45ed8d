"""What a line means, decided one line at a time: the authority for every line the compiled readers leave.

The rules, for every format:

* a value is a number of at most 1e300 in size; null, NaN, an absent field and an empty cell are a missing value;
* booleans, texts, objects and infinities are no values, and the line is rejected with the reason;
* a key is a text or an integer (17 and "17" are one key) and not empty; an id is the same, or null;
* a time is as the schema says (:mod:`marigram.events.times`), and must be there;
* the line is UTF-8 throughout, even where nobody looks.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, Protocol

import msgspec

from ._numbers import LARGEST
from ._rows import NO_TIME
from .keys import joined
from .schema import Schema
from .times import Zone, parse_time

__all__ = ["LONGEST", "BadLine", "CsvRules", "JsonRules", "Row", "Rules", "cells_of", "shown", "too_long"]

LONGEST: Final = 1 << 20
"""Bytes beyond which a line is rejected unread."""

_SHOWN = 60
_MISSING_WORDS = frozenset(("", "nan", "null", "na", "n/a", "none"))
_INFINITE_WORDS = frozenset(("inf", "infinity"))
_LOOSE_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_WORDS = re.compile(rb'"(?:[^"\\]|\\.)*"|\bNaN\b|\bInfinity\b')
_CELL = re.compile(r'"((?:[^"]|"")*)"|([^"]*)')


class BadLine(Exception):  # noqa: N818 - not an error of the program: a line of the input is rejected
    """The line cannot be used; ``reason`` says why, in words for the person who owns the data."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Row(NamedTuple):
    """One event."""

    values: list[float]
    """d numbers, NaN where missing."""
    time: int
    """Nanoseconds since 1970 UTC; ``NO_TIME`` when the schema names no time."""
    key: str
    """Empty when the schema names no key."""
    id: str | None


class Rules(Protocol):
    """Reads one line of one format."""

    def read(self, line: bytes) -> Row:
        """Return the event of a line without its newline; raise :class:`BadLine`."""


def shown(text: str) -> str:
    """Return a text as it may stand in a message: quoted, printable and short."""
    return repr(text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…")


def too_long(length: int) -> str:
    """Return why a line of that many bytes is rejected."""
    return f"a line of {length:,} bytes, longer than {LONGEST:,}"


def text_of(line: bytes) -> str:
    """Return the line as text; raise :class:`BadLine` when it is too long or not UTF-8."""
    if len(line) > LONGEST:
        raise BadLine(too_long(len(line)))
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise BadLine(
            f"invalid UTF-8: byte 0x{line[error.start]:02x} at position {error.start + 1}"
        ) from None


class JsonRules:
    """JSON lines: an object a line.  Of two fields of the same name the last counts.

    An ordinary line is decoded straight into the types that are wanted; any other goes through its raw tokens, which
    decide it and give the reason.
    """

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._zone = Zone(schema.tz)
        self._unit = schema.time_unit or "iso"
        self._values, self._key = schema.values or (), schema.key or ()
        time: Any = str if self._unit == "iso" else str | int
        kinds: list[tuple[str, Any, Any]] = [(column, float | None, None) for column in self._values]
        kinds += [(column, str | int, "") for column in self._key]
        kinds += [(schema.id, str | int | None, None)] if schema.id else []
        kinds += [(schema.time, time, "")] if schema.time else []
        self._decode = _decoder([(column, kind, absent) for column, kind, absent in kinds])
        self._decode_raw = _decoder([(column, msgspec.Raw, msgspec.Raw(b"")) for column, _, _ in kinds])

    def read(self, line: bytes) -> Row:
        """Return the event of a line; raise :class:`BadLine`."""
        text_of(line)
        d, parts = len(self._values), len(self._key)
        try:
            cells = msgspec.structs.astuple(self._decode(line))
        except (msgspec.DecodeError, RecursionError):
            return self._from_tokens(line)
        values = [math.nan if x is None else x + 0.0 for x in cells[:d]]
        key = [str(part) for part in cells[d : d + parts]]
        if not all(key) or any(abs(x) > LARGEST for x in values):
            return self._from_tokens(line)
        time = NO_TIME
        if self._schema.time:
            if cells[-1] == "":
                return self._from_tokens(line)
            time = _time(self._schema.time, str(cells[-1]), self._unit, self._zone)
        own = cells[d + parts] if self._schema.id else None
        return Row(values, time, joined(key) if key else "", None if own is None else str(own))

    def _from_tokens(self, line: bytes) -> Row:
        found = _decoded(self._decode_raw, line)
        tokens = [bytes(token) for token in msgspec.structs.astuple(found)]
        d, parts = len(self._values), len(self._key)
        values = [_json_number(column, raw) for column, raw in zip(self._values, tokens, strict=False)]
        key = [_json_text(column, raw) for column, raw in zip(self._key, tokens[d:], strict=False)]
        for column, part in zip(self._key, key, strict=True):
            if not part:
                raise BadLine(f"{column}: missing, and it belongs to the key")
        own = _json_text(self._schema.id, tokens[d + parts]) if self._schema.id else None
        time = self._read_time(self._schema.time, tokens[-1]) if self._schema.time else NO_TIME
        return Row(values, time, joined([part or "" for part in key]) if key else "", own)

    def _read_time(self, column: str, raw: bytes) -> int:
        if raw in (b"", b"null"):
            raise BadLine(f"{column}: missing, and it is the time")
        if raw[:1] == b'"':
            text = msgspec.json.decode(raw, type=str)
        elif self._unit == "iso" or raw[:1] not in b"-0123456789":
            wanted = "ISO-8601 time" if self._unit == "iso" else f"number of {self._unit} since 1970"
            raise BadLine(f"{column}: {_kind_of(raw)} is no {wanted}")
        else:
            text = raw.decode()
        return _time(column, text, self._unit, self._zone)


class CsvRules:
    """CSV: cells between delimiters, quoted as RFC 4180 has it, but never across lines.

    Parameters
    ----------
    schema
        Its delimiter, if not given, is a comma.
    header
        Names of the columns of the file, in order; must hold those of the schema.
    """

    def __init__(self, schema: Schema, header: Sequence[str]) -> None:
        self._schema = schema
        self._zone = Zone(schema.tz)
        self._delimiter = schema.delimiter or ","
        self._width = len(header)
        at = {column: i for i, column in reversed(list(enumerate(header)))}
        self._time = at[schema.time] if schema.time else -1
        self._id = at[schema.id] if schema.id else -1
        self._key = [(column, at[column]) for column in schema.key or ()]
        self._values = [(column, at[column]) for column in schema.values or ()]

    def read(self, line: bytes) -> Row:
        """Return the event of a line; raise :class:`BadLine`."""
        cells = cells_of(text_of(line).removesuffix("\r"), self._delimiter)
        if len(cells) != self._width:
            raise BadLine(
                f"{_counted(len(cells), 'cell')}, but the table has {_counted(self._width, 'column')}"
            )
        values = [_csv_number(column, cells[i]) for column, i in self._values]
        time = NO_TIME
        if self._time >= 0:
            text, column = cells[self._time].strip(" \t"), self._schema.time or ""
            if not text:
                raise BadLine(f"{column}: missing, and it is the time")
            time = _time(column, text, self._schema.time_unit or "iso", self._zone)
        for column, i in self._key:
            if not cells[i]:
                raise BadLine(f"{column}: missing, and it belongs to the key")
        key = joined([cells[i] for _, i in self._key]) if self._key else ""
        return Row(values, time, key, cells[self._id] or None if self._id >= 0 else None)


def cells_of(line: str, delimiter: str) -> list[str]:
    """Return the cells of a line of CSV; raise :class:`BadLine` when its quotes do not match."""
    if '"' not in line:
        return line.split(delimiter)
    cells = []
    at = 0
    while True:
        if line.startswith('"', at):
            match = _CELL.match(line, at)
            if match is None or match[1] is None:
                raise BadLine("a quote is not closed on its line")
            cells.append(match[1].replace('""', '"'))
            at = match.end()
        else:
            end = line.find(delimiter, at)
            cells.append(line[at:] if end < 0 else line[at:end])
            at = len(line) if end < 0 else end
        if at == len(line):
            return cells
        if not line.startswith(delimiter, at):
            raise BadLine("text after a closing quote")
        at += 1


def _decoder(fields: Sequence[tuple[str, Any, Any]]) -> Callable[[bytes], Any]:
    """Return a decoder of objects with these fields: name, type, what it is when absent."""
    attributes: Any = [(f"f{i}", kind, absent) for i, (_, kind, absent) in enumerate(fields)]
    names = {f"f{i}": name for i, (name, _, _) in enumerate(fields)}
    return msgspec.json.Decoder(msgspec.defstruct("Line", attributes, rename=names)).decode


def _counted(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def _time(column: str, text: str, unit: str, zone: Zone) -> int:
    try:
        return parse_time(text, unit, zone)
    except ValueError as error:
        raise BadLine(f"{column}: {error}") from None


def _decoded(decode: Callable[[bytes], Any], line: bytes) -> Any:
    """Decode an object; bare NaN and Infinity, which Python writes, are read although JSON has none.

    The error leaves as its text: kept itself, it would hold this frame and be held by it.
    """
    try:
        return decode(line)
    except msgspec.DecodeError as error:
        reason = _explained(error)
    except RecursionError:
        raise BadLine("broken JSON: nested too deeply") from None
    if b"NaN" in line or b"Infinity" in line:
        try:
            return decode(_WORDS.sub(_standard, line))
        except (msgspec.DecodeError, RecursionError):
            pass
    raise BadLine(reason)


def _standard(match: re.Match[bytes]) -> bytes:
    return {b"NaN": b"null", b"Infinity": b"1e999"}.get(match[0], match[0])


def _explained(error: Exception) -> str:
    text = str(error)
    if isinstance(error, msgspec.ValidationError):
        found = re.search(r"got `(\w+)`", text)
        return f"not a JSON object, but {found[1]}" if found else f"broken JSON: {text}"
    return "broken JSON: " + text.removeprefix("JSON is malformed: ")


def _kind_of(raw: bytes) -> str:
    """What a JSON value is, in words."""
    first = raw[:1]
    if first == b'"':
        return f"the text {shown(msgspec.json.decode(raw, type=str))}"
    if first in (b"{", b"["):
        return "an object" if first == b"{" else "a list"
    return raw.decode() if len(raw) <= _SHOWN else f"a number of {len(raw):,} digits"


def _json_number(column: str, raw: bytes) -> float:
    if raw in (b"", b"null"):
        return math.nan
    if raw[0] not in b"-0123456789":
        raise BadLine(f"{column}: {_kind_of(raw)} is not a number")
    return _within(column, float(raw), raw.decode())


def _within(column: str, x: float, text: str) -> float:
    """Return a usable number, zero always +0.0."""
    if not abs(x) <= LARGEST:
        named = "an infinite number" if math.isinf(x) else shown(text)
        raise BadLine(f"{column}: {named} is beyond 1e300 in size")
    return x + 0.0


def _json_text(column: str, raw: bytes) -> str | None:
    if raw in (b"", b"null"):
        return None
    if raw[:1] == b'"':
        return msgspec.json.decode(raw, type=str)
    if raw.lstrip(b"-").isdigit():
        return "0" if raw == b"-0" else raw.decode()
    raise BadLine(f"{column}: {_kind_of(raw)} is neither a text nor an integer")


def _csv_number(column: str, cell: str) -> float:
    text = cell.strip(" \t")
    if _LOOSE_NUMBER.fullmatch(text):
        return _within(column, float(text), text)
    word = text.lower()
    if word in _MISSING_WORDS:
        return math.nan
    if word.lstrip("+-") in _INFINITE_WORDS:
        raise BadLine(f"{column}: an infinite number is beyond 1e300 in size")
    raise BadLine(f"{column}: {shown(cell)} is not a number")
