"""Networks as detectors: how they see a graph, learn, score, and say what carried a score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray

from marigram.errors import InputError, ParameterError, SnapshotError
from marigram.graph.csr import CSR
from marigram.graph.data import EdgeType, Graph
from marigram.graph.detectors.explain import stored
from marigram.graph.detectors.jobs import Arrays, Job, Packed, Parts, Scorer
from marigram.graph.layers import GraphBatch
from marigram.graph.networks import (
    FeatureScaler,
    GraphNetwork,
    NetworkSettings,
    Reasons,
    SampledGraph,
    TrainingSettings,
    WholeGraph,
    score_nodes,
    train_network,
)
from marigram.graph.relations import node_times, relations_of

Ints = NDArray[np.int64]
Doubles = NDArray[np.float64]

MOST_EDGES = 4_000_000
"""Graphs with more edges, counted both ways, are seen in sampled neighbourhoods."""
FANOUT = 10
SAMPLED_HOPS = 2
"""How far a network sees in samples: each hop has ten times the nodes of the one before."""
UNSTOPPED = 100
"""Epochs where validation lacks a class, so that nothing can tell when to stop."""


@final
class NetworkLearner:
    """Learns a network.

    Parameters
    ----------
    network, training
        What it is built of and how it learns. Where the graph is seen in samples it gets layers for two hops.
    """

    def __init__(self, network: NetworkSettings, training: TrainingSettings) -> None:
        self.network, self.training = network, training

    def fit(self, job: Job, like: Scorer | None = None) -> NetworkScorer:
        """Learn on the training nodes; ``InputError`` when the graph has no edge type."""
        relations = relations_of(job.graph)
        if not relations:
            raise InputError(0, "a network needs edges; without them use kind 'trees'")
        sight = like.sight if isinstance(like, NetworkScorer) else self._sight(job, relations)
        settings = self._settings(relations, sampled=sight.sampled)
        source = sight.source(job.graph, settings, relations)
        network = GraphNetwork(settings, source.widths, list(relations), job.target, seed=self.training.seed)
        stops = len(set(job.labels[job.valid].tolist())) > 1
        epochs = self.training.epochs if stops else min(UNSTOPPED, self.training.epochs)
        if isinstance(like, NetworkScorer):
            epochs = like.epochs
        training = replace(self.training, epochs=epochs)
        if training.processes > 1:
            from marigram.graph.distributed.training import learn_in_processes

            begun = NetworkScorer(sight, network, source.widths, 0)
            learned, done = learn_in_processes(job, begun, training, stops=stops)
            return NetworkScorer(sight, learned.network, source.widths, done.epoch)
        done = train_network(
            network,
            source,
            job.labels,
            job.train,
            job.valid if stops else None,
            weights=job.weights,
            settings=training,
        )
        return NetworkScorer(sight, network, source.widths, done.epoch)

    def _sight(self, job: Job, relations: Mapping[EdgeType, CSR]) -> Sight:
        timed = node_times(job.graph, job.target) is not None
        sampled = timed or sum(map(len, relations.values())) > MOST_EDGES
        scaler = FeatureScaler.fit(job.graph, degrees=not timed)
        return Sight(job.target, scaler, tuple(relations), timed, sampled, self.training.seed)

    def _settings(self, relations: Mapping[EdgeType, CSR], *, sampled: bool) -> NetworkSettings:
        settings = replace(self.network, timed=any(len(csr.times) for csr in relations.values()))
        if sampled:
            step = settings.order if settings.kind == "bwgnn" else 1
            settings = replace(settings, layers=min(settings.layers, max(1, SAMPLED_HOPS // step)))
        return settings


@final
@dataclass(frozen=True, eq=False)
class Sight:
    """How a network sees graphs.

    Attributes
    ----------
    target
        The node type that is scored.
    scaler
        Makes features.
    relations
        In the order in which the network knows them.
    timed
        Whether nodes see nothing later than themselves.
    sampled
        Whether it sees samples rather than the whole graph.
    seed
        Of samples.
    """

    target: str
    scaler: FeatureScaler
    relations: tuple[EdgeType, ...]
    timed: bool
    sampled: bool
    seed: int

    def source(
        self, graph: Graph, settings: NetworkSettings, relations: Mapping[EdgeType, CSR] | None = None
    ) -> WholeGraph | SampledGraph:
        """Return where batches come from; ``ParameterError`` when the graph has other edge types, or lacks times."""
        found = relations_of(graph) if relations is None else relations
        if set(found) != set(self.relations):
            raise ParameterError(
                f"the graph has relations {sorted(found)}, the network learned on {sorted(self.relations)}"
            )
        found = {kind: found[kind] for kind in self.relations}
        features = self.scaler.transform(graph, found)
        if not self.sampled:
            return WholeGraph(GraphBatch(features, found, self.target))
        times = node_times(graph, self.target) if self.timed else None
        if self.timed and times is None:
            raise ParameterError(f"nodes of type {self.target!r} had times when the network learned")
        return SampledGraph(
            features,
            found,
            self.target,
            [FANOUT] * min(settings.reach, SAMPLED_HOPS),
            times=times,
            degrees=self.timed,
            seed=self.seed,
        )


@final
class NetworkScorer:
    """A network that has learned.

    Parameters
    ----------
    sight
        What it sees.
    network
        The network.
    widths
        Features of each node type.
    epochs
        How long it learned.
    """

    def __init__(self, sight: Sight, network: GraphNetwork, widths: Mapping[str, int], epochs: int) -> None:
        self.sight, self.network, self.widths, self.epochs = sight, network, dict(widths), epochs

    @property
    def names(self) -> tuple[str, ...]:
        """Its features: attributes, what is missing, degrees."""
        return self.sight.scaler.columns(self.sight.target, self.sight.relations)

    @property
    def importances(self) -> dict[str, float]:
        """Not known of a network as a whole."""
        return {}

    def logits(self, graph: Graph, nodes: Ints) -> Doubles:
        """Score nodes: (n,)."""
        source = self.sight.source(graph, self.network.settings)
        return score_nodes(self.network, source, nodes).astype(np.float64)

    def parts(self, graph: Graph, node: int, most: int) -> Parts:
        """Integrated gradients of the node's features, and of each edge what the logit loses without it."""
        source = self.sight.source(graph, self.network.settings)
        found, batch = source.around(node, self.network.settings.reach)
        reasons = Reasons(self.network, found, batch, lambda kind: stored(kind, graph))
        scaled, carried = reasons.features()
        values = scaled.astype(np.float64)
        own = graph.nodes[self.sight.target].attributes.matrix()[0][node]
        values[: len(own)] = own
        features = [(n, float(v), float(c)) for n, v, c in zip(self.names, values, carried, strict=True)]
        tried = reasons.edges(most)
        return Parts(features, [(kind, sender, row, lost) for (kind, sender, row), lost in tried])

    def packed(self) -> Packed:
        """Weights and scales as arrays."""
        sight = self.sight
        meta = {
            "type": "network",
            "target": sight.target,
            "relations": [list(kind) for kind in sight.relations],
            "timed": sight.timed,
            "sampled": sight.sampled,
            "seed": sight.seed,
            "settings": asdict(self.network.settings),
            "widths": [[name, width] for name, width in self.widths.items()],
            "epochs": self.epochs,
        }
        arrays: Arrays = {f"scaler.{k}": np.asarray(a) for k, a in sight.scaler.to_arrays().items()}
        arrays |= {f"weights.{k}": t.detach().numpy() for k, t in self.network.state_dict().items()}
        return Packed(meta, arrays, {})

    @classmethod
    def unpacked(cls, packed: Packed) -> NetworkScorer:
        """Return the scorer of :meth:`packed`; ``SnapshotError`` when weights are missing or of another shape."""
        meta, arrays = packed.meta, packed.arrays
        relations = tuple((a, b, c) for a, b, c in meta["relations"])
        scaler = FeatureScaler.from_arrays(_under("scaler.", arrays))
        sight = Sight(meta["target"], scaler, relations, meta["timed"], meta["sampled"], meta["seed"])
        widths = {name: int(width) for name, width in meta["widths"]}
        network = GraphNetwork(NetworkSettings(**meta["settings"]), widths, list(relations), meta["target"])
        weights = {k: torch.from_numpy(np.array(a)) for k, a in _under("weights.", arrays).items()}
        try:
            network.load_state_dict(weights)
        except RuntimeError as error:
            raise SnapshotError("the weights do not fit the network they are said to be of") from error
        network.eval()
        return cls(sight, network, widths, meta["epochs"])


def _under(prefix: str, arrays: Mapping[str, Any]) -> dict[str, Any]:
    return {k.removeprefix(prefix): a for k, a in arrays.items() if k.startswith(prefix)}


__all__ = ["NetworkLearner", "NetworkScorer"]
