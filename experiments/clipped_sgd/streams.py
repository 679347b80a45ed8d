"""Streams in which one thing grows while the rest stays: time, drift, corruption, dimension; and one with a jump."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
TAIL = 2.1
FAR = 50.0


def noise(rng: np.random.Generator, n: int, d: int) -> Floats:
    """(n, d) independent skewed coordinates, Pareto with the tail index 2.1, of total standard deviation 1."""
    mean, variance = TAIL / (TAIL - 1), TAIL / ((TAIL - 1) ** 2 * (TAIL - 2))
    found: Floats = (rng.pareto(TAIL, (n, d)) + 1.0 - mean) / math.sqrt(variance * d)
    return found


def on_a_circle(seed: int, T: int, way: float, corrupted: int, d: int = 5) -> tuple[Floats, Floats]:
    """Values (T, d), and their level, which goes ``way`` along the unit circle; ``corrupted`` events lie far away."""
    rng = np.random.default_rng([seed, 31])
    level = np.zeros((T, d))
    angle = way * np.arange(T) / T
    level[:, 0] = np.cos(angle)
    level[:, min(1, d - 1)] = np.sin(angle)
    values = level + noise(rng, T, d)
    bad = rng.choice(T, corrupted, replace=False)
    values[bad] = level[bad] + FAR / math.sqrt(d)
    return values, level


def with_a_jump(seed: int, T: int, jump: float, d: int = 5) -> tuple[Floats, Floats]:
    """Values (2T, d) with noise of three degrees of freedom around a level of 3 that jumps after T events."""
    rng = np.random.default_rng([seed, 32])
    level = np.zeros((2 * T, d))
    level[:, 0] = 3.0
    level[T:, 0] += jump
    return level + rng.standard_t(3, (2 * T, d)) / math.sqrt(3 * d), level
