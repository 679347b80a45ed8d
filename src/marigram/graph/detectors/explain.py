"""Why a node has its score: columns, neighbours and edges, the weightiest first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from marigram.graph.data import EdgeType, Graph
from marigram.graph.detectors.jobs import Parts
from marigram.graph.relations import REVERSE


@final
@dataclass(frozen=True)
class Explanation:
    """What carried the score of a node; contributions are in logits, above 0 towards an anomaly.

    Attributes
    ----------
    node
        Its number in the order of the source.
    score
        Its calibrated probability.
    features
        (name, value, contribution) of columns. Of trees: Shapley values of boosting and ways down the forests. Of
        networks: integrated gradients from a node like the average, without edges.
    neighbours
        (node type, number within its type, edge type, contribution), each neighbour once: the sum of its edges.
    edges
        (edge type, row of its table, contribution): what the logit loses without the edge. Of trees the neighbours stay
        as they are; of networks everything within reach follows, and of many edges some that weigh most are tried.
    """

    node: int
    score: float
    features: tuple[tuple[str, float, float], ...]
    neighbours: tuple[tuple[str, int, EdgeType, float], ...]
    edges: tuple[tuple[EdgeType, int, float], ...]

    @classmethod
    def of(cls, node: int, score: float, parts: Parts, graph: Graph, top: int) -> Explanation:
        """Keep the ``top`` weightiest of each."""
        edges = [(stored(kind, graph), row, c) for kind, _, row, c in parts.edges]
        near: dict[tuple[str, int, EdgeType], float] = {}
        for (kind, number, _, c), (edge_type, _, _) in zip(parts.edges, edges, strict=True):
            key = (kind[0], number, edge_type)
            near[key] = near.get(key, 0.0) + c
        features = sorted(parts.features, key=lambda part: -abs(part[2]))[:top]
        neighbours = sorted(((*key, c) for key, c in near.items()), key=lambda part: -abs(part[3]))[:top]
        edges.sort(key=lambda part: -abs(part[2]))
        return cls(node, score, tuple(features), tuple(neighbours), tuple(edges[:top]))


def stored(kind: EdgeType, graph: Graph) -> EdgeType:
    """Return the type under which edges that are walked as ``kind`` stand in the graph."""
    return kind if kind in graph.edges else (kind[2], kind[1].removeprefix(REVERSE), kind[0])


__all__ = ["Explanation", "stored"]
