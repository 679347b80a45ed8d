"""Where batches come from: the whole graph at once, or sampled neighbourhoods of some seeds at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from marigram.errors import ParameterError
from marigram.graph.csr import CSR
from marigram.graph.data import EdgeType
from marigram.graph.layers import GraphBatch
from marigram.graph.sampler import Fanouts, NeighbourSampler, Sample

Ints = NDArray[np.int64]
Share = tuple[GraphBatch, Ints, Ints]


class NodeSource(Protocol):
    """Gives the batches in which some nodes of the target type are seeds."""

    def batches(self, nodes: Ints, epoch: int | None) -> Iterator[Share]:
        """Yield (batch, places of nodes among its seeds, which of ``nodes`` they are).

        In an epoch of training the order and the samples follow from its number; with None, for scoring, nodes come in
        their order and samples are always the same.
        """

    def around(self, node: int, hops: int) -> tuple[Sample, GraphBatch]:
        """Return what is seen of one node: the sample, and that as a batch whose one seed the node is."""


@final
class WholeGraph:
    """All nodes and edges at once: one step an epoch, exact, and as large as the graph.

    Parameters
    ----------
    batch
        The graph.
    """

    def __init__(self, batch: GraphBatch) -> None:
        self.batch = batch

    @property
    def widths(self) -> dict[str, int]:
        """Node type -> number of features."""
        return {name: x.shape[1] for name, x in self.batch.features.items()}

    def batches(self, nodes: Ints, epoch: int | None) -> Iterator[Share]:  # noqa: ARG002 - the same in every epoch
        """Yield the graph."""
        yield self.batch, nodes, np.arange(len(nodes))

    def around(self, node: int, hops: int) -> tuple[Sample, GraphBatch]:
        """Return all that lies within so many hops of a node, and that as a batch with the node as its seed."""
        whole = self.batch
        relations = {kind: adjacency.csr for kind, adjacency in whole.relations.items()}
        found = NeighbourSampler(relations, [-1] * hops).sample(whole.target, [node])
        return found, GraphBatch.of_sample(
            found, whole.features, relations, whole.target, seeds=1, threads=whole.threads
        )


@final
class SampledGraph:
    """Neighbourhoods of ``batch_size`` seeds at a time, for graphs that are too large to be seen whole.

    Parameters
    ----------
    features, relations, target
        Of the whole graph, as for :class:`~marigram.graph.layers.GraphBatch`; they may be mapped from files.
    fanouts
        Most neighbours of a node, hop by hop: as many hops as the network sees.
    batch_size
        Seeds a step, from 1.
    times
        int64 (n,): the time of each node of the target type; then no seed sees later edges.
    degrees
        Whether log(1 + degree) for each relation into a type becomes a feature, behind the others: the degree that the
        seed can see at its time, so that nothing of the future is told. Use it with features that have no degrees.
    seed
        Of samples and order.
    threads
        For message passing.
    """

    def __init__(
        self,
        features: Mapping[str, Tensor],
        relations: Mapping[EdgeType, CSR],
        target: str,
        fanouts: Fanouts,
        *,
        batch_size: int = 1024,
        times: Ints | None = None,
        degrees: bool = False,
        seed: int = 0,
        threads: int = 1,
    ) -> None:
        if type(batch_size) is not int or batch_size < 1:
            raise ParameterError(f"batch_size must be an integer of at least 1, got {batch_size!r}")
        if times is not None and times.shape != (len(features[target]),):
            raise ParameterError(f"every node of type {target!r} needs a time, got shape {times.shape}")
        self.features, self.relations, self.target = features, relations, target
        self.sampler = NeighbourSampler(relations, fanouts, seed=seed)
        self.batch_size, self.times, self.threads = batch_size, times, threads
        self.degrees = degrees

    @property
    def widths(self) -> dict[str, int]:
        """Node type -> number of features of a batch."""
        into = [kind[2] for kind in self.relations] if self.degrees else []
        return {name: x.shape[1] + into.count(name) for name, x in self.features.items()}

    def batches(self, nodes: Ints, epoch: int | None) -> Iterator[Share]:
        """Yield a batch for each ``batch_size`` of the nodes."""
        order = np.arange(len(nodes))
        if epoch is not None:
            np.random.default_rng([self.sampler.seed, epoch]).shuffle(order)
        self.sampler.epoch = 0 if epoch is None else epoch + 1
        for start in range(0, len(nodes), self.batch_size):
            chosen = order[start : start + self.batch_size]
            yield self._batch(nodes[chosen])[1], np.arange(len(chosen)), chosen

    def around(self, node: int, hops: int) -> tuple[Sample, GraphBatch]:  # noqa: ARG002 - as far as the fanouts say
        """Return the sample by which a node is scored, and that as a batch with the node as its seed."""
        self.sampler.epoch = 0
        return self._batch(np.array([node], np.int64))

    def _batch(self, seeds: Ints) -> tuple[Sample, GraphBatch]:
        times = None if self.times is None else self.times[seeds]
        found = self.sampler.sample(self.target, seeds, times)
        batch = GraphBatch.of_sample(
            found,
            self.features,
            self.relations,
            self.target,
            seeds=len(seeds),
            times=times,
            threads=self.threads,
        )
        if self.degrees:
            for kind, counts in self.sampler.degrees(found, times).items():
                column = torch.from_numpy(np.log1p(counts).astype(np.float32))[:, None]
                batch.features[kind[2]] = torch.cat([batch.features[kind[2]], column], dim=1)
        return found, batch


__all__ = ["NodeSource", "SampledGraph", "Share", "WholeGraph"]
