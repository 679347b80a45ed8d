"""The generalised Pareto distribution of exceedances, fitted to a histogram by Fisher scoring.

S(y) = (1 + xi y/beta)^(-1/xi), y >= 0.  Of a binned sample the likelihood is multinomial; bins may be left out, and
then it is the *conditional* likelihood of the bins that are in:  p_k / sum of included p.  With d_k = dlog p_k/dtheta
and r its mean over the included bins, the score is sum n_k (d_k - r) and the information
sum N p_k/P (d_k - r)(d_k - r)'.  Priors xi ~ N(0.2, 0.15^2) and log beta ~ N(log(u/2), 1) keep young fits sane.
"""

from __future__ import annotations

import math

from marigram.numerics.elementary import exp, larger, log
from marigram.numerics.grid import BINS, EDGES, PADDED_EDGES, VECTOR
from marigram.numerics.jit import part, piece

XI_PRIOR, XI_SD = 0.2, 0.15
XI_LOW, XI_HIGH = -0.25, 1.2
CLOSE = 2e-3
TOP = BINS - 1
"""Bins below this one are fitted; the open bin above the grid never enters a fit."""
P, Q1, Q2 = 0, 1, 2
"""Rows of the work array: bin probabilities and their derivatives in xi and log beta."""


@part
def survival(y, xi, beta):
    """P(exceedance > y)."""
    if abs(xi) < 1e-4:
        return math.exp(-y / beta)
    t = 1.0 + xi * y / beta
    if t <= 0.0:
        return 0.0
    return math.exp(-math.log(t) / xi)


@part
def quantile(log_survival, xi, beta):
    """The exceedance y with log S(y) = log_survival."""
    if abs(xi) < 1e-4:
        return -beta * log_survival
    return beta / xi * (math.exp(-xi * log_survival) - 1.0)


@piece
def log_survival(y, xi, beta):
    """log S(y), -inf beyond a finite end."""
    if abs(xi) < 1e-4:
        return -y / beta
    t = 1.0 + xi * y / beta
    if t <= 0.0:
        return -math.inf
    return -log(t) / xi


@part
def last_bin(counts, first):
    """The end of a fit's bins: behind the last that holds something follows one bin, empty, to the end of the grid."""
    for k in range(TOP - 1, first - 1, -1):
        if counts[k] > 0:
            return k + 1
    return first


@piece
def exponential_terms(v, xi):
    """S at v = y/beta and its derivatives in xi and log beta, by the series about xi = 0."""
    c = exp(larger(-v + 0.5 * xi * v * v, -700.0))
    return c, c * 0.5 * v * v, c * v * (1.0 - xi * v)


@piece
def pareto_terms(v, xi, inverse_xi):
    """S at v = y/beta and its derivatives in xi and log beta; no branch, so that loops of it become vectors."""
    t = 1.0 + xi * v
    inside = t if t > 0.0 else 1.0
    ln = log(inside)
    share = v / inside
    c = exp(larger(-ln * inverse_xi, -700.0))
    c = c if t > 0.0 else 0.0
    return c, c * (ln * inverse_xi - share) * inverse_xi, c * share


@part
def bin_terms(first, last, xi, log_beta, work):
    """Fill rows P, Q1, Q2 of ``work``: bins first..last-1 above EDGES[first-1], and the rest as bin ``last``.

    Empty bins next to each other have together the likelihood of one, so nothing is lost by joining them.
    """
    u = EDGES[first - 1]
    inverse = math.exp(-log_beta)
    bins = (last + 1 if last < TOP else TOP) - first
    whole = -(-bins // VECTOR) * VECTOR
    edges = PADDED_EDGES[first : first + whole]
    p, q1, q2 = (
        work[P, first : first + whole],
        work[Q1, first : first + whole],
        work[Q2, first : first + whole],
    )
    end = (EDGES[TOP - 1] - u) * inverse
    if abs(xi) < 1e-3:
        for i in range(whole):
            p[i], q1[i], q2[i] = exponential_terms((edges[i] - u) * inverse, xi)
        a0, a1, a2 = exponential_terms(end, xi)
    else:
        inverse_xi = 1.0 / xi
        for i in range(whole):
            p[i], q1[i], q2[i] = pareto_terms((edges[i] - u) * inverse, xi, inverse_xi)
        a0, a1, a2 = pareto_terms(end, xi, inverse_xi)
    if last < TOP:
        p[bins - 1], q1[bins - 1], q2[bins - 1] = a0, a1, a2
    for i in range(bins - 1, 0, -1):
        p[i] = larger(p[i - 1] - p[i], 1e-12)
        q1[i] = q1[i - 1] - q1[i]
        q2[i] = q2[i - 1] - q2[i]
    p[0] = larger(1.0 - p[0], 1e-12)
    q1[0] = -q1[0]
    q2[0] = -q2[0]


@part
def prior_deviance(xi, log_beta, u):
    """Minus the log prior density, up to a constant."""
    a = (xi - XI_PRIOR) / XI_SD
    b = log_beta - math.log(0.5 * u)
    return 0.5 * (a * a + b * b)


@part
def fit(counts, first, last, b1, b2, xi, log_beta, steps, work):
    """Fisher scoring with bins b1..b2-1 left out.  Returns xi, log beta, included mass, included count.

    At most ``steps`` steps; one shorter than CLOSE is the last, since the next would be of its square's order.
    Leaves the bin terms of the returned parameters in ``work``.
    """
    u = EDGES[first - 1]
    log_prior = math.log(0.5 * u)
    end = last + 1 if last < TOP else TOP
    mass = 0.0
    count = 0.0
    converged = False
    for step in range(steps + 1):
        bin_terms(first, last, xi, log_beta, work)
        mass = s1 = s2 = count = 0.0
        for k in range(first, end):
            if k < b1 or k >= b2:
                mass += work[P, k]
                s1 += work[Q1, k]
                s2 += work[Q2, k]
                if k < last:
                    count += counts[k]
        if step == steps or converged:
            break
        r1, r2 = s1 / mass, s2 / mass
        g1 = -(xi - XI_PRIOR) / (XI_SD * XI_SD)
        g2 = -(log_beta - log_prior)
        i11, i12, i22 = 1.0 / (XI_SD * XI_SD), 0.0, 1.0
        rate = count / mass
        for k in range(first, end):
            p = work[P, k]
            if (k < b1 or k >= b2) and p > 1e-9:
                inverse = 1.0 / p
                d1 = work[Q1, k] * inverse - r1
                d2 = work[Q2, k] * inverse - r2
                w = rate * p
                if k < last:
                    g1 += counts[k] * d1
                    g2 += counts[k] * d2
                i11 += w * d1 * d1
                i12 += w * d1 * d2
                i22 += w * d2 * d2
        det = i11 * i22 - i12 * i12
        if det < 1e-9:
            break
        dx = min(max((i22 * g1 - i12 * g2) / det, -0.3), 0.3)
        dl = min(max((i11 * g2 - i12 * g1) / det, -0.5), 0.5)
        xi = min(max(xi + dx, XI_LOW), XI_HIGH)
        log_beta += dl
        converged = abs(dx) < CLOSE and abs(dl) < CLOSE
    return xi, log_beta, mass, count


@part
def log_survival_variance(first, last, z, xi, log_beta, count, work):
    """Variance of log S(z - u) from the Fisher information of a fit to ``count`` exceedances, prior included."""
    bin_terms(first, last, xi, log_beta, work)
    i11, i12, i22 = 1.0 / (XI_SD * XI_SD), 0.0, 1.0
    for k in range(first, last + 1 if last < TOP else TOP):
        p = work[P, k]
        if p < 1e-9:
            break
        d1 = work[Q1, k] / p
        d2 = work[Q2, k] / p
        i11 += count * p * d1 * d1
        i12 += count * p * d1 * d2
        i22 += count * p * d2 * d2
    y = z - EDGES[first - 1]
    v = y * math.exp(-log_beta)
    t = max(1.0 + xi * v, 1e-9)
    if abs(xi) < 1e-3:
        g1, g2 = 0.5 * v * v, v
    else:
        g1, g2 = (math.log(t) / xi - v / t) / xi, v / t
    det = i11 * i22 - i12 * i12
    return (i22 * g1 * g1 - 2.0 * i12 * g1 * g2 + i11 * g2 * g2) / det + 1.0 / max(count, 1.0)
