"""Severity: how unusual an event is among what its key calls unusual.

A second tail learns the surprise -2 log10 p0 of *every* event, flagged ones included (p0 believes every event), so
that a key with daily spikes finds them ordinary.  p2 is the event's probability under it.  The range record adds
what no density knows: a value beyond all values seen, by q ranges, has at most the probability 2 n^-(1 + 2q).

    severity = -log10(p2 pC)
"""

from __future__ import annotations

import math

from marigram.numerics.elementary import larger, log, smaller
from marigram.numerics.jit import part, piece

PER_LN = 1.0 / math.log(10.0)
RECORD_FIELDS = [("highest", "f8"), ("lowest", "f8")]


@piece
def surprise(p):
    """-2 log10 p."""
    return -2.0 * PER_LN * log(larger(p, 1e-300))


@part
def record_probability(c, x, n):
    """pC = min(1, 2 n^-(1 + 2q)), q the distance beyond the record in units of the range; 1 inside it."""
    if n < 2.0 or (c.lowest <= x <= c.highest):
        return 1.0
    span = c.highest - c.lowest
    excess = x - c.highest if x > c.highest else c.lowest - x
    q = min(excess / span, 100.0) if span > 0.0 else 0.0
    return min(1.0, 2.0 * math.exp(-(1.0 + 2.0 * q) * math.log(n)))


@piece
def record_learn(c, x, n):
    """Extend the range."""
    if n == 0.0:
        c.highest = x
        c.lowest = x
    else:
        c.highest = max(c.highest, x)
        c.lowest = min(c.lowest, x)


@piece
def severity(p2, record):
    """-log10(p2 pC), at most 300."""
    return smaller(-PER_LN * log(larger(p2 * record, 1e-300)), 300.0)
