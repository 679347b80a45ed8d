"""How an estimator begins that was told nothing: at the median of its first five values.

A single event says nothing of its own: it may be the anomaly.  The first FIRST values are held, and until there are
so many the estimate is the median of those held, coordinate by coordinate.  Then their median distance from it
starts the clip level, unless a level is known from before a restart.

Distances are Euclidean and survive any finite input: where a square leaves the range of doubles, the vector is scaled
by a power of two first, which changes no bit of the result otherwise.
"""

from __future__ import annotations

import math

from marigram.numerics.elementary import median
from marigram.numerics.jit import part, piece
from marigram.online.records import CLIP, VALUE, N, T

FIRST = 5
HELD = FIRST - 1
"""Values that are kept; the fifth is at hand when it is needed."""

SMALL, LARGE = 1e-280, 1e280
"""Squares between these are summed as they are."""
DOWN, UP = 2.0**-600, 2.0**600


@part
def extreme_distance(x, m, factor):
    """|x - m| by differences scaled by a power of two."""
    total = 0.0
    for j in range(x.shape[0]):
        u = (x[j] - m[j]) * factor
        total += u * u
    return math.sqrt(total) / factor


@piece
def distance(x, m):
    """|x - m|; four sums, so that they can run side by side."""
    d = x.shape[0]
    a = b = c = e = 0.0
    whole = d - d % 4
    for j in range(0, whole, 4):
        u0 = x[j] - m[j]
        u1 = x[j + 1] - m[j + 1]
        u2 = x[j + 2] - m[j + 2]
        u3 = x[j + 3] - m[j + 3]
        a += u0 * u0
        b += u1 * u1
        c += u2 * u2
        e += u3 * u3
    for j in range(whole, d):
        u = x[j] - m[j]
        a += u * u
    total = (a + b) + (c + e)
    if SMALL < total < LARGE or total == 0.0:
        return math.sqrt(total)
    return extreme_distance(x, m, DOWN if total >= LARGE else UP)


@part
def begin(p, s, x, at, scratch):
    """Learn one of the first ``p.first`` values; those held are the rows of s[at:], each of length d."""
    d = x.shape[0]
    t = int(s[T])
    for j in range(d):
        for i in range(t):
            scratch[i] = s[at + i * d + j]
        scratch[t] = x[j]
        s[VALUE + j] = median(scratch, t + 1)
        if t < p.first - 1:
            s[at + t * d + j] = x[j]
    s[N] += 1.0
    s[T] += 1.0
    if t + 1 == FIRST and p.clip == 0.0 and s[CLIP] == 0.0:
        value = s[VALUE : VALUE + d]
        scratch[HELD] = distance(x, value)
        for i in range(HELD):
            scratch[i] = distance(s[at + i * d : at + (i + 1) * d], value)
        s[CLIP] = median(scratch, FIRST)


__all__ = ["FIRST", "HELD", "begin", "distance"]
