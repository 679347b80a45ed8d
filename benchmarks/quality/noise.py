"""Noise families, each centred at its true mean and scaled to sd 1, and the exact quantiles of |noise|.

The quantile is what an oracle that knows the distribution would use as its threshold; it is computed from
the closed form of each law, so that no figure of the benchmark hangs on a sample.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LOGNORMAL_SIGMA = 0.5
LOGNORMAL_MEAN = math.exp(LOGNORMAL_SIGMA**2 / 2)
LOGNORMAL_SD = LOGNORMAL_MEAN * math.sqrt(math.expm1(LOGNORMAL_SIGMA**2))
PARETO_SHAPE = 3.0
PARETO_MEAN = 1 / (PARETO_SHAPE - 1)  # of the law that starts at 0, as numpy draws it
PARETO_SD = math.sqrt(PARETO_SHAPE / (PARETO_SHAPE - 2)) / (PARETO_SHAPE - 1)


@dataclass(frozen=True)
class Noise:
    """One law: `draw(rng, shape)` gives standardised values, `exceed(x)` is P(|noise| > x) for x ≥ 0."""

    name: str
    index: int
    draw: Callable[[np.random.Generator, tuple[int, ...]], Floats]
    exceed: Callable[[float], float]

    def quantile(self, alpha: float, coordinates: int = 1) -> float:
        """The x that the largest of `coordinates` |noise| exceeds with probability `alpha` (bisection)."""
        single = -math.expm1(math.log1p(-alpha) / coordinates)
        low, high = 0.0, 1.0
        while self.exceed(high) > single:
            high *= 2
        for _ in range(200):
            middle = (low + high) / 2
            low, high = (middle, high) if self.exceed(middle) > single else (low, middle)
        return high


def _student3_exceed(x: float) -> float:
    # Closed form of Student's t with 3 degrees of freedom; the noise is t / sqrt(3).
    return 2 / math.pi * (math.atan2(1, x) - x / (1 + x * x))


def _lognormal_exceed(x: float) -> float:
    upper = 1 - NormalDist().cdf(math.log(LOGNORMAL_MEAN + LOGNORMAL_SD * x) / LOGNORMAL_SIGMA)
    edge = LOGNORMAL_MEAN - LOGNORMAL_SD * x
    return upper + (NormalDist().cdf(math.log(edge) / LOGNORMAL_SIGMA) if edge > 0 else 0.0)


def _pareto_exceed(x: float) -> float:
    upper = float((1 + PARETO_MEAN + PARETO_SD * x) ** -PARETO_SHAPE)
    edge = PARETO_MEAN - PARETO_SD * x
    return upper + (1 - float((1 + edge) ** -PARETO_SHAPE) if edge > 0 else 0.0)


FAMILIES: dict[str, Noise] = {
    noise.name: noise
    for noise in (
        Noise("t3", 0, lambda rng, shape: rng.standard_t(3, shape) / math.sqrt(3), _student3_exceed),
        Noise(
            "gaussian",
            1,
            lambda rng, shape: rng.standard_normal(shape),
            lambda x: math.erfc(x / math.sqrt(2)),
        ),
        Noise(
            "laplace",
            2,
            lambda rng, shape: rng.laplace(0, math.sqrt(0.5), shape),
            lambda x: math.exp(-math.sqrt(2) * x),
        ),
        Noise(
            "lognormal",
            3,
            lambda rng, shape: (rng.lognormal(0, LOGNORMAL_SIGMA, shape) - LOGNORMAL_MEAN) / LOGNORMAL_SD,
            _lognormal_exceed,
        ),
        Noise(
            "pareto",
            4,
            lambda rng, shape: (rng.pareto(PARETO_SHAPE, shape) - PARETO_MEAN) / PARETO_SD,
            _pareto_exceed,
        ),
    )
}
