"""A change of scale: CUSUMs on where p falls among three classes.

Large (p < 0.1), middling, small (p > 0.5).  If the scale has tripled these have probabilities near .55, .25, .20
instead of .1, .4, .5; the log ratios are the evidence.  Unlike a sum of squares it does not care how large an event
is, and events that are anomalies in one run count as one incident until the run is longer than a burst.
"""

from __future__ import annotations

from marigram.numerics.elementary import larger
from marigram.numerics.jit import part, piece

LARGE, SMALL = 0.1, 0.5
WIDE_LARGE, WIDE_MIDDLE, WIDE_SMALL = 1.65, -0.45, -0.95
NARROW_SMALL, NARROW_OTHER = 0.55, -1.5
IN_A_RUN = 0.3
"""Evidence of the second and later anomalies of one run."""
BURST = 5
"""Longer runs are no burst."""
THRESHOLD = 15.5

FIELDS = [("wide", "f4"), ("narrow", "f4"), ("wide_age", "i2"), ("narrow_age", "i2"), ("run", "u1")]


@piece
def scale_shift_step(c, p, anomaly, exact):
    """Add one event's evidence; ``exact`` marks an event that equals its prediction: no word on narrowness."""
    if anomaly:
        c.run = min(c.run + 1, 100)
    else:
        c.run = 0
    if p < LARGE:
        wide = WIDE_LARGE if c.run <= 1 or c.run > BURST else IN_A_RUN
    elif p <= SMALL:
        wide = WIDE_MIDDLE
    else:
        wide = WIDE_SMALL
    narrow = NARROW_SMALL if p > SMALL else NARROW_OTHER
    if exact:
        narrow = 0.0
    if c.wide <= 0.0:
        c.wide_age = -1
    if c.narrow <= 0.0:
        c.narrow_age = -1
    c.wide = larger(0.0, c.wide + wide)
    c.narrow = larger(0.0, c.narrow + narrow)
    c.wide_age = min(c.wide_age + 1, 30000)
    c.narrow_age = min(c.narrow_age + 1, 30000)


@part
def scale_shift_reset(c):
    """Forget the evidence."""
    c.wide = 0.0
    c.narrow = 0.0
    c.wide_age = 0
    c.narrow_age = 0
    c.run = 0
