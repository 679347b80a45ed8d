"""The compiled reader of CSV."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marigram.numerics.jit import kernel, piece

from ._bytes import TOPS, byte, first_of, put, trailing_zeros, word
from ._moments import epoch, moment
from ._numbers import NOT_UNDERSTOOD, number
from ._rows import (
    EACH,
    ID,
    NEWLINE,
    NEWLINES,
    NONE,
    ODD,
    QUOTE,
    RETURN,
    SKIP,
    SPACE,
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

__all__ = ["scan_csv"]

_QUOTES = EACH * np.uint64(QUOTE)
_RETURNS = EACH * np.uint64(RETURN)


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
    foreign = NONE if checked else TOPS
    memory, roles, columns = form.memory.ctypes.data, form.roles.ctypes.data, len(form.roles)
    timed, places, longest, delimiter = form.timed, form.places, form.longest, form.delimiter
    base = text.ctypes.data
    value, mark = values.ctypes.data, marks.ctypes.data
    parts = (marks.shape[1] - SPANS) >> 1
    at, stop = base + begin, base + end
    row = 0
    while at < stop and row < len(marks):
        start = at
        at = after_blanks(at)
        if byte(at) != NEWLINE:
            prepare(mark, start - base, line, parts)
            at = _cells(start, base, foreign, delimiter, columns, roles, places, memory, value, mark)
            if at < 0 or at - start > longest or not complete(mark, parts, timed):
                put(mark + 8 * STATE, ODD)
                at = end_of_line(start)
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
        role = load(roles + 8 * column) if column < columns else SKIP
        quoted = byte(at) == QUOTE
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
            if byte(at) != QUOTE:
                return NOT_UNDERSTOOD
            at += 1
        column += 1
        if byte(at) != delimiter:
            break
        at += 1
    if byte(at) == RETURN:
        at += 1
    return at if byte(at) == NEWLINE and column == columns else NOT_UNDERSTOOD


@piece
def _csv_value(at: int, delimiter: int) -> tuple[float, int]:
    """Read a number, or nothing, between spaces; other words for nothing are left to the slow way."""
    while byte(at) == SPACE:
        at += 1
    c = byte(at)
    if c == delimiter or c == NEWLINE or c == RETURN or c == QUOTE:  # noqa: SIM109 - the same
        return math.nan, at
    x, at = number(at, True)
    if at >= 0:
        while byte(at) == SPACE:
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
    delimiters = EACH * np.uint64(QUOTE if quoted else delimiter)
    more = NONE if quoted else TOPS
    flags = NONE
    while flags == NONE:
        w = word(at)
        flags = first_of(w, delimiters) | first_of(w, NEWLINES) | w & foreign
        flags |= (first_of(w, _RETURNS) | first_of(w, _QUOTES)) & more
        at += trailing_zeros(flags) >> 3
    return at
