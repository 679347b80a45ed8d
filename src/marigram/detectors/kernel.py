"""One event through the default detector, and the loop over a batch.

The order at each event is fixed: predict, p-value, kind, severity, evidence of change, learn.  Nothing of an event is
learned before its verdict is written.  The loop takes the state of many keys and the rows of a batch in their order;
a single detector is a table of one key.
"""

from __future__ import annotations

import numpy as np

from marigram.detectors.beginning import collect
from marigram.detectors.changes import (
    ONE_CHANGE,
    WITHDRAWN,
    forget_bins,
    gather_evidence,
    move_levels,
    move_scales,
)
from marigram.detectors.learning import POOLED, learn_event
from marigram.detectors.limits import (
    ANOMALY,
    DRIFT,
    LARGEST_VALUE,
    LEARNING,
    LEARNING_KIND,
    MISSING,
    NO_TIME,
    NORMAL,
    REJECTED,
    START,
    UNDECIDED,
)
from marigram.detectors.notices import DRIFT_SEVERITY, UNUSUAL, tell
from marigram.detectors.scoring import (
    joint_plain,
    joint_probability,
    largest_z,
    score_event,
    write_band,
    write_why,
)
from marigram.detectors.state import KEPT
from marigram.numerics.bits import prefetch
from marigram.numerics.jit import kernel
from marigram.online.level import level_value
from marigram.online.season import BEHIND_SLOTS, read_calendar, slot_of
from marigram.thresholds.habits import record_probability, severity, surprise
from marigram.thresholds.tail import alpha_quantile, plain_probability, probabilities


@kernel
def run(
    heads, coords, seasons, largest, pool, settings, slots, values, times, shard, shards,
    seq, learned, p_value, expected, lower, upper, kind, sev, episode, notice, late, why,
    drift_rows, changed_at, before, after, resolves, scratch, calendar, work,
):  # fmt: skip
    """Send a batch through its keys' detectors in row order; returns the number of drifts written.

    ``shard`` of ``shards`` restricts the loop to the keys whose slot is congruent to it.
    """
    alpha = settings[0].alpha
    log_alpha = settings[0].log_alpha
    rows, d = values.shape
    timed = times.shape[0] == rows and rows > 0
    seasonal = seasons.shape[0] > 0
    drifts = 0
    ahead = 12
    head_size = heads.itemsize
    coord_size = coords.itemsize * d
    season_size = seasons.itemsize * d
    w = calendar[0]
    everyone = pool[0].tail
    pooled = settings[0].pool != 0
    for row in range(rows):
        slot_number = slots[row]
        if row + ahead < rows and d == 1:
            next_slot = slots[row + ahead]
            for line in range(0, head_size, 64):
                prefetch(heads, next_slot * head_size + line)
            for line in range(0, coord_size, 64):
                prefetch(coords, next_slot * coord_size + line)
            if seasonal and timed and times[row + ahead] != NO_TIME:
                k = slot_of(times[row + ahead])
                prefetch(seasons, next_slot * season_size + 4 * k)
                for line in range(BEHIND_SLOTS, season_size, 64):
                    prefetch(seasons, next_slot * season_size + line)
        if shards > 1 and slot_number % shards != shard:
            continue
        h = heads[slot_number]
        n = h.n
        time = times[row] if timed else NO_TIME
        seq[row] = h.seq
        learned[row] = n
        number = h.seq
        h.seq += 1
        p_value[row] = np.nan
        sev[row] = np.nan

        # what the event is made of
        finite = 0
        bad = False
        for j in range(d):
            x = values[row, j]
            if x == x:
                if abs(x) > LARGEST_VALUE:
                    bad = True
                finite += 1
        is_late = time != NO_TIME and h.timed != 0 and time < h.time
        late[row] = is_late
        usable = finite > 0 and not bad
        if usable and not is_late and time != NO_TIME:
            if h.timed != 0:
                gap = float(time) - float(h.time)
                h.gap = max(gap, h.gap + 0.002 * (gap - h.gap))
            h.time = time
            h.timed = 1
            h.silent = 0
        if not usable:
            kind[row] = REJECTED if bad else MISSING
        if seasonal and time != NO_TIME:
            read_calendar(w, time)
        else:
            w.slot = -1

        # ---- the first values: a median, no band yet
        if n < START:
            collect(
                coords, slot_number, d, values, row, n, usable, is_late, h, expected, lower, upper, why, kind,
                p_value, sev,
            )  # fmt: skip
            continue

        # ---- predict and score
        score_event(coords, seasons, slot_number, w, values, row, n, d, scratch)
        z_max, which, first_other = largest_z(coords, slot_number, d, scratch, usable)
        tail = h.tail
        z_alpha = h.z_alpha
        if pooled and tail.total < POOLED and everyone.first > 0:
            tail = everyone
            z_alpha = everyone.z_alpha
        elif tail.first == 0:
            z_alpha = alpha_quantile(tail, alpha if d == 1 else alpha / d)
        learning = n < LEARNING
        floor = 1.0 / (n + 2.0)
        unbounded = learning and floor > alpha
        outside = write_band(
            coords, slot_number, d, scratch, z_alpha, unbounded, values, row, expected, lower, upper
        )
        if not usable:
            if d > 1:
                for j in range(d):
                    why[row, j] = 0.0
            continue
        if d == 1:
            p, p0 = probabilities(tail, z_max, log_alpha)
            scratch[0].p = p
        else:
            p = joint_probability(h.tail, largest[slot_number].tail, z_max, log_alpha, d)
            p0 = joint_plain(h.tail, largest[slot_number].tail, z_max, d)
            write_why(d, scratch, why, row)
        if learning:
            p = max(p, floor)
        if first_other and not learning:
            p = min(alpha, floor)
        elif not unbounded:
            p = min(p, alpha) if outside else max(p, alpha * (1.0 + 1e-12))
        p_value[row] = p
        anomaly = p <= alpha and not learning

        # ---- severity: what this key calls unusual
        l2 = surprise(p0)
        p2 = plain_probability(h.habit, l2) if h.habit.first > 0 else min(p0, 1.0)
        record = 1.0
        if d == 1:
            record = record_probability(coords[slot_number, 0], values[row, 0], float(n))
        s = severity(p2, record)
        if learning:
            s = 0.0

        # ---- kind
        code = NORMAL
        if learning:
            code = LEARNING_KIND
        elif first_other:
            code = UNDECIDED
        elif anomaly:
            code = ANOMALY
            if d == 1 or which >= 0:
                c = coords[slot_number, which]
                above = scratch[which].e > 0.0
                if (above and c.up > 0.0 and (c.exceeded & 1)) or (
                    not above and c.down > 0.0 and (c.exceeded & 2)
                ):
                    code = UNDECIDED

        if is_late:
            kind[row] = code
            sev[row] = s
            told = tell(h, s, False)
            notice[row] = told
            episode[row] = h.episode if s >= UNUSUAL else 0
            continue

        # ---- evidence of change
        started = 0
        level_fired = False
        scale_fired = False
        if not learning:
            started, level_fired, scale_fired = gather_evidence(
                h, coords, slot_number, d, scratch, n, anomaly, log_alpha, alpha, z_alpha
            )
        told_drift = False
        if level_fired or scale_fired:
            told_drift = h.since_drift >= ONE_CHANGE
            if told_drift:
                drift_rows[drifts] = row
                changed_at[drifts] = number - started + 1
                resolves[drifts] = max(number - started + 1, number - WITHDRAWN)
            for j in range(d):
                c = coords[slot_number, j]
                if told_drift:
                    before[drifts, j] = level_value(c)
            if level_fired:
                move_levels(h, coords, slot_number, d, scratch, n, started)
            else:
                move_scales(h, coords, slot_number, d, n)
            if told_drift:
                for j in range(d):
                    after[drifts, j] = level_value(coords[slot_number, j])
                drifts += 1
                code = DRIFT
                s = max(s, DRIFT_SEVERITY)
            h.since_drift = 0
            if d > 1:
                top = largest[slot_number]
                forget_bins(top.ring, n, min(started, KEPT))
        else:
            h.since_drift = min(h.since_drift + 1, 1 << 30)

        kind[row] = code
        sev[row] = s
        notice[row] = tell(h, s, told_drift)
        episode[row] = h.episode if (s >= UNUSUAL or told_drift) else 0

        # ---- learn
        learn_event(
            h, coords, seasons, largest, everyone, pooled, slot_number, w, d, scratch, n, z_max, l2, anomaly, learning,
            level_fired, first_other, alpha, work,
        )  # fmt: skip
    return drifts
