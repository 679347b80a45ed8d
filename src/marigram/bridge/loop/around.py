"""The two-hop neighbourhood of an event as it was when the event came: what stood behind an alert, drawn or counted.

One hop: the entities of the event. Two hops: the last events that each of them had had before, and the entities of
these as names. Nothing later is shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from marigram.graph.data import Graph

MOST: Final = 6
"""Earlier events of each entity that are shown, the last ones."""


@final
@dataclass(frozen=True)
class Node:
    """One node: its type, its number within it, its name, and at which hop it lies."""

    kind: str
    number: int
    name: str
    hop: int


@final
@dataclass(frozen=True)
class Neighbourhood:
    """Nodes, and edges between places in their list, each with its relation.

    Attributes
    ----------
    nodes
        The event first.
    edges
        (from, to, relation): from an event to an entity.
    before
        Entity's place -> how many earlier events it had, of which at most :data:`MOST` are nodes.
    """

    nodes: tuple[Node, ...]
    edges: tuple[tuple[int, int, str], ...]
    before: dict[int, int]

    def in_words(self) -> str:
        """Say it in a sentence, for screen readers and for alerts.

        Examples
        --------
        >>> place = Neighbourhood((Node("event", 7, "e7", 0), Node("user", 0, "ann", 1)), ((0, 1, "by"),), {1: 12})
        >>> place.in_words()
        'user ann (12 events before)'
        """
        told = [
            f"{node.kind} {node.name} ({_times(self.before.get(place, 0))})"
            for place, node in enumerate(self.nodes)
            if node.hop == 1
        ]
        return "; ".join(told) or "no entity is known of it"


def neighbourhood(graph: Graph, event: str, row: int, *, most: int = MOST) -> Neighbourhood:
    """Return the two hops around an event as of its time; rows are in the order of time, so later ones are later.

    Parameters
    ----------
    graph
        As :func:`marigram.bridge.graph_of` makes it.
    event
        Node type of the events.
    row
        Which one.
    most
        Earlier events of each entity, from 0.
    """
    nodes = [Node(event, row, _name(graph, event, row), 0)]
    places = {(event, row): 0}
    edges: list[tuple[int, int, str]] = []
    before: dict[int, int] = {}

    def place_of(kind: str, number: int, hop: int) -> int:
        if (kind, number) not in places:
            places[kind, number] = len(nodes)
            nodes.append(Node(kind, number, _name(graph, kind, number), hop))
        return places[kind, number]

    kinds = [kind for kind in graph.edges if kind[0] == event]
    for kind in kinds:
        for entity in _out(graph, kind, row).tolist():
            here = place_of(kind[2], entity, 1)
            edges.append((0, here, kind[1]))
            earlier = _into(graph, kind, entity)
            earlier = earlier[earlier < row]
            before[here] = before.get(here, 0) + len(earlier)
            last = earlier[len(earlier) - min(most, len(earlier)) :].tolist()
            edges += [(place_of(event, other, 2), here, kind[1]) for other in last]
    return Neighbourhood(tuple(nodes), tuple(dict.fromkeys(edges)), before)


def _out(graph: Graph, kind: tuple[str, str, str], row: int) -> NDArray[Any]:
    csr = graph.csr(kind, reverse=True)
    return np.asarray(csr.indices[csr.indptr[row] : csr.indptr[row + 1]], np.int64)


def _into(graph: Graph, kind: tuple[str, str, str], entity: int) -> NDArray[Any]:
    csr = graph.csr(kind)
    return np.sort(np.asarray(csr.indices[csr.indptr[entity] : csr.indptr[entity + 1]], np.int64))


def _name(graph: Graph, kind: str, number: int) -> str:
    ids = graph.nodes[kind].ids
    return str(number) if ids is None else str(ids[number].as_py())


def _times(count: int) -> str:
    return "never seen before" if not count else f"{count:,} event{'s' * (count > 1)} before"


__all__ = ["MOST", "Neighbourhood", "Node", "neighbourhood"]
