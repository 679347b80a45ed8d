"""Without labels: how far out a node lies, column by column, in what its surroundings look like.

    s(v) = mean of t_j over the node's own columns + half the mean over the columns of its neighbours,
    t_j = -log of the probability that column j lies as far out, on the side where v does,

tail probabilities from the sorted values of each column (after Z. Li et al., "ECOD", IEEE TKDE 2022, which sums one
side of all columns). The logit of the share of nodes that are less far out stands in for a score: it says how rare a
node is, not how likely an anomaly.
"""

from __future__ import annotations

from functools import cached_property
from typing import final

import numpy as np
from numpy.typing import NDArray

from marigram.graph.data import Graph
from marigram.graph.detectors.jobs import Job, Packed, Parts, Scorer
from marigram.graph.hops import HopFeatures

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

POINTS = 1024
"""Quantiles that are kept of each column."""
_OF_NEIGHBOURS = ("mean of ", "std of ", "min of ", "max of ")


@final
class RarityLearner:
    """Learns what is usual.

    Parameters
    ----------
    hops
        How far the columns look.
    """

    def __init__(self, hops: int) -> None:
        self.hops = hops

    def fit(self, job: Job, like: Scorer | None = None) -> RarityScorer:  # noqa: ARG002 - nothing to stop by
        """Learn from all nodes of the type; no label is looked at."""
        features = HopFeatures.fit(job.graph, job.target, hops=self.hops)
        x = features.view(job.graph).rows(np.arange(job.graph.nodes[job.target].count))
        levels = np.linspace(0, 1, min(POINTS, len(x)))
        points = np.zeros((len(levels), x.shape[1]), np.float32)
        for j in range(x.shape[1]):
            known = x[:, j][~np.isnan(x[:, j])]
            if len(known):
                points[:, j] = np.quantile(known, levels)
        scorer = RarityScorer(features, points, np.zeros(1))
        raw = np.sort(scorer.tails(x).sum(1))
        return RarityScorer(features, points, np.quantile(raw, levels))


@final
class RarityScorer:
    """What is usual, and how rare the rest.

    Parameters
    ----------
    features
        Which columns.
    points
        float32 (levels, d): quantiles of each column.
    ranks
        float64 (levels,): quantiles of s over the nodes that were learned from.
    """

    def __init__(self, features: HopFeatures, points: Floats, ranks: Doubles) -> None:
        self.features, self.points, self.ranks = features, points, ranks

    @property
    def names(self) -> tuple[str, ...]:
        """The columns."""
        return self.features.names

    @property
    def importances(self) -> dict[str, float]:
        """All columns count alike."""
        return dict.fromkeys(self.names, 1 / max(len(self.names), 1))

    def tails(self, x: Floats) -> Doubles:
        """t_j of each column, weighted as in s: (n, d); 0 where a value is missing."""
        out = np.zeros(x.shape)
        count = len(self.points)
        for j in range(x.shape[1]):
            known = ~np.isnan(x[:, j])
            value = x[known, j]
            below = np.searchsorted(self.points[:, j], value, "right") + 1
            above = count + 1 - np.searchsorted(self.points[:, j], value, "left")
            out[known, j] = -np.log(np.minimum(below, above) / (count + 1))
        return np.asarray(out * self._weights)

    @cached_property
    def _weights(self) -> Doubles:
        near = np.array([name.startswith(_OF_NEIGHBOURS) for name in self.names], np.bool_)
        return np.asarray(np.where(near, 0.5 / max(near.sum(), 1), 1 / max((~near).sum(), 1)))

    def logits(self, graph: Graph, nodes: Ints) -> Doubles:
        """Logit of the share of nodes that are less far out: (n,); beyond all of them it grows on with s."""
        raw = self.tails(self.features.view(graph).rows(nodes)).sum(1)
        count = len(self.ranks)
        share = (np.interp(raw, self.ranks, np.arange(count)) + 0.5) / count
        beyond = np.maximum(raw / max(self.ranks[-1], 1e-9) - 1, 0)
        return np.asarray(np.log(share / (1 - share)) + beyond)

    def parts(self, graph: Graph, node: int, most: int) -> Parts:  # noqa: ARG002 - edges are columns here
        """What each column adds to s."""
        x = self.features.view(graph).rows(np.array([node]))
        added = self.tails(x)[0]
        return Parts([(n, float(v), float(c)) for n, v, c in zip(self.names, x[0], added, strict=True)], [])

    def packed(self) -> Packed:
        """Quantiles as arrays."""
        meta, arrays = self.features.packed()
        return Packed(
            {"type": "rarity", "features": meta}, arrays | {"points": self.points, "ranks": self.ranks}, {}
        )

    @classmethod
    def unpacked(cls, packed: Packed) -> RarityScorer:
        """Return the scorer of :meth:`packed`."""
        meta, arrays = packed.meta, packed.arrays
        return cls(HopFeatures.unpacked(meta["features"], arrays), arrays["points"], arrays["ranks"])


__all__ = ["RarityLearner", "RarityScorer"]
