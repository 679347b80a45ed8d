"""A change of mean in any dimension: means of clipped values of two segments, with a proved, dimension-free radius.

In units of sigma, let E|X_t - mu|^2 <= 1.  Around a centre c known from the past, with |c - mu| <= R < l,

    Y_t = c + clip(X_t - c, l):    |E Y_t - mu| <= 1/(4 (l - R)),    E|Y_t - E Y_t|^2 <= 1,    |Y_t - E Y_t| <= 2 l,

for |v| - l <= |v - m|^2/(4 (l - |m|)), and the clip is a projection that leaves mu - c where it is.  The difference
of the means of two segments of n1 and n2 events is then one martingale in a Hilbert space, and by Pinelis's
inequality of Bennett's kind (1994), in Bernstein's form, exceeds, with probability at most 2 exp(-L),

    r = sqrt(2 L (1/n1 + 1/n2)) + B L/3 + bias1 + bias2,    B = 2 max(l1/n1, l2/n2).

Levels l1, l2 and the start of the first segment are those of the smallest r, which no data enter.  Prefix sums at
LEVELS levels give every segment's mean by subtraction.

The split of delta.  Tests of n2 in [2^k, 2^(k+1)) are made at every g-th event, g = 2^(k-3), for the multiples of g:
the i-th round of octave k gets 1/((k-1) k) * ln 8/(i ln^2 i), i > 8, whose sums are at most 1, and divides it among
its tests.  A test of n2 = 100 after 500 events so costs L = 15, where a union over times and dyadic splits costs 19
(and has to pay the radius of either segment on its own).

The centre.  Of sixteen events at least nine lie within a sigma of mu but with probability C(16, 8) a^-16; the centre is
the event whose ball around nine events is smallest, R = 3 a.  After 32, 64, ... further events it becomes the mean of
all the Y since then, where that has a smaller radius.  Both failures together have probability delta/25.
"""

from __future__ import annotations

import math

import numpy as np

from marigram.change.ledger import octave
from marigram.numerics.elementary import clip, larger, median, smaller
from marigram.numerics.jit import kernel, part

LEVELS = 2.0 * np.sqrt(2.0) ** np.arange(9)
"""l, in units of sigma."""
START = 16
"""Events that set the centre."""
ANCHORS = 48
"""First segments begin at the start, or at the last 32 2^m-th event, where the centre moved, of their first eighth."""
ON_CENTRE = 50.0
"""delta / ON_CENTRE each for the first centre and for the later ones."""
BLIND = 1e9
"""Bias of a level that is not above R."""
PLACE = 4
"""Number of the level by which a change is located."""
FARTHEST = 1e150
"""A coordinate counts as this far out at most: a projection too, and its square is finite."""

SETTINGS = np.dtype([("sigma", "f8"), ("delta", "f8"), ("radius", "f8"), ("start", "i8")])
HEAD = np.dtype([("t", "i8"), ("used", "i8"), ("anchors", "i8"), ("radius", "f8")])
"""``t``: events since the restart; ``radius``: R."""


def first_radius(delta: float) -> float:
    """R = 3 a of the first centre, which fails with probability ``delta``."""
    outside = (delta / math.comb(START, START // 2)) ** (2.0 / START)
    return 3.0 / math.sqrt(outside)


@part
def begin(warm, origin):
    """The event of ``warm`` (START, d) whose ball around nine of them is smallest."""
    n, d = warm.shape
    gaps = np.empty(n)
    best, smallest = 0, math.inf
    for i in range(n):
        for k in range(n):
            square = 0.0
            for j in range(d):
                square += (warm[i, j] - warm[k, j]) ** 2
            gaps[k] = square
        median(gaps, n)  # sorts
        if gaps[n >> 1] < smallest:
            best, smallest = i, gaps[n >> 1]
    for j in range(d):
        origin[j] = warm[best, j]


@part
def learn(x, centre, radius, total, d):
    """Add Y of each level, relative to the origin, and its bias to the sums ``total`` (LEVELS, d + 1)."""
    square = 0.0
    for j in range(d):
        square += (x[j] - centre[j]) ** 2
    norm = math.sqrt(square)
    for k in range(LEVELS.shape[0]):
        factor = smaller(1.0, LEVELS[k] / larger(norm, 1e-300))
        for j in range(d):
            total[k * (d + 1) + j] += centre[j] + factor * (x[j] - centre[j])
        total[k * (d + 1) + d] += 0.25 / (LEVELS[k] - radius) if LEVELS[k] > radius else BLIND


@part
def bernstein(largest, variance, cost):
    """Pinelis: |sum of martingale differences| is below this but with probability 2 exp(-cost).

    2 exp(V/B^2 (e^lB - 1 - lB) - l r), minimal over l, is at most 2 exp(-V/c^2 h(c r/V)) with c = B/3 and
    h(u) = 1 + u - sqrt(1 + 2 u), whose inverse is t + sqrt(2 t).
    """
    return math.sqrt(2.0 * variance * cost) + largest * cost / 3.0


@part
def recentre(h, total, centre, n, delta, d):
    """Move the centre to the mean of the n events so far, if its radius is smaller."""
    rounds = octave(n) - 4.0
    cost = math.log(2.0 * ON_CENTRE * rounds * (rounds + 1.0) / delta)
    best, smallest = -1, h.radius
    for k in range(LEVELS.shape[0]):
        r = bernstein(2.0 * LEVELS[k] / n, 1.0 / n, cost) + total[k * (d + 1) + d] / n
        if r < smallest:
            best, smallest = k, r
    if best >= 0:
        h.radius = smallest
        for j in range(d):
            centre[j] = total[best * (d + 1) + j] / n


@part
def partner(k, ratio):
    """Largest level that is at most ``ratio`` times level k: more would raise B, less only the bias; -1 if none is."""
    q = LEVELS.shape[0] - 1
    while q >= 0 and LEVELS[q] > LEVELS[k] * ratio:
        q -= 1
    return q


@part
def radius_of(n1, n2, from0, at, total, d, cost, chosen):
    """Smallest radius over the levels, which go into ``chosen``; ``from0``, ``at``, ``total``: sums at three ends."""
    smallest = math.inf
    for k in range(LEVELS.shape[0]):
        for side in range(2):
            k1 = k if side else partner(k, n1 / n2)
            k2 = partner(k, n2 / n1) if side else k
            if k1 < 0 or k2 < 0:
                continue
            c1, c2 = k1 * (d + 1) + d, k2 * (d + 1) + d
            largest = 2.0 * larger(LEVELS[k1] / n1, LEVELS[k2] / n2)
            r = bernstein(largest, 1.0 / n1 + 1.0 / n2, cost)
            r += (total[c2] - at[c2]) / n2 + (at[c1] - from0[c1]) / n1
            if r < smallest:
                smallest = r
                chosen[0], chosen[1] = k1, k2
    return smallest


@part
def differs(n, n2, at, anchors, counts, used, total, d, cost, levels):
    """Whether the mean of the last n2 of n events differs from that of the events before; ``at``: the sums there."""
    best, start, k1, k2 = math.inf, 0, 0, 0
    later = used - 1
    while later > 0 and 8 * counts[later] > n - n2:
        later -= 1
    for a in (0, later):
        if a == 0 or later > 0:
            r = radius_of(n - n2 - counts[a], n2, anchors[a], at, total, d, cost, levels)
            if r < best:
                best, start, k1, k2 = r, a, levels[0], levels[1]
    square = 0.0
    n1 = n - n2 - counts[start]
    for j in range(d):
        first = (at[k1 * (d + 1) + j] - anchors[start, k1 * (d + 1) + j]) / n1
        last = (total[k2 * (d + 1) + j] - at[k2 * (d + 1) + j]) / n2
        square += (last - first) ** 2
    return math.sqrt(square) > best


@part
def row_of(marks, used, n):
    """The mark of count n, or -1."""
    low, high = 0, used
    while low < high:
        middle = (low + high) >> 1
        if marks[middle, 0] < n:
            low = middle + 1
        else:
            high = middle
    return low if low < used and marks[low, 0] == n else -1


@part
def proves(h, n, marks, sums, anchors, counts, total, d, delta, levels):
    """Make the tests that are due after n events."""
    k = 2
    while (1 << k) < n:
        step = 1 << max(k - 3, 0)
        i = n // step
        if n % step == 0 and i > 8:
            tests = (1 << k) // step
            share = math.log(8.0) / (i * math.log(i) ** 2) / ((k - 1.0) * k) / tests
            cost = math.log(2.0 / (delta * (1.0 - 2.0 / ON_CENTRE) * share))
            for m in range(tests):
                n2 = (1 << k) + m * step
                row = row_of(marks, h.used, n - n2) if n2 < n else -1
                if row >= 0 and differs(n, n2, sums[row], anchors, counts, h.anchors, total, d, cost, levels):
                    return True
        k += 1
    return False


@kernel
def run(settings, heads, warm, origin, centre, anchors, counts, marks, sums, total, X, seqs, start):
    """Learn rows of X from ``start`` on.

    Returns the row that proves a change, n if none does, or -1 - i when the ledger is full before row i.
    """
    p, h = settings[0], heads[0]
    rows, d = X.shape
    x = np.empty(d)
    levels = np.zeros(2, np.int64)
    for i in range(start, rows):
        if h.t < p.start:
            for j in range(d):
                warm[h.t, j] = clip(X[i, j] / p.sigma, FARTHEST)
            h.t += 1
            if h.t == p.start:
                begin(warm, origin)
            continue
        if h.used == marks.shape[0]:
            return -1 - i
        n = h.t - p.start
        if (n >= 32 and n & (n - 1) == 0) or n == 0:
            if n:
                recentre(h, total, centre, n, p.delta, d)
            for c in range(total.shape[0]):
                anchors[h.anchors, c] = total[c]
            counts[h.anchors] = n
            h.anchors += 1
        marks[h.used, 0] = n
        marks[h.used, 1] = seqs[i]
        for c in range(total.shape[0]):
            sums[h.used, c] = total[c]
        h.used += 1
        for j in range(d):
            x[j] = clip(X[i, j] / p.sigma, FARTHEST) - origin[j]
        learn(x, centre, h.radius, total, d)
        h.t += 1
        if proves(h, n + 1, marks, sums, anchors, counts, total, d, p.delta, levels):
            return i
    return rows


__all__ = ["ANCHORS", "HEAD", "LEVELS", "PLACE", "SETTINGS", "START", "first_radius", "run"]
