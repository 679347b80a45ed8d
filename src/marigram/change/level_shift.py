"""A change of level: one-sided CUSUMs of capped log p-values.

Under the old norm p is uniform (whatever the noise), so betting k p^(k-1) against it, k = 0.15, is a likelihood ratio

    g(p) = log k - (1 - k) log max(p, p_min),

and the CUSUM S <- max(0, S + g) exceeds h once in e^h events on average.  p is two-sided while each CUSUM takes only
its own side's events, which leaves room for any skew.  The cap p_min means that no single event, of whatever size,
brings more than 3 to 4 nats; it rises with the key's own rate of anomalies.
"""

from __future__ import annotations

import math

from marigram.numerics.elementary import larger, log, smaller
from marigram.numerics.jit import part, piece

KAPPA = 0.15
LOG_KAPPA = math.log(KAPPA)
THRESHOLD = 13.0
SMALLEST_P = 1e-3
QUIET_P = KAPPA ** (1.0 / (1.0 - KAPPA))
"""Above this p the evidence is negative."""

FIELDS = [
    ("up", "f4"), ("down", "f4"), ("up_age", "i2"), ("down_age", "i2"), ("up_wide", "f4"), ("down_wide", "f4"),
    ("exceeded", "u1"),
]  # fmt: skip
"""``*_age``: events since the CUSUM left zero; ``*_wide``: the scale test's evidence at that moment;
``exceeded``: bit 0 an exceedance above, bit 1 below, since then."""


@piece
def evidence(p, smallest):
    """g(p) in nats."""
    return LOG_KAPPA - (1.0 - KAPPA) * log(larger(p, smallest))


@piece
def evidence_cap(anomaly_rate):
    """The smallest p that counts, given the key's own share of anomalies."""
    return larger(SMALLEST_P, smaller(0.1, anomaly_rate * (1.0 / 3.0)))


@piece
def level_shift_step(c, above, p, smallest):
    """Add one event's evidence; returns it (LOG_KAPPA at least)."""
    if p > QUIET_P and c.up <= 0.0 and c.down <= 0.0:
        return LOG_KAPPA
    g = evidence(p, smallest)
    up, down = (g, LOG_KAPPA) if above else (LOG_KAPPA, g)
    if c.up <= 0.0:
        c.up_age = -1
        c.up_wide = c.wide
        c.exceeded &= 2
    if c.down <= 0.0:
        c.down_age = -1
        c.down_wide = c.wide
        c.exceeded &= 1
    c.up = larger(0.0, c.up + up)
    c.down = larger(0.0, c.down + down)
    c.up_age = min(c.up_age + 1, 30000)
    c.down_age = min(c.down_age + 1, 30000)
    return g


@part
def level_shift_reset(c):
    """Forget the evidence."""
    c.up = 0.0
    c.down = 0.0
    c.up_age = 0
    c.down_age = 0
    c.exceeded = 0
