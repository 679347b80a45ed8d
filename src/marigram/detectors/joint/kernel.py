"""The loop over a batch of dense rows: each through the joint detector of its key.

The order at each event is that of the default detector: distance, p-value, kind, severity, evidence of change, learn.
"""

from __future__ import annotations

import math

import numpy as np

from marigram.detectors.changes import ONE_CHANGE
from marigram.detectors.joint.covariance import (
    begin_directions,
    learn_directions,
    standardise,
    whitened,
)
from marigram.detectors.joint.dense import (
    FARTHEST,
    START,
    careful_learn,
    careful_sum,
    displacement,
    gather,
    move_mean,
    rescale,
    straight_learn,
    straight_sum,
    top_shares,
)
from marigram.detectors.joint.distance import (
    change_of_distance,
    clip_of,
    constant_no_more,
    distance_start,
    learn_distance,
)
from marigram.detectors.joint.rows import (
    AGAIN,
    LEVEL,
    NAMED,
    NAMED_P,
    close_change,
    finish,
    judge,
    note_time,
    open_row,
    ratio_of_ring,
    relative,
    steps,
    unusable,
    warming,
    which_change,
    write_change,
)
from marigram.detectors.limits import LEARNING, NO_TIME
from marigram.detectors.state import RING
from marigram.numerics.elementary import larger
from marigram.numerics.jit import kernel, part


@part
def learn_vector(h, x, mean, inverse_unit, variance, straight, phi, step):
    """One clipped step of mean and variances; returns the variances' own."""
    if h.n == 0:
        careful_learn(h, x, mean, inverse_unit, variance, 0.0, 1.0, 1.0)
        h.mean_error = 1.0
        h.spread_error = 1e9
        return 1.0
    a, b, shrink = steps(h, phi, step)
    if straight:
        straight_learn(x, mean, inverse_unit, variance, a, b, shrink)
    else:
        careful_learn(h, x, mean, inverse_unit, variance, a, b, shrink)
    return b


@part
def answer_change(h, o, w, row, count, narrower, mean, inverse_unit, variance, gathered):
    """Restart what has changed; returns what it was, and whether it is told."""
    moved = displacement(h, inverse_unit, variance, gathered) if h.gathered >= 2 else 0.0
    change = which_change(h, narrower, moved)
    told = h.since_drift >= ONE_CHANGE
    write_change(h, o, w, row, count)
    if change == LEVEL:
        move_mean(h, mean, inverse_unit, variance, gathered, w.coordinates, w.levels_before, w.levels_after)
    elif change != AGAIN:
        rescale(h, ratio_of_ring(h, change, count), inverse_unit, variance)
    close_change(h, change, h.n, count)
    return change, told


@kernel
def run_dense(
    heads, means, inverse_units, variances, gathereds, directions, powers, settings,
    slots, values, times, out, coordinates, shares, changes, q, work, z, y,
):  # fmt: skip
    """Send dense rows through their keys' detectors in row order; returns the number of drifts written."""
    p = settings[0]
    rows, d = values.shape
    timed = times.shape[0] == rows
    rank = directions.shape[1]
    drifts = 0
    for row in range(rows):
        k = slots[row]
        h, o, x = heads[k], out[row], values[row]
        mean, inverse_unit, variance, gathered = means[k], inverse_units[k], variances[k], gathereds[k]
        n = h.n
        time = times[row] if timed else NO_TIME
        open_row(h, o, time)

        # ---- the distance
        total, counting, moves, straight = np.nan, h.known, False, False
        if n > 0 and h.flags == 0:
            total = straight_sum(x, mean, inverse_unit, variance)
            straight = total <= FARTHEST * FARTHEST
        if not straight:
            total, counting, given, bad, moves = careful_sum(x, mean, inverse_unit, variance, float(n))
            if bad or given == 0:
                unusable(h, o, bad, p.alpha)
                continue
        raw = total / max(counting, 1)
        N = math.sqrt(raw / relative(h)) if n > 1 else 0.0
        if rank > 0 and n > 1:
            standardise(x, mean, inverse_unit, variance, float(n), z)
            N = math.sqrt(whitened(z, directions[k], powers[k], y) / d / relative(h))
        if n < START:
            warming(o, N)
            if d <= NAMED:
                top_shares(x, mean, inverse_unit, variance, float(n), coordinates[row], shares[row])
            if not o.late:
                note_time(h, time)
                h.ring[n & (RING - 1)] = N
                b = learn_vector(h, x, mean, inverse_unit, variance, straight, 1.0, p.step)
                if n > 1:
                    h.usual += (raw - h.usual) / (n - 1.0)
                if rank > 0 and n > 1:
                    learn_directions(z, directions[k], powers[k], y, 1.0, b, float(n))
                if rank > 0 and n == 0:
                    begin_directions(directions[k], powers[k])
                if n == START - 1:
                    distance_start(h)
                h.n = n + 1
            continue

        # ---- p-value, kind, severity
        first = moves and h.known == 0
        l2 = judge(h, o, N, first, p, q[0])
        if d <= NAMED or o.p_value <= NAMED_P:
            top_shares(x, mean, inverse_unit, variance, float(n), coordinates[row], shares[row])
        if o.late:
            finish(h, o, False)
            continue
        note_time(h, time)

        # ---- evidence of change
        anomaly = o.p_value <= p.alpha and n >= LEARNING
        change, told = 0, False
        if n >= LEARNING and not first:
            count, narrower = change_of_distance(h, q[0], n, p.alpha)
            if h.up_age == 0 or h.up <= 0.0:
                h.gathered = 0
                h.energy = 0.0
            if h.up > 0.0:
                gather(h, x, mean, inverse_unit, gathered, straight)
                h.gathered += 1
                h.energy += raw
            if count > 0:
                change, told = answer_change(
                    h, o, changes[drifts], row, count, narrower, mean, inverse_unit, variance, gathered
                )
                drifts += 1 if told else 0
        if change == 0:
            h.since_drift = min(h.since_drift + 1, 1 << 30)
        finish(h, o, told)

        # ---- learn
        if change != LEVEL:
            phi = 1.0 if first else clip_of(h, N)
            b = learn_vector(h, x, mean, inverse_unit, variance, straight, phi, p.step)
            h.usual += larger(1.0 / n, 0.005) * (phi * phi * raw - h.usual)
            if rank > 0:
                learn_directions(z, directions[k], powers[k], y, phi, b, float(n))
        learn_distance(h, N, q[0], n, l2, anomaly, change > 0 or first, p.alpha, work)
        if first:
            constant_no_more(h)
        h.n = n + 1
    return drifts
