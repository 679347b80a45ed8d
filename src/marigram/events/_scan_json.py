"""The compiled reader of JSON lines."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marigram.numerics.jit import kernel, piece

from ._bytes import TOPS, below_blank, byte, first_of, put, trailing_zeros, word
from ._moments import epoch, moment
from ._numbers import NOT_UNDERSTOOD, digits, number
from ._rows import (
    EACH,
    ID,
    NEWLINE,
    NONE,
    ODD,
    QUOTE,
    SKIP,
    SPANS,
    STATE,
    TIME,
    WHEN,
    Form,
    after_blanks,
    complete,
    end_of_line,
    load,
    prepare,
)

__all__ = ["scan_json"]

_COMMA, _MINUS, _DOT, _ZERO, _COLON, _SMALL_A, _E, _OPEN, _CLOSE = 44, 45, 46, 48, 58, 97, 101, 123, 125
_QUOTES = EACH * np.uint64(QUOTE)
_BACKSLASHES = EACH * np.uint64(92)
_THREE = np.uint64(0xFFFFFF)
_FOUR = np.uint64(0xFFFFFFFF)
_FIVE = np.uint64(0xFFFFFFFFFF)
_NULL, _TRUE, _FALSE, _NAN = (
    np.uint64(int.from_bytes(name, "little")) for name in (b"null", b"true", b"false", b"NaN")
)


@kernel
def scan_json(
    text: NDArray[np.uint8],
    begin: int,
    end: int,
    line: int,
    checked: bool,
    form: Form,
    values: NDArray[np.float64],
    marks: NDArray[np.int64],
) -> tuple[int, int, int]:
    """Read lines of ``text[begin:end]``, the first of them number ``line``, until the columns are full.

    ``checked`` says that the text is known to be UTF-8; otherwise lines with bytes from 128 are odd.  Filled are
    ``values`` (rows, d) and ``marks`` (rows, SPANS + 2·(1 + parts of a key)).

    Returns
    -------
    (rows, position after the last line read, its number + 1)
    """
    foreign = NONE if checked else TOPS
    names, ends, memory = form.names.ctypes.data, form.name_ends.ctypes.data, form.memory.ctypes.data
    roles, fields = form.roles.ctypes.data, len(form.roles)
    timed, places, longest = form.timed, form.places, form.longest
    base = text.ctypes.data
    value, mark = values.ctypes.data, marks.ctypes.data
    d, parts = values.shape[1], (marks.shape[1] - SPANS) >> 1
    at, stop = base + begin, base + end
    row = 0
    while at < stop and row < len(marks):
        start = at
        at = after_blanks(at)
        if byte(at) != NEWLINE:
            prepare(mark, start - base, line, parts)
            for column in range(d):
                put(value + 8 * column, math.nan)
            at = _object(at, base, foreign, fields, names, ends, roles, places, memory, value, mark)
            if at < 0 or at - start > longest or not complete(mark, parts, timed):
                put(mark + 8 * STATE, ODD)
                at = end_of_line(start)
            row += 1
            value += 8 * d
            mark += 8 * marks.shape[1]
        at += 1
        line += 1
    return row, at - base, line


@piece
def _object(
    at: int,
    base: int,
    foreign: Any,
    fields: int,
    names: int,
    ends: int,
    roles: int,
    places: int,
    memory: int,
    value: int,
    mark: int,
) -> int:
    """Read the object at ``at`` into its row; return the address of the newline behind it."""
    if byte(at) != _OPEN:
        return NOT_UNDERSTOOD
    at = after_blanks(at + 1)
    field = -1
    while True:
        if byte(at) != QUOTE:
            return NOT_UNDERSTOOD
        field = _which(at + 1, field + 1 if field < fields else 0, fields, names, ends)
        at = _closing(at + 1, foreign)
        if at < 0:
            return NOT_UNDERSTOOD
        at = after_blanks(at + 1)
        if byte(at) != _COLON:
            return NOT_UNDERSTOOD
        at = after_blanks(at + 1)
        role = load(roles + 8 * field) if field < fields else SKIP
        if role >= 0:
            x, at = _json_value(at)
            put(value + 8 * role, x)
        elif role == SKIP:
            at = _skip(at, foreign)
        elif role == TIME:
            at = _json_time(at, foreign, places, memory, mark)
        else:
            at = _json_text(at, foreign, base, mark + 8 * (SPANS + 2 * (ID - role)))
        if at < 0:
            return NOT_UNDERSTOOD
        at = after_blanks(at)
        if byte(at) != _COMMA:
            break
        at = after_blanks(at + 1)
    if byte(at) != _CLOSE:
        return NOT_UNDERSTOOD
    at = after_blanks(at + 1)
    return at if byte(at) == NEWLINE else NOT_UNDERSTOOD


@piece
def _which(at: int, guess: int, fields: int, names: int, ends: int) -> int:
    """Number of the wanted field whose name starts at ``at``, most likely ``guess``; ``fields`` if none."""
    for offset in range(fields):
        field = guess + offset if guess + offset < fields else guess + offset - fields
        if _is_field(at, names + 16 * load(ends + 8 * field), names + 16 * load(ends + 8 * field + 8)):
            return field
    return fields


@piece
def _is_field(at: int, first: int, end: int) -> bool:
    """Whether the name at ``at``, with its closing quote, is spelt by the words and masks from ``first`` on."""
    while first < end:
        if word(at) & word(first + 8) != word(first):
            return False
        at += 8
        first += 16
    return True


@piece
def _closing(at: int, foreign: Any) -> int:
    """Position of the quote that ends the plain string whose content starts at ``at``."""
    flags = NONE
    while flags == NONE:
        w = word(at)
        flags = first_of(w, _QUOTES) | first_of(w, _BACKSLASHES) | below_blank(w) | (w & foreign)
        at += trailing_zeros(flags) >> 3
    return at if byte(at) == QUOTE else NOT_UNDERSTOOD


@piece
def _skip(at: int, foreign: Any) -> int:
    """Position after a value that nobody asked for."""
    if byte(at) == QUOTE:
        at = _closing(at + 1, foreign)
        return at + 1 if at >= 0 else at
    if byte(at) >= _SMALL_A:
        return _literal(at)
    _, past = number(at, False)
    return past


@piece
def _literal(at: int) -> int:
    """Position after ``null``, ``true`` or ``false``."""
    w = word(at)
    if w & _FOUR == _NULL or w & _FOUR == _TRUE:
        return at + 4
    return at + 5 if w & _FIVE == _FALSE else NOT_UNDERSTOOD


@piece
def _integer(at: int) -> int:
    """Position after the JSON integer at ``at``; -0 is left to the slow way."""
    first = at
    if byte(at) == _MINUS:
        at += 1
    _, past = digits(at, NONE)
    if past == at or (byte(at) == _ZERO and past > first + 1):
        return NOT_UNDERSTOOD
    return NOT_UNDERSTOOD if byte(past) == _DOT or byte(past) | 32 == _E else past


@piece
def _json_value(at: int) -> tuple[float, int]:
    if byte(at) <= _ZERO + 9:
        return number(at, False)
    w = word(at)
    if w & _FOUR == _NULL:
        return math.nan, at + 4
    return math.nan, at + 3 if w & _THREE == _NAN else NOT_UNDERSTOOD


@piece
def _json_text(at: int, foreign: Any, base: int, span: int) -> int:
    """Note where a string's content or an integer starts and ends; return the address after it."""
    quoted = byte(at) == QUOTE
    first = at + 1 if quoted else at
    last = _closing(first, foreign) if quoted else _integer(first)
    put(span, first - base)
    put(span + 8, last - base)
    return last + 1 if quoted and last >= 0 else last


@piece
def _json_time(at: int, foreign: Any, places: int, memory: int, mark: int) -> int:
    """Note the time at ``at``; return the address after it."""
    quoted = byte(at) == QUOTE
    end = 0
    if quoted:
        at += 1
        end = _closing(at, foreign)
        if end < 0:
            return NOT_UNDERSTOOD
    if places >= 0:
        time, past = epoch(at, places, quoted)
        put(mark + 8 * WHEN, time)
        if not quoted:
            return past
        return end + 1 if past == end else NOT_UNDERSTOOD
    if not quoted:
        return NOT_UNDERSTOOD
    time, zone = moment(at, end, memory)
    put(mark + 8 * WHEN, time)
    put(mark + 8 * STATE, zone)
    return end + 1 if zone >= 0 else NOT_UNDERSTOOD
