"""The streams of the paper's Table 1 and the laws without a change, all from seeds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Noise = Callable[[np.random.Generator, int], Floats]

SEGMENT = 400
"""Events between changes; four segments, of means 0, D, 0, D."""
TRUE = (400, 800, 1200)

FAMILIES: dict[str, Noise] = {
    "t(3)": lambda rng, n: rng.standard_t(3, n) / np.sqrt(3),
    "Gaussian": lambda rng, n: rng.normal(size=n),
    "Laplace": lambda rng, n: rng.laplace(size=n) / np.sqrt(2),
    "lognormal(.5)": lambda rng, n: (
        (rng.lognormal(0, 0.5, n) - np.exp(0.125)) / np.sqrt(np.expm1(0.25) * np.exp(0.25))
    ),
    "Pareto(3)": lambda rng, n: (rng.pareto(3, n) - 0.5) / np.sqrt(0.75),
}
"""Of mean 0 and variance 1."""


def pareto(shape: float, rng: np.random.Generator, n: int) -> Floats:
    """Pareto noise of mean 0 and variance 1."""
    mean = 1 / (shape - 1)
    return (rng.pareto(shape, n) - mean) / np.sqrt(shape / ((shape - 1) ** 2 * (shape - 2)))


def isotropic(kind: str, d: int, rng: np.random.Generator, n: int) -> Floats:
    """(n, d) noise of total variance 1: Gaussian, or a Pareto(2.01) norm in a uniform direction."""
    if kind == "Gaussian":
        return rng.normal(size=(n, d)) / np.sqrt(d)
    if d == 1:
        return pareto(2.01, rng, n)[:, None]
    way = rng.normal(size=(n, d))
    norm = 1 + rng.pareto(2.01, n)
    return way / np.linalg.norm(way, axis=1, keepdims=True) * (norm / np.sqrt(2.01 / 0.01))[:, None]


def table_1(kind: str, d: int, jump: float, seed: int) -> Floats:
    """A stream of Table 1, (1600, d): segments of means 0, D, 0, D, or for Bernoulli of both probabilities."""
    rng = np.random.default_rng([seed, d, int(100 * jump)])
    high = np.repeat([False, True, False, True], SEGMENT)
    if kind == "Bernoulli":
        share = np.where(high, 0.5 + jump / 2, 0.5 - jump / 2)
        return (rng.random(4 * SEGMENT) < share).astype(float)[:, None]
    x = isotropic(kind, d, rng, 4 * SEGMENT)
    x[high] += jump / np.sqrt(d)
    return x


def regret(found: list[int], n: int, true: tuple[int, ...] = TRUE) -> float:
    """Sum over t of |changes told until t - changes until t|."""
    t = np.arange(n)
    told = np.searchsorted(np.sort(np.asarray(found, int)), t, side="right")
    return float(np.abs(told - np.searchsorted(true, t, side="right")).sum())
