"""What the compiled tail computes, said slowly: likelihoods by SciPy, every window fitted, nothing shared.

Of a histogram n_k over the bins k = first..TOP-1 of exceedances of u, the generalised Pareto law gives the masses
p_k; of the bins that are in, the conditional likelihood is the product of (p_k / sum of p)^n_k.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from marigram.numerics.grid import EDGES
from marigram.thresholds import contamination, gpd

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


class Fit(NamedTuple):
    """Shape, log scale and expected number of exceedances."""

    xi: float
    log_beta: float
    rate: float


def masses(first: int, xi: float, log_beta: float) -> Floats:
    """Probabilities of the bins first..TOP-1 given an exceedance of EDGES[first - 1]."""
    y = EDGES[first - 1 : gpd.TOP] - EDGES[first - 1]
    return -np.diff(stats.genpareto.sf(y, xi, scale=math.exp(log_beta)))


def prior(first: int, xi: float, log_beta: float) -> float:
    """Minus the log density of the priors, up to a constant."""
    log_half = math.log(0.5 * EDGES[first - 1])
    return 0.5 * (((xi - gpd.XI_PRIOR) / gpd.XI_SD) ** 2 + (log_beta - log_half) ** 2)


def best_fit(counts: Floats, first: int, inside: Mask) -> Fit:
    """The mode of the penalised conditional likelihood of the bins inside, found without derivatives."""
    n = counts[first : gpd.TOP][inside]

    def loss(theta: Floats) -> float:
        p = np.maximum(masses(first, *theta)[inside], 1e-12)
        return prior(first, *theta) - float(n @ np.log(p / p.sum()))

    start = np.array([gpd.XI_PRIOR, math.log(0.5 * EDGES[first - 1])])
    found = optimize.minimize(
        loss,
        start,
        method="Nelder-Mead",
        bounds=[(gpd.XI_LOW, gpd.XI_HIGH), (-10, 10)],
        options={"xatol": 1e-6, "fatol": 1e-8, "maxiter": 2000},
    )
    xi, log_beta = found.x
    return Fit(xi, log_beta, float(n.sum()) / max(masses(first, xi, log_beta)[inside].sum(), 1e-9))


def bin_deviance(n: Floats, m: Floats) -> Floats:
    """Half the Poisson deviance, bin by bin."""
    m = np.maximum(m, 1e-6)
    return np.where(n > 0, n * np.log(np.maximum(n, 1) / m), 0.0) - n + m


def windows(counts: Floats, first: int) -> list[tuple[int, int]]:
    """Every window of adjacent bins that may be left out: beyond the median exceedance, beginning and ending full."""
    n = counts[first : gpd.TOP]
    full = np.flatnonzero(n > 0) + first
    last = int(full[-1]) + 1
    above = np.cumsum(n)
    begin = max(first + int(np.searchsorted(above, 0.5 * n.sum())) + 1, first + 2)
    found = []
    for b1 in range(begin, last):
        if counts[b1] == 0:
            continue
        for width in contamination.WIDTHS:
            b2 = b1 + width if width else gpd.TOP
            if width and (b2 >= last or counts[b2 - 1] == 0):
                continue
            found.append((b1, b2))
    return found


def robust_fit(counts: Floats, first: int) -> tuple[Fit, Fit]:
    """The fit that believes every bin, and the average over the fits that leave out one window each."""
    n = counts[first : gpd.TOP]
    everything = np.ones(len(n), bool)
    full = best_fit(counts, first, everything)
    last = int(np.flatnonzero(n > 0)[-1]) + 1
    expected = full.rate * masses(first, full.xi, full.log_beta)
    none = prior(first, full.xi, full.log_beta) + bin_deviance(n, expected).sum()
    fits, gains = [full], [0.0]
    for b1, b2 in windows(counts, first):
        out = np.zeros(len(n), bool)
        out[b1 - first : b2 - first] = True
        fit = best_fit(counts, first, ~out)
        expected = fit.rate * masses(first, fit.xi, fit.log_beta)
        if (n - expected)[out].sum() <= 0:
            continue
        charged = out & (np.arange(len(n)) < last)
        cost = bin_deviance(n, expected)
        price = np.where(n < expected, cost, contamination.BIN_PRICE)[charged].sum()
        without = prior(first, fit.xi, fit.log_beta) + cost[~out].sum()
        fits.append(fit)
        gains.append(none - without - price - contamination.PRICE)
    weight = np.exp(np.array(gains) - max(gains))
    weight /= weight.sum()
    table = np.array([(f.xi, f.log_beta, math.log(f.rate)) for f in fits])
    xi, log_beta, log_rate = weight @ table
    return full, Fit(xi, log_beta, math.exp(log_rate))


def plain_quantile(fit: Fit, first: int, below: float, alpha: float) -> float:
    """z exceeded with probability alpha, of fit.rate expected exceedances and the events below."""
    zeta = fit.rate / (fit.rate + below)
    return float(EDGES[first - 1] + stats.genpareto.isf(alpha / zeta, fit.xi, scale=math.exp(fit.log_beta)))
