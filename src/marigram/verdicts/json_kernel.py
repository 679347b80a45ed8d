"""Rows of verdicts as JSON text: the compiled loop.

The loop knows types, not fields: for every field it is told which writer to use and which column, so the fields and
their order stay defined in one place.  Labels lie padded in rows of 16 bytes and are copied whole, which takes two
machine instructions; what stands too much behind them is overwritten by what follows.
"""

from typing import Any

import numpy as np

from marigram.kinds import Kind
from marigram.numerics.jit import kernel, piece
from marigram.verdicts.decimals import (
    Word,
    digit_count,
    shortest_decimal,
    store,
    write_decimal,
    write_digits,
)
from marigram.verdicts.fields import FIELDS, NO_TIME

__all__ = [
    "DOUBLE",
    "DOUBLES",
    "FLAG",
    "INTEGER",
    "KIND",
    "NULL",
    "POSITION",
    "SINGLES",
    "TEXT",
    "TIME",
    "write_rows",
]

NULL, TEXT, INTEGER, POSITION, TIME, DOUBLE, DOUBLES, SINGLES, FLAG, KIND = range(10)
"""The writers: null; text; int64; int64 whose -1 is null; time; float64; list of float64, of float32; bool; kind."""


def _padded(words: list[str]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return the words as rows of 16 bytes, two uint64, and their lengths."""
    rows = np.frombuffer("".join(word.ljust(16) for word in words).encode(), np.uint64)
    return rows.reshape(len(words), 2), np.array([len(word) for word in words])


_LABELS, _LABEL_SIZES = _padded([("," if i else "{") + f'"{name}":' for i, name in enumerate(FIELDS)])
_KINDS, _KIND_SIZES = _padded([f'"{kind.label}"' for kind in Kind])
_WORDS, _WORD_SIZES = _padded(["false", "true", "null"])
_NULL_WORD = 2
_UNICODE = np.frombuffer(rb"\u00    ", np.uint64)[0]
_SHORT = np.zeros(32, np.uint8)
_SHORT[[8, 9, 10, 12, 13]] = np.frombuffer(b"btnfr", np.uint8)
"""Control characters that have an escape of one letter."""
_HEX = np.frombuffer(b"0123456789abcdef", np.uint8)
_QUOTE, _COMMA, _MINUS, _OPEN, _SHUT, _END, _NEWLINE, _ZERO, _POINT, _Z, _COLON, _T, _BACKSLASH = (
    np.uint8(ord(char)) for char in '",-[]}\n0.Z:T\\'
)
_SIZE, _SINGLE_SIZE = 0x7FFFFFFFFFFFFFFF, 0x7FFFFFFF
_INFINITY, _SINGLE_INFINITY = 0x7FF0000000000000, 0x7F800000
_NS_A_DAY = 86_400_000_000_000


@piece
def _copy(out: Any, at: int, words: Any, i: int, size: int) -> int:
    store(out, at, words[i, 0])
    store(out, at + 8, words[i, 1])
    return at + size


@piece
def _null(out: Any, at: int) -> int:
    return _copy(out, at, _WORDS, _NULL_WORD, 4)


@piece
def _integer(out: Any, at: int, x: int) -> int:
    if x < 0:
        out[at] = _MINUS
        at += 1
    size: Word = np.uint64(-x) if x < 0 else np.uint64(x)
    return write_digits(out, at, size, digit_count(size))


@piece
def _number(out: Any, at: int, bits: int, single: bool) -> int:
    """Write a float64, or a float32 that is ``single``, given by its bits; null when it is not finite."""
    magnitude = bits & (_SINGLE_SIZE if single else _SIZE)
    if magnitude >= (_SINGLE_INFINITY if single else _INFINITY):
        return _null(out, at)
    out[at] = _MINUS
    at += bits < 0
    if magnitude == 0:
        out[at] = _ZERO
        out[at + 1] = _POINT
        out[at + 2] = _ZERO
        return at + 3
    digits, exponent = shortest_decimal(magnitude, single)
    return write_decimal(out, at, digits, exponent)


@piece
def _numbers(out: Any, at: int, row: Any, first: int, last: int, writer: int) -> int:
    """Write a number, or a list of them; null when none of them is one."""
    single = writer == SINGLES
    some = False
    for i in range(first, last):
        some |= row[i] & (_SINGLE_SIZE if single else _SIZE) <= (_SINGLE_INFINITY if single else _INFINITY)
    if not some:
        return _null(out, at)
    if writer != DOUBLE:
        out[at] = _OPEN
        at += 1
    for i in range(first, last):
        at = _number(out, at, row[i], single) + 1
        out[at - 1] = _COMMA
    if writer == DOUBLE:
        return at - 1
    out[at - 1] = _SHUT
    return at


@piece
def _text(out: Any, at: int, data: Any, start: int, stop: int) -> int:
    """Write UTF-8 between quotes, escaping what JSON does not allow there."""
    out[at] = _QUOTE
    at += 1
    for i in range(start, stop):
        byte = data[i]
        if byte == _QUOTE or byte == _BACKSLASH:  # noqa: SIM109 - twice as fast compiled
            out[at] = _BACKSLASH
            at += 1
        if byte >= 32:
            out[at] = byte
            at += 1
        elif _SHORT[byte] != 0:
            out[at] = _BACKSLASH
            out[at + 1] = _SHORT[byte]
            at += 2
        else:
            store(out, at, _UNICODE)
            out[at + 4] = _HEX[byte >> 4]
            out[at + 5] = _HEX[byte & 15]
            at += 6
    out[at] = _QUOTE
    return at + 1


@piece
def _time(out: Any, at: int, ns: int) -> int:
    """Write nanoseconds since 1970 as ISO-8601, with 0, 3, 6 or 9 decimals of a second."""
    day = ns // _NS_A_DAY
    rest = ns - day * _NS_A_DAY
    # The civil date of a day, counted in eras of 400 years from 1 March of the year 0.
    shifted = day + 719468
    era = shifted // 146097
    day_of_era = shifted - era * 146097
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36524 - day_of_era // 146096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted_month = (5 * day_of_year + 2) // 153
    month = shifted_month + 3 if shifted_month < 10 else shifted_month - 9
    year = year_of_era + era * 400 + (1 if month <= 2 else 0)
    seconds = rest // 1_000_000_000
    out[at] = _QUOTE
    at = write_digits(out, at + 1, np.uint64(year), 4)
    out[at] = _MINUS
    at = write_digits(out, at + 1, np.uint64(month), 2)
    out[at] = _MINUS
    at = write_digits(out, at + 1, np.uint64(day_of_year - (153 * shifted_month + 2) // 5 + 1), 2)
    out[at] = _T
    at = write_digits(out, at + 1, np.uint64(seconds // 3600), 2)
    out[at] = _COLON
    at = write_digits(out, at + 1, np.uint64(seconds // 60 % 60), 2)
    out[at] = _COLON
    at = write_digits(out, at + 1, np.uint64(seconds % 60), 2)
    fraction = rest - seconds * 1_000_000_000
    if fraction > 0:
        size = 9
        while fraction % 1000 == 0:
            fraction //= 1000
            size -= 3
        out[at] = _POINT
        at = write_digits(out, at + 1, np.uint64(fraction), size)
    out[at] = _Z
    out[at + 1] = _QUOTE
    return at + 2


@kernel
def write_rows(
    out: Any,
    start: int,
    stop: int,
    plan: Any,
    offsets: Any,
    letters: Any,
    present: Any,
    integers: Any,
    numbers: Any,
    codes: Any,
) -> int:
    """Write rows ``start`` to ``stop`` into ``out`` and return the number of bytes.

    Field f is written by the writer ``plan[f, 0]`` from ``plan[f, 2]`` columns, the first of them ``plan[f, 1]``, of
    the group that this writer reads: texts, column c of row r at ``letters[offsets[c, r]:offsets[c, r + 1]]`` unless
    not ``present[c, r]``; ``integers``, (n, any) int64; ``numbers``, (n, any) bits of float64 or float32 as int64;
    ``codes``, (n, any) uint8.
    """
    at = 0
    for row in range(start, stop):
        for field in range(len(plan)):
            at = _copy(out, at, _LABELS, field, _LABEL_SIZES[field])
            writer, place, width = plan[field]
            if writer in (DOUBLE, DOUBLES, SINGLES):
                at = _numbers(out, at, numbers[row], place, place + width, writer)
            elif writer == INTEGER:
                at = _integer(out, at, integers[row, place])
            elif writer == POSITION:
                x = integers[row, place]
                at = _null(out, at) if x == -1 else _integer(out, at, x)
            elif writer == FLAG:
                word = codes[row, place]
                at = _copy(out, at, _WORDS, word, _WORD_SIZES[word])
            elif writer == KIND:
                code = codes[row, place]
                at = _copy(out, at, _KINDS, code, _KIND_SIZES[code])
            elif writer == TEXT:
                first, last = offsets[place, row], offsets[place, row + 1]
                at = _text(out, at, letters, first, last) if present[place, row] else _null(out, at)
            elif writer == TIME:
                x = integers[row, place]
                at = _null(out, at) if x == NO_TIME else _time(out, at, x)
            else:
                at = _null(out, at)
        out[at] = _END
        out[at + 1] = _NEWLINE
        at += 2
    return at
