"""How often did this follow that: counts of values in contexts, each counted once a window however often it comes.

For a context a (a principal) and a value v (a call), n is the number of earlier windows in which v came with a, N the
sum of n over values, D the number of values with n > 0.  The window that runs is not counted, so that a burst stays as
unusual as its first event, and counts in the history as one.  Witten and Bell's estimate (IEEE Trans. Inf. Theory
37, 1991) gives a new value the weight of how often new values came:

    P(v | a) = (n + (D + 1) P(v)) / (N + D + 1),    P(v) = (n' + (D' + 1) / (D' + 2)) / (N' + D' + 1),

with n', N', D' those of the context of everything.  The surprise is -log P, the mean over windows of several lengths.
All counts fade with a half-life.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marigram.bridge.kernels.tables import find
from marigram.numerics.jit import kernel, part

__all__ = ["EVERYTHING", "count_rows"]

Array = NDArray[Any]
EVERYTHING = (1 << 28) - 1
"""Code of the context of all events; codes are below it, and a row has at most 64 streams."""


@part
def _look(
    keys: Array,
    cells: Array,
    stamps: Array,
    sums: Array,
    sum_keys: Array,
    key: int,
    sum_key: int,
    s: int,
    window: int,
    fade: float,
    out: Array,
) -> None:
    """Put n, N and D of a pair as they stood before this window into out, fading what is older; then count the pair."""
    p, q = find(keys, key), find(sum_keys, sum_key)
    keys[p], sum_keys[q] = key, sum_key
    passed = window - sums[q, s, 4]
    if sums[q, s, 0] > 0.0 and passed > 0.0:
        f = math.exp(-fade * passed)
        sums[q, s, 0] *= f
        sums[q, s, 1] *= f
    if passed != 0.0:
        sums[q, s, 2] = 0.0
        sums[q, s, 3] = 0.0
        sums[q, s, 4] = window
    n = cells[p, s]
    here = stamps[p, s] == window and n > 0.0
    if n > 0.0 and not here:
        n *= math.exp(-fade * (window - stamps[p, s]))
    before = n - 1.0 if here else n
    out[0] = before if before > 0.0 else 0.0
    out[1] = max(sums[q, s, 0] - sums[q, s, 2], 0.0)
    out[2] = max(sums[q, s, 1] - sums[q, s, 3], 0.0)
    if not here:
        if n == 0.0:
            sums[q, s, 1] += 1.0
            sums[q, s, 3] += 1.0
        n += 1.0
        sums[q, s, 0] += 1.0
        sums[q, s, 2] += 1.0
    cells[p, s] = n
    stamps[p, s] = window


@kernel
def count_rows(
    contexts: Array,
    values: Array,
    times: Array,
    windows: Array,
    fades: Array,
    keys: Array,
    cells: Array,
    stamps: Array,
    sum_keys: Array,
    sums: Array,
    surprise: Array,
    observed: Array,
    expected: Array,
) -> None:
    """Score and count n rows of J streams.

    ``contexts``, ``values``: (n, J) codes, contexts below EVERYTHING or equal to it, a value of -1 is skipped;
    ``windows``: (S,) lengths; ``fades``: (S,) rates a window.  The tables must have free cells for 2 n J more keys.
    ``surprise``, ``observed`` (n of the pair), ``expected`` (N / D): (n, J), written.
    """
    count, width = values.shape
    own, all_ = np.zeros(3), np.zeros(3)
    for i in range(count):
        for j in range(width):
            v, a = values[i, j], contexts[i, j]
            if v < 0:
                continue
            total = 0.0
            for s in range(len(windows)):
                window = times[i] // windows[s]
                top = (j << 57) | (EVERYTHING << 29)
                _look(keys, cells, stamps, sums, sum_keys, top | v, top >> 28, s, window, fades[s], all_)
                p = (all_[0] + (all_[2] + 1.0) / (all_[2] + 2.0)) / (all_[1] + all_[2] + 1.0)
                if a != EVERYTHING:
                    key = (j << 57) | (a << 29)
                    _look(keys, cells, stamps, sums, sum_keys, key | v, key >> 28, s, window, fades[s], own)
                    p = (own[0] + (own[2] + 1.0) * p) / (own[1] + own[2] + 1.0)
                    observed[i, j], expected[i, j] = own[0], own[1] / max(own[2], 1.0)
                else:
                    observed[i, j], expected[i, j] = all_[0], all_[1] / max(all_[2], 1.0)
                total -= math.log(p)
            surprise[i, j] = total / len(windows)
