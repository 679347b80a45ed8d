"""What the loops over dense and over sparse rows have in common: all but the vector itself."""

from __future__ import annotations

import math

import numpy as np

from marigram.detectors.changes import ONE_CHANGE, WITHDRAWN
from marigram.detectors.joint.distance import (
    change_is_told,
    distance_restart,
    score_distance,
)
from marigram.detectors.limits import DRIFT, LEARNING, LEARNING_KIND, MISSING, NO_TIME, REJECTED
from marigram.detectors.notices import DRIFT_SEVERITY, UNUSUAL, tell
from marigram.detectors.state import RING
from marigram.numerics.elementary import larger, median
from marigram.numerics.jit import part, piece
from marigram.online.level import level_inflation, level_restart, level_value
from marigram.thresholds.tail import alpha_quantile

NAMED = 8
"""Coordinates that ``why`` names."""
NAMED_P = 0.01
"""It names them for events of this p-value or less; of no more than NAMED coordinates, for every event."""
TOLD = 64
"""Coordinates of which a drift tells the levels."""
EXPLAINED = 0.5
"""Part of the energy in excess that a common displacement explains if it is the level that has changed."""
LEVEL, WIDER, NARROWER, AGAIN = 1, 2, 3, 4
"""What has changed: the mean; the scale; the distance alone, soon after another change."""
OUT = np.dtype(
    [
        ("seq", "i8"), ("n", "i8"), ("value", "f8"), ("p_value", "f8"), ("expected", "f8"), ("lower", "f8"),
        ("upper", "f8"), ("severity", "f8"), ("episode", "i8"), ("kind", "u1"), ("notice", "?"), ("late", "?"),
    ]
)  # fmt: skip
"""What is said of one event, but for the names."""
CHANGE = np.dtype(
    [
        ("row", "i8"), ("changed_at", "i8"), ("resolves", "i8"), ("before", "f8"), ("after", "f8"),
        ("coordinates", "i8", (TOLD,)), ("levels_before", "f8", (TOLD,)), ("levels_after", "f8", (TOLD,)),
    ]
)  # fmt: skip
"""What is said of one drift; ``before`` and ``after`` are distances from the norm that was left."""


@part
def open_row(h, o, time):
    """Number the event and see whether it is late."""
    o.seq = h.seq
    o.n = h.n
    h.seq += 1
    o.late = time != NO_TIME and h.timed != 0 and time < h.time
    o.value = o.p_value = o.severity = np.nan
    o.episode = 0
    o.notice = False


@part
def note_time(h, time):
    """An event in time sets the key's clock."""
    if time == NO_TIME:
        return
    if h.timed != 0:
        gap = float(time) - float(h.time)
        h.gap = max(gap, h.gap + 0.002 * (gap - h.gap))
    h.time = time
    h.timed = 1
    h.silent = 0


@part
def band(h, o, alpha):
    """The band before an event without a distance."""
    o.lower = 0.0
    if h.level_n == 0.0:
        o.expected = np.nan
        o.upper = np.inf
    else:
        o.expected = level_value(h)
        z_alpha = h.z_alpha if h.tail.first > 0 else alpha_quantile(h.tail, alpha)
        width = h.scale * level_inflation(h)
        o.upper = o.expected + z_alpha * width
        if h.n < LEARNING and 1.0 / (h.n + 2.0) > alpha:
            o.upper = np.inf


@part
def unusable(h, o, bad, alpha):
    """An event that is missing or rejected."""
    o.kind = REJECTED if bad else MISSING
    band(h, o, alpha)


@part
def warming(o, distance):
    """One of the first events: no distance is judged yet."""
    o.kind = LEARNING_KIND
    o.value = distance
    o.p_value = 1.0
    o.severity = 0.0
    o.lower = 0.0
    o.expected = np.nan
    o.upper = np.inf


@part
def judge(h, o, distance, first, settings, q):
    """Write what is said of a distance before anything of it is learned; returns the surprise."""
    p, upper, s, l2, code = score_distance(h, distance, first, h.n, settings.alpha, settings.log_alpha, q)
    o.value = distance
    o.p_value = p
    o.expected = level_value(h)
    o.lower = 0.0
    o.upper = upper
    o.severity = s
    o.kind = code
    return l2


@part
def finish(h, o, drift):
    """Episode and notice."""
    if drift:
        o.kind = DRIFT
        o.severity = max(o.severity, DRIFT_SEVERITY)
    o.notice = tell(h, o.severity, drift)
    o.episode = h.episode if (o.severity >= UNUSUAL or drift) else 0


@piece
def relative(h):
    """(1 + u)(1 + 2 u_v): how much a young norm widens squared residuals."""
    return (1.0 + h.mean_error) * (1.0 + 2.0 * min(h.spread_error, 1.0))


@part
def steps(h, phi, step):
    """Steps of mean and variances, clipped, and what the mean's error adds to a residual; follows the errors."""
    a = phi * larger(h.mean_error / (1.0 + h.mean_error), step)
    b = phi * phi * larger(h.spread_error / (1.0 + h.spread_error), 0.1 * step)
    shrink = 1.0 / (1.0 + h.mean_error)
    h.mean_error = (1.0 - a) * (1.0 - a) * h.mean_error + a * a
    h.spread_error = (1.0 - b) * (1.0 - b) * h.spread_error + b * b
    return a, b, shrink


@part
def which_change(h, narrower, moved):
    """Is it the level or the scale?  ``moved``: mean square of the gathered events' mean, in standard deviations."""
    if narrower:
        return NARROWER
    if h.gathered >= 2:
        k = float(h.gathered)
        energy = h.energy / k
        if (moved - energy / k) * k / (k - 1.0) >= EXPLAINED * (energy - h.usual):
            return LEVEL
    return AGAIN if h.since_drift < ONE_CHANGE else WIDER


@part
def ratio_of_ring(h, change, count):
    """By how much the variances have changed: from the median of the change's distances, at most RING of them."""
    m = min(max(count - 1, 1), RING)
    values = np.empty(RING)
    for i in range(m):
        values[i] = h.ring[(h.n - 1 - i) & (RING - 1)]
    distance = median(values, m)
    ratio = (distance / h.typical) ** 2 if h.typical > 0.0 and distance > 0.0 else 1.0
    return min(max(ratio, 1.0), 1e12) if change == WIDER else max(min(ratio, 1.0), 1e-12)


@part
def write_change(h, o, w, row, count):
    """A drift's row: since when, which alerts it takes back, and how far the events went."""
    w.row = row
    w.changed_at = o.seq - count + 1
    w.resolves = max(o.seq - count + 1, o.seq - WITHDRAWN)
    w.before = o.expected
    w.after = math.sqrt(h.energy / h.gathered) if h.gathered > 0 else o.value
    for k in range(TOLD):
        w.coordinates[k] = -1
        w.levels_before[k] = w.levels_after[k] = np.nan


@part
def close_change(h, change, n, count):
    """After a change: what belongs to it is forgotten, and a distance that went up again has a new level."""
    change_is_told(h, n, count)
    h.gathered = 0
    h.energy = 0.0
    if change == AGAIN:
        distance_restart(h)
    elif change != LEVEL:
        level_restart(h, h.typical, 0.6 * RING)
        h.scale_n = min(h.scale_n, 50)
