"""The two-hop neighbourhood of a node, cut down to what an eye can follow.

A hub has a million neighbours, a drawing room for some forty. First those that carried the score, then anomalous ones,
then those with high scores, then the latest. Of the second hop, first those that several drawn neighbours share: rings
of fraud show there. What is left out is counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marigram.graph.data import EdgeType, Graph

Node = tuple[str, int]
"""Type and number within it."""

FIRST, SECOND, EACH = 12, 26, 4
"""Nodes of the first hop, of the second, and of the second for each of the first, at most."""
_LOOKED_AT = 400
"""Neighbours of one node in one relation that are looked at, the latest."""


@dataclass(frozen=True)
class Ego:
    """A node, those around it, and the edges between them.

    Parameters
    ----------
    nodes
        The centre first, then the first hop, then the second.
    hop
        0, 1 or 2 for each node.
    links
        (place in ``nodes``, place in ``nodes``, edge type): each edge between a node of hop 0 or 1 and any other.
    neighbours
        How many neighbours the centre has, drawn or not.
    known, anomalous
        How many of these have a known label, and how many of those are anomalous.
    """

    nodes: tuple[Node, ...]
    hop: tuple[int, ...]
    links: tuple[tuple[int, int, EdgeType], ...]
    neighbours: int
    known: int
    anomalous: int


def ego_of(
    graph: Graph, centre: Node, *, rank: Mapping[Node, float], scores: Mapping[str, NDArray[np.float64]]
) -> Ego:
    """Return the neighbourhood of a node.

    Parameters
    ----------
    graph
        Where it lies.
    centre
        The node.
    rank
        What neighbours carried of its score; those with more come first.
    scores
        Node type -> scores ``(count,)``; NaN, or a type that is absent, where there are none.
    """

    def weight(node: Node, shared: int) -> tuple[float, int, bool, float]:
        name, number = node
        labels = graph.nodes[name].labels
        anomalous = labels is not None and labels[number] == 1
        score = float(scores[name][number]) if name in scores else -1.0
        return abs(rank.get(node, 0.0)), shared, anomalous, -1.0 if np.isnan(score) else score

    around = dict.fromkeys(node for node, _ in _neighbours(graph, centre) if node != centre)
    first = sorted(around, key=lambda node: weight(node, 0), reverse=True)[:FIRST]
    taken, parents = {centre, *first}, dict[Node, list[Node]]()
    for node in first:
        for beyond in dict.fromkeys(other for other, _ in _neighbours(graph, node)):
            if beyond not in taken:
                parents.setdefault(beyond, []).append(node)
    second, room = list[Node](), dict.fromkeys(first, EACH)
    for node in sorted(parents, key=lambda node: weight(node, len(parents[node])), reverse=True):
        parent = max(parents[node], key=lambda one: room[one])
        if room[parent] and len(second) < SECOND:
            room[parent] -= 1
            second.append(node)
    nodes = (centre, *first, *second)
    hop = (0, *(1 for _ in first), *(2 for _ in second))
    return Ego(nodes, hop, _links(graph, nodes, 1 + len(first)), *_degree(graph, centre))


def _rows(graph: Graph, node: Node) -> Iterator[tuple[EdgeType, str, NDArray[np.int32]]]:
    """Edge type, type of the far end, and the far ends, for both ways of every edge type, earliest first."""
    name, number = node
    for kind in graph.edges:
        for reverse, near, far in ((False, kind[2], kind[0]), (True, kind[0], kind[2])):
            if near == name:
                edges = graph.csr(kind, reverse=reverse)
                yield kind, far, edges.indices[edges.indptr[number] : edges.indptr[number + 1]]


def _neighbours(graph: Graph, node: Node) -> Iterator[tuple[Node, EdgeType]]:
    for kind, far, ends in _rows(graph, node):
        for end in ends[: -_LOOKED_AT - 1 : -1].tolist():
            yield (far, end), kind


def _degree(graph: Graph, node: Node) -> tuple[int, int, int]:
    """How many neighbours a node has, how many of them with a known label, how many of those anomalous."""
    found: dict[str, list[NDArray[np.int32]]] = {}
    for _, far, ends in _rows(graph, node):
        found.setdefault(far, []).append(ends)
    total = known = anomalous = 0
    for far, parts in found.items():
        ends = np.unique(np.concatenate(parts))
        ends = ends[ends != node[1]] if far == node[0] else ends
        labels = graph.nodes[far].labels
        total += len(ends)
        if labels is not None:
            known += int((labels[ends] >= 0).sum())
            anomalous += int((labels[ends] == 1).sum())
    return total, known, anomalous


def _links(graph: Graph, nodes: tuple[Node, ...], inner: int) -> tuple[tuple[int, int, EdgeType], ...]:
    """The edges of the first ``inner`` nodes to any of the nodes, each pair once for an edge type."""
    place = {node: i for i, node in enumerate(nodes)}
    drawn: dict[str, list[int]] = {}
    for name, number in nodes:
        drawn.setdefault(name, []).append(number)
    found: dict[tuple[int, int, EdgeType], None] = {}
    for i, node in enumerate(nodes[:inner]):
        for kind, far, ends in _rows(graph, node):
            for end in np.intersect1d(ends, drawn.get(far, [])).tolist():
                j = place[far, int(end)]
                if i != j:
                    found[min(i, j), max(i, j), kind] = None
    return tuple(found)


__all__ = ["Ego", "Node", "ego_of"]
