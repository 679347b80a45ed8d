"""Laws without a change, standardised to mean 0 and variance 1."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Law = Callable[[np.random.Generator, int], Floats]

FAMILIES: dict[str, Law] = {
    "t(3)": lambda rng, n: rng.standard_t(3, n) / np.sqrt(3),
    "Gaussian": lambda rng, n: rng.normal(size=n),
    "Laplace": lambda rng, n: rng.laplace(size=n) / np.sqrt(2),
    "lognormal(.5)": lambda rng, n: (
        (rng.lognormal(0, 0.5, n) - np.exp(0.125)) / np.sqrt(np.expm1(0.25) * np.exp(0.25))
    ),
    "Pareto(3)": lambda rng, n: (rng.pareto(3, n) - 0.5) / np.sqrt(0.75),
}
