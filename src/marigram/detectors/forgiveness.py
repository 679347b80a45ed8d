"""What a key learns when a person says that an event it flagged was normal.

The excess of the tail over its threshold u is stretched by one factor g >= 1, in the fit and in the histogram behind
it, such that the event comes to lie at the band's edge:

    z_alpha' - u = g (z_alpha - u),   g at most what raises z_alpha by MOST.

In a generalised Pareto tail that is a change of scale alone, so p-values stay a tail's p-values and the band follows.
One word moves the threshold by half at most, and events to come may move it back: they are counted as always.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from marigram.detectors.scoring import joint_quantile
from marigram.detectors.state import StateTable
from marigram.numerics.grid import BINS, EDGES
from marigram.numerics.jit import kernel

Array: TypeAlias = NDArray[Any]

MOST = 1.5
"""How many times its old value the threshold may be after one word."""
BEYOND = 1.02
"""The event comes to lie just inside the band."""


def forgive(table: StateTable, slot: int, event: Mapping[str, Any]) -> dict[str, float]:
    """Let the key in ``slot`` learn a flagged event as normal; returns its threshold ``before`` and ``after``.

    ``event`` holds value, expected, lower and upper of the verdict, each (d,).  Thresholds are in scales of the key's
    noise; they are equal when nothing could be learned: before the first fit, or an event inside the band.
    """
    head = table.heads[slot]
    before = float(head["z_alpha"])
    tails = [head["tail"]] if table.d == 1 else [head["tail"], table.largest["tail"][slot]]
    u = float(EDGES[head["tail"]["first"] - 1])
    outside = min(_times_outside(event) * BEYOND, MOST)
    if any(tail["first"] == 0 for tail in tails) or before <= u or outside <= 1.0:
        return {"before": before, "after": before}
    stretch = (before * outside - u) / (before - u)
    for tail in tails:
        _stretch(tail, stretch)
    if table.d == 1:
        head["z_alpha"] = head["tail"]["z_alpha"]
    else:
        joint_threshold(table.heads, table.largest, table.settings, slot, table.d)
    return {"before": before, "after": float(head["z_alpha"])}


@kernel
def joint_threshold(heads, largest, settings, slot, d):
    """Set the threshold of a key of d > 1 coordinates anew from its two tails."""
    alpha, log_alpha = settings[0].alpha, settings[0].log_alpha
    heads[slot].z_alpha = joint_quantile(heads[slot].tail, largest[slot].tail, alpha, log_alpha, d)


def _times_outside(event: Mapping[str, Any]) -> float:
    """Return how many half bands the farthest coordinate lies from what was expected."""
    value, expected, lower, upper = (
        np.asarray(event[name], np.float64) for name in ("value", "expected", "lower", "upper")
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        times = np.where(
            value > expected, (value - expected) / (upper - expected), (expected - value) / (expected - lower)
        )
    finite = times[~np.isnan(times)]
    return float(finite.max()) if len(finite) else 0.0


def _stretch(tail: Any, factor: float) -> None:
    """Multiply the excess over the threshold, in both fits and in the counts."""
    u = EDGES[tail["first"] - 1]
    for fit in ("", "full_"):
        tail[f"{fit}log_beta"] += np.log(factor)
        tail[f"{fit}beta"] *= factor
    tail["z_alpha"] = u + (tail["z_alpha"] - u) * factor
    first, last = int(tail["first"]), BINS - 1
    edges = EDGES[first - 1 : last]
    moved = np.append(u + (edges - u) * factor, np.inf)
    counts = tail["counts"][first:last].astype(np.float64)
    below = np.concatenate([[0.0], np.cumsum(counts)])
    spread = np.interp(np.log2(edges), np.log2(moved[:-1]), below)
    spread[-1] = below[-1]
    tail["counts"][first:last] = np.diff(np.round(spread)).astype(tail["counts"].dtype)


__all__ = ["MOST", "forgive"]
