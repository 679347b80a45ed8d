"""The distance of a dense vector from its norm, and how the norm learns: clipped SGD on mean and diagonal scale.

With r_j = (x_j - m_j)/unit_j and variances v_j in the same unit,

    N^2 = (1/k) sum_j r_j^2/v_j / ((1 + u)(1 + 2 u_v)),      k the coordinates that vary,

u and u_v being the relative variances of the estimated mean and variances, which widen the residuals of a young norm.
An event moves the norm by

    m_j <- m_j + a phi (x_j - m_j),                     a = max(u/(1 + u), step),
    v_j <- v_j + b phi^2 (r_j^2/(1 + u) - v_j),         phi = min(1, level/N),

which are SGD steps whose gradients are clipped in norm: an event that lies far out moves the norm no farther than
one at the clip level, the running 95 % quantile of N.  The loops over the coordinates take the straight way: whatever
is out of the ordinary (a missing value, a coordinate that moves for the first time, a number beyond the range)
makes the sum enormous or NaN, and the event is gone through again with every case looked at.
"""

from __future__ import annotations

import math

import numpy as np

from marigram.numerics.elementary import clip, lane_sum, larger, smaller
from marigram.numerics.jit import part

START = 24
"""Events before the first distance is judged: mean and variances begin, then level and scale of the distance."""
LARGEST_VALUE = 1e300
HUGE = 1e280
"""From here on every value is looked at."""
UNMOVED = 2.0**996
"""Inverse unit of a coordinate that never moved: any move makes the sum enormous."""
FARTHEST = 1e6
"""Residuals are cut at this many standard deviations."""
SMALLEST = 1e-30
MOST_NEW = 1000.0
"""Squared residual of a coordinate that moves for the first time: the events without a move, at most this."""
NEW_SHARE = 1.0 / 16.0
"""Its first squared residual enters its variance with this weight at least."""
CHUNK = 512
"""Coordinates whose squares are summed together."""
UNSEEN, LARGE = 1, 2
"""Flags: some coordinate has had no value yet; some are huge."""


@part
def straight_sum(x, mean, inverse_unit, variance):
    """sum r^2/v over coordinates that all are given and known."""
    squares = np.empty(CHUNK)
    total = 0.0
    for begin in range(0, x.shape[0], CHUNK):
        end = min(begin + CHUNK, x.shape[0])
        xs, means = x[begin:end], mean[begin:end]
        units, variances = inverse_unit[begin:end], variance[begin:end]
        for j in range(end - begin):
            r = (xs[j] - means[j]) * units[j]
            squares[j] = r * r / variances[j]
        total += lane_sum(squares, end - begin)
    return total


@part
def residual(x, mean, inverse_unit):
    """r, cut so far out that no overflow can follow; 0 for a missing value, or of a coordinate without a unit."""
    if not abs(x) <= LARGEST_VALUE or inverse_unit == 0.0 or inverse_unit == UNMOVED:
        return 0.0
    return clip((x - mean) * inverse_unit, 1e15)


@part
def squared(x, mean, inverse_unit, variance, n):
    """One coordinate's squared standardised residual."""
    if inverse_unit == UNMOVED:
        return smaller(n, MOST_NEW) if x == x and x != mean else 0.0
    r = residual(x, mean, inverse_unit)
    return smaller(r * r / variance, FARTHEST * FARTHEST) if r != 0.0 else 0.0


@part
def careful_sum(x, mean, inverse_unit, variance, n):
    """(sum, coordinates that count, values given, is one out of range, does one move for the first time)."""
    total = 0.0
    counting = given = 0
    bad = moves = False
    for j in range(x.shape[0]):
        xj = x[j]
        if xj != xj:
            continue
        given += 1
        if abs(xj) > LARGEST_VALUE:
            bad = True
            continue
        z = squared(xj, mean[j], inverse_unit[j], variance[j], n)
        total += z
        if inverse_unit[j] == UNMOVED:
            if z > 0.0:
                counting += 1
                moves = True
        elif inverse_unit[j] > 0.0:
            counting += 1
    return total, counting, given, bad, moves


@part
def straight_learn(x, mean, inverse_unit, variance, a, b, shrink):
    """Learn a vector whose coordinates all are given, known, and not far out."""
    keep = 1.0 - b
    into = b * shrink
    for j in range(x.shape[0]):
        e = x[j] - mean[j]
        r = e * inverse_unit[j]
        v = keep * variance[j] + into * r * r
        variance[j] = v if v > SMALLEST else SMALLEST
        mean[j] += a * e


@part
def careful_learn(h, x, mean, inverse_unit, variance, a, b, shrink):
    """Learn any vector: coordinates may be missing, have their first value, or move for the first time."""
    unseen = False
    constant = h.known == 0 and h.n >= START
    for j in range(x.shape[0]):
        xj = x[j]
        unit = inverse_unit[j]
        if xj != xj:
            unseen |= unit == 0.0
        elif unit == 0.0:
            mean[j] = xj
            inverse_unit[j] = UNMOVED
            variance[j] = 1.0
        elif unit == UNMOVED:
            e = xj - mean[j]
            if e != 0.0:
                inverse_unit[j] = inverse_power(e)
                r = e * inverse_unit[j]
                variance[j] = r * r if constant else max(b, NEW_SHARE) * shrink * r * r
                mean[j] += a * e
                h.known += 1
        else:
            r = residual(xj, mean[j], unit)
            variance[j] = max(variance[j] + b * (shrink * r * r - variance[j]), SMALLEST)
            mean[j] += a * (r / unit)
        if abs(xj) > HUGE:
            h.flags |= LARGE
    h.flags = (h.flags & LARGE) | (UNSEEN if unseen else 0)


@part
def inverse_power(e):
    """2^-k with 2^(k-1) <= |e| < 2^k, within the range of normal doubles."""
    _, k = math.frexp(e)
    return math.ldexp(1.0, -min(max(k, -990), 1020))


@part
def top_shares(x, mean, inverse_unit, variance, n, coordinates, shares):
    """The coordinates with the largest shares of the squared distance, in descending order; -1 and 0 beyond."""
    most = coordinates.shape[0]
    held = 0
    total = 0.0
    for j in range(x.shape[0]):
        z = squared(x[j], mean[j], inverse_unit[j], variance[j], n)
        total += z
        if held < most or z > shares[most - 1]:
            held = insert(coordinates, shares, held, most, j, z)
    finish_shares(coordinates, shares, held, total)


@part
def insert(coordinates, shares, held, most, j, z):
    """Put (j, z) in its place of a descending list of at most ``most``; returns the new length."""
    k = min(held, most - 1)
    while k > 0 and shares[k - 1] < z:
        shares[k] = shares[k - 1]
        coordinates[k] = coordinates[k - 1]
        k -= 1
    shares[k] = z
    coordinates[k] = j
    return min(held + 1, most)


@part
def finish_shares(coordinates, shares, held, total):
    """Squared residuals become shares of their total; equal ones where single precision sees nothing to share."""
    for k in range(coordinates.shape[0]):
        if k >= held:
            coordinates[k] = -1
            shares[k] = 0.0
        else:
            shares[k] = shares[k] / total if total > SMALLEST else 1.0 / held


@part
def straight_gather(x, mean, inverse_unit, gathered, keep):
    """The sums times ``keep``, plus the residuals of a vector without anything out of the ordinary."""
    for j in range(x.shape[0]):
        gathered[j] = keep * gathered[j] + (x[j] - mean[j]) * inverse_unit[j]


@part
def gather(h, x, mean, inverse_unit, gathered, straight):
    """Add an event to those that a suspected change began with."""
    keep = 0.0 if h.gathered == 0 else 1.0
    if straight:
        straight_gather(x, mean, inverse_unit, gathered, keep)
        return
    for j in range(x.shape[0]):
        gathered[j] = keep * gathered[j] + residual(x[j], mean[j], inverse_unit[j])


@part
def displacement(h, inverse_unit, variance, gathered):
    """Mean square of the gathered events' mean, in standard deviations."""
    total = 0.0
    for j in range(gathered.shape[0]):
        if 0.0 < inverse_unit[j] < UNMOVED:
            r = gathered[j] / h.gathered
            total += smaller(r * r / variance[j], FARTHEST * FARTHEST)
    return total / max(h.known, 1)


@part
def move_mean(h, mean, inverse_unit, variance, gathered, coordinates, before, after):
    """The mean becomes that of the gathered events; tells the coordinates that moved most, largest first."""
    most = coordinates.shape[0]
    size = np.empty(most)
    held = 0
    for j in range(mean.shape[0]):
        if 0.0 < inverse_unit[j] < UNMOVED:
            r = gathered[j] / h.gathered
            z = r * r / variance[j]
            if held < most or z > size[most - 1]:
                held = insert(coordinates, size, held, most, j, z)
    for k in range(held):
        before[k] = mean[coordinates[k]]
    for j in range(mean.shape[0]):
        if 0.0 < inverse_unit[j] < UNMOVED:
            mean[j] += gathered[j] / h.gathered / inverse_unit[j]
    for k in range(held):
        after[k] = mean[coordinates[k]]
    for k in range(held, most):
        coordinates[k] = -1
        before[k] = after[k] = np.nan
    h.mean_error = larger(h.mean_error, 1.0 / h.gathered)


@part
def rescale(h, ratio, inverse_unit, variance):
    """All variances change by one ratio and are then learned anew."""
    for j in range(variance.shape[0]):
        variance[j] = larger(smaller(variance[j] * ratio, 1e30), SMALLEST)
        if 0.0 < inverse_unit[j] < UNMOVED and not 1e-12 < variance[j] < 1e12:
            _, k = math.frexp(math.sqrt(variance[j]))
            unit = inverse_unit[j] * math.ldexp(1.0, -k)
            if 2.0**-990 < unit < 2.0**990:
                inverse_unit[j] = unit
                variance[j] *= math.ldexp(1.0, -2 * k)
    h.spread_error = larger(h.spread_error, 1.0 / 16.0)
