"""What makes new anomalies, and in which two forms: nodes of a larger graph, and rows for a model of tables.

Trees learn from rows. Where a maker has no better way of its own, its rows are those of its nodes in the larger graph,
while real nodes keep the columns that they will have when they are scored: nothing that was made reaches them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol, final

import numpy as np
from numpy.typing import NDArray

from marigram.graph.augmenters.joining import Draft
from marigram.graph.augmenters.joining import join as joined
from marigram.graph.augmenters.links import Links, links_of, without_held_out
from marigram.graph.data import Columns, Graph, Part
from marigram.graph.detectors.jobs import Ints, Job, Sample
from marigram.graph.hops import HopView

Floats = NDArray[np.float32]


class Maker(Protocol):
    """Makes anomalies from the known ones of a job."""

    def graph(self, job: Job, count: int, seed: int) -> Graph:
        """Return the job's graph with ``count`` more nodes of the target type, behind the real ones."""

    def sample(self, job: Job, view: HopView, count: int, seed: int) -> Sample:
        """Return rows for a model of tables."""


@final
@dataclass(frozen=True, eq=False)
class Made:
    """So many of a maker's rows, for :attr:`Job.added`.

    Attributes
    ----------
    maker
        Of what kind.
    job
        Whose anomalies they are made from.
    count, seed
        How many, and of what is random.
    weight
        Of each, beside the 1 of a real node.
    """

    maker: Maker
    job: Job
    count: int
    seed: int
    weight: float

    def sample(self, view: HopView) -> Sample:
        """Return the rows."""
        found = self.maker.sample(self.job, view, self.count, self.seed)
        return replace(found, weights=found.weights * np.float32(self.weight))


def known_anomalies(job: Job) -> Ints:
    """Return the training nodes that are anomalous."""
    return np.asarray(job.train[job.labels[job.train] == 1])


def models(job: Job, count: int, rng: np.random.Generator) -> Ints:
    """Return which known anomaly each new one is made after: each as often as any other, give or take one."""
    known = known_anomalies(job)
    rounds = -(-count // len(known))
    return np.concatenate([rng.permutation(known) for _ in range(rounds)])[:count]


def drafted(job: Job, nodes: Ints, rng: np.random.Generator) -> Draft:
    """Return twins of some nodes, with edges to open nodes."""
    table = job.graph.nodes[job.target]
    links = [without_held_out(job.graph, one, rng) for one in links_of(job.graph, job.target, nodes)]
    return Draft(table.attributes.take(nodes), 1, None if table.time is None else table.time[nodes], links)


def rows_of_nodes(job: Job, view: HopView, graph: Graph) -> Sample:
    """Return the rows of the nodes that ``graph`` has beyond those of the job, as anomalies."""
    real, whole = job.graph.nodes[job.target].count, graph.nodes[job.target].count
    x = view.features.view(graph).rows(np.arange(real, whole))
    return anomalies(x)


def anomalies(x: Floats) -> Sample:
    """Return rows that are all anomalous."""
    ones = np.ones(len(x), np.float32)
    return Sample(x, ones, ones)


def divided(job: Job) -> Graph:
    """Return the job's graph with a split that says which nodes are learned from and which are chosen by."""
    table = job.graph.nodes[job.target]
    parts = np.where(table.test_mask, Part.TEST, Part.NONE).astype(np.int8)
    parts[job.train], parts[job.valid] = Part.TRAIN, Part.VAL
    if table.splits is not None and (table.splits[table.split] == parts).all():
        return job.graph
    return job.graph.with_splits(job.target, parts[None])


@final
@dataclass(frozen=True)
class Duplicate:
    """Each known anomaly again. For trees the very same rows, so that it counts more."""

    def graph(self, job: Job, count: int, seed: int) -> Graph:
        """Return the graph with twins, whose held-out neighbours are replaced."""
        rng = np.random.default_rng([seed, 21])
        return joined(job.graph, job.target, drafted(job, models(job, count, rng), rng))

    def sample(self, job: Job, view: HopView, count: int, seed: int) -> Sample:
        """Return the same rows again."""
        return anomalies(view.rows(models(job, count, np.random.default_rng([seed, 21]))))


@final
@dataclass(frozen=True)
class Perturb:
    """Twins with noise on their features and some edges dropped (K. Ding et al., "Data augmentation for deep graph
    learning", 2022).

    Parameters
    ----------
    noise
        Standard deviation of what is added to a number, in those of the known anomalies.
    swap
        Probability that an attribute is another known anomaly's instead.
    drop
        Probability that an edge is dropped.
    """

    noise: float = 0.1
    swap: float = 0.1
    drop: float = 0.3

    def graph(self, job: Job, count: int, seed: int) -> Graph:
        """Return the graph with the twins."""
        rng = np.random.default_rng([seed, 22])
        draft = drafted(job, models(job, count, rng), rng)
        known = job.graph.nodes[job.target].attributes.take(known_anomalies(job))
        links = [_thinned(one, self.drop, rng) for one in draft.links]
        return joined(
            job.graph,
            job.target,
            replace(draft, attributes=self._changed(draft.attributes, known, rng), links=links),
        )

    def sample(self, job: Job, view: HopView, count: int, seed: int) -> Sample:
        """Return the rows of the twins."""
        return rows_of_nodes(job, view, self.graph(job, count, seed))

    def _changed(self, own: Columns, known: Columns, rng: np.random.Generator) -> Columns:
        other = known.take(rng.integers(0, known.count, own.count))
        numeric = np.where(rng.random(own.numeric.shape) < self.swap, other.numeric, own.numeric)
        codes = np.where(rng.random(own.codes.shape) < self.swap, other.codes, own.codes)
        scale = np.nan_to_num(np.nanstd(known.numeric, axis=0)) if known.numeric.size else 0.0
        noise = self.noise * scale * rng.normal(size=own.numeric.shape)
        return replace(own, numeric=(numeric + noise).astype(np.float32), codes=codes.astype(np.int32))


def _thinned(links: Links, drop: float, rng: np.random.Generator) -> Links:
    """The links without some; an owner that would lose all keeps its first."""
    keep = rng.random(len(links.owner)) >= drop
    first = np.unique(links.owner, return_index=True)[1]
    left = np.bincount(links.owner[keep], minlength=links.owner.max(initial=-1) + 1)
    keep[first[left[links.owner[first]] == 0]] = True
    return links.take(keep)


__all__ = [
    "Duplicate", "Made", "Maker", "Perturb", "anomalies", "divided", "drafted", "known_anomalies", "models",
    "rows_of_nodes",
]  # fmt: skip
