"""Which of the last W samples are similar to a new one: those within a radius, or the nearest k.

The search is exact and goes from the newest sample to the oldest.  Two things make it fast in large windows.  A
sample carries one key, its distance to a pivot; by the triangle inequality it can lie within r of x only if the two
keys differ by at most r, which costs one subtraction.  What remains is compared coordinate by coordinate and given
up as soon as the sum of squares passes the bound, which for the nearest k shrinks as better ones are found.
"""

from __future__ import annotations

import math

from marigram.numerics.jit import part, piece

BLOCK = 8
"""Coordinates between two looks at the bound."""


@piece
def squared_distance(rows, i, x, bound):
    """|rows[i] - x|^2, or some larger partial sum that already exceeds the bound."""
    d = x.shape[0]
    total = 0.0
    j = 0
    while j < d:
        stop = min(j + BLOCK, d)
        while j < stop:
            e = rows[i, j] - x[j]
            total += e * e
            j += 1
        if total > bound:
            break
    return total


@part
def within(rows, keys, newest, filled, x, key, radius, chosen):
    """Rows within ``radius`` of x, newest first, into ``chosen``; returns how many."""
    bound = radius * radius
    slack = radius * (1.0 + 1e-9)
    count = 0
    i = newest
    for _ in range(filled):
        if abs(keys[i] - key) <= slack and squared_distance(rows, i, x, bound) <= bound:
            chosen[count] = i
            count += 1
        i = i - 1 if i > 0 else filled - 1
    return count


@part
def nearest(rows, keys, newest, filled, x, key, radius, k, chosen, squares):
    """The ``k`` rows nearest to x and within ``radius``; ``chosen`` and ``squares`` hold a heap, the farthest first."""
    bound = radius * radius
    slack = radius * (1.0 + 1e-9)
    count = 0
    i = newest
    for _ in range(filled):
        if abs(keys[i] - key) <= slack:
            square = squared_distance(rows, i, x, bound)
            if count < k:
                if square <= bound:
                    count += 1
                    rise(chosen, squares, count - 1, i, square)
            elif square < bound:
                sink(chosen, squares, k, i, square)
            if count == k:
                bound = squares[0]
                slack = math.sqrt(bound) * (1.0 + 1e-9)
        i = i - 1 if i > 0 else filled - 1
    return count


@part
def rise(chosen, squares, at, i, square):
    """Put an entry at the end of the heap and let it rise."""
    while at > 0:
        parent = (at - 1) // 2
        if squares[parent] >= square:
            break
        chosen[at], squares[at] = chosen[parent], squares[parent]
        at = parent
    chosen[at], squares[at] = i, square


@part
def sink(chosen, squares, count, i, square):
    """Put an entry in the place of the farthest and let it sink."""
    at = 0
    while True:
        child = 2 * at + 1
        if child >= count:
            break
        if child + 1 < count and squares[child + 1] > squares[child]:
            child += 1
        if squares[child] <= square:
            break
        chosen[at], squares[at] = chosen[child], squares[child]
        at = child
    chosen[at], squares[at] = i, square


__all__ = ["nearest", "squared_distance", "within"]
