"""FITNESS with a Gaussian base of known scale, step by step in NumPy."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def neighbours(window: Floats, point: Floats, radius: float, k: int | None) -> Floats:
    distances = np.sqrt(((window - point) ** 2).sum(axis=1))
    order = np.argsort(distances, kind="stable")
    near = order[distances[order] <= radius]
    return window[near if k is None else near[:k]]


def scores(X: Floats, window: int, radius: float, k: int | None, k_min: int) -> tuple[Floats, Floats]:
    """t of each event and its expected value; NaN while fewer than k_min samples are known."""
    n, d = X.shape
    t, expected = np.full(n, np.nan), np.full((n, d), np.nan)
    v = 2.0 / (9.0 * d)
    for i in range(k_min, n):
        seen = X[max(0, i - window) : i]
        near = neighbours(seen, X[i], radius, k)
        if len(near) < k_min:
            near = neighbours(seen, X[i], math.inf, k_min)
        mean = near.mean(axis=0)
        if radius < math.inf:
            inner = max(0.5 * radius, radius / math.sqrt(2.0) - 2.0)
            around = neighbours(seen, mean, inner, k)
            if len(around):
                near, mean = around, around.mean(axis=0)
        square = ((X[i] - mean) ** 2).sum() / (1.0 + 1.0 / len(near))
        t[i] = ((square / d) ** (1.0 / 3.0) - 1.0 + v) / math.sqrt(v)
        expected[i] = mean
    return t, expected
