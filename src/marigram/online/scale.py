"""The scale of a stream: an M-estimate of bounded influence, followed by clipped SGD on log s.

The Cauchy M-scale solves E[(z^2 - 1)/(z^2 + 1)] = 0 with z = e/s.  Each event moves log s by

    a (z^2 - 1)/(z^2 + 1),          a = max(A, 1.5/n),

so that no event, of whatever size, changes the scale by more than the factor exp(a).
"""

from __future__ import annotations

from marigram.numerics.elementary import exp_small, larger, smaller
from marigram.numerics.jit import piece

STEP = 0.001
"""Smallest step of log s (a half-life of some 700 events)."""
GAIN = 1.5
"""The first events' step is GAIN / n."""
BEGINNING = GAIN / STEP
RELATIVE_FLOOR = 1e-9
"""A scale below this part of the level is rounding noise."""

COUNTED = 60_000
"""Counts of events stop here: they fit in two bytes."""

FIELDS = [("scale", "f8"), ("scale_n", "u2")]


@piece
def scale_step(c, z, level):
    """Learn the standardised residual z (before inflation)."""
    n = min(c.scale_n + 1, COUNTED)
    c.scale_n = n
    a = GAIN / n if n < BEGINNING else STEP
    q = smaller(z * z, 1e30)
    c.scale = larger(c.scale * exp_small(a * ((q - 1.0) / (q + 1.0))), scale_floor(level))


@piece
def scale_floor(level):
    """Smallest scale that a level of this size can carry in double precision."""
    return larger(RELATIVE_FLOOR * abs(level), 1e-300)
