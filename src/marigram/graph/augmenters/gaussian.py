"""One normal distribution in the space of hop features, shrunk towards a round one.

    x ~ N(m, (1 - r) S + r v I),

with mean m and covariance S of the known anomalies and r by O. Ledoit and M. Wolf (2004), who let few points in many
dimensions decide how much of S to believe. The one-line control of every generator: what does not beat it has learned
nothing more than where the anomalies are and how wide they lie.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from marigram.graph.augmenters.joining import join as joined
from marigram.graph.augmenters.makers import anomalies, drafted, known_anomalies
from marigram.graph.data import Graph
from marigram.graph.detectors.jobs import Job, Sample
from marigram.graph.hops import HopView

Floats = NDArray[np.float32]


@final
@dataclass(frozen=True)
class Gaussian:
    """Draws from the distribution."""

    def graph(self, job: Job, count: int, seed: int) -> Graph:
        """Return the graph with nodes of drawn attributes and the edges of the known anomaly that is nearest."""
        rng, known = np.random.default_rng([seed, 25]), known_anomalies(job)
        numbers = job.graph.nodes[job.target].attributes.take(known).numeric
        drawn, like = draws(numbers, count, rng)
        draft = drafted(job, known[like], rng)
        return joined(
            job.graph, job.target, replace(draft, attributes=replace(draft.attributes, numeric=drawn))
        )

    def sample(self, job: Job, view: HopView, count: int, seed: int) -> Sample:
        """Return drawn rows."""
        x, _ = draws(view.rows(known_anomalies(job)), count, np.random.default_rng([seed, 25]))
        return anomalies(x)


def draws(x: Floats, count: int, rng: np.random.Generator) -> tuple[Floats, NDArray[np.int64]]:
    """Return ``count`` draws of the distribution of ``x`` (n, d), and the row of ``x`` that is nearest to each.

    What is missing in that row is missing in the draw.
    """
    known = np.maximum((~np.isnan(x)).sum(0), 1)
    centre = np.nansum(x, axis=0, dtype=np.float64) / known
    scale = np.sqrt(np.nansum((x - centre) ** 2, axis=0) / known)
    z = np.nan_to_num((x - centre) / np.where(scale > 0, scale, np.inf))
    shrink = shrinkage(z)
    round_part = np.sqrt(shrink * (z * z).mean() if z.size else 0.0) * rng.normal(size=(count, z.shape[1]))
    learned = (
        np.sqrt((1 - shrink) / len(z)) * rng.normal(size=(count, len(z))) @ z
    )  # its covariance is (1 - r) S
    drawn = (learned + round_part) * (scale > 0)
    far = (drawn * drawn).sum(1)[:, None] + (z * z).sum(1) - 2 * drawn @ z.T
    like = far.argmin(1)
    out = np.where(np.isnan(x)[like], np.nan, centre + scale * drawn)
    return out.astype(np.float32), like


def shrinkage(z: NDArray[np.float64]) -> float:
    """Return the share r of the round part that Ledoit and Wolf's formula gives for centred rows (n, d).

    With S = z'z / n:  r = min(1, b / d2),  d2 = |S - v I|^2,  b = sum_k |z_k z_k' - S|^2 / n^2; only the n x n products
    of rows are formed.
    """
    n, d = z.shape
    if n < 2 or not z.any():
        return 1.0
    products = z @ z.T
    squared = float((products**2).sum()) / n**2  # |S|^2
    trace = float(np.trace(products)) / n
    apart = squared - trace**2 / d  # |S - v I|^2
    noise = (float((np.diag(products) ** 2).sum()) / n - squared) / n
    return 1.0 if apart <= 0 else min(1.0, max(0.0, noise / apart))


__all__ = ["Gaussian", "draws", "shrinkage"]
