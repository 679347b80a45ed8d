"""The loop of :class:`~marigram.thresholds.confidence.ConfidenceThreshold`: a segment of scores without a change.

A segment holds its scores in order of size, for the order statistics, and in order of time, for the change test.
Forward interval: the intersection of C(S_1..S_m) over m <= n.  The change test (Algorithm 2) asks whether C of some
suffix S_(n-m+1)..S_n lies beyond it:

    C wholly above U  <=>  at most b_low(m) of the last m scores are <= U,
    C wholly below L  <=>  at most b_high(m) of the last m scores are >= L,

so two running counts stand for all suffixes.  Of the suffixes that share a bound only one can decide, and only those,
the *checks*, are looked at: about n min(p, 1 - p) in place of n.
"""

from __future__ import annotations

import math

import numpy as np

from marigram.numerics.jit import kernel, part, piece
from marigram.online.records import MAGNITUDE
from marigram.thresholds.base import ANOMALY, DRIFT, MISSING, NORMAL, REJECTED, UNDECIDED

HEAD = np.dtype(
    [
        ("n", "i8"), ("look", "i8"), ("total", "i8"), ("rejected", "i8"), ("changes", "i8"),
        ("changed_at", "i8"), ("waiting", "i8"), ("joined", "i8"),
        ("lower", "f8"), ("upper", "f8"), ("joint_lower", "f8"), ("joint_upper", "f8"),
    ]
)  # fmt: skip
"""``n`` scores in the segment, ``look`` looks passed, ``waiting`` abstentions kept, ``joined`` a set or -1."""


@piece
def begin_segment(head):
    """Forget the segment."""
    head.n = 0
    head.look = 0
    head.waiting = 0
    head.joined = -1
    head.lower = -math.inf
    head.upper = math.inf
    head.joint_lower = -math.inf
    head.joint_upper = math.inf


@part
def insert(ordered, n, x):
    """Put x into the first n entries, which are in ascending order."""
    place = np.searchsorted(ordered[:n], x)
    for k in range(n, place, -1):
        ordered[k] = ordered[k - 1]
    ordered[place] = x


@part
def smallest_of_both(a, b, k):
    """The k-th smallest, from 0, of two ascending arrays together."""
    low, high = max(0, k + 1 - b.shape[0]), min(k + 1, a.shape[0])
    while low < high:
        i = (low + high) // 2
        if a[i] < b[k - i]:
            low = i + 1
        else:
            high = i
    # the first ``low`` of a and the first k + 1 - low of b are the k + 1 smallest
    largest = -math.inf
    if low > 0:
        largest = a[low - 1]
    if k - low >= 0:
        largest = max(largest, b[k - low])
    return largest


@part
def narrow(head, ordered, looks, low, high):
    """Intersect the forward interval with that of all scores so far; says whether an end moved."""
    n = head.n
    while head.look < looks.shape[0] and looks[head.look] <= n:
        head.look += 1
    if head.look == 0:
        return False
    b_low, b_high = low[head.look - 1], high[head.look - 1]
    moved = False
    if b_low >= 0 and ordered[b_low] > head.lower:
        head.lower = ordered[b_low]
        moved = True
    if b_high >= 0 and ordered[n - 1 - b_high] < head.upper:
        head.upper = ordered[n - 1 - b_high]
        moved = True
    return moved


@part
def narrow_with_offline(head, ordered, looks, low, high, offline, starts, ends_low, ends_high):
    """Algorithm 4: when one offline set alone can be of the segment's law, its scores count with the segment's."""
    possible, candidates = -1, 0
    for j in range(ends_low.shape[0]):
        if ends_low[j] <= head.upper and ends_high[j] >= head.lower:
            possible = j
            candidates += 1
    if candidates != 1:
        possible = -1
    if possible != head.joined:
        head.joined = possible
        head.joint_lower, head.joint_upper = -math.inf, math.inf
    if possible < 0:
        return
    known = offline[starts[possible] : starts[possible + 1]]
    size = known.shape[0] + head.n
    look = np.searchsorted(looks, size, side="right")
    b_low, b_high = low[look - 1], high[look - 1]
    mine = ordered[: head.n]
    if b_low >= 0:
        head.joint_lower = max(head.joint_lower, smallest_of_both(known, mine, b_low))
    if b_high >= 0:
        head.joint_upper = min(head.joint_upper, smallest_of_both(known, mine, size - 1 - b_high))


@part
def recount(head, recent, up_to, from_on):
    """Running counts, anew: ``up_to[i]`` of the first i scores are <= U, ``from_on[i]`` are >= L."""
    for i in range(head.n):
        up_to[i + 1] = up_to[i] + (1 if recent[i] <= head.upper else 0)
        from_on[i + 1] = from_on[i] + (1 if recent[i] >= head.lower else 0)


@part
def changed_suffix(head, up_to, from_on, lengths, bounds_low, bounds_high):
    """Length of the suffix that lies furthest beyond the forward interval, in counts; 0 when none does."""
    n = head.n
    best, surplus = 0, -1
    for i in range(lengths.shape[0]):
        m = lengths[i]
        if m > n:
            break
        if head.upper < math.inf:
            s = bounds_low[i] - (up_to[n] - up_to[n - m])
            if s > surplus:
                best, surplus = m, s
        if head.lower > -math.inf:
            s = bounds_high[i] - (from_on[n] - from_on[n - m])
            if s > surplus:
                best, surplus = m, s
    return best


@piece
def answer(x, lower, upper):
    """Algorithm 1: beyond the interval, inside it, below it; an empty interval decides nothing."""
    if lower > upper:
        return UNDECIDED
    if x > upper:
        return ANOMALY
    return UNDECIDED if x >= lower else NORMAL


@kernel
def run(
    heads, scores, ordered, recent, up_to, from_on, waiting_at, waiting, looks, low, high,
    lengths, bounds_low, bounds_high, offline, starts, ends_low, ends_high, out,
):  # fmt: skip
    """Answer each score into ``out``, then learn it.  The arrays of the segment have room for all scores, and one more.

    Without ``lengths`` no change is looked for.
    """
    head = heads[0]
    for i in range(scores.shape[0]):
        x = scores[i]
        head.total += 1
        if not abs(x) <= MAGNITUDE:
            head.rejected += 1
            out[i] = MISSING if math.isnan(x) else REJECTED
            continue
        said = answer(x, max(head.lower, head.joint_lower), min(head.upper, head.joint_upper))
        if lengths.shape[0] > 0 and head.n > 0:
            suffix = changed_suffix(head, up_to, from_on, lengths, bounds_low, bounds_high)
            if head.lower > head.upper:
                suffix = max(suffix, 1)
            if suffix > 0:
                said = DRIFT
                head.changes += 1
                head.changed_at = head.total - 1 - suffix
                begin_segment(head)
        out[i] = said
        if said == UNDECIDED:
            waiting_at[head.waiting] = head.total - 1
            waiting[head.waiting] = x
            head.waiting += 1
        insert(ordered, head.n, x)
        recent[head.n] = x
        head.n += 1
        n = head.n
        up_to[n] = up_to[n - 1] + (1 if x <= head.upper else 0)
        from_on[n] = from_on[n - 1] + (1 if x >= head.lower else 0)
        if narrow(head, ordered, looks, low, high):
            recount(head, recent, up_to, from_on)
        if ends_low.shape[0] > 0:
            narrow_with_offline(head, ordered, looks, low, high, offline, starts, ends_low, ends_high)


__all__ = ["HEAD", "begin_segment", "run"]
