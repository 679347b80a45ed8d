"""The setting in which FITNESS is tried: a Gaussian that jumps, with outliers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Jumping(NamedTuple):
    """``values`` (n, d), which rows are ``outliers``, which inliers lie in the 50 steps ``after`` a jump, the jumps."""

    values: NDArray[np.float64]
    outliers: NDArray[np.bool_]
    after: NDArray[np.bool_]
    jumps: NDArray[np.int64]


def jumping(seed: int, n: int = 2000, d: int = 5, jumps: int = 3, size: float = 12.0) -> Jumping:
    """Unit noise, jumps in random directions at equal distances in time, 3 % outliers at 6 to 9 sigma."""
    rng = np.random.default_rng(seed)
    segment = np.arange(n) * (jumps + 1) // n
    steps = rng.normal(size=(jumps + 1, d))
    steps *= size / np.linalg.norm(steps, axis=1)[:, None]
    steps[0] = 0.0
    outliers = rng.random(n) < 0.03
    noise, direction = rng.normal(size=(2, n, d))
    direction /= np.linalg.norm(direction, axis=1)[:, None]
    noise[outliers] = (direction * rng.uniform(6.0, 9.0, n)[:, None])[outliers]
    at = np.flatnonzero(np.diff(segment)) + 1
    near = (np.arange(n)[:, None] >= at) & (np.arange(n)[:, None] < at + 50)
    return Jumping(noise + np.cumsum(steps, axis=0)[segment], outliers, near.any(axis=1) & ~outliers, at)
