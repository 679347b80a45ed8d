"""A generalised Pareto tail for a handful of exceedances in any unit, by the fit of :mod:`marigram.thresholds.gpd`.

That fit reads a histogram on a logarithmic grid above u = 1 and has its prior there at beta = 1/2.  Exceedances y are
put on it as 1 + y/s with s such that an exponential law would have beta = 1/2, by its median or, where half of them
are tied at nothing, by its upper quartile: s = max(2 median(y), upper quartile(y))/ln 2.  A far value takes its
place in the last bin and no more, so that one of them cannot carry the shape away.

Where exceedances beyond a cut were taken away before, the bins from there on count as missing, not as empty.
"""

from __future__ import annotations

import math

import numpy as np

from marigram.numerics.grid import BINS, EDGES, bin_of
from marigram.numerics.jit import part
from marigram.thresholds.gpd import XI_PRIOR, fit, last_bin
from marigram.thresholds.tail import WORK_SHAPE

FIRST = int(np.searchsorted(EDGES, 1.0)) + 1
"""The bin that begins at 1."""
FEWEST_BINS = 3
"""Bins that stay in whatever the cut."""
STEPS = 8
WORK = (3, WORK_SHAPE[1])
"""Shape of the room a fit needs."""


@part
def fit_exceedances(y, cut, scratch, counts, work):
    """(xi, beta) of exceedances y >= 0, beta in their unit; (0, 0) without any that is positive.

    Parameters
    ----------
    y, scratch
        (m,) exceedances, and room for as many.
    cut
        Exceedances beyond it are not in y, or do not count; inf where there is no such limit.
    counts, work
        (BINS,) and WORK of room.
    """
    m = y.shape[0]
    positive = 0
    for i in range(m):
        if y[i] > 0.0:
            scratch[positive] = y[i]
            positive += 1
    if positive == 0:
        return 0.0, 0.0
    values = scratch[:positive]
    values.sort()
    scale = max(2.0 * values[positive // 2], values[(3 * positive) // 4]) / math.log(2.0)
    counts[:] = 0
    counts[FIRST] = m - positive
    for i in range(positive):
        counts[min(bin_of(1.0 + values[i] / scale), BINS - 2)] += 1
    last = last_bin(counts, FIRST)
    missing = BINS
    if cut < math.inf and cut < scale * EDGES[BINS - 2]:
        missing = max(bin_of(1.0 + cut / scale), FIRST + FEWEST_BINS)
    begin, end = (missing, BINS) if missing <= last else (FIRST, FIRST)
    xi, log_beta, _, _ = fit(counts, FIRST, last, begin, end, XI_PRIOR, math.log(0.5), STEPS, work)
    return xi, math.exp(log_beta) * scale


__all__ = ["WORK", "fit_exceedances"]
