"""The compiled readers of JSON lines and CSV.

They read what nearly every line is: a flat object, or cells, with plain numbers and texts without escapes.  A line of
which they do not understand every byte is left as an odd row, and the slow way (:mod:`marigram.events.rules`) decides
it; so there is one set of rules, and the compiled readers may be narrow.  No byte is copied: texts are returned as
spans of the block, which must end in a newline followed by ``PADDING`` bytes.
"""

from __future__ import annotations

import math
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from marigram.numerics.jit import kernel, piece

from ._bytes import TOPS, below_blank, byte, first_of, put, trailing_zeros, word
from ._moments import epoch, moment
from ._numbers import NOT_UNDERSTOOD, digits, number

__all__ = ["ID", "KEY", "NO_TIME", "SKIP", "TIME", "Form", "scan_csv", "scan_json"]

SKIP: Final = -1
TIME: Final = -2
ID: Final = -3
KEY: Final = -4
"""Roles of a field: below KEY lie the further parts of a key, from 0 up the columns of the values."""
NO_TIME: Final = int(np.iinfo(np.int64).min)
START, LINE, WHEN, STATE, SPANS = 0, 1, 2, 3, 4
"""Columns of the marks of a row: where its line starts, the line's number, the time, one of the states below, then
where the id and each part of the key start and end (-1, -1 when absent)."""
UNDERSTOOD, WALL_CLOCK, ODD = 0, 1, 2


class Form(NamedTuple):
    """What to read."""

    names: NDArray[np.uint64]
    """(w, 2) the wanted names, each with its closing quote, as words, and the mask of each word; JSON only."""
    name_ends: NDArray[np.int64]
    """(f + 1,) where the words of each name start and end."""
    roles: NDArray[np.int64]
    """(f,) role of each wanted name, or of each column of a CSV file."""
    memory: NDArray[np.uint64]
    """(3,) the last time read; all ones at first."""
    timed: bool
    """Whether every row must have a time."""
    places: int
    """9, 6, 3, 0 for times in s, ms, us, ns since 1970; -1 for ISO-8601."""
    delimiter: int
    """Byte between cells."""
    longest: int
    """Bytes beyond which a line is odd."""


_TAB, _NEWLINE, _RETURN, _SPACE, _QUOTE, _COMMA, _MINUS, _DOT = 9, 10, 13, 32, 34, 44, 45, 46
_ZERO, _COLON, _SMALL_A, _E, _OPEN, _CLOSE = 48, 58, 97, 101, 123, 125
_NONE = np.uint64(0)
_EACH = np.uint64(0x0101010101010101)
_QUOTES = _EACH * np.uint64(_QUOTE)
_BACKSLASHES = _EACH * np.uint64(92)
_NEWLINES = _EACH * np.uint64(_NEWLINE)
_RETURNS = _EACH * np.uint64(_RETURN)
_THREE = np.uint64(0xFFFFFF)
_FOUR = np.uint64(0xFFFFFFFF)
_FIVE = np.uint64(0xFFFFFFFFFF)
_NULL, _TRUE, _FALSE, _NAN = (
    np.uint64(int.from_bytes(name, "little")) for name in (b"null", b"true", b"false", b"NaN")
)


@piece
def _after_blanks(at: int) -> int:
    c = byte(at)
    while c == _SPACE or c == _TAB or c == _RETURN:  # noqa: SIM109 - a tuple compiles to a loop
        at += 1
        c = byte(at)
    return at


@piece
def _closing(at: int, foreign: Any) -> int:
    """Position of the quote that ends the plain string whose content starts at ``at``."""
    flags = _NONE
    while flags == _NONE:
        w = word(at)
        flags = first_of(w, _QUOTES) | first_of(w, _BACKSLASHES) | below_blank(w) | (w & foreign)
        at += trailing_zeros(flags) >> 3
    return at if byte(at) == _QUOTE else NOT_UNDERSTOOD


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
    _, past = digits(at, _NONE)
    if past == at or (byte(at) == _ZERO and past > first + 1):
        return NOT_UNDERSTOOD
    return NOT_UNDERSTOOD if byte(past) == _DOT or byte(past) | 32 == _E else past


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
def _which(at: int, guess: int, fields: int, names: int, ends: int) -> int:
    """Number of the wanted field whose name starts at ``at``, most likely ``guess``; ``fields`` if none."""
    for offset in range(fields):
        field = guess + offset if guess + offset < fields else guess + offset - fields
        if _is_field(at, names + 16 * _load(ends + 8 * field), names + 16 * _load(ends + 8 * field + 8)):
            return field
    return fields


@piece
def _load(at: int) -> Any:
    return np.int64(word(at))


@piece
def _skip(at: int, foreign: Any) -> int:
    """Position after a value that nobody asked for."""
    if byte(at) == _QUOTE:
        at = _closing(at + 1, foreign)
        return at + 1 if at >= 0 else at
    if byte(at) >= _SMALL_A:
        return _literal(at)
    _, past = number(at, False)
    return past


@piece
def _end_of_line(at: int) -> int:
    flags = _NONE
    while flags == _NONE:
        flags = first_of(word(at), _NEWLINES)
        at += trailing_zeros(flags) >> 3
    return at


@piece
def _complete(mark: int, parts: int, timed: bool) -> bool:
    """Whether the row has a time if one is wanted, and no part of its key is absent or empty."""
    if timed and _load(mark + 8 * WHEN) == NO_TIME:
        return False
    span = mark + 8 * SPANS
    for _ in range(1, parts):
        span += 16
        if _load(span) >= _load(span + 8):
            return False
    return True


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
    foreign = _NONE if checked else TOPS
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
        at = _after_blanks(at)
        if byte(at) != _NEWLINE:
            _prepare(mark, start - base, line, parts)
            for column in range(d):
                put(value + 8 * column, math.nan)
            at = _object(at, base, foreign, fields, names, ends, roles, places, memory, value, mark)
            if at < 0 or at - start > longest or not _complete(mark, parts, timed):
                put(mark + 8 * STATE, ODD)
                at = _end_of_line(start)
            row += 1
            value += 8 * d
            mark += 8 * marks.shape[1]
        at += 1
        line += 1
    return row, at - base, line


@piece
def _prepare(mark: int, start: int, line: int, parts: int) -> None:
    put(mark + 8 * START, start)
    put(mark + 8 * LINE, line)
    put(mark + 8 * WHEN, NO_TIME)
    put(mark + 8 * STATE, UNDERSTOOD)
    for i in range(2 * parts):
        put(mark + 8 * (SPANS + i), -1)


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
    at = _after_blanks(at + 1)
    field = -1
    while True:
        if byte(at) != _QUOTE:
            return NOT_UNDERSTOOD
        field = _which(at + 1, field + 1 if field < fields else 0, fields, names, ends)
        at = _closing(at + 1, foreign)
        if at < 0:
            return NOT_UNDERSTOOD
        at = _after_blanks(at + 1)
        if byte(at) != _COLON:
            return NOT_UNDERSTOOD
        at = _after_blanks(at + 1)
        role = _load(roles + 8 * field) if field < fields else SKIP
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
        at = _after_blanks(at)
        if byte(at) != _COMMA:
            break
        at = _after_blanks(at + 1)
    if byte(at) != _CLOSE:
        return NOT_UNDERSTOOD
    at = _after_blanks(at + 1)
    return at if byte(at) == _NEWLINE else NOT_UNDERSTOOD


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
    quoted = byte(at) == _QUOTE
    first = at + 1 if quoted else at
    last = _closing(first, foreign) if quoted else _integer(first)
    put(span, first - base)
    put(span + 8, last - base)
    return last + 1 if quoted and last >= 0 else last


@piece
def _json_time(at: int, foreign: Any, places: int, memory: int, mark: int) -> int:
    """Note the time at ``at``; return the address after it."""
    quoted = byte(at) == _QUOTE
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


@kernel
def scan_csv(
    text: NDArray[np.uint8],
    begin: int,
    end: int,
    line: int,
    checked: bool,
    form: Form,
    values: NDArray[np.float64],
    marks: NDArray[np.int64],
) -> tuple[int, int, int]:
    """Read lines of cells; as :func:`scan_json`, but ``form.roles`` says what each column of the file is."""
    foreign = _NONE if checked else TOPS
    memory, roles, columns = form.memory.ctypes.data, form.roles.ctypes.data, len(form.roles)
    timed, places, longest, delimiter = form.timed, form.places, form.longest, form.delimiter
    base = text.ctypes.data
    value, mark = values.ctypes.data, marks.ctypes.data
    parts = (marks.shape[1] - SPANS) >> 1
    at, stop = base + begin, base + end
    row = 0
    while at < stop and row < len(marks):
        start = at
        at = _after_blanks(at)
        if byte(at) != _NEWLINE:
            _prepare(mark, start - base, line, parts)
            at = _cells(start, base, foreign, delimiter, columns, roles, places, memory, value, mark)
            if at < 0 or at - start > longest or not _complete(mark, parts, timed):
                put(mark + 8 * STATE, ODD)
                at = _end_of_line(start)
            row += 1
            value += 8 * values.shape[1]
            mark += 8 * marks.shape[1]
        at += 1
        line += 1
    return row, at - base, line


@piece
def _cells(
    at: int,
    base: int,
    foreign: Any,
    delimiter: int,
    columns: int,
    roles: int,
    places: int,
    memory: int,
    value: int,
    mark: int,
) -> int:
    """Read the cells of the line at ``at`` into its row; return the address of the newline behind them."""
    column = 0
    while True:
        role = _load(roles + 8 * column) if column < columns else SKIP
        quoted = byte(at) == _QUOTE
        if quoted:
            at += 1
        first = at
        if role >= 0:
            x, at = _csv_value(at, delimiter)
            if at < 0:
                return NOT_UNDERSTOOD
            put(value + 8 * role, x)
        else:
            at = _end_of_cell(at, foreign, delimiter, quoted)
        if role == TIME:
            if not _csv_time(first, at, places, memory, mark):
                return NOT_UNDERSTOOD
        elif role <= ID:
            span = mark + 8 * (SPANS + 2 * (ID - role))
            put(span, first - base)
            put(span + 8, at - base)
        if quoted:
            if byte(at) != _QUOTE:
                return NOT_UNDERSTOOD
            at += 1
        column += 1
        if byte(at) != delimiter:
            break
        at += 1
    if byte(at) == _RETURN:
        at += 1
    return at if byte(at) == _NEWLINE and column == columns else NOT_UNDERSTOOD


@piece
def _csv_value(at: int, delimiter: int) -> tuple[float, int]:
    """Read a number, or nothing, between spaces; other words for nothing are left to the slow way."""
    while byte(at) == _SPACE:
        at += 1
    c = byte(at)
    if c == delimiter or c == _NEWLINE or c == _RETURN or c == _QUOTE:  # noqa: SIM109 - the same
        return math.nan, at
    x, at = number(at, True)
    if at >= 0:
        while byte(at) == _SPACE:
            at += 1
    return x, at


@piece
def _csv_time(at: int, end: int, places: int, memory: int, mark: int) -> bool:
    """Note the time that fills the cell; return whether it was understood."""
    if places >= 0:
        time, past = epoch(at, places, True)
        put(mark + 8 * WHEN, time)
        return past == end
    time, zone = moment(at, end, memory)
    put(mark + 8 * WHEN, time)
    put(mark + 8 * STATE, zone)
    return zone >= 0


@piece
def _end_of_cell(at: int, foreign: Any, delimiter: int, quoted: bool) -> int:
    """Address of the byte that ends the cell; what the cell may not hold ends it too."""
    delimiters = _EACH * np.uint64(_QUOTE if quoted else delimiter)
    more = _NONE if quoted else TOPS
    flags = _NONE
    while flags == _NONE:
        w = word(at)
        flags = first_of(w, delimiters) | first_of(w, _NEWLINES) | w & foreign
        flags |= (first_of(w, _RETURNS) | first_of(w, _QUOTES)) & more
        at += trailing_zeros(flags) >> 3
    return at
