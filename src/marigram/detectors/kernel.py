"""One event through the default detector, and the loop over a batch.

The order at each event is fixed: predict, p-value, kind, severity, evidence of change, learn.  Nothing of an event is
learned before its verdict is written.  The loop takes the state of many keys and the rows of a batch in their order;
a single detector is a table of one key.
"""

from __future__ import annotations

import math

import numpy as np

from marigram.change.level_shift import THRESHOLD as LEVEL_THRESHOLD
from marigram.change.level_shift import (
    evidence,
    evidence_cap,
    level_shift_reset,
    level_shift_step,
)
from marigram.change.scale_shift import THRESHOLD as SCALE_THRESHOLD
from marigram.change.scale_shift import scale_shift_reset, scale_shift_step
from marigram.detectors.state import KEPT, RING
from marigram.numerics.bits import prefetch
from marigram.numerics.elementary import clip, larger, median, smaller, uniform
from marigram.numerics.grid import EDGES, EMPTY, bin_of
from marigram.numerics.jit import kernel, once, part, piece
from marigram.online.autoregression import (
    ar1_coefficient,
    ar1_learn,
    ar2_coefficients,
    ar2_learn,
    ar_forget_lags,
    take_innovation,
)
from marigram.online.context import EXPERTS, context_learn, context_start, predict
from marigram.online.level import LARGEST, level_inflation, level_restart, level_step, level_value
from marigram.online.scale import scale_floor, scale_step
from marigram.online.season import BEHIND_SLOTS, read_calendar, season_learn, season_start, slot_of
from marigram.thresholds.habits import record_learn, record_probability, severity, surprise
from marigram.thresholds.tail import (
    ABOVE,
    FIRST_FIT,
    MEMORY,
    SMALLEST,
    alpha_quantile,
    plain_probability,
    probabilities,
    probability,
    refit,
    tail_add,
)

NORMAL, ANOMALY, DRIFT, UNDECIDED, LEARNING_KIND, MISSING, REJECTED = 0, 1, 2, 3, 4, 5, 6
START = 8
"""Events that set the first level and scale."""
LEARNING = 64
"""Events of a key whose kind is `learning`."""
LATE = 8
"""A residual enters the tail this many events late, so that nothing of an undetected shift does."""
LARGEST_VALUE = 1e300
NO_TIME = np.int64(-(2**63))
CANDIDATE_EVIDENCE = 2.5
"""Level evidence from which the band also covers the candidate level."""
CANDIDATE_WIDTH = 1.5
"""Width of the candidate level's band over the ordinary one."""
AGREEMENT = 12.0
"""Values of a shift lie within this many scales of their median."""
BOTH_SIDES = 8.0
"""Level evidence on the weaker side that a burst of five cannot bring."""
TIES = 0.2
"""Share of values equal to one of the last eight from which a stream is discrete."""
NO_STEP = 1e-13
"""Neighbours closer than this part of their size differ by rounding only."""
ONE_CHANGE = 32
"""A second firing within this many events belongs to the same change and is not told again."""
WITHDRAWN = 5
"""A drift takes back the anomalies of at most this many events before it."""
EPISODE_GAP = 200
UNUSUAL = 3.0
DRIFT_SEVERITY = 4.0
HABIT_MEMORY = 32768.0
POOLED = 500.0
"""With ``pool``, a key takes the tail of all keys until its own holds this many residuals."""
POOL_FIT, POOL_MEMORY = 500.0, 65536.0
"""Residuals of all keys from which their tail is fitted, and at which its counts are halved."""
OFF_THE_GRID = 256.0
"""A median z this large says only that the scale is far too small."""
SCRATCH = np.dtype(
    [
        ("x", "f8"), ("e", "f8"), ("z", "f8"), ("width", "f8"), ("jump", "f8"), ("p", "f8"),
        ("nearest", "f8"), ("level", "f8"), ("band_centre", "f8"), ("band_width", "f8"),
        ("curves", "f8", (2,)), ("experts", "f8", (EXPERTS,)),
        ("innovation", "u1"),
    ]
)  # fmt: skip
"""What is known of one coordinate of the event at hand; z and nearest are -1 where there is no value."""


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
def second_reading(c, g, w, x, centre, q):
    """The last anomaly may have been an innovation: take that reading if it explains x better."""
    other = predict(c, g, w, 1, q.level, q.curves, q.experts)
    if abs(x - other) < abs(x - centre):
        q.innovation = 1
        return other
    return predict(c, g, w, 0, q.level, q.curves, q.experts)


@once
def score_coordinate(c, g, w, x, q):
    """Predict and standardise one value; fills the scratch row q.

    After an anomaly there are two readings of the past; the one that explains x better holds from here on.
    """
    scale = c.scale
    q.innovation = 0
    q.level = level_value(c)
    centre = predict(c, g, w, 0, q.level, q.curves, q.experts)
    if c.readings == 2:
        centre = second_reading(c, g, w, x, centre, q)
    far = LARGEST * scale
    e = clip(x - centre, far)
    jump = c.step if c.ties > TIES else 0.0
    width = scale * level_inflation(c)
    z = larger(abs(e) - 0.5 * jump, 0.0) / width
    q.x = x
    q.e = e
    q.z = z
    q.width = width
    q.jump = jump
    q.nearest = z
    q.band_centre = centre
    q.band_width = width


@part
def candidate(c, n, q):
    """While a shift is suspected, the last outlying values are candidate levels; the nearest explanation holds."""
    if max(c.up, c.down) < CANDIDATE_EVIDENCE:
        return
    up = c.up >= c.down
    if (q.e > 0.0) != up:
        return
    level = q.level
    width = CANDIDATE_WIDTH * q.width
    for k in range(1, 3):
        v = c.ring[(n - k) & (RING - 1)]
        if abs(v - level) <= 2.0 * c.scale or (v > level) != up:
            continue
        z = max(abs(q.x - v) - 0.5 * q.jump, 0.0) / width
        if z < q.nearest:
            q.nearest = z
            q.band_centre = v
            q.band_width = width


@part
def joint_quantile(tail, top, alpha, log_alpha, d):
    """z at which the combined tail of d coordinates equals alpha (bisection in log z)."""
    low, high = -2.0, 9.0
    for _ in range(40):
        mid = 0.5 * (low + high)
        if joint_probability(tail, top, 2.0**mid, log_alpha, d) > alpha:
            low = mid
        else:
            high = mid
    return 2.0**high


@part
def any_of(p, d):
    """P(at least one of d coordinates) with probability p each."""
    return -math.expm1(d * math.log1p(-min(p, 1.0 - 1e-12)))


@part
def joint_probability(tail, top, z, log_alpha, d):
    """Tail of the largest of d coordinates: the geometric mean of two estimates that err to opposite sides.

    One raises the pooled tail of all coordinates to the d-th power, which asks it for alpha/d; the other is a tail
    fitted to the largest z itself.
    """
    p = any_of(probability(tail, z, log_alpha), d)
    if top.first == 0:
        return max(p, SMALLEST)
    return max(math.sqrt(p) * math.sqrt(probability(top, z, log_alpha)), SMALLEST)


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
    c.bins[n & (KEPT - 1)] = bin_of(abs(z) * scale / q.width) | (ABOVE if z > 0.0 else 0)
    if not anomaly or recent_rate >= 0.5 or learning or c.scale_n < 50.0:
        scale_step(c, z, level)
        c.scale = larger(c.scale, 0.25 * jump)
    c.ring[n & (RING - 1)] = x
    record_learn(c, x, float(n))
    if n < 200 or (n & 7) == 0:
        ar1_coefficient(c, float(n))
        ar2_coefficients(c, 0)
        if w.slot >= 0:
            ar2_coefficients(c, 1)


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
    c.scale_n = 6.0
    forget_bins(c.bins, n, count)
    scale_shift_reset(c)
    level_shift_reset(c)


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


@once
def score_event(coords, seasons, k, w, values, row, n, d, scratch):
    """Fill the scratch row of every coordinate; a coordinate without a value gets z = -1."""
    for j in range(d):
        c = coords[k, j]
        g = seasons[k if w.slot >= 0 else 0, j] if seasons.shape[0] > 0 else seasons[k, j]
        x = values[row, j]
        given = x == x and abs(x) <= LARGEST_VALUE
        q = scratch[j]
        if c.scale == 0.0:
            # never had a value: this one, if it is one, begins it
            q.x, q.e, q.jump = x, 0.0, 0.0
            q.z = q.nearest = 0.0 if given else -1.0
            q.width = q.band_width = np.inf
            q.band_centre = np.nan
            continue
        score_coordinate(c, g, w, x if given else level_value(c), q)
        if n >= LEARNING:
            candidate(c, n, q)
        if not given:
            q.z = -1.0
            q.nearest = -1.0


@once
def largest_z(coords, k, d, scratch, usable):
    """Largest effective z, its coordinate, and whether a so far constant coordinate moved for the first time."""
    best = 0.0
    which = 0
    first_other = False
    if usable:
        for j in range(d):
            if coords[k, j].step == 0.0 and scratch[j].z > 0.0:
                first_other = True
                continue
            if scratch[j].nearest > best:
                best = scratch[j].nearest
                which = j
    return best, which, first_other


@once
def write_band(coords, k, d, scratch, z_alpha, unbounded, values, row, expected, lower, upper):
    """The band before the event; returns whether a value lies outside it."""
    outside = False
    for j in range(d):
        q = scratch[j]
        reach = z_alpha * q.band_width + 0.5 * q.jump
        if coords[k, j].step == 0.0 and coords[k, j].scale > 0.0:
            reach = 0.0
        if unbounded:
            reach = np.inf
        low, high = q.band_centre - reach, q.band_centre + reach
        if coords[k, j].scale == 0.0:
            low, high = -np.inf, np.inf
        expected[row, j] = q.band_centre
        lower[row, j] = low
        upper[row, j] = high
        if scratch[j].z >= 0.0 and (values[row, j] < low or values[row, j] > high):
            outside = True
    return outside


@part
def joint_plain(tail, top, z, d):
    """As :func:`joint_probability`, of the fits that believe every event."""
    p = any_of(plain_probability(tail, z), d)
    if top.first > 0:
        p = math.sqrt(p) * math.sqrt(plain_probability(top, z))
    return max(p, SMALLEST)


@part
def write_why(d, scratch, why, row):
    """Shares of the squared standardised residuals."""
    total = 0.0
    for j in range(d):
        z = min(max(scratch[j].nearest, 0.0), 1e6)
        why[row, j] = z * z
        total += z * z
    for j in range(d):
        why[row, j] = why[row, j] / total if total > 0.0 else 1.0 / d


@piece
def tell(h, s, drift):
    """Episodes and notices: true on an episode's first event and when severity rises by 1 above its peak."""
    if not (s >= UNUSUAL or drift):
        h.quiet = min(h.quiet + 1, 1 << 30)
        return False
    fresh = h.episode == 0 or h.quiet >= EPISODE_GAP
    h.quiet = 0
    if fresh:
        h.episode += 1
        h.peak = s
        return True
    if s >= h.peak + 1.0:
        h.peak = s
        return True
    return False


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
