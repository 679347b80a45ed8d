"""The distance of a sparse row from its norm, at a cost of the entries that are not zero.

A coordinate's mean m_j and second moment s_j are kept up to a factor A that all share, so that forgetting,
m_j <- (1 - a) m_j, is one product.  An entry x_j counts

    q_j(x) = log(1 + r^2/(s_j - m_j^2 + kappa r^2)),     r = x - m_j,     kappa = max(1/(n + 2), step).

The logarithm makes of a squared residual, which is 1/frequency for a rare word, the word's surprise, so that one rare
word does not drown all others; kappa says that a coordinate never seen counts as if it had been seen in one of the n
events, or of the memory.  A row of nothing but zeros would have the squared length Q = sum_j q_j(0), which is followed
as entries are learned and formed anew now and then; a row's is Q + sum over its entries of q_j(x_j) - q_j(0), and N is
its root.
"""

from __future__ import annotations

import math

import numpy as np

from marigram.detectors.joint.dense import finish_shares, insert
from marigram.numerics.elementary import larger, log
from marigram.numerics.jit import part, piece

LARGEST_ENTRY = 1e150
"""Entries beyond have squares beyond the range of doubles and are rejected."""
ANEW = 64
"""Q is formed anew after ANEW events, or d/ANEW if that is more, and whenever the events are a power of two."""
LEAST_FACTOR = 1e-100


@piece
def squared_entry(x, m, s, kappa):
    """q(x) of a coordinate with mean m and second moment s."""
    r = x - m
    if r == 0.0:
        return 0.0
    return log(1.0 + r * r / (larger(s - m * m, 0.0) + kappa * r * r))


@piece
def memory_step(n, step):
    """Step of the moments: they forget in ten half-lives."""
    return larger(1.0 / (n + 2.0), 0.1 * step)


@part
def sparse_sum(h, indices, values, first, second, kappa):
    """(squared length, entries given, whether one is out of range, whether any moment was there)."""
    total = h.silence
    given = 0
    bad = False
    for i in range(indices.shape[0]):
        x = values[i]
        if x != x:
            continue
        given += 1
        if abs(x) > LARGEST_ENTRY:
            bad = True
            continue
        j = indices[i]
        m, s = h.factor * first[j], h.factor * second[j]
        total += squared_entry(x, m, s, kappa) - squared_entry(0.0, m, s, kappa)
    return larger(total, 0.0), given, bad


@part
def silence_anew(h, first, second, kappa):
    """Q by its definition."""
    total = 0.0
    for j in range(first.shape[0]):
        if first[j] != 0.0:
            total += squared_entry(0.0, h.factor * first[j], h.factor * second[j], kappa)
    h.silence = total


@part
def sparse_learn(h, indices, values, first, second, phi, step, kappa):
    """One clipped step of the moments."""
    if h.n == 0:
        h.factor = 1.0
    a = phi * memory_step(float(h.n), step)
    before = after = 0.0
    old = h.factor
    h.factor = old * (1.0 - a)
    into = a / h.factor
    for i in range(indices.shape[0]):
        x = values[i]
        if x != x:
            continue
        j = indices[i]
        before += squared_entry(0.0, old * first[j], old * second[j], kappa)
        first[j] += into * x
        second[j] += into * x * x
        after += squared_entry(0.0, h.factor * first[j], h.factor * second[j], kappa)
    h.silence = larger((h.silence - before) * (1.0 - a), 0.0) + after
    if h.factor < LEAST_FACTOR:
        for j in range(first.shape[0]):
            first[j] *= h.factor
            second[j] *= h.factor
        h.factor = 1.0
    n = h.n + 1
    if n % max(ANEW, first.shape[0] // ANEW) == 0 or n & h.n == 0:
        silence_anew(h, first, second, kappa)


@part
def sparse_shares(h, indices, values, first, second, kappa, total, coordinates, shares):
    """The entries with the largest shares of the squared distance, in descending order."""
    most = coordinates.shape[0]
    held = 0
    largest = total
    for i in range(indices.shape[0]):
        x = values[i]
        if x == x and abs(x) <= LARGEST_ENTRY:
            j = indices[i]
            z = squared_entry(x, h.factor * first[j], h.factor * second[j], kappa)
            largest = max(largest, z)
            if held < most or z > shares[most - 1]:
                held = insert(coordinates, shares, held, most, j, z)
    finish_shares(coordinates, shares, held, largest)


@part
def sparse_gather(h, indices, values, gathered_first, gathered_second, stamp):
    """Add an event to those that a suspected change began with."""
    if h.gathered == 0:
        h.suspicions += 1
    for i in range(indices.shape[0]):
        x = values[i]
        if x != x:
            continue
        j = indices[i]
        if stamp[j] != h.suspicions:
            stamp[j] = h.suspicions
            gathered_first[j] = 0.0
            gathered_second[j] = 0.0
        gathered_first[j] += x
        gathered_second[j] += x * x


@piece
def gathered_mean(h, sums, stamp, j):
    """Mean of the gathered events in one coordinate."""
    return sums[j] / h.gathered if stamp[j] == h.suspicions else 0.0


@part
def move_moments(h, first, second, gathered_first, gathered_second, stamp, kappa, coordinates, before, after):
    """Half of the moments come from the gathered events; tells the coordinates that moved most."""
    most = coordinates.shape[0]
    size = np.empty(most)
    held = 0
    half = 0.5 / h.factor
    for j in range(first.shape[0]):
        x = gathered_mean(h, gathered_first, stamp, j)
        m = h.factor * first[j]
        if x == 0.0 and m == 0.0:
            continue
        z = squared_entry(x, m, h.factor * second[j], kappa)
        if held < most or z > size[most - 1]:
            held = insert(coordinates, size, held, most, j, z)
    for k in range(most):
        j = coordinates[k] if k < held else -1
        coordinates[k] = j
        before[k] = h.factor * first[j] if k < held else math.nan
        after[k] = gathered_mean(h, gathered_first, stamp, j) if k < held else math.nan
    for j in range(first.shape[0]):
        first[j] = 0.5 * first[j] + half * gathered_mean(h, gathered_first, stamp, j)
        second[j] = 0.5 * second[j] + half * gathered_mean(h, gathered_second, stamp, j)
    silence_anew(h, first, second, kappa)
