"""A law of scores that is learned as it comes: bins in the middle, a generalised Pareto tail on either side.

Spliced binned-Pareto: Ehrlich, Callot and Aubet, arXiv 2106.10952.  With bins of mass m_k and width w, the binned
quantiles a and b that leave the mass q on either side, and S the survival of a tail's excess,

    f(x) = q/beta_l S_l(a - x)^(1 + xi_l)      x < a          F(x) = q S_l(a - x)
         = m_k/w                               a <= x <= b           masses of the bins below, linear inside one
         = q/beta_u S_u(x - b)^(1 + xi_u)      x > b                 1 - q S_u(x - b)

so body and tails are densities of one unit, and F is continuous and rises from 0 to 1.

In a stream the masses forget, m <- (1 - e) m + e 1{x in k}, so that one score changes no mass by more than e.  Every
REFRESH scores a and b are found anew and the tails fitted to the last scores beyond (:mod:`.exceedances`, xi within
[-0.25, 1.2]); when the last scores have left the range of the bins, or fill little of it, the law begins anew with
them.
"""

from __future__ import annotations

import math

import numpy as np

from marigram.numerics.grid import BINS
from marigram.numerics.jit import kernel, part, piece
from marigram.online.records import MAGNITUDE
from marigram.thresholds.exceedances import WORK, fit_exceedances
from marigram.thresholds.gpd import log_survival, quantile, survival

REFRESH = 32
INNER = 1.5
"""Scores beyond the quantiles at INNER q are kept, so that a tail has them when its threshold moves inwards."""
FLOOR = 1e-3
"""Share of the mass that is spread evenly over the bins, so that none is impossible."""
OUTSIDE = 0.5
"""Share of q at which bins begin and end, before they are widened by MARGIN of their range on each side."""
MARGIN = 0.1
SMALL = 0.25
"""Share of the range that finer bins must not exceed to be worth a new beginning."""
THINNEST = 1e-6
"""Least beta of a tail, in ranges, so that F has no jump."""
HEAVIEST = 1e200
"""Weight of a new score at which all weights are divided by it."""

BOTH, UPPER, LOWER = 0, 1, 2
STATE = np.dtype(
    [
        ("n", "i8"), ("rejected", "i8"), ("kept_low", "i8"), ("kept_high", "i8"), ("weight", "f8"), ("total", "f8"),
        ("low", "f8"), ("high", "f8"), ("a", "f8"), ("b", "f8"), ("inner_a", "f8"), ("inner_b", "f8"),
        ("below", "f8"), ("between", "f8"),
        ("xi_low", "f8"), ("beta_low", "f8"), ("xi_high", "f8"), ("beta_high", "f8"),
    ]
)  # fmt: skip
"""Bins cover [low, high]; ``below`` is the binned mass up to a, ``between`` that of [a, b]."""
SETTINGS = np.dtype([("q", "f8"), ("forget", "f8"), ("warm", "i8"), ("side", "i8")])


@piece
def binned(s, cumulative, x):
    """Mass of the bins up to x."""
    bins = cumulative.shape[0] - 1
    place = (x - s.low) / (s.high - s.low) * bins
    if place <= 0.0:
        return 0.0
    if place >= bins:
        return 1.0
    k = int(place)
    return cumulative[k] + (place - k) * (cumulative[k + 1] - cumulative[k])


@part
def binned_quantile(s, cumulative, share):
    """Where the mass of the bins reaches a share."""
    bins = cumulative.shape[0] - 1
    k = min(max(np.searchsorted(cumulative, share, side="right") - 1, 0), bins - 1)
    inside = (share - cumulative[k]) / (cumulative[k + 1] - cumulative[k])
    return s.low + (k + min(max(inside, 0.0), 1.0)) * (s.high - s.low) / bins


@part
def below(p, s, cumulative, x):
    """F(x)."""
    if x < s.a:
        return p.q * survival(s.a - x, s.xi_low, s.beta_low)
    if x > s.b:
        return 1.0 - p.q * survival(x - s.b, s.xi_high, s.beta_high)
    return p.q + (1.0 - 2.0 * p.q) * (binned(s, cumulative, x) - s.below) / s.between


@part
def above(p, s, cumulative, x):
    """1 - F(x), exact far out."""
    if x > s.b:
        return p.q * survival(x - s.b, s.xi_high, s.beta_high)
    return 1.0 - below(p, s, cumulative, x)


@part
def inverse(p, s, cumulative, share, from_above):
    """x with F(x) = share, or 1 - F(x) = share; NaN outside [0, 1]."""
    if not 0.0 <= share <= 1.0:
        return math.nan
    if share < p.q:
        log_share = math.log(share / p.q) if share > 0.0 else -math.inf
        if from_above:
            return s.b + quantile(log_share, s.xi_high, s.beta_high)
        return s.a - quantile(log_share, s.xi_low, s.beta_low)
    other = 1.0 - share
    if other < p.q:
        return inverse_tail(p, s, other, from_above)
    lower_share = other if from_above else share
    inside = (lower_share - p.q) / (1.0 - 2.0 * p.q)
    return min(max(binned_quantile(s, cumulative, s.below + inside * s.between), s.a), s.b)


@part
def inverse_tail(p, s, share, from_above):
    """The far tail seen from the other side."""
    log_share = math.log(share / p.q) if share > 0.0 else -math.inf
    if from_above:
        return s.a - quantile(log_share, s.xi_low, s.beta_low)
    return s.b + quantile(log_share, s.xi_high, s.beta_high)


@part
def log_tail(y, xi, beta, q):
    """log of q/beta S(y)^(1 + xi)."""
    return math.log(q / beta) + (1.0 + xi) * log_survival(y, xi, beta)


@part
def log_density_at(p, s, cumulative, x):
    """log f(x), per unit of x."""
    if x < s.a:
        return log_tail(s.a - x, s.xi_low, s.beta_low, p.q)
    if x > s.b:
        return log_tail(x - s.b, s.xi_high, s.beta_high, p.q)
    bins = cumulative.shape[0] - 1
    width = (s.high - s.low) / bins
    k = min(max(int((x - s.low) / width), 0), bins - 1)
    mass = (cumulative[k + 1] - cumulative[k]) / s.between
    return math.log((1.0 - 2.0 * p.q) * mass / width)


@part
def publish(p, s, counts, cumulative):
    """From counts to masses, and to the binned quantiles."""
    bins = counts.shape[0]
    cumulative[0] = 0.0
    for k in range(bins):
        cumulative[k + 1] = cumulative[k] + (1.0 - FLOOR) * counts[k] / s.total + FLOOR / bins
    whole = cumulative[bins]
    for k in range(bins):
        cumulative[k + 1] /= whole
    s.a = binned_quantile(s, cumulative, p.q)
    s.b = binned_quantile(s, cumulative, 1.0 - p.q)
    s.inner_a = binned_quantile(s, cumulative, INNER * p.q)
    s.inner_b = binned_quantile(s, cumulative, 1.0 - INNER * p.q)
    s.below = binned(s, cumulative, s.a)
    s.between = binned(s, cumulative, s.b) - s.below


@part
def fit_tail(s, values, kept, threshold, sign, rooms, counts, work):
    """(xi, beta) of the kept scores beyond a threshold."""
    m = 0
    for i in range(min(kept, values.shape[0])):
        y = sign * (values[i] - threshold)
        if y > 0.0:
            rooms[0, m] = y
            m += 1
    xi, beta = fit_exceedances(rooms[0, :m], math.inf, rooms[1], counts, work)
    return xi, max(beta, THINNEST * (s.high - s.low))


@part
def refresh(p, s, counts, cumulative, lows, highs, rooms, tail_counts, work):
    """Find a and b anew, and fit the tails."""
    publish(p, s, counts, cumulative)
    s.xi_low, s.beta_low = fit_tail(s, lows, s.kept_low, s.a, -1.0, rooms, tail_counts, work)
    s.xi_high, s.beta_high = fit_tail(s, highs, s.kept_high, s.b, 1.0, rooms, tail_counts, work)


@part
def range_of(p, ordered):
    """Where bins for these scores, in ascending order, begin and end."""
    m = ordered.shape[0]
    outer = int(OUTSIDE * p.q * m)
    low, high = ordered[outer], ordered[m - 1 - outer]
    margin = max(MARGIN * (high - low), 1e-9 * max(abs(low), abs(high)), 1e-300)
    return low - margin, high + margin


@part
def misfit(s, bins, low, high):
    """Whether the range of the last scores, wide as it should be, asks for other bins than there are."""
    width = (s.high - s.low) / bins
    left = s.a < s.low + width and low < s.low - width
    right = s.b > s.high - width and high > s.high + width
    return left or right or high - low < SMALL * (s.high - s.low)


@part
def begin(p, s, recent, ordered, counts, lows, highs):
    """Lay out bins for the last scores, and learn them."""
    m = ordered.shape[0]
    s.low, s.high = range_of(p, ordered)
    s.weight, s.total = 1.0, 0.0
    s.kept_low = s.kept_high = 0
    counts[:] = 0.0
    inner = int(INNER * p.q * m)
    s.inner_a, s.inner_b = ordered[inner], ordered[m - 1 - inner]
    for i in range(m):
        learn(p, s, recent[i], counts, lows, highs)


@part
def learn(p, s, x, counts, lows, highs):
    """Count a score in its bin, and keep it if it lies far out."""
    bins = counts.shape[0]
    place = (x - s.low) / (s.high - s.low) * bins
    k = 0 if place < 0.0 else (bins - 1 if place >= bins else int(place))
    counts[k] += s.weight
    s.total += s.weight
    if p.forget * s.total > s.weight:
        s.weight /= 1.0 - p.forget
    if s.weight > HEAVIEST:
        for j in range(bins):
            counts[j] /= s.weight
        s.total /= s.weight
        s.weight = 1.0
    if x < s.inner_a:
        lows[s.kept_low % lows.shape[0]] = x
        s.kept_low += 1
    elif x > s.inner_b:
        highs[s.kept_high % highs.shape[0]] = x
        s.kept_high += 1


@kernel
def run(settings, states, recent, counts, cumulative, lows, highs, scores, out):
    """The probability of a score as far out as each into ``out``, NaN where there is none yet; then learn it."""
    p = settings[0]
    s = states[0]
    rooms = np.empty((2, lows.shape[0]))
    tail_counts = np.zeros(BINS, np.int64)
    work = np.empty(WORK)
    for i in range(scores.shape[0]):
        x = scores[i]
        out[i] = math.nan
        if not abs(x) <= MAGNITUDE:
            s.rejected += 1
            continue
        if s.n < p.warm:
            recent[s.n] = x
            s.n += 1
            if s.n == p.warm:
                begin(p, s, recent, np.sort(recent), counts, lows, highs)
                refresh(p, s, counts, cumulative, lows, highs, rooms, tail_counts, work)
            continue
        if p.side == UPPER:
            out[i] = above(p, s, cumulative, x)
        elif p.side == LOWER:
            out[i] = below(p, s, cumulative, x)
        else:
            out[i] = min(1.0, 2.0 * min(below(p, s, cumulative, x), above(p, s, cumulative, x)))
        learn(p, s, x, counts, lows, highs)
        recent[s.n % recent.shape[0]] = x
        s.n += 1
        if s.n % REFRESH == 0:
            ordered = np.sort(recent)
            low, high = range_of(p, ordered)
            if misfit(s, counts.shape[0], low, high):
                begin(p, s, recent, ordered, counts, lows, highs)
            refresh(p, s, counts, cumulative, lows, highs, rooms, tail_counts, work)


@kernel
def evaluate(settings, states, cumulative, what, values, out):
    """F, 1 - F, log f, the inverse of F and that of 1 - F, by number."""
    p = settings[0]
    s = states[0]
    for i in range(values.shape[0]):
        v = values[i]
        if math.isnan(v):
            out[i] = math.nan
        elif what == 0:
            out[i] = below(p, s, cumulative, v)
        elif what == 1:
            out[i] = above(p, s, cumulative, v)
        elif what == 2:
            out[i] = log_density_at(p, s, cumulative, v)
        else:
            out[i] = inverse(p, s, cumulative, v, what == 4)


__all__ = ["BOTH", "LOWER", "REFRESH", "SETTINGS", "STATE", "UPPER", "evaluate", "run"]
