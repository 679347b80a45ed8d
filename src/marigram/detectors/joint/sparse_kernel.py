"""The loop over a batch of sparse rows, in the order of :mod:`marigram.detectors.joint.kernel`."""

from __future__ import annotations

from marigram.detectors.changes import ONE_CHANGE
from marigram.detectors.joint.dense import START
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
    NAMED_P,
    close_change,
    finish,
    judge,
    note_time,
    open_row,
    unusable,
    warming,
    write_change,
)
from marigram.detectors.joint.sparse import (
    memory_step,
    move_moments,
    sparse_gather,
    sparse_learn,
    sparse_shares,
    sparse_sum,
)
from marigram.detectors.limits import LEARNING, NO_TIME
from marigram.detectors.state import RING
from marigram.numerics.elementary import larger
from marigram.numerics.jit import kernel, part


@part
def answer_sparse_change(
    h, o, w, row, count, narrower, first, second, gathered_first, gathered_second, stamp, kappa
):
    """Restart what has changed; returns what it was, and whether it is told.

    Of rare entries a level says as much as a scale, so a change is one of level unless distances have shrunk.
    """
    change = AGAIN if narrower or h.gathered < 2 else LEVEL
    told = h.since_drift >= ONE_CHANGE
    write_change(h, o, w, row, count)
    if change == LEVEL:
        move_moments(
            h, first, second, gathered_first, gathered_second, stamp, kappa,
            w.coordinates, w.levels_before, w.levels_after,
        )  # fmt: skip
    close_change(h, change, h.n, count)
    return change, told


@kernel
def run_sparse(
    heads, firsts, seconds, gathered_firsts, gathered_seconds, stamps, settings,
    slots, indptr, indices, values, times, out, coordinates, shares, changes, q, work,
):  # fmt: skip
    """Send sparse rows through their keys' detectors in row order; returns the number of drifts written."""
    p = settings[0]
    rows = indptr.shape[0] - 1
    timed = times.shape[0] == rows
    drifts = 0
    for row in range(rows):
        k = slots[row]
        h, o = heads[k], out[row]
        at, x = indices[indptr[row] : indptr[row + 1]], values[indptr[row] : indptr[row + 1]]
        first, second = firsts[k], seconds[k]
        n = h.n
        time = times[row] if timed else NO_TIME
        open_row(h, o, time)

        # ---- the distance
        kappa = memory_step(float(n), p.step)
        raw, given, bad = sparse_sum(h, at, x, first, second, kappa)
        if bad or (given == 0 and at.shape[0] > 0):
            unusable(h, o, bad, p.alpha)
            continue
        N = raw if n > 0 else 0.0
        moves = h.known == 0 and N > 0.0
        if n < START:
            warming(o, N)
            if not o.late:
                note_time(h, time)
                h.ring[n & (RING - 1)] = N
                if n > 0:
                    h.usual += (raw - h.usual) / n
                    h.known = 1 if N > 0.0 else h.known
                sparse_learn(h, at, x, first, second, 1.0, p.step, kappa)
                if n == START - 1:
                    distance_start(h)
                h.n = n + 1
            continue

        # ---- p-value, kind, severity
        l2 = judge(h, o, N, moves, p, q[0])
        if o.p_value <= NAMED_P:
            sparse_shares(h, at, x, first, second, kappa, raw, coordinates[row], shares[row])
        if o.late:
            finish(h, o, False)
            continue
        note_time(h, time)

        # ---- evidence of change
        anomaly = o.p_value <= p.alpha and n >= LEARNING
        change, told = 0, False
        if n >= LEARNING and not moves:
            count, narrower = change_of_distance(h, q[0], n, p.alpha)
            if h.up_age == 0 or h.up <= 0.0:
                h.gathered = 0
                h.energy = 0.0
            if h.up > 0.0:
                sparse_gather(h, at, x, gathered_firsts[k], gathered_seconds[k], stamps[k])
                h.gathered += 1
                h.energy += raw
            if count > 0:
                change, told = answer_sparse_change(
                    h, o, changes[drifts], row, count, narrower,
                    first, second, gathered_firsts[k], gathered_seconds[k], stamps[k], kappa,
                )  # fmt: skip
                drifts += 1 if told else 0
        if change == 0:
            h.since_drift = min(h.since_drift + 1, 1 << 30)
        finish(h, o, told)

        # ---- learn
        phi = 1.0 if moves else clip_of(h, N)
        if change != LEVEL:
            sparse_learn(h, at, x, first, second, phi, p.step, kappa)
            h.usual += larger(1.0 / n, 0.005) * (phi * phi * raw - h.usual)
        learn_distance(h, N, q[0], n, l2, anomaly, change > 0 or moves, p.alpha, work)
        if moves:
            constant_no_more(h)
            h.known = 1
        h.n = n + 1
    return drifts
