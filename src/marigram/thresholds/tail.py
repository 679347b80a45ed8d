"""The calibrated tail of a standardised residual z: histogram below, generalised Pareto above.

Below the threshold u (the bin edge with at least 11 % of the events above it) the probability is empirical; above,

    p(z) = zeta exp(y + c (y/ya)^2 / 2),   y = log S(z - u),   ya = log(alpha / zeta),

the quadratic term being the predictive correction for the fit's own variance at alpha.  A tail is refitted when its
count has grown by a half, from 500 events on by a quarter, later by an eighth of the memory, which is halved when full.
"""

from __future__ import annotations

import math

import numpy as np

from marigram.numerics.elementary import larger, log, smaller
from marigram.numerics.grid import BINS, EDGES, WIDTH, bin_of, halve
from marigram.numerics.jit import part, piece
from marigram.thresholds.contamination import ROWS, WIDTHS, robust_fit
from marigram.thresholds.gpd import (
    TOP,
    XI_PRIOR,
    fit,
    last_bin,
    log_survival,
    log_survival_variance,
    quantile,
)

EXCEEDANCES = 0.11
"""Share of events above the threshold of the Pareto part."""
SKEWED_EXCEEDANCES = 0.07
"""The same when one side dominates the exceedances: far enough out that the other side has ended."""
SKEWED = 4.0
"""Standard errors of the sides' difference from which they are unequal."""
ABOVE = 64
"""Bit that marks a bin code of the upper side."""
MEMORY = 32768.0
"""Counts are halved when this many (times the dimension) are held."""
FIRST_FIT = 40.0
WIDTHS_INVERSE = np.concatenate([[0.0], 1.0 / np.diff(EDGES)])
BEYOND = -9.0
"""log S from which a finite end is not believed."""
CORRECTION = 0.3
"""Share of the variance of log S that widens the tail."""
SMALLEST = 1e-300
WORK_SHAPE = (ROWS + len(WIDTHS), WIDTH)

TAIL = np.dtype(
    [
        ("counts", "u2", (BINS,)), ("first", "i2"), ("held", "u2"),
        ("xi", "f4"), ("log_beta", "f4"), ("beta", "f4"), ("zeta", "f4"), ("spread", "f4"),
        ("full_xi", "f4"), ("full_log_beta", "f4"), ("full_beta", "f4"), ("full_zeta", "f4"),
        ("below", "f4"), ("total", "f4"), ("due", "f4"), ("z_alpha", "f4"), ("balance", "f4"),
    ]
)  # fmt: skip
"""One tail: ``first`` is the first Pareto bin (0 before the first fit), ``below`` the events under it."""


@piece
def tail_add(tail, code, memory):
    """Count one event in a bin; forget when the memory is full or a count would overflow."""
    k = code & (ABOVE - 1)
    tail.counts[k] += 1
    tail.total += 1.0
    if k < tail.first:
        tail.below += 1.0
    else:
        tail.balance += 1.0 if code & ABOVE else -1.0
    if tail.total > memory or tail.counts[k] == 65535:
        tail.total = halve(tail.counts)
        below = 0.0
        for i in range(tail.first):
            below += tail.counts[i]
        tail.below = below
        tail.balance *= 0.5
        tail.due = tail.total


@piece
def body(tail, z):
    """Share of the events below the threshold that lie above z, 0 <= z < u."""
    if z < EDGES[0]:
        return 1.0 - tail.counts[0] * (z / EDGES[0]) / larger(tail.below, 1.0)
    k = bin_of(z)
    above = 0
    for j in range(k + 1, tail.first):
        above += tail.counts[j]
    c = above + tail.counts[k] * (EDGES[k] - z) * WIDTHS_INVERSE[k]
    return smaller(c / larger(tail.below, 1.0), 1.0)


@piece
def probabilities(tail, z, log_alpha):
    """p(z) of the robust fit and of the full one, which believes every event; both in [SMALLEST, 1].

    A fixed exponential law stands in before the first fit.
    """
    if tail.first == 0:
        p = max(math.exp(-0.69 * z), SMALLEST)
        return p, p
    u = EDGES[tail.first - 1]
    if z < u:
        share = body(tail, z)
        return smaller(tail.zeta + (1.0 - tail.zeta) * share, 1.0), smaller(
            tail.full_zeta + (1.0 - tail.full_zeta) * share, 1.0
        )
    robust = pareto_probability(z - u, tail.xi, tail.beta, tail.zeta, tail.spread, log_alpha)
    return robust, pareto_probability(z - u, tail.full_xi, tail.full_beta, tail.full_zeta, 0.0, 0.0)


@piece
def probability(tail, z, log_alpha):
    """p(z) of the robust fit."""
    if tail.first == 0:
        return max(math.exp(-0.69 * z), SMALLEST)
    u = EDGES[tail.first - 1]
    if z < u:
        return smaller(tail.zeta + (1.0 - tail.zeta) * body(tail, z), 1.0)
    return pareto_probability(z - u, tail.xi, tail.beta, tail.zeta, tail.spread, log_alpha)


@part
def beyond_the_end(excess, xi, beta):
    """log S of a tail with a finite end, continued by a power law of equal slope from BEYOND on.

    A fitted end is an extrapolation; without this every value behind it would be equally impossible.
    """
    t = math.exp(-xi * BEYOND)
    start = beta / xi * (t - 1.0)
    return BEYOND - start / (beta * t) * math.log(excess / start)


@piece
def pareto_probability(excess, xi, beta, zeta, spread, log_alpha):
    """zeta S(excess) with the predictive correction."""
    y = log_survival(excess, xi, beta)
    if xi < 0.0 and y < BEYOND:
        y = beyond_the_end(excess, xi, beta)
    if spread > 0.0:
        scale = log_alpha - log(zeta)
        if scale < 0.0:
            bend = smaller(y / scale, 2.0)
            y += 0.5 * spread * bend * bend
    return larger(zeta * math.exp(larger(y, -700.0)), SMALLEST)


@piece
def plain_probability(tail, z):
    """p(z) of the full fit, which believes every event."""
    if tail.first == 0:
        return max(math.exp(-0.69 * z), SMALLEST)
    u = EDGES[tail.first - 1]
    if z < u:
        return min(tail.full_zeta + (1.0 - tail.full_zeta) * body(tail, z), 1.0)
    return pareto_probability(z - u, tail.full_xi, tail.full_beta, tail.full_zeta, 0.0, 0.0)


@part
def alpha_quantile(tail, alpha):
    """z with p(z) = alpha."""
    if tail.first == 0:
        return -math.log(alpha) / 0.69
    u = EDGES[tail.first - 1]
    if alpha < tail.zeta:
        ya = math.log(alpha / tail.zeta)
        q = 0.5 * tail.spread / (ya * ya)
        y = ya if q < 1e-9 else (math.sqrt(max(1.0 + 4.0 * q * ya, 0.0)) - 1.0) / (2.0 * q)
        return u + quantile(y, tail.xi, tail.beta)
    wanted = (alpha - tail.zeta) / (1.0 - tail.zeta) * max(tail.below, 1.0)
    c = 0.0
    for k in range(tail.first - 1, 0, -1):
        if c + tail.counts[k] >= wanted:
            return EDGES[k] - (EDGES[k] - EDGES[k - 1]) * (wanted - c) / max(tail.counts[k], 1)
        c += tail.counts[k]
    return EDGES[0] * max(1.0 - (wanted - c) / max(tail.counts[0], 1), 0.0)


@part
def threshold_bin(counts, total, share):
    """First bin of the Pareto part, and the number of events in it and above (open bin excluded)."""
    c = 0.0
    for k in range(TOP - 1, 1, -1):
        c += counts[k]
        if c >= share * total:
            return k, c
    return 2, c + counts[1]


@part
def refit(tail, alpha, memory, robust, work):
    """Fit the tail anew and set when the next fit is due."""
    total = 0.0
    for k in range(TOP):
        total += tail.counts[k]
    first, exceedances = threshold_bin(tail.counts, total, EXCEEDANCES)
    if abs(tail.balance) > SKEWED * math.sqrt(exceedances):
        first, exceedances = threshold_bin(tail.counts, total, SKEWED_EXCEEDANCES)
    if total < 0.5 * FIRST_FIT:
        tail.due = tail.total * 1.5
        return
    u = EDGES[first - 1]
    if tail.first > 0:
        move = u - EDGES[tail.first - 1]
        xi, log_beta = tail.xi, carried_log_beta(tail.xi, tail.beta, move, u)
        full_xi, full_log_beta = tail.full_xi, carried_log_beta(tail.full_xi, tail.full_beta, move, u)
    else:
        xi, log_beta = XI_PRIOR, math.log(0.5 * u)
        full_xi, full_log_beta = xi, log_beta
    steps = 3 if tail.first == first else 4
    below = 0.0
    for k in range(first):
        below += tail.counts[k]
    between = 0.0
    if robust > 0.0:
        z_reference = tail.z_alpha
        if z_reference <= u:
            z_reference = reference_quantile(first, full_xi, full_log_beta, exceedances / total, alpha)
        f_xi, f_lb, f_n, xi, log_beta, n, between = robust_fit(
            tail.counts, first, xi, log_beta, full_xi, full_log_beta, steps, exceedances, z_reference, work
        )
    else:
        f_xi, f_lb, mass, f_n = fit(
            tail.counts,
            first,
            last_bin(tail.counts, first),
            first,
            first,
            full_xi,
            full_log_beta,
            steps + 1,
            work,
        )
        f_n /= max(mass, 1e-9)
        xi, log_beta, n = f_xi, f_lb, f_n
    if not (abs(xi) < 10.0 and abs(log_beta) < 100.0 and abs(f_xi) < 10.0 and abs(f_lb) < 100.0):
        xi, log_beta = XI_PRIOR, math.log(0.5 * u)
        f_xi, f_lb = xi, log_beta
    n = n if n > 0.5 else 0.5
    f_n = f_n if f_n > 0.5 else 0.5
    tail.first = first
    tail.below = below
    tail.xi, tail.log_beta, tail.beta, tail.zeta = xi, log_beta, math.exp(log_beta), n / (n + below)
    tail.full_xi, tail.full_log_beta, tail.full_beta, tail.full_zeta = (
        f_xi,
        f_lb,
        math.exp(f_lb),
        f_n / (f_n + below),
    )
    tail.spread = 0.0
    if robust > 0.0 and alpha < tail.zeta:
        tail.z_alpha = alpha_quantile(tail, alpha)
        variance = log_survival_variance(
            first, last_bin(tail.counts, first), tail.z_alpha, xi, log_beta, exceedances, work
        )
        ceiling = min(1.0, -0.5 * math.log(alpha / tail.zeta))
        tail.spread = min(CORRECTION * (variance + min(between, 1.0)), ceiling)
    tail.z_alpha = alpha_quantile(tail, alpha)
    growth = 1.5 if tail.total < 500.0 else 1.25
    tail.due = tail.total * growth if tail.total < 0.5 * memory else tail.total + memory / 8.0


@part
def carried_log_beta(xi, beta, move, u):
    """log beta of the same tail seen from a threshold moved by ``move``: beta + xi move."""
    carried = beta + xi * move
    return math.log(carried) if carried > 0.05 * u else math.log(0.5 * u)


@part
def reference_quantile(first, xi, log_beta, zeta, alpha):
    """Where a first fit judges the spread between its windows: the alpha quantile of the full fit."""
    if alpha >= zeta:
        return EDGES[first - 1]
    return EDGES[first - 1] + quantile(math.log(alpha / zeta), xi, math.exp(log_beta))
