"""Evidence that the norm moved, the decision that it did, and the restart of what moved."""

from __future__ import annotations

import math

import numpy as np

from marigram.change.level_shift import THRESHOLD as LEVEL_THRESHOLD
from marigram.change.level_shift import evidence, evidence_cap, level_shift_reset, level_shift_step
from marigram.change.scale_shift import THRESHOLD as SCALE_THRESHOLD
from marigram.change.scale_shift import scale_shift_reset, scale_shift_step
from marigram.detectors.state import KEPT, RING
from marigram.numerics.elementary import median
from marigram.numerics.grid import EDGES, EMPTY
from marigram.numerics.jit import once, part, piece
from marigram.online.autoregression import ar_forget_lags
from marigram.online.level import level_restart, level_value
from marigram.online.scale import scale_floor
from marigram.thresholds.tail import ABOVE, probability

AGREEMENT = 12.0
"""Values of a shift lie within this many scales of their median."""
BOTH_SIDES = 8.0
"""Level evidence on the weaker side that a burst of five cannot bring."""
ONE_CHANGE = 32
"""A second firing within this many events belongs to the same change and is not told again."""
WITHDRAWN = 5
"""A drift takes back the anomalies of at most this many events before it."""
OFF_THE_GRID = 256.0
"""A median z this large says only that the scale is far too small."""


@once
def gather_evidence(h, coords, k, d, scratch, n, anomaly, log_alpha, alpha, z_alpha):
    """Feed the change tests; returns how many events belong to the change, and which kind fired."""
    smallest = evidence_cap(h.anomaly_rate)
    joint = 0.0
    count = 0
    level_fired = False
    scale_fired = False
    for j in range(d):
        q = scratch[j]
        c = coords[k, j]
        if q.z < 0.0 or c.scale == 0.0:
            continue
        p = q.p if d == 1 and q.nearest == q.z else probability(h.tail, q.z, log_alpha)
        q.p = p
        above = q.e > 0.0
        if q.jump == 0.0 and c.step > 0.0:
            scale_shift_step(c, p, p <= alpha, q.e == 0.0)
        joint += level_shift_step(c, above, p, smallest)
        if anomaly and (d == 1 or q.nearest > z_alpha):
            c.exceeded |= 1 if above else 2
        m = shifted(c, q, n, d)
        if m > 0:
            level_fired = True
            count = max(count, m)
        bar = SCALE_THRESHOLD + math.log(d)
        if widened(c, bar) or c.narrow >= bar:
            scale_fired = True
    if d > 1:
        if h.joint <= 0.0:
            h.joint_age = -1
        h.joint = max(0.0, h.joint + min(joint, evidence(smallest, smallest)))
        h.joint_age += 1
        if h.joint >= LEVEL_THRESHOLD:
            level_fired = True
            count = max(count, h.joint_age + 1)
    if scale_fired and not level_fired:
        for j in range(d):
            c = coords[k, j]
            bar = SCALE_THRESHOLD + math.log(d)
            if widened(c, bar):
                count = max(count, int(c.wide_age) + 1)
            if c.narrow >= bar:
                count = max(count, int(c.narrow_age) + 1)
    return count, level_fired, scale_fired


@part
def shifted(c, q, n, d):
    """Has the level of this coordinate shifted?  Returns the number of values that belong to the new one, or 0."""
    s = max(c.up, c.down)
    bar = LEVEL_THRESHOLD + math.log(d)
    if s < bar:
        return 0
    up = c.up >= c.down
    age = c.up_age if up else c.down_age
    m = min(age + 1, RING)
    if (c.up_wide if up else c.down_wide) >= 5.0 and s < 8.0 * bar:
        return 0
    values = np.empty(RING)
    values[0] = q.x
    for i in range(1, m):
        values[i] = c.ring[(n - i) & (RING - 1)]
    centre = median(values, m)
    for i in range(m):
        values[i] = abs(values[i] - centre)
    if median(values, m) < AGREEMENT * c.scale or s >= 8.0 * bar:
        return age + 1
    return 0


@piece
def widened(c, bar):
    """Has the scale grown?  One-sided evidence is a level shift's; both sides at once can only be the scale's."""
    one, other = max(c.up, c.down), min(c.up, c.down)
    if one >= bar and other >= BOTH_SIDES:
        return True
    return c.wide >= bar and (one < 0.5 * LEVEL_THRESHOLD or other > 0.0)


@part
def move_levels(h, coords, k, d, scratch, n, count):
    """Restart the levels that moved."""
    bar = 0.5 * LEVEL_THRESHOLD
    together = h.joint >= LEVEL_THRESHOLD
    for j in range(d):
        c = coords[k, j]
        if scratch[j].z >= 0.0 and (together or d == 1 or max(c.up, c.down) >= bar):
            restart_level(c, scratch[j].x, n, count)
    h.joint = 0.0


@part
def restart_level(c, x, n, count):
    """The level restarts at the median of the change's values; returns it."""
    m = min(count, RING)
    values = np.empty(RING)
    values[0] = x
    for i in range(1, m):
        values[i] = c.ring[(n - i) & (RING - 1)]
    value = median(values, m)
    level_restart(c, value, 0.6 * m)
    ar_forget_lags(c)
    level_shift_reset(c)
    scale_shift_reset(c)
    forget_bins(c.bins, n, count - 1)
    return value


@part
def move_scales(h, coords, k, d, n):
    """Restart the scales that moved."""
    bar = SCALE_THRESHOLD + math.log(d)
    for j in range(d):
        c = coords[k, j]
        if widened(c, bar):
            restart_scale(c, n, int(c.wide_age) + 1)
        elif c.narrow >= bar:
            restart_scale(c, n, int(c.narrow_age) + 1)
    h.joint = 0.0


@part
def restart_scale(c, n, count):
    """The scale restarts at the median of the change's residuals."""
    z = median_bin(c, n, count)
    spread = c.scale * z
    if z >= OFF_THE_GRID:
        level = level_value(c)
        values = np.empty(RING)
        for i in range(RING):
            values[i] = abs(c.ring[i] - level)
        spread = median(values, values.shape[0])
    c.scale = max(spread, scale_floor(level_value(c)))
    c.scale_n = 6
    forget_bins(c.bins, n, count)
    scale_shift_reset(c)
    level_shift_reset(c)


@part
def median_bin(c, n, count):
    """Median z of the last ``count`` residuals, from their bins; 1 when there are none."""
    values = np.empty(16)
    m = 0
    for i in range(1, min(count, 16) + 1):
        k = c.bins[(n - i) & (KEPT - 1)]
        if k != EMPTY:
            b = int(k) & (ABOVE - 1)
            values[m] = EDGES[max(b - 1, 0)] * (1.09 if b > 0 else 0.5)
            m += 1
    return median(values, m) if m > 0 else 1.0


@part
def forget_bins(bins, n, count):
    """The residuals of a change never enter the tail."""
    for i in range(1, min(count, KEPT) + 1):
        bins[(n - i) & (KEPT - 1)] = EMPTY
