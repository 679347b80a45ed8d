"""New nodes from :class:`marigram.graph.Synthesizer`: ours, ours without diffusion, and the published design."""

from __future__ import annotations

import weakref
from typing import Any, Protocol, final

from marigram.graph.augmenters.makers import divided, rows_of_nodes
from marigram.graph.augmenters.suspects import suspects
from marigram.graph.data import Graph
from marigram.graph.detectors.jobs import Job, Sample
from marigram.graph.detectors.selftrain import SelfTraining
from marigram.graph.hops import HopView


class Joinable(Protocol):
    """New nodes that can become part of a graph."""

    def join(self, data: Graph) -> Graph:
        """Return the graph with them, behind the real ones."""


class Sampler(Protocol):
    """What a fitted synthesizer can do."""

    def sample(
        self, n: int, label: int = 1, *, node_type: str | None = None, seed: int | None = None
    ) -> Joinable:
        """Return new nodes."""


@final
class Generated:
    """Fits a synthesizer to a job's training part, once, and samples from it.

    Parameters
    ----------
    how
        Settings of :class:`Synthesizer`.
    sampling
        Those of its ``sample``.
    fitted
        One that is fitted already, in place of ``how``.
    learning
        Whom it learns the class from beside the known anomalies (:mod:`marigram.graph.augmenters.suspects`); None:
        nobody.
    """

    def __init__(
        self,
        how: dict[str, Any],
        sampling: dict[str, Any] | None = None,
        fitted: Sampler | None = None,
        learning: SelfTraining | None = None,
    ) -> None:
        self.how, self.sampling, self._given, self.learning = how, sampling or {}, fitted, learning
        self._fitted: weakref.WeakKeyDictionary[Graph, Sampler] = weakref.WeakKeyDictionary()

    def graph(self, job: Job, count: int, seed: int) -> Graph:
        """Return the graph with the sampled nodes, joined to training nodes."""
        data = divided(job)
        extra = self._sampler(job, data).sample(
            count, label=1, node_type=job.target, seed=seed, **self.sampling
        )
        return extra.join(data)

    def sample(self, job: Job, view: HopView, count: int, seed: int) -> Sample:
        """Return the rows of the sampled nodes."""
        return rows_of_nodes(job, view, self.graph(job, count, seed))

    def _sampler(self, job: Job, data: Graph) -> Sampler:
        if self._given is not None:
            return self._given
        if data not in self._fitted:
            from marigram import graph as mgg

            make: Any = mgg.Synthesizer
            supposed = None
            if self.learning is not None:
                supposed = suspects(job, self.learning, self.how.get("seed", 0))
            self._fitted[data] = make(**self.how).fit(data, suspects=supposed)
        return self._fitted[data]


def diffusion(seed: int, learning: SelfTraining | None = None, **how: Any) -> Generated:
    """Return ours: whole nodes, wired to real ones, by guided diffusion."""
    return Generated({"seed": seed, **how}, {"guidance": 2.0}, learning=learning)


def vae(seed: int, learning: SelfTraining | None = None, **how: Any) -> Generated:
    """Return ours without diffusion."""
    return Generated({"seed": seed, "diffusion": False, **how}, learning=learning)


def godm(seed: int, **how: Any) -> Generated:
    """Return the published design: linear decoders, new nodes without any edge."""
    return Generated({"seed": seed, "encoder": "sage", "hops": 2, "linear": True, "isolated": True, **how})


__all__ = ["Generated", "Sampler", "diffusion", "godm", "vae"]
