"""From a distance to its verdict: the default detector's tail, severity, change test and episodes, one-sided.

The distance N of an event is followed as any number is: a level c (:mod:`marigram.online.level`), a scale w
(:mod:`marigram.online.scale`), and z = max(N - c, 0)/w goes into the histogram with its Pareto tail.  Only distances
that are too large count: p = 1 for all others.
"""

from __future__ import annotations

import math

import numpy as np

from marigram.change.level_shift import (
    evidence_cap,
    level_shift_reset,
    level_shift_step,
)
from marigram.change.scale_shift import THRESHOLD as SCALE_THRESHOLD
from marigram.change.scale_shift import scale_shift_reset, scale_shift_step
from marigram.detectors.changes import ONE_CHANGE, forget_bins, shifted, widened
from marigram.detectors.joint.dense import START
from marigram.detectors.learning import HABIT_MEMORY, release
from marigram.detectors.limits import ANOMALY, LEARNING, LEARNING_KIND, NORMAL, UNDECIDED
from marigram.detectors.state import KEPT, RING
from marigram.numerics.elementary import exp_small, larger, median, smaller
from marigram.numerics.grid import EMPTY, bin_of
from marigram.numerics.jit import part, piece
from marigram.online.level import level_inflation, level_restart, level_step, level_value
from marigram.online.scale import scale_step
from marigram.thresholds.habits import record_learn, record_probability, severity, surprise
from marigram.thresholds.tail import (
    FIRST_FIT,
    MEMORY,
    alpha_quantile,
    plain_probability,
    probabilities,
    refit,
    tail_add,
)

NARROWEST = 1e-4
"""Least scale of the distance, as a part of its level."""
CLIP_QUANTILE, CLIP_GAIN = 0.95, 0.02
TYPICAL_STEP = 0.001
YOUNG = 512
"""What a tail remembers of its key's first 4 YOUNG events: the norm was still unsure when it began."""


@part
def distance_start(h):
    """Level and scale of the distance from the ring: median and median absolute deviation."""
    values = np.empty(RING)
    for i in range(RING):
        values[i] = h.ring[i]
    c = median(values, len(values))
    h.clip = 1.2 * values[RING - 1]
    h.clip_n = 0.0
    for i in range(RING):
        values[i] = abs(h.ring[i] - c)
    h.scale = larger(median(values, len(values)), larger(NARROWEST * c, 1e-300))
    h.scale_n = RING
    level_restart(h, c, float(RING))
    h.typical = c
    level_shift_reset(h)
    scale_shift_reset(h)
    for i in range(KEPT):
        h.bins[i] = EMPTY
    h.since_drift = ONE_CHANGE
    h.lowest = 0.0


@part
def constant_no_more(h):
    """The first move of a vector that had been constant: from here on distances are of the order of 1."""
    level_restart(h, 0.0, 1.0)
    h.scale = 0.5
    h.scale_n = 1
    h.typical = 1.0
    h.clip = 1.5
    h.clip_n = 0.0
    for i in range(RING):
        h.ring[i] = 0.0


@part
def distance_restart(h):
    """The distance has a new level of its own, that of the ring; its tail stays."""
    values = np.empty(RING)
    for i in range(RING):
        values[i] = h.ring[i]
    c = median(values, len(values))
    level_restart(h, c, 0.6 * RING)
    h.typical = c
    h.scale = larger(h.scale, NARROWEST * c)
    h.scale_n = RING
    h.clip = larger(h.clip, c)
    h.clip_n = 0.0


@part
def score_distance(h, distance, first, n, alpha, log_alpha, q):
    """Judge a distance: fills q and gives p, the band's upper end, severity, surprise and kind.

    ``first``: a vector that had never varied has moved.
    """
    c = level_value(h)
    width = h.scale * level_inflation(h)
    e = distance - c
    z = larger(e, 0.0) / width
    q.x, q.e, q.z, q.nearest, q.width, q.jump = distance, e, z, z, width, 0.0
    z_alpha = h.z_alpha if h.tail.first > 0 else alpha_quantile(h.tail, alpha)
    learning = n < LEARNING
    floor = 1.0 / (n + 2.0)
    upper = c + z_alpha * width
    unbounded = learning and floor > alpha
    if unbounded:
        upper = math.inf
    if first and not unbounded:
        upper = c
    p, p0 = probabilities(h.tail, z, log_alpha)
    q.p = p
    if learning:
        p = max(p, floor)
    if first and not learning:
        p = min(alpha, floor)
    elif not unbounded:
        p = min(p, alpha) if distance > upper else max(p, alpha * (1.0 + 1e-12))
    l2 = surprise(p0)
    p2 = plain_probability(h.habit, l2) if h.habit.first > 0 else min(p0, 1.0)
    s = 0.0 if learning else severity(p2, record_probability(h, distance, float(n)))
    code = NORMAL
    if learning:
        code = LEARNING_KIND
    elif first:
        code = UNDECIDED
    elif p <= alpha:
        code = UNDECIDED if h.up > 0.0 and (h.exceeded & 1) else ANOMALY
    return p, upper, s, l2, code


@part
def change_of_distance(h, q, n, alpha):
    """Feed the change tests; returns how many events belong to a change, or 0, and whether it is a narrowing."""
    p = q.p
    scale_shift_step(h, p, p <= alpha, q.e == 0.0)
    level_shift_step(h, q.e > 0.0, p, evidence_cap(h.anomaly_rate))
    if p <= alpha:
        h.exceeded |= 1
    m = shifted(h, q, n, 1)
    if m > 0:
        return m, False
    if widened(h, SCALE_THRESHOLD):
        return int(h.wide_age) + 1, False
    if h.narrow >= SCALE_THRESHOLD:
        return int(h.narrow_age) + 1, True
    return 0, False


@part
def change_is_told(h, n, count):
    """Forget what belongs to a change that was found, so that it is told once."""
    forget_bins(h.bins, n, min(count, KEPT) - 1)
    level_shift_reset(h)
    scale_shift_reset(h)
    h.since_drift = 0


@piece
def clip_of(h, distance):
    """The part of an event's gradient that is let in: min(1, level/N)."""
    return 1.0 if distance <= h.clip else h.clip / distance


@part
def learn_distance(h, distance, q, n, l2, anomaly, changed, alpha, work):
    """Learn a distance whose verdict is written: clip level, its own level and scale, tails, habits."""
    learning = n < LEARNING
    h.recent_rate += 0.05 * ((1.0 if anomaly else 0.0) - h.recent_rate)
    if not learning:
        h.anomaly_rate += 0.001 * ((1.0 if anomaly else 0.0) - h.anomaly_rate)
    release(h.tail, h.bins, n, YOUNG if n < 4 * YOUNG else MEMORY)
    i = n & (KEPT - 1)
    h.ring[n & (RING - 1)] = distance
    record_learn(h, distance, float(n))
    if changed:
        h.bins[i] = EMPTY
    else:
        gain = larger(CLIP_GAIN, 2.0 / (h.clip_n + 8.0))
        h.clip_n += 1.0
        h.clip *= exp_small(gain * (CLIP_QUANTILE - (1.0 if distance <= h.clip else 0.0)))
        h.clip = smaller(larger(h.clip, 0.5 * level_value(h)), 1e150)
        h.typical += larger(TYPICAL_STEP, 1.0 / (h.clip_n + RING)) * (smaller(distance, h.clip) - h.typical)
        h.bins[i] = bin_of(q.z)
        level_step(h, distance, 0.0, h.scale, 1.0 / h.scale)
        if not anomaly or h.recent_rate >= 0.5 or learning or h.scale_n < 50:
            c = level_value(h)
            scale_step(h, q.e / h.scale, c)
            h.scale = larger(h.scale, NARROWEST * c)
    if n >= START + 8:
        tail_add(h.habit, h.habit_ring[n & 7], HABIT_MEMORY)
    h.habit_ring[n & 7] = bin_of(l2)
    if h.habit.total >= h.habit.due and h.habit.total >= FIRST_FIT:
        refit(h.habit, alpha, HABIT_MEMORY, 0.0, work)
    if h.tail.total >= h.tail.due and h.tail.total >= FIRST_FIT:
        h.tail.balance = 0.0
        refit(h.tail, alpha, MEMORY, 1.0, work)
        h.z_alpha = h.tail.z_alpha
