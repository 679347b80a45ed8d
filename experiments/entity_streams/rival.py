"""The statistic of MIDAS-R (Bhatia, Hooi, Yoon, Shin, Faloutsos, AAAI 2020), from its equation, with exact counts.

With a the count of the present tick after fading and s the count of all ticks up to t,

    score = (a - s / t)^2 t^2 / (s (t - 1)),

for the pair and for each end; the largest is the score.  Theirs counts in sketches, which only loses.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

FADING = 0.5


def midas(
    source: NDArray[np.int32], target: NDArray[np.int32], ticks: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Score n edges between hosts that are numbers from 0."""
    hosts = int(max(source.max(), target.max())) + 1
    pairs = source.astype(np.int64) * hosts + target
    numbered, pair = np.unique(pairs, return_inverse=True)
    codes = np.stack([source.astype(np.int64), hosts + target.astype(np.int64), 2 * hosts + pair])
    result: NDArray[np.float64] = _scores(codes, ticks.astype(np.int64), 2 * hosts + len(numbered))
    return result


@njit(cache=True)
def _scores(codes, ticks, count):  # type: ignore[no-untyped-def]
    now, total, last = np.zeros(count), np.zeros(count), np.zeros(count, np.int64)
    scores = np.zeros(len(ticks))
    for i in range(len(ticks)):
        t = ticks[i] - ticks[0] + 1
        for k in range(3):
            e = codes[k, i]
            if last[e] != t:
                now[e] *= FADING ** (t - last[e])
                last[e] = t
            now[e] += 1
            total[e] += 1
            if t > 1:
                score = (now[e] - total[e] / t) ** 2 * t * t / (total[e] * (t - 1))
                scores[i] = max(scores[i], score)
    return scores
