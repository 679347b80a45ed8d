"""How often an entity acts, tick by tick, against its own drifting history; for entities and for edges.

Of each entity there are x, the events of the tick that runs, c = x + rho c' the same with the ticks before fading, and
the mean m and variance v of x over the ticks that are over, silent ones among them.  They follow by clipped SGD: when
a tick is over, with k ticks behind it and a = max(1 / k, eta),

    r = clip(x - m, 3.4 sqrt(v + m + 1)),    m += a r,    v += a (r^2 - v),

so that one tick, however many events it had, moves the norm by a bounded step, and a norm that moves is followed.
The evidence of an event is Cantelli's bound on the probability of so large a count, whatever the law,

    z = c - m / (1 - rho),    -log P(C >= c) >= log(1 + z^2 / s^2),    s^2 = (v + m) / (1 - rho^2) (1 + 1 / k) + 1.

Scoring an edge by how its count departs from its history, and its ends' as well, is the idea of MIDAS (Bhatia,
Hooi, Yoon, Shin and Faloutsos, AAAI 2020), whose statistic has neither drift nor clip, and no variance.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marigram.bridge.kernels.tables import find
from marigram.numerics.jit import kernel, piece

__all__ = ["FADING", "HISTORY", "score_edges", "score_entities"]

Array = NDArray[Any]
FADING = 0.5
"""rho: what is left of a count after a tick."""
CLIP = 3.4
"""Standard deviations."""
HISTORY = np.dtype(
    [("tick", "i8"), ("ticks", "f8"), ("now", "f8"), ("recent", "f8"), ("mean", "f8"), ("variance", "f8")],
    align=True,
)
"""``now``: x, ``recent``: c, ``ticks``: k, and ``tick`` the tick that runs; all zeros is an entity never seen."""


@piece
def _count(h: Any, tick: Any, step: Any) -> Any:
    """Close the ticks that are over, count one event; returns its evidence in nats."""
    if h.recent > 0.0 and tick > h.tick:
        h.ticks += 1.0
        a = max(1.0 / h.ticks, step)
        bound = CLIP * math.sqrt(h.variance + h.mean + 1.0)
        r = min(max(h.now - h.mean, -bound), bound)
        h.mean += a * r
        h.variance += a * (r * r - h.variance)
        silent = float(tick - h.tick - 1)
        if silent > 0.0:
            before = h.ticks
            h.ticks += silent
            left = before / h.ticks if 1.0 / h.ticks > step else math.exp(-step * silent)
            h.variance = left * (h.variance + (1.0 - left) * h.mean * h.mean)
            h.mean *= left
        h.recent *= FADING ** float(tick - h.tick)
        h.now = 0.0
    if h.recent == 0.0 or tick > h.tick:
        h.tick = tick
    h.now += 1.0
    h.recent += 1.0
    z = h.recent - h.mean / (1.0 - FADING)
    if z <= 0.0:
        return 0.0
    spread = (h.variance + h.mean) / (1.0 - FADING * FADING)
    if h.ticks > 0.0:
        spread *= 1.0 + 1.0 / h.ticks
    return math.log(1.0 + z * z / (spread + 1.0))


@kernel
def score_entities(
    codes: Array, ticks: Array, step: float, history: Array, evidence: Array, observed: Array, expected: Array
) -> None:
    """Score and count n events of entities: ``codes`` (n,) rows of ``history``, -1 for none; the rest (n,), written."""
    for i in range(len(codes)):
        if codes[i] >= 0:
            h = history[codes[i]]
            evidence[i] = _count(h, ticks[i], step)
            observed[i] = h.recent
            expected[i] = h.mean / (1.0 - FADING)


@kernel
def score_edges(
    sources: Array,
    targets: Array,
    ticks: Array,
    step: float,
    by_source: Array,
    by_target: Array,
    keys: Array,
    by_pair: Array,
    evidence: Array,
    strongest: Array,
) -> None:
    """Score and count n edges between codes below 2^31; ``keys`` has free cells for n more pairs.

    ``evidence`` (n,): the largest of those of source, target and pair, ``strongest`` (n,) which: 0, 1, 2.
    """
    for i in range(len(sources)):
        key = (sources[i] << 31) | targets[i]
        place = find(keys, key)
        keys[place] = key
        source = _count(by_source[sources[i]], ticks[i], step)
        target = _count(by_target[targets[i]], ticks[i], step)
        pair = _count(by_pair[place], ticks[i], step)
        most, which = source, 0
        if target > most:
            most, which = target, 1
        if pair > most:
            most, which = pair, 2
        evidence[i] = most
        strongest[i] = which
