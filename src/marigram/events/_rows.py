"""What the compiled readers of JSON lines and CSV share: what to read, and how a row is noted.

They read what nearly every line is: a flat object, or cells, with plain numbers and texts without escapes.  A line of
which they do not understand every byte is left as an odd row, and the slow way (:mod:`marigram.events.rules`) decides
it; so there is one set of rules, and the compiled readers may be narrow.  No byte is copied: texts are returned as
spans of the block, which must end in a newline followed by ``PADDING`` bytes.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from marigram.numerics.jit import piece

from ._bytes import byte, first_of, put, trailing_zeros, word

__all__ = [
    "EACH",
    "ID",
    "KEY",
    "LINE",
    "NEWLINE",
    "NEWLINES",
    "NONE",
    "NO_TIME",
    "ODD",
    "QUOTE",
    "RETURN",
    "SKIP",
    "SPACE",
    "SPANS",
    "START",
    "STATE",
    "TIME",
    "WALL_CLOCK",
    "WHEN",
    "Form",
    "after_blanks",
    "complete",
    "end_of_line",
    "load",
    "prepare",
]

SKIP: Final = -1
TIME: Final = -2
ID: Final = -3
KEY: Final = -4
"""Roles of a field: below KEY lie the further parts of a key, from 0 up the columns of the values."""
NO_TIME: Final = int(np.iinfo(np.int64).min)
START, LINE, WHEN, STATE, SPANS = 0, 1, 2, 3, 4
"""Columns of the marks of a row: where its line starts, the line's number, the time, one of the states below, then
where the id and each part of the key start and end (-1, -1 when absent)."""
_UNDERSTOOD, WALL_CLOCK, ODD = 0, 1, 2


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


NEWLINE, RETURN, SPACE, QUOTE = 10, 13, 32, 34
NONE = np.uint64(0)
EACH = np.uint64(0x0101010101010101)
NEWLINES = EACH * np.uint64(NEWLINE)
_TAB = 9


@piece
def after_blanks(at: int) -> int:
    c = byte(at)
    while c == SPACE or c == _TAB or c == RETURN:  # noqa: SIM109 - a tuple compiles to a loop
        at += 1
        c = byte(at)
    return at


@piece
def load(at: int) -> Any:
    return np.int64(word(at))


@piece
def end_of_line(at: int) -> int:
    flags = NONE
    while flags == NONE:
        flags = first_of(word(at), NEWLINES)
        at += trailing_zeros(flags) >> 3
    return at


@piece
def prepare(mark: int, start: int, line: int, parts: int) -> None:
    put(mark + 8 * START, start)
    put(mark + 8 * LINE, line)
    put(mark + 8 * WHEN, NO_TIME)
    put(mark + 8 * STATE, _UNDERSTOOD)
    for i in range(2 * parts):
        put(mark + 8 * (SPANS + i), -1)


@piece
def complete(mark: int, parts: int, timed: bool) -> bool:
    """Whether the row has a time if one is wanted, and no part of its key is absent or empty."""
    if timed and load(mark + 8 * WHEN) == NO_TIME:
        return False
    span = mark + 8 * SPANS
    for _ in range(1, parts):
        span += 16
        if load(span) >= load(span + 8):
            return False
    return True
