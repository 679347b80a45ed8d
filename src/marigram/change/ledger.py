"""Where a change may have begun: prefix sums at past events, all of them or a thinning few.

A mark is taken before an event is learned: how many were learned so far, the event's number, and sums over the
past.  The mean of any stretch that begins at a mark follows by subtraction.  With dyadic starts, marks of age
[2^k, 2^(k+1)) are kept at multiples of 2^(k-3): at least eight an octave, so that a start is known to an eighth of
its age, and about 8 log2(t) marks are kept for ever.
"""

from __future__ import annotations

import numpy as np

from marigram.numerics.elementary import larger
from marigram.numerics.jit import kernel, part

FIRST_SIZE = 256
"""Rows to begin with.  Dyadic starts never need more: 16 + 8 for each octave up to 2^32 events."""
PER_OCTAVE = 3
"""log2 of the marks in an octave of age."""
CLOSE = 3.0
"""Splits within this many nats of the best one are the interval of the change: 95 % under Gaussian noise."""


def ledger(columns: int) -> dict[str, np.ndarray]:
    """An empty ledger: ``marks`` (rows, 2) of count and event number, ``sums`` (rows, columns)."""
    return {"marks": np.zeros((FIRST_SIZE, 2), np.int64), "sums": np.zeros((FIRST_SIZE, columns))}


def make_room(state: dict[str, np.ndarray], used: int, dyadic: bool) -> int:
    """Thin a full ledger, or double it; return the rows in use."""
    names = [name for name in ("marks", "sums", "chains") if name in state]
    if dyadic:
        keep = kept_rows(state["marks"], used)
        for name in names:
            state[name][: len(keep)] = state[name][keep]
        return len(keep)
    for name in names:
        state[name] = np.concatenate([state[name], np.zeros_like(state[name])])
    return used


def kept_rows(marks: np.ndarray, used: int) -> np.ndarray:
    """Rows that dyadic starts need: the first, the young, and multiples of an eighth of their octave."""
    age = marks[used - 1, 0] + 1 - marks[:used, 0]
    every = 1 << np.maximum(np.log2(age).astype(np.int64) - PER_OCTAVE, 0)
    keep: np.ndarray = np.flatnonzero((marks[:used, 0] % every == 0) | (np.arange(used) == 0))
    return keep


@part
def octave(age):
    """floor(log2(age)) of a positive integer."""
    k = 0
    while age > 1:
        age >>= 1
        k += 1
    return k


@part
def gain(sums, i, width, begin, n, total):
    """Half the drop in squared error when ``n`` events are split at mark ``i`` with ``begin`` of them before it."""
    after = n - begin
    if begin < 1 or after < 1:
        return 0.0
    square = 0.0
    for c in range(width):
        gap = (total[c] - sums[i, c]) / after - sums[i, c] / begin
        square += gap * gap
    return 0.5 * square * begin * after / n


@part
def split(marks, sums, used, width, n, total, found):
    """Best mark and the first and last within CLOSE of it into ``found``, by the first ``width`` sums.

    The sums begin at zero, ``total`` (width,) is what they are after ``n`` events.
    """
    best, most = -1, -1.0
    for i in range(used):
        g = gain(sums, i, width, marks[i, 0], n, total)
        if g > most:
            best, most = i, g
    first, last = best, best
    for i in range(used):
        if gain(sums, i, width, marks[i, 0], n, total) >= larger(most - CLOSE, 0.0):
            first = min(first, i)
            last = max(last, i)
    found[0], found[1], found[2] = best, first, last


@kernel
def locate(marks, sums, used, n, total, found):
    """:func:`split` on all columns, for Python to call."""
    split(marks, sums, used, total.shape[0], n, total, found)


__all__ = ["CLOSE", "FIRST_SIZE", "kept_rows", "ledger", "locate", "make_room", "octave", "split"]
