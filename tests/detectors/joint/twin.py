"""The distances of dense and of sparse rows by their definitions, in plain NumPy and slowly."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from marigram.detectors.joint.dense import START

Floats = NDArray[np.float64]


def dense_distances(x: Floats, step: float, clips: Floats) -> Floats:
    """N of every row, for a stream without changes; ``clips`` are the clip levels before each row."""
    n, d = x.shape
    mean, variance = x[0].copy(), np.zeros(d)
    u, w = 1.0, 1e9
    found = np.zeros(n)
    for t in range(1, n):
        e = x[t] - mean
        if t > 1:
            found[t] = np.sqrt(np.mean(e**2 / variance) / ((1 + u) * (1 + 2 * min(w, 1.0))))
        phi = 1.0 if t < START else min(1.0, clips[t] / found[t])
        a = phi * max(u / (1 + u), step)
        b = phi**2 * max(w / (1 + w), 0.1 * step)
        target = e**2 / (1 + u)
        variance = target.copy() if t == 1 else variance + b * (target - variance)
        u, w = (1 - a) ** 2 * u + a**2, (1 - b) ** 2 * w + b**2
        mean = mean + a * e
    return found


def sparse_distances(x: Floats, step: float, clips: Floats) -> Floats:
    """N of every row given as a dense array: sums over all coordinates."""
    n, d = x.shape
    first, second = np.zeros(d), np.zeros(d)
    found = np.zeros(n)
    for t in range(n):
        kappa = max(1 / (t + 2), 0.1 * step)
        r = x[t] - first
        variance = np.maximum(second - first**2, 0)
        with np.errstate(invalid="ignore"):
            q = np.where(r == 0, 0.0, np.log1p(r**2 / (variance + kappa * r**2)))
        found[t] = q.sum() if t else 0.0
        phi = 1.0 if t < START else min(1.0, clips[t] / found[t])
        a = phi * kappa
        first = (1 - a) * first + a * x[t]
        second = (1 - a) * second + a * x[t] ** 2
    return found


def clip_levels(detector: Any, rows: Any, n: int) -> Floats:
    """Clip level of a fresh detector before each of n rows, sent one by one; ``rows(i)`` gives a batch of one."""
    levels = np.zeros(n)
    for i in range(n):
        levels[i] = 0.0 if i == 0 else detector._states.heads["clip"][0]
        detector.update_many(rows(i))
    return levels
