"""The edges of some nodes, ready to be given to new nodes: partners that are held out are replaced, never joined.

What a new node does must not reach the nodes that a detector is chosen or reported by. So an edge to a node of the
validation or test part goes to a neighbour of that node instead, which in most graphs is much like it, and the new node
keeps as many edges as its model has.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from marigram.graph.csr import CSR
from marigram.graph.data import EdgeType, Graph
from marigram.graph.data.tables import Mask
from marigram.graph.relations import has_both_ways

Ints = NDArray[np.int64]

ITSELF = -1
"""The partner of a node that has an edge to itself."""
TRIES = 4
"""Neighbours of a held-out partner that are tried before any node is."""


@final
@dataclass(frozen=True, eq=False)
class Links:
    """Edges of one type seen from one end.

    Attributes
    ----------
    kind
        The edge type.
    entering
        Whether the edges enter their owners, which then are of the target type; else they leave them.
    both
        Whether the type holds every edge both ways: then each link stands for two edges.
    owner
        int64 (k,): place of the owner among the nodes that were asked for.
    partner
        int64 (k,): the node at the other end, or -1 for the owner itself.
    edge
        int64 (k,): the row of the edge table, for attributes and time.
    """

    kind: EdgeType
    entering: bool
    both: bool
    owner: Ints
    partner: Ints
    edge: Ints

    @property
    def other(self) -> str:
        """The type of the partners."""
        return self.kind[0] if self.entering else self.kind[2]

    def take(self, which: NDArray[np.bool_]) -> Links:
        """Return some of the links."""
        return replace(self, owner=self.owner[which], partner=self.partner[which], edge=self.edge[which])


def links_of(graph: Graph, target: str, nodes: Ints) -> list[Links]:
    """Return all edges of some nodes of a type, one :class:`Links` for each way that an edge type may touch it."""
    found = []
    for kind in graph.edges:
        within = kind[0] == kind[2]
        if target not in (kind[0], kind[2]):
            continue
        both = within and has_both_ways(
            graph.edges[kind].src, graph.edges[kind].dst, graph.nodes[target].count
        )
        for entering in (True, False):
            if kind[2 if entering else 0] != target or (both and not entering):
                continue
            csr = graph.csr(kind, reverse=not entering)
            owner, slots = slots_of(csr, nodes)
            partner = csr.indices[slots].astype(np.int64)
            links = Links(kind, entering, both, owner, partner, csr.edge[slots])
            if within:
                loop = partner == nodes[owner]
                links = replace(links, partner=np.where(loop, ITSELF, partner))
                links = links if entering else links.take(~loop)  # it was seen from the other side
            found.append(links)
    return found


def slots_of(csr: CSR, nodes: Ints) -> tuple[Ints, Ints]:
    """Return for each slot of some rows the place of its row among ``nodes``, and the slot."""
    counts = csr.indptr[nodes + 1] - csr.indptr[nodes]
    owner = np.repeat(np.arange(len(nodes)), counts)
    first = np.cumsum(counts) - counts
    return owner, np.arange(len(owner)) - first[owner] + csr.indptr[nodes][owner]


def held_out(graph: Graph, node_type: str) -> Mask:
    """Return the nodes of a type that a new node may not be joined to: those of its validation and test parts."""
    table = graph.nodes[node_type]
    return np.asarray(table.val_mask | table.test_mask)


def without_held_out(graph: Graph, links: Links, rng: np.random.Generator) -> Links:
    """Return links to open nodes alone: a held-out partner gives way to a neighbour of it, or to any open node.

    Where a type has no open node, the links are left out.
    """
    closed = held_out(graph, links.other)
    partner = links.partner.copy()
    wrong = np.flatnonzero((partner != ITSELF) & closed[partner])
    if not len(wrong):
        return links
    if links.other in (links.kind[0], links.kind[2]) and links.kind[0] == links.kind[2]:
        csr = graph.csr(links.kind, reverse=not links.entering)
        for _ in range(TRIES):
            partner[wrong] = _neighbour(csr, partner[wrong], links.partner[wrong], rng)
            wrong = wrong[closed[partner[wrong]]]
    open_nodes = np.flatnonzero(~closed)
    if not len(open_nodes):
        return links.take(~closed[partner] | (partner == ITSELF))
    partner[wrong] = rng.choice(open_nodes, len(wrong))
    return replace(links, partner=partner)


def _neighbour(csr: CSR, now: Ints, first: Ints, rng: np.random.Generator) -> Ints:
    """A random neighbour of each first partner, or what stands now where it has none."""
    counts = csr.indptr[first + 1] - csr.indptr[first]
    some = counts > 0
    slots = csr.indptr[first[some]] + (rng.random(int(some.sum())) * counts[some]).astype(np.int64)
    out = now.copy()
    out[some] = csr.indices[slots]
    return out


__all__ = ["ITSELF", "Links", "held_out", "links_of", "slots_of", "without_held_out"]
