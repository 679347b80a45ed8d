"""When does no event become an event: a key is silent once it has waited longer than its own cadence allows.

The kernel keeps, per key, a slowly forgotten maximum g of the gaps between events.  A key is due at

    last + g (2 + 16 / n)

n the events learned: twice the longest gap that is normal for it, and more while little is known.  For events at
random times (exponential gaps) that is a chance below 1e-5 a gap once n is in the hundreds.  Fewer than 8 events, or
events without times, give no cadence and never silence.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from marigram.kinds import Kind
from marigram.verdicts import Verdicts

Array: TypeAlias = NDArray[Any]

GAPS = 2.0
"""Longest normal gaps that a key may wait."""
YOUNG = 16.0
"""What a key of n events may wait more, in gaps times n."""
FEWEST = 8
"""Events that a cadence needs."""


def due(heads: Array) -> NDArray[np.float64]:
    """Return when (ns since 1970) each key falls silent; infinity where it has no cadence or was told already."""
    n = np.maximum(heads["n"], 1)
    wait = heads["gap"].astype(np.float64) * (GAPS + YOUNG / n)
    known = (heads["n"] >= FEWEST) & (wait > 0) & (heads["silent"] == 0)
    return np.where(known, heads["time"].astype(np.float64) + wait, np.inf)


def silent_verdicts(keys: Array, heads: Array, now: int, d: int) -> Verdicts:
    """Return one ``missing`` row a key, at time ``now``: no event, so ``seq`` is -1 and the band is null; a notice."""
    count = len(keys)
    return Verdicts(
        value=np.full((count, d), np.nan),
        kind=np.full(count, Kind.MISSING, np.uint8),
        key=keys,
        seq=np.full(count, -1),
        n=heads["n"],
        time=np.full(count, now),
        episode=heads["episode"],
        notice=np.ones(count, np.bool_),
    )


__all__ = ["due", "silent_verdicts"]
