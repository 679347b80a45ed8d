"""Anomalies between two nodes: SMOTE between two anomalies, mixup between an anomaly and any training node.

    x = a + t (b - a).

For trees this happens in the space of :mod:`marigram.graph.hops`, where a row holds a node's surroundings as well. As
nodes, attributes are interpolated and edges come from either end: from b with probability t (the idea of T. Zhao et
al., "GraphSMOTE", WSDM 2021, whose learned edges need a network; N. Chawla et al., SMOTE, 2002; H. Zhang et al., mixup,
2018).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from marigram.errors import ParameterError
from marigram.graph.augmenters.joining import Draft
from marigram.graph.augmenters.joining import join as joined
from marigram.graph.augmenters.links import Links
from marigram.graph.augmenters.makers import anomalies, drafted, known_anomalies, models
from marigram.graph.data import Columns, Graph
from marigram.graph.detectors.jobs import Ints, Job, Sample
from marigram.graph.hops import HopView

Floats = NDArray[np.float32]


@final
@dataclass(frozen=True)
class Smote:
    """Between a known anomaly and one of those nearest to it.

    Parameters
    ----------
    neighbours
        How many are near, from 1.
    """

    neighbours: int = 5

    def __post_init__(self) -> None:
        if self.neighbours < 1:
            raise ParameterError(f"neighbours must be at least 1, got {self.neighbours!r}")

    def graph(self, job: Job, count: int, seed: int) -> Graph:
        """Return the graph with the new nodes; near is what has like attributes."""
        rng = np.random.default_rng([seed, 23])
        first = models(job, count, rng)
        matrix, _ = job.graph.nodes[job.target].attributes.matrix()
        second = self._near(job, first, matrix[known_anomalies(job)], rng)
        return joined(job.graph, job.target, _between(job, first, second, rng.random(count), rng))

    def sample(self, job: Job, view: HopView, count: int, seed: int) -> Sample:
        """Return the rows; near is what has like rows."""
        rng = np.random.default_rng([seed, 23])
        first = models(job, count, rng)
        second = self._near(job, first, view.rows(known_anomalies(job)), rng)
        t = rng.random((count, 1), np.float32)
        return anomalies(_mixed(view.rows(first), view.rows(second), t))

    def _near(self, job: Job, first: Ints, x: Floats, rng: np.random.Generator) -> Ints:
        known = known_anomalies(job)
        if len(known) == 1:
            return first
        z = standardised(x)
        far = _squares(z)
        np.fill_diagonal(far, np.inf)
        near = np.argsort(far, axis=1, kind="stable")[:, : min(self.neighbours, len(known) - 1)]
        place = np.searchsorted(known, first, sorter=np.argsort(known))
        place = np.argsort(known)[place]
        return known[near[place, rng.integers(0, near.shape[1], len(first))]]


@final
@dataclass(frozen=True)
class Mixup:
    """Between a known anomaly and any training node; a row counts as both, in shares.

    Parameters
    ----------
    alpha
        t is drawn from Beta(alpha, alpha); above 0, and the smaller the nearer to one of both ends.
    """

    alpha: float = 0.4

    def __post_init__(self) -> None:
        if not self.alpha > 0:
            raise ParameterError(f"alpha must be above 0, got {self.alpha!r}")

    def graph(self, job: Job, count: int, seed: int) -> Graph:
        """Return the graph with the new nodes; a node has one label, so the anomaly is the nearer end."""
        rng, first, second, t = self._drawn(job, count, seed)
        return joined(job.graph, job.target, _between(job, first, second, np.minimum(t, 1 - t), rng))

    def sample(self, job: Job, view: HopView, count: int, seed: int) -> Sample:
        """Return each row twice, as an anomaly and as the other end, with weights that sum to 1."""
        _, first, second, t = self._drawn(job, count, seed)
        share = t.astype(np.float32)
        x = _mixed(view.rows(first), view.rows(second), share[:, None])
        labels = np.concatenate([np.ones(count, np.float32), job.labels[second]])
        return Sample(np.concatenate([x, x]), labels, np.concatenate([1 - share, share]))

    def _drawn(
        self, job: Job, count: int, seed: int
    ) -> tuple[np.random.Generator, Ints, Ints, NDArray[np.float64]]:
        rng = np.random.default_rng([seed, 24])
        first = models(job, count, rng)
        return rng, first, rng.choice(job.train, count), rng.beta(self.alpha, self.alpha, count)


def standardised(x: Floats) -> Floats:
    """Return columns of mean 0 and standard deviation 1, constant ones and what is missing as 0."""
    known = np.maximum((~np.isnan(x)).sum(0), 1)
    centre = np.nansum(x, axis=0, dtype=np.float64) / known
    scale = np.sqrt(np.nansum((x - centre) ** 2, axis=0) / known)
    return np.asarray(np.nan_to_num((x - centre) / np.where(scale > 0, scale, np.inf)), np.float32)


def _squares(z: Floats) -> Floats:
    """Squared distances of all pairs of rows, by the cosine rule."""
    size = (z * z).sum(1)
    return np.asarray(np.maximum(size[:, None] + size - 2 * z @ z.T, 0), np.float32)


def _mixed(a: Floats, b: Floats, t: Floats) -> Floats:
    """a + t (b - a); where one is missing, the other end's or nothing, as the nearer end has it."""
    x = a + t * (b - a)
    return np.asarray(np.where(np.isnan(x), np.where(t < 0.5, a, b), x), np.float32)


def _between(job: Job, first: Ints, second: Ints, t: NDArray[np.float64], rng: np.random.Generator) -> Draft:
    """Nodes between two, t of the way."""
    one, other = drafted(job, first, rng), drafted(job, second, rng)
    links = [_either(a, b, t, rng) for a, b in zip(one.links, other.links, strict=True)]
    nearer = t < 0.5
    time = one.time if one.time is None or other.time is None else np.where(nearer, one.time, other.time)
    return replace(
        one, attributes=_interpolated(one.attributes, other.attributes, t, rng), time=time, links=links
    )


def _interpolated(a: Columns, b: Columns, t: NDArray[np.float64], rng: np.random.Generator) -> Columns:
    share = t[:, None].astype(np.float32)
    codes = np.where(rng.random(a.codes.shape) < share, b.codes, a.codes).astype(np.int32)
    return replace(
        a, numeric=_mixed(a.numeric, b.numeric, share), codes=codes, text=_mixed(a.text, b.text, share)
    )


def _either(a: Links, b: Links, t: NDArray[np.float64], rng: np.random.Generator) -> Links:
    """Edges of the first end with probability 1 - t each, of the second with probability t.

    Where a node has at most one edge of the type, as an event has, it gets that of one end.
    """
    one = max(np.bincount(x.owner).max(initial=0) for x in (a, b)) <= 1
    draw = rng.random(len(t))
    from_a, from_b = (
        (draw[a.owner], draw[b.owner]) if one else (rng.random(len(a.owner)), rng.random(len(b.owner)))
    )
    a, b = a.take(from_a >= t[a.owner]), b.take(from_b < t[b.owner])
    return replace(
        a, owner=np.concatenate([a.owner, b.owner]), partner=np.concatenate([a.partner, b.partner]),
        edge=np.concatenate([a.edge, b.edge]),
    )  # fmt: skip


__all__ = ["Mixup", "Smote", "standardised"]
