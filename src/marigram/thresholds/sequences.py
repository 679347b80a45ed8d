"""Confidence sequences of a quantile: which order statistics bound it, at all sample sizes at once.

Of n independent scores at least b + 1 lie on the proper side of their p-quantile q as long as a count K_n ~ Bin(n, r)
exceeds b.  So with lower bounds b(n) that K_n passes with probability alpha at most, *at any n*,

    lower end   L_n = S_(b(n) + 1)          K counts scores <= q, r = p
    upper end   U_n = S_(n - b(n))          K counts scores >= q, r = 1 - p

enclose q for all n with probability 1 - 2 alpha, whatever the distribution, ties included.  A bound of -1 says nothing
yet (the end is infinite).  Three families of bounds, each on a grid of sample sizes ("looks"):

passage        the largest bounds whose *first passage* P(K_n <= b(n) for some n) is alpha, computed exactly: as n grows
               the share alpha m/(m + m0) of the error is spent, m = n min(r, 1 - r).
beta-binomial  K_n is refused when the mixture E[theta^K (1-theta)^(n-K)] over theta ~ Beta(100 r, 100 (1-r)) exceeds
               that of theta = r by 1/alpha (Ville).
printed        r - 2 u_n(alpha), u_n = .85 sqrt((ln ln(e n) + .8 ln(1612/alpha))/n): Sun, Sankararaman and
               Narayanaswamy, ICML 2024, with the end left open where their index runs past the sample.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from marigram.numerics.jit import kernel, part

Sequence: TypeAlias = Literal["passage", "beta-binomial", "printed"]
Looks: TypeAlias = NDArray[np.int64]

EVERY = 2000
"""Every sample size up to this one is a look; beyond, each is larger than the one before by a part in 256."""
FINENESS = 256
SPENT_HALF = 50.0
"""m0: half of the error is spent when this many scores were expected on the rarer side of the quantile."""
WEIGHT = 100.0
"""Weight of the prior of the beta-binomial family, in scores."""
NEGLIGIBLE = 1e-30
"""Probabilities below this are dropped at the ends of a distribution."""
SMALLEST_TABLE = 4096


class Bounds(NamedTuple):
    """Lower bounds on the looks up to some sample size."""

    looks: Looks
    """(m,) increasing sample sizes."""
    low: Looks
    """(m,) bounds of the count of scores <= q."""
    high: Looks
    """(m,) bounds of the count of scores >= q."""


def looks_up_to(size: int) -> Looks:
    """The looks from 1 to the first one at or beyond ``size``."""
    looks = list(range(1, min(size, EVERY) + 1))
    while looks[-1] < size:
        looks.append(looks[-1] + max(1, looks[-1] // FINENESS))
    return np.array(looks, np.int64)


def bounds(sequence: Sequence, p: float, alpha: float, size: int) -> Bounds:
    """The bounds of a sequence for samples of up to ``size``; tables are kept and grow by doubling."""
    capacity = SMALLEST_TABLE
    while capacity < size:
        capacity *= 2
    return _table(sequence, p, alpha, capacity)


@lru_cache(maxsize=32)
def _table(sequence: Sequence, p: float, alpha: float, capacity: int) -> Bounds:
    looks = looks_up_to(capacity)
    make = {"passage": passage, "beta-binomial": beta_binomial, "printed": printed}[sequence]
    ends = []
    for r in (p, 1.0 - p):
        end: Any = make(looks, r, alpha)
        end.flags.writeable = False
        ends.append(end)
    return Bounds(looks, ends[0], ends[1])


@part
def binomial_mass(n, r, mass):
    """Fill ``mass`` with Bin(n, r) on its support but for negligible ends; returns (first count, length)."""
    log_odds = math.log(r) - math.log1p(-r)
    mode = int((n + 1) * r)
    base = math.lgamma(n + 1.0) + n * math.log1p(-r)
    first = mode
    while first > 0 and _log_mass(n, first - 1, log_odds, base) > -69.1:
        first -= 1
    length = 0
    k = first
    while k <= n and length < mass.shape[0]:
        value = _log_mass(n, k, log_odds, base)
        if k > mode and value < -69.1:
            break
        mass[length] = math.exp(value)
        length += 1
        k += 1
    return first, length


@part
def _log_mass(n, k, log_odds, base):
    return base - math.lgamma(k + 1.0) - math.lgamma(n - k + 1.0) + k * log_odds


@part
def advance(alive, start, length, step, r, mass, scratch):
    """Add Bin(step, r) to the counts ``start``, ``start`` + 1, … with probabilities ``alive``; in place."""
    first, wide = 0, 2
    mass[0], mass[1] = 1.0 - r, r
    if step > 1:
        first, wide = binomial_mass(step, r, mass)
    total = length + wide - 1
    scratch[:total] = 0.0
    for i in range(length):
        a = alive[i]
        for j in range(wide):
            scratch[i + j] += a * mass[j]
    low, high = 0, total
    while low < high - 1 and scratch[low] < NEGLIGIBLE:
        low += 1
    while high > low + 1 and scratch[high - 1] < NEGLIGIBLE:
        high -= 1
    alive[: high - low] = scratch[low:high]
    return start + first + low, high - low


@kernel
def first_passage(looks, r, budget, width):
    """Largest lower bounds of Bin(n, r) on the looks such that P(passed by look i) <= budget[i]; each is >= -1.

    ``width`` bounds the counts that are not negligible.  Bounds never fall: who has passed is gone, and so is every
    count up to the bound.
    """
    alive = np.zeros(width)
    scratch = np.zeros(2 * width)
    mass = np.zeros(width)
    alive[0] = 1.0
    start, length = 0, 1
    spent = 0.0
    bound = -1
    out = np.empty(looks.shape[0], np.int64)
    before = 0
    for i in range(looks.shape[0]):
        start, length = advance(alive, start, length, looks[i] - before, r, mass, scratch)
        before = looks[i]
        taken = 0
        while taken < length - 1 and spent + alive[taken] <= budget[i]:
            spent += alive[taken]
            taken += 1
        if taken > 0:
            bound = start + taken - 1
            for k in range(taken, length):
                alive[k - taken] = alive[k]
            start += taken
            length -= taken
        out[i] = bound
    return out


def passage(looks: Looks, r: float, alpha: float) -> Looks:
    """Bounds whose probability of ever being passed is alpha, spent as the rarer side grows."""
    rarer = looks * min(r, 1.0 - r)
    largest = float(looks[-1])
    width = int(26.0 * math.sqrt(largest * r * (1.0 - r)) + 400.0)
    found: Looks = first_passage(looks, r, alpha * rarer / (rarer + SPENT_HALF), width)
    return found


@part
def log_beta(a, b):
    """ln B(a, b)."""
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


@kernel
def mixture_bounds(looks, r, alpha, a, b):
    """Largest k on each look, below the mean, whose mixture exceeds the likelihood of r by 1/alpha; else -1.

    The excess falls in k below the mean, so the bound is found by bisection.
    """
    out = np.empty(looks.shape[0], np.int64)
    worth = -math.log(alpha) + log_beta(a, b)
    for i in range(looks.shape[0]):
        n = looks[i]
        low, high = -1, int(n * r) + 1
        while high - low > 1:
            k = (low + high) // 2
            if log_beta(a + k, b + n - k) - k * math.log(r) - (n - k) * math.log1p(-r) >= worth:
                low = k
            else:
                high = k
        out[i] = low
    return out


def beta_binomial(looks: Looks, r: float, alpha: float) -> Looks:
    """Bounds of the beta-binomial mixture."""
    found: Looks = mixture_bounds(looks, r, alpha, WEIGHT * r, WEIGHT * (1.0 - r))
    return np.maximum.accumulate(found)


def printed(looks: Looks, r: float, alpha: float) -> Looks:
    """Bounds n (r - 2 u_n), by which the end is the order statistic next to that share, outwards."""
    n = looks.astype(np.float64)
    u = 0.85 * np.sqrt((np.log(np.log(math.e * n)) + 0.8 * math.log(1612.0 / alpha)) / n)
    found: Looks = np.maximum(np.floor(n * (r - 2.0 * u)).astype(np.int64) - 1, -1)
    return np.maximum.accumulate(found)


__all__ = ["Bounds", "Looks", "Sequence", "beta_binomial", "bounds", "looks_up_to", "passage", "printed"]
