"""Learn an event whose verdict is written: every coordinate, the tails, the habits; then refit what is due."""

from __future__ import annotations

import math

from marigram.detectors.beginning import first_values, start_coordinate
from marigram.detectors.limits import LEARNING, NO_STEP, START
from marigram.detectors.scoring import CANDIDATE_EVIDENCE, joint_quantile
from marigram.detectors.state import KEPT, RING
from marigram.numerics.elementary import clip, larger, smaller, uniform
from marigram.numerics.grid import EMPTY, bin_of
from marigram.numerics.jit import once, part, piece
from marigram.online.autoregression import (
    ar1_coefficient,
    ar1_learn,
    ar2_coefficients,
    ar2_learn,
    take_innovation,
)
from marigram.online.context import context_learn
from marigram.online.level import LARGEST, level_step
from marigram.online.scale import scale_floor, scale_step
from marigram.online.season import season_learn
from marigram.thresholds.habits import record_learn
from marigram.thresholds.tail import ABOVE, FIRST_FIT, MEMORY, refit, tail_add

LATE = 8
"""A residual enters the tail this many events late, so that nothing of an undetected shift does."""
HABIT_MEMORY = 32768.0
ROUNDING = 1e-9
"""A residual that is no more than this many scales lies on neither side: its sign is that of a rounding error."""
FAR, FAR_SHARE = 3.0, 0.1
"""Where more than this share of a coordinate's values lie farther out than this many scales, the scale, which stands
for half of them, says nothing of the others: discrete values, most of them equal."""
STRETCH_STEP, STRETCH_GAIN, STRETCH_MOST, STRETCH_CLIP = 0.05, 40.0, 0.25, 2.0
POOLED = 500.0
"""With ``pool``, a key takes the tail of all keys until its own holds this many residuals."""
POOL_FIT, POOL_MEMORY = 500.0, 65536.0
"""Residuals of all keys from which their tail is fitted, and at which its counts are halved."""


@once
def learn_event(
    h, coords, seasons, largest, everyone, pooled, k, w, d, scratch, n, z_max, l2, anomaly, learning, level_fired,
    first_other, alpha, work,
):  # fmt: skip
    """Learn the event: every coordinate, the tails, the habits; then refit what is due."""
    memory = MEMORY * min(d, 12)
    h.recent_rate += 0.05 * ((1.0 if anomaly else 0.0) - h.recent_rate)
    if not learning:
        h.anomaly_rate += 0.001 * ((1.0 if anomaly else 0.0) - h.anomaly_rate)
    for j in range(d):
        c = coords[k, j]
        q = scratch[j]
        release(h.tail, c.bins, n, memory)
        if pooled and n >= LEARNING + LATE:
            share(everyone, c.bins, n)
        if q.z < 0.0:
            c.bins[n & (KEPT - 1)] = EMPTY
            c.ring[n & (RING - 1)] = c.ring[(n - 1) & (RING - 1)]
            continue
        x = q.x
        if c.scale == 0.0:
            first_values(c, x, n)
            start_coordinate(c)
            continue
        constant = c.step == 0.0
        note_ties(c, x, n)
        if level_fired or (constant and c.step > 0.0):
            if constant and c.step > 0.0:
                c.scale = max(c.step, scale_floor(x))
                c.scale_n = START
            c.ring[n & (RING - 1)] = x
            c.bins[n & (KEPT - 1)] = EMPTY
            record_learn(c, x, float(n))
            continue
        g = seasons[k if w.slot >= 0 else 0, j] if seasons.shape[0] > 0 else seasons[k, j]
        if d > 1:
            learn_stretch(c, abs(q.e) / c.scale, n)
        learn_coordinate(c, g, w, x, q, n, q.p <= alpha and not learning, learning, h.recent_rate)
        if c.step == 0.0:
            # a constant has no residuals to learn a tail from
            c.bins[n & (KEPT - 1)] = EMPTY
    i = n & 7
    if n >= START + 8:
        tail_add(h.habit, h.habit_ring[i], HABIT_MEMORY)
    h.habit_ring[i] = bin_of(l2)
    if h.habit.total >= h.habit.due and h.habit.total >= FIRST_FIT:
        refit(h.habit, alpha, HABIT_MEMORY, 0.0, work)
    due = h.tail.total >= h.tail.due and h.tail.total >= FIRST_FIT
    if due:
        refit(h.tail, alpha if d == 1 else alpha / d, memory, 1.0, work)
    if pooled and everyone.total >= everyone.due and everyone.total >= POOL_FIT:
        refit(everyone, alpha, POOL_MEMORY, 1.0, work)
    if d > 1:
        top = largest[k]
        if n == START:
            for b in range(KEPT):
                top.ring[b] = EMPTY
        release(top.tail, top.ring, n, MEMORY)
        top.ring[n & (KEPT - 1)] = EMPTY if level_fired or first_other else bin_of(z_max)
        if top.tail.total >= top.tail.due and top.tail.total >= FIRST_FIT:
            refit(top.tail, alpha, MEMORY, 1.0, work)
            due = True
        if due:
            h.z_alpha = joint_quantile(h.tail, top.tail, alpha, math.log(alpha), d)
    elif due:
        h.z_alpha = h.tail.z_alpha
    h.n = n + 1


@once
def learn_coordinate(c, g, w, x, q, n, anomaly, learning, recent_rate):
    """Learn one value whose verdict is written."""
    scale = c.scale
    jump = q.jump
    level = q.level
    inverse = 1.0 / scale
    r = clip(x - level, LARGEST * scale) * inverse
    e = q.e
    quiet = larger(c.up, c.down) < CANDIDATE_EVIDENCE
    if q.innovation:
        take_innovation(c)
    context_learn(c, w.slot, x, q.experts, inverse)
    if w.slot >= 0:
        straight = clip(x - q.curves[1], LARGEST * scale)
        ar2_learn(c, 1, straight * inverse, (straight - e) * inverse, anomaly, quiet)
        season_learn(c, g, w, clip(x - q.curves[0], LARGEST * scale), straight, scale)
    ar2_learn(c, 0, r, r - e * inverse, anomaly, quiet)
    carried = q.experts[0] - level
    level_step(c, x, carried, scale, inverse)
    ar1_learn(c, r, carried * inverse, anomaly, quiet)
    z = e * inverse
    if jump > 0.0:
        z = (e + jump * (uniform(n) - 0.5)) / scale
    c.bins[n & (KEPT - 1)] = bin_of(abs(z) * scale / q.width) | (ABOVE if z > ROUNDING else 0)
    if not anomaly or recent_rate >= 0.5 or learning or c.scale_n < 50:
        scale_step(c, z, level)
        c.scale = larger(c.scale, 0.25 * jump)
    c.ring[n & (RING - 1)] = x
    record_learn(c, x, float(n))
    if n < 200 or (n & 7) == 0:
        ar1_coefficient(c, float(n))
        ar2_coefficients(c, 0)
        if w.slot >= 0:
            ar2_coefficients(c, 1)


@part
def learn_stretch(c, z, n):
    """Clipped SGD on the doublings of FAR that a coordinate's far values need; the others pull it back to none."""
    beyond = math.log2(z / FAR) - c.stretch if z > FAR else 0.0
    a = smaller(larger(STRETCH_STEP, STRETCH_GAIN / n), STRETCH_MOST)
    c.stretch = larger(c.stretch + a * (clip(larger(beyond, 0.0), STRETCH_CLIP) - FAR_SHARE), 0.0)


@once
def note_ties(c, x, n):
    """Follow how often values repeat and the smallest step between neighbours."""
    equal = 0.0
    for i in range(RING):
        if c.ring[i] == x:
            equal = 1.0
    c.ties += 0.02 * (equal - c.ties)
    gap = abs(x - c.ring[(n - 1) & (RING - 1)])
    if gap > NO_STEP * abs(x):
        c.step = smaller(c.step * 1.001, gap) if c.step > 0.0 else gap


@piece
def release(tail, bins, n, memory):
    """Let the residual whose delay is over into the tail."""
    i = n - LATE
    if i >= 0:
        k = bins[i & (KEPT - 1)]
        if k != EMPTY:
            tail_add(tail, k, memory)


@piece
def share(everyone, bins, n):
    """Let the residual whose delay is over into the tail of all keys too."""
    k = bins[(n - LATE) & (KEPT - 1)]
    if k != EMPTY:
        tail_add(everyone, k, POOL_MEMORY)
