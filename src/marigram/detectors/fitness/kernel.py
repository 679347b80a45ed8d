"""The compiled steps of FITNESS (ICML 2022): find what is similar, judge, learn.

Let S be the samples of the window within r of x, or the nearest k_min where these are fewer and x is novel.  The mean
of S is drawn towards x, so S is taken again around that mean, once, within the distance of one regime's samples from
their mean.  With n = |S|, mu its mean and s the scale of the noise,

    z^2 = ||x - mu||^2 / (s^2 (1 + 1/n)),                                               (Gaussian base)

under the model a chi-square variable of d degrees.  Wilson and Hilferty's cube root makes a standard normal variable t
of it; other bases give t as their score in robust units of the scores in S.  The calibrated tail of t
(:mod:`marigram.thresholds.tail`) gives p, so that neither the law nor the scale has to be exact.
"""

from __future__ import annotations

import math

from marigram.detectors.fitness.neighbours import nearest, within
from marigram.detectors.fitness.scale import rescale
from marigram.detectors.limits import LARGEST_VALUE, LEARNING, NO_TIME
from marigram.detectors.notices import UNUSUAL, tell
from marigram.kinds import Kind
from marigram.numerics.grid import bin_of
from marigram.numerics.jit import kernel, part, piece
from marigram.thresholds.habits import severity
from marigram.thresholds.tail import FIRST_FIT, MEMORY, alpha_quantile, probabilities, refit, tail_add

ANOMALY, DRIFT, MISSING = int(Kind.ANOMALY), int(Kind.DRIFT), int(Kind.MISSING)
NORMAL, REJECTED, UNDECIDED = int(Kind.NORMAL), int(Kind.REJECTED), int(Kind.UNDECIDED)
LEARNS = int(Kind.LEARNING)
SETTLED = 16
"""Samples from which scores are learned: before, the scale is hardly known."""
USABLE, LATE, UNUSABLE = 0, 1, 2


@piece
def normal_score(square, d):
    """t: standard normal score of a chi-square variable of d degrees (Wilson and Hilferty 1931)."""
    v = 2.0 / (9.0 * d)
    return (math.pow(square / d, 1.0 / 3.0) - 1.0 + v) / math.sqrt(v)


@piece
def chi(t, d):
    """The root of the chi-square value whose normal score is t."""
    v = 2.0 / (9.0 * d)
    c = max(1.0 - v + t * math.sqrt(v), 0.0)
    return math.sqrt(d * c * c * c)


@part
def arrive(b, values, times, row, out):
    """Number the event and look at what it is made of: USABLE, LATE or UNUSABLE."""
    h = b.head[0]
    out.seq[row] = h.seq
    out.n[row] = h.n
    h.seq += 1
    missing = False
    bad = False
    for j in range(values.shape[1]):
        x = values[row, j]
        missing = missing or x != x
        bad = bad or abs(x) > LARGEST_VALUE
        out.expected[row, j] = b.level[j] if h.judged else math.nan
    if missing or bad:
        out.kind[row] = REJECTED if bad else MISSING
        return UNUSABLE
    for j in range(values.shape[1]):
        b.x[j] = values[row, j] / b.scale[j]
    time = times[row] if times.shape[0] else NO_TIME
    if time == NO_TIME:
        return USABLE
    if h.timed and time < h.time:
        out.late[row] = True
        return LATE
    h.time = time
    h.timed = 1
    return USABLE


@piece
def inner(radius):
    """Samples this near to a mean are of its regime: r/sqrt(2) in theory, 2 less to miss a crowd beside it."""
    return max(0.5 * radius, radius * math.sqrt(0.5) - 2.0)


@part
def similar(b, k, point, filled, r):
    """The samples within r of a point, or the nearest k of these if k is not 0: how many."""
    total = 0.0
    for j in range(point.shape[0]):
        e = point[j] - b.pivot[j]
        total += e * e
    key = math.sqrt(total)
    newest = (b.head[0].n - 1) % b.rows.shape[0]
    if k > 0:
        return nearest(b.scaled, b.keys, newest, filled, point, key, r, k, b.chosen, b.squares)
    return within(b.scaled, b.keys, newest, filled, point, key, r, b.chosen)


@part
def find(b, settings):
    """What x is to be compared with: how many samples, their mean in ``b.mean``, and whether x is novel."""
    h = b.head[0]
    filled = min(h.n, b.rows.shape[0])
    if filled < settings.k_min:
        return 0, True
    count = similar(b, settings.k, b.x, filled, settings.radius)
    novel = count < settings.k_min
    if novel:
        count = similar(b, settings.k_min, b.x, filled, math.inf)
    centre(b, count)
    newcomers(b, count)
    if settings.radius < math.inf:
        around = similar(b, settings.k, b.mean, filled, inner(settings.radius))
        if around > 0:
            count = around
            centre(b, around)
    return count, novel


@part
def centre(b, count):
    """The mean of what is similar, in scales."""
    for j in range(b.x.shape[0]):
        total = 0.0
        for m in range(count):
            total += b.scaled[b.chosen[m], j] - b.x[j]
        b.mean[j] = b.x[j] + total / count


@part
def square_from_mean(b):
    """||x - mu||^2 in scales."""
    total = 0.0
    for j in range(b.x.shape[0]):
        e = b.x[j] - b.mean[j]
        total += e * e
    return total


@part
def newcomers(b, count):
    """Whether most of the similar samples were outside themselves, all since the last drift, and the first of them."""
    h = b.head[0]
    fresh = 0
    h.first = h.seq - 1
    for m in range(count):
        i = b.chosen[m]
        if b.outside[i] and b.seqs[i] >= h.drift:
            fresh += 1
            h.first = min(h.first, b.seqs[i])
    h.moving = 2 * fresh > count


@part
def write_drift(b, row, out):
    """What a drift verdict tells, and that it was told."""
    h = b.head[0]
    out.changed_at[row] = h.first
    out.resolves[row] = h.first
    for j in range(b.x.shape[0]):
        out.before[row, j] = b.level[j]
        out.after[row, j] = b.mean[j] * b.scale[j]
    h.drift = h.seq


@part
def write_band(b, row, out, novel, half):
    """What was expected: the mean of the similar samples; of a novel event, what was expected before it."""
    h = b.head[0]
    d = b.x.shape[0]
    if not novel:
        for j in range(d):
            b.level[j] = b.mean[j] * b.scale[j]
        h.width = half
        h.judged = 1
    total = 0.0
    for j in range(d):
        expected = b.level[j] if h.judged else math.nan
        out.expected[row, j] = expected
        out.lower[row, j] = expected - h.width * b.scale[j]
        out.upper[row, j] = expected + h.width * b.scale[j]
        e = b.x[j] - expected / b.scale[j] if h.judged else 0.0
        out.why[row, j] = e * e
        total += e * e
    for j in range(d):
        out.why[row, j] = out.why[row, j] / total if 0.0 < total < math.inf else 1.0 / d


@part
def decide(b, settings, row, out, t, novel, half):
    """p-value, kind, severity, notice; the score enters the tail unless the event is late."""
    h = b.head[0]
    late = out.late[row]
    z = max(t, 0.0)
    p, _ = probabilities(h.tail, z, settings.log_alpha)
    s = severity(p, 1.0)
    learning = h.n < LEARNING
    outside = p <= settings.alpha
    drift = h.moving and not (learning or novel or outside or late)
    if drift:
        write_drift(b, row, out)
    write_band(b, row, out, novel, half)
    kind = LEARNS if learning else NORMAL
    if drift:
        kind = DRIFT
    elif not learning and outside:
        kind = UNDECIDED if h.moving else ANOMALY
    out.p_value[row] = p
    out.severity[row] = s
    out.kind[row] = kind
    if not learning:
        out.notice[row] = tell(h, s, drift)
        out.episode[row] = h.episode if s >= UNUSUAL or drift else 0
    if h.n >= SETTLED and not late:
        tail_add(h.tail, bin_of(z), MEMORY)
        if h.tail.total >= h.tail.due and h.tail.total >= FIRST_FIT:
            refit(h.tail, settings.alpha, MEMORY, 1.0, b.work)
    return outside and not learning


@part
def band(b, settings):
    """Half the width of the band, in scales, of a Gaussian base whose mean is exact."""
    tail = b.head[0].tail
    z = tail.z_alpha if tail.first > 0 else alpha_quantile(tail, settings.alpha)
    return chi(z, b.x.shape[0])


@part
def begin(b, row, out):
    """One of the first events: there is nothing to compare it with."""
    out.kind[row] = LEARNS
    for j in range(b.x.shape[0]):
        out.why[row, j] = 1.0 / b.x.shape[0]


@part
def push(b, settings, values, row, outside):
    """Put the sample into the place of the oldest."""
    h = b.head[0]
    i = h.n % b.rows.shape[0]
    total = 0.0
    for j in range(b.x.shape[0]):
        b.rows[i, j] = values[row, j]
        b.scaled[i, j] = b.x[j]
        e = b.x[j] - b.pivot[j]
        total += e * e
    b.keys[i] = math.sqrt(total)
    b.outside[i] = outside
    b.seqs[i] = h.seq - 1
    h.n += 1
    if h.n >= h.due:
        rescale(b, settings.scaled == 0)


@kernel
def look(b, settings, values, times, row, out):
    """The first half of a step: status, number of samples to compare with (0: none yet), and whether x is novel."""
    status = arrive(b, values, times, row, out)
    if status == UNUSABLE:
        return status, 0, False
    count, novel = find(b, settings[0])
    return status, count, novel


@kernel
def distance_score(b, count):
    """t of the Gaussian base: the distance from the mean of ``count`` similar samples."""
    return normal_score(square_from_mean(b) / (1.0 + 1.0 / count), b.x.shape[0])


@kernel
def conclude(b, settings, values, row, out, status, count, novel, t, half):
    """The second half: judge by t, with a band of ``half`` scales (NaN for none), and learn."""
    s = settings[0]
    outside = False
    if count == 0:
        begin(b, row, out)
    else:
        outside = decide(b, s, row, out, t, novel, half)
    if status == USABLE:
        push(b, s, values, row, outside)


@kernel
def run(b, settings, values, times, out):
    """Send n events through a Gaussian base."""
    for row in range(values.shape[0]):
        status, count, novel = look(b, settings, values, times, row, out)
        if status == UNUSABLE:
            continue
        t = half = math.nan
        if count > 0:
            t = distance_score(b, count)
            half = band(b, settings[0]) * math.sqrt(1.0 + 1.0 / count)
        conclude(b, settings, values, row, out, status, count, novel, t, half)


__all__ = ["UNUSABLE", "conclude", "distance_score", "look", "run"]
