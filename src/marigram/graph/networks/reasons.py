"""What carried a network's score of one node: its own features, and the edges around it.

Features: integrated gradients (M. Sundararajan, A. Taly, Q. Yan, "Axiomatic attribution for deep networks", ICML 2017)
from a node like the average and without edges to the node as it is,

    c_j = (x_j - x'_j) ∫_0^1 ∂f(x' + t (x - x')) / ∂x_j dt,      Σ_j c_j = f(x) - f(x').

Edges: what the logit loses when the edge is deleted, in all directions in which it carries messages and from the
degrees of both ends. Only the nodes within reach are computed anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from marigram.graph.csr import CSR
from marigram.graph.data import EdgeType
from marigram.graph.layers import GraphBatch
from marigram.graph.networks.network import GraphNetwork
from marigram.graph.sampler import Sample

Ints = NDArray[np.int64]
Edge = tuple[EdgeType, int, int]
"""(relation into the node, the sender's number in the graph, the edge's row)."""

STEPS, STEPS_OF_MANY = 32, 12
"""Points at which gradients are taken: t = u^2 in the middle u of as many stretches, for states change most where
little of the node is there. Also how many edges are tried. Fewer where more than ``MANY`` edges lie within reach."""
MANY = 200_000


@final
class Reasons:
    """Takes the score of a node apart.

    Parameters
    ----------
    network
        That scores.
    found, batch
        What it sees of the node: the sample around it, and that as a batch whose one seed the node is.
    stored
        Relation -> the edge type whose table its edges stand in; relations of one table carry the same edges.
    """

    def __init__(
        self,
        network: GraphNetwork,
        found: Sample,
        batch: GraphBatch,
        stored: Callable[[EdgeType], EdgeType],
    ) -> None:
        self.network, self.found, self.batch = network, found, batch
        self.table = {kind: stored(kind) for kind in batch.relations}
        self.passes = STEPS if sum(map(len, batch.relations.values())) <= MANY else STEPS_OF_MANY
        network.eval()

    def features(self) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Return the node's features and what each carried, in logits: (d,) each."""
        target = self.batch.target
        x = self.batch.features[target]
        total = torch.zeros(x.shape[1], dtype=torch.float64)
        for step in range(self.passes):
            moved, u = x.clone(), (step + 0.5) / self.passes
            moved[0] *= u * u
            moved.requires_grad_()
            self._logit(self.batch.features | {target: moved}).backward()  # type: ignore[no-untyped-call]
            if moved.grad is not None:
                total += 2 * u / self.passes * moved.grad[0].double()
        return x[0].numpy(), (total * x[0].double()).numpy()

    def edges(self, most: int) -> Iterator[tuple[Edge, float]]:
        """Yield edges into the node and what each carried, in logits: those that weigh most at first order."""
        whole = self._value(self.batch)
        for kind, slot in self._weightiest(min(most, self.passes)):
            sender = int(self.batch.relations[kind].csr.indices[slot])
            row = int(self.found.edges[kind][slot])
            edge = kind, int(self.found.nodes[kind[0]][sender]), row
            yield edge, whole - self._value(self._without(kind, row))

    def _weightiest(self, most: int) -> list[tuple[EdgeType, int]]:
        """Slots of the edges into the node, the largest gradient times input of the sender first."""
        inputs = {name: x.detach().clone().requires_grad_() for name, x in self.batch.features.items()}
        self._logit(inputs).backward()  # type: ignore[no-untyped-call]
        weighed: list[tuple[float, EdgeType, int]] = []
        seen: set[tuple[EdgeType, int]] = set()
        for kind, adjacency in self.batch.relations.items():
            if kind[2] != self.batch.target:
                continue
            sending = inputs[kind[0]]
            slope = torch.zeros_like(sending) if sending.grad is None else sending.grad
            carried = (slope * sending.detach()).sum(1).abs()
            for slot in range(int(adjacency.csr.indptr[1])):
                edge = self.table[kind], int(self.found.edges[kind][slot])
                if edge not in seen:
                    seen.add(edge)
                    weighed.append((float(carried[adjacency.csr.indices[slot]]), kind, slot))
        weighed.sort(key=lambda entry: -entry[0])
        return [(kind, slot) for _, kind, slot in weighed[:most]]

    def _without(self, kind: EdgeType, row: int) -> GraphBatch:
        """What the network would see if an edge were not there."""
        features, relations = dict(self.batch.features), {}
        into = dict.fromkeys(features, 0)
        for other, adjacency in self.batch.relations.items():
            csr = adjacency.csr
            relations[other] = csr
            into[other[2]] += 1
            if self.table[other] != self.table[kind]:
                continue
            gone = np.flatnonzero(self.found.edges[other] == row)
            if len(gone):
                relations[other] = _dropped(csr, gone)
                fewer = features[other[2]].clone()
                column = self._degree_column(other[2], into[other[2]])
                for receiver in csr.receivers[gone].tolist():
                    fewer[receiver, column] = torch.log1p(torch.expm1(fewer[receiver, column]) - 1)
                features[other[2]] = fewer
        return self.batch.changed(features, relations)

    def _degree_column(self, name: str, number: int) -> int:
        """Degrees are a type's last features, in the order of the relations into it; ``number`` counts from 1."""
        count = sum(kind[2] == name for kind in self.batch.relations)
        return self.batch.features[name].shape[1] - count + number - 1

    def _logit(self, features: Mapping[str, Tensor]) -> Tensor:
        out: Tensor = self.network(self.batch.changed(features))[0]
        return out

    def _value(self, batch: GraphBatch) -> float:
        with torch.no_grad():
            return float(self.network(batch)[0])


def _dropped(csr: CSR, gone: NDArray[Any]) -> CSR:
    """The relation without some slots, ascending."""
    kept = np.ones(len(csr), np.bool_)
    kept[gone] = False
    times = csr.times[kept] if len(csr.times) else csr.times
    indptr = csr.indptr - np.searchsorted(gone, csr.indptr)
    return CSR(indptr, csr.indices[kept], csr.edge[kept], times, csr.columns)


__all__ = ["Edge", "Reasons"]
