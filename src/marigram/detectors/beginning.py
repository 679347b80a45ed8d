"""A key's first events: a median and its absolute deviation set level and scale; p is a rank."""

from __future__ import annotations

import numpy as np

from marigram.detectors.changes import ONE_CHANGE
from marigram.detectors.limits import LEARNING_KIND, NO_STEP, START
from marigram.detectors.state import KEPT, RING
from marigram.numerics.elementary import median
from marigram.numerics.grid import EMPTY
from marigram.numerics.jit import part
from marigram.online.context import context_start
from marigram.online.level import level_restart
from marigram.online.scale import scale_floor
from marigram.online.season import season_start
from marigram.thresholds.habits import record_learn


@part
def first_values(c, x, n):
    """Collect the first START values; at the last of them set level and scale.  NaN repeats the value before."""
    if x != x:
        if c.level_n > 0.0:
            c.ring[n & (RING - 1)] = c.ring[(n - 1) & (RING - 1)]
    elif c.level_n == 0.0:
        for i in range(RING):
            c.ring[i] = x
        c.level_n = 1.0
        record_learn(c, x, 0.0)
    else:
        before = c.ring[(n - 1) & (RING - 1)]
        c.ring[n & (RING - 1)] = x
        record_learn(c, x, float(n))
        gap = abs(x - before)
        if gap > NO_STEP * abs(x):
            c.step = gap if c.step == 0.0 else min(c.step, gap)
    if n == START - 1 and c.level_n > 0.0:
        start_coordinate(c)


@part
def start_coordinate(c):
    """Level and scale from the ring: median and median absolute deviation."""
    values = np.empty(RING)
    for i in range(RING):
        values[i] = c.ring[i]
    m = median(values, values.shape[0])
    for i in range(RING):
        values[i] = abs(c.ring[i] - m)
    least = scale_floor(m)
    spread = median(values, values.shape[0])
    if spread <= least:
        spread = max(0.25 * c.step, least)
    c.scale = spread
    c.scale_n = START
    level_restart(c, m, START)
    context_start(c)
    season_start(c, m, spread)
    for i in range(KEPT):
        c.bins[i] = EMPTY


@part
def collect(
    coords, k, d, values, row, n, usable, is_late, h, expected, lower, upper, why, kind, p_value, sev
):
    """One of the first START events: the median so far, p by rank."""
    new = False
    for j in range(d):
        c = coords[k, j]
        seen = np.empty(START)
        for i in range(n):
            seen[i] = c.ring[i]
        expected[row, j] = median(seen, n) if n > 0 and c.level_n > 0.0 else np.nan
        lower[row, j] = -np.inf
        upper[row, j] = np.inf
        if c.level_n > 0.0 and usable and (values[row, j] > c.highest or values[row, j] < c.lowest):
            new = True
        if d > 1:
            why[row, j] = 1.0 / d
    if not usable:
        return
    kind[row] = LEARNING_KIND
    p_value[row] = min(1.0, 2.0 * d / (n + 1.0)) if new else 1.0
    sev[row] = 0.0
    if is_late:
        return
    for j in range(d):
        c = coords[k, j]
        first_values(c, values[row, j], n)
    h.n = n + 1
    h.since_drift = ONE_CHANGE
