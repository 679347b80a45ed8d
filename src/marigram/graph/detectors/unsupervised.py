"""Without labels: how far out a node lies, column by column, in what its surroundings look like.

    s(v) = max over sides of  sum_j -log P(X_j beyond x_j),

tail probabilities from the sorted values of each column (Z. Li et al., "ECOD", IEEE TKDE 2022). The logit of
the share of nodes that lie farther out stands in for a score; it says how rare a node is, not how likely an anomaly.
"""

from __future__ import annotations

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
        raw = np.sort(scorer.sums(x).max(0))
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

    def tails(self, x: Floats) -> tuple[Doubles, Doubles]:
        """-log of the probability to lie at or below, and at or above each value: (n, d) twice, 0 where missing."""
        below, above = np.zeros(x.shape), np.zeros(x.shape)
        count = len(self.points)
        for j in range(x.shape[1]):
            known = ~np.isnan(x[:, j])
            value = x[known, j]
            up = np.searchsorted(self.points[:, j], value, "right")
            down = np.searchsorted(self.points[:, j], value, "left")
            below[known, j] = -np.log((up + 1) / (count + 1))
            above[known, j] = -np.log((count - down + 1) / (count + 1))
        return below, above

    def sums(self, x: Floats) -> Doubles:
        """Sum of both tails over the columns: (2, n)."""
        below, above = self.tails(x)
        return np.stack([below.sum(1), above.sum(1)])

    def logits(self, graph: Graph, nodes: Ints) -> Doubles:
        """Logit of the share of nodes that are less far out: (n,); beyond all of them it grows on with s."""
        raw = self.sums(self.features.view(graph).rows(nodes)).max(0)
        count = len(self.ranks)
        share = (np.interp(raw, self.ranks, np.arange(count)) + 0.5) / count
        beyond = np.maximum(raw / max(self.ranks[-1], 1e-9) - 1, 0)
        return np.asarray(np.log(share / (1 - share)) + beyond)

    def parts(self, graph: Graph, node: int, most: int) -> Parts:  # noqa: ARG002 - edges are columns here
        """The columns' tails on the side that decided."""
        x = self.features.view(graph).rows(np.array([node]))
        sides = self.tails(x)
        side = sides[int(sides[1].sum() > sides[0].sum())][0]
        return Parts([(n, float(v), float(c)) for n, v, c in zip(self.names, x[0], side, strict=True)], [])

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
