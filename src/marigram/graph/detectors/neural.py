"""Networks as detectors: how they see a graph, learn, score, and say what carried a score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray

from marigram.errors import ParameterError, SnapshotError
from marigram.graph.csr import CSR
from marigram.graph.data import EdgeType, Graph
from marigram.graph.detectors.jobs import Arrays, Job, Packed, Parts, Scorer
from marigram.graph.layers import GraphBatch
from marigram.graph.networks import (
    FeatureScaler,
    GraphNetwork,
    NetworkSettings,
    NodeSource,
    SampledGraph,
    TrainingSettings,
    WholeGraph,
    score_nodes,
    train_network,
)
from marigram.graph.relations import relations_of

Ints = NDArray[np.int64]
Doubles = NDArray[np.float64]

MOST_EDGES = 4_000_000
"""Graphs with more edges, counted both ways, are seen in sampled neighbourhoods."""
FANOUT = 10


@final
class NetworkLearner:
    """Learns a network.

    Parameters
    ----------
    network, training
        What it is built of and how it learns.
    """

    def __init__(self, network: NetworkSettings, training: TrainingSettings) -> None:
        self.network, self.training = network, training

    def fit(self, job: Job, like: Scorer | None = None) -> NetworkScorer:
        """Learn on the training nodes."""
        timed = job.graph.nodes[job.target].time is not None
        relations = relations_of(job.graph)
        sight = Sight(
            job.target,
            FeatureScaler.fit(job.graph, degrees=not timed),
            tuple(relations),
            timed,
            self.training.seed,
        )
        training = self.training
        if isinstance(like, NetworkScorer):
            sight, training = like.sight, replace(training, epochs=max(like.epochs, 1))
        source = sight.source(job.graph, self.network.layers, relations)
        network = GraphNetwork(
            self.network, source.widths, list(relations), job.target, seed=self.training.seed
        )
        valid = job.valid if len(job.valid) else None
        done = train_network(
            network, source, job.labels, job.train, valid, weights=job.weights, settings=training
        )
        return NetworkScorer(sight, network, source.widths, done.epoch)


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
    seed
        Of samples.
    """

    target: str
    scaler: FeatureScaler
    relations: tuple[EdgeType, ...]
    timed: bool
    seed: int

    def source(
        self, graph: Graph, layers: int, relations: Mapping[EdgeType, CSR] | None = None
    ) -> WholeGraph | SampledGraph:
        """Return where batches come from: the whole graph, or samples of one that is large or timed."""
        found = relations_of(graph) if relations is None else relations
        if set(found) != set(self.relations):
            raise ParameterError(
                f"the graph has relations {sorted(found)}, the network learned on {sorted(self.relations)}"
            )
        found = {kind: found[kind] for kind in self.relations}
        features = self.scaler.transform(graph, found)
        if self.timed or sum(map(len, found.values())) > MOST_EDGES:
            times = graph.nodes[self.target].time if self.timed else None
            return SampledGraph(
                features,
                found,
                self.target,
                [FANOUT] * layers,
                times=times,
                degrees=self.timed,
                seed=self.seed,
            )
        return WholeGraph(GraphBatch(features, found, self.target))


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
        """Its features have the numbers of columns."""
        return tuple(f"feature {j}" for j in range(self.widths[self.sight.target]))

    @property
    def importances(self) -> dict[str, float]:
        """Not known of a network as a whole."""
        return {}

    def logits(self, graph: Graph, nodes: Ints) -> Doubles:
        """Score nodes: (n,)."""
        source = self.sight.source(graph, self.network.settings.layers)
        return score_nodes(self.network, source, nodes).astype(np.float64)

    def parts(self, graph: Graph, node: int, most: int) -> Parts:
        """Gradient times input, of the node's features and summed over those of each neighbour."""
        source: NodeSource = self.sight.source(graph, self.network.settings.layers)
        batch, places, _ = next(source.batches(np.array([node]), None))
        if not isinstance(source, WholeGraph):
            raise ParameterError("a network on sampled neighbourhoods does not explain; use kind 'trees'")
        self.network.eval()
        inputs = {name: x.detach().clone().requires_grad_() for name, x in batch.features.items()}
        batch.features = inputs
        self.network(batch)[int(places[0])].backward()
        carried = {name: (x.grad * x.detach()).numpy() for name, x in inputs.items() if x.grad is not None}
        own = carried[self.sight.target][node]
        values = inputs[self.sight.target].detach().numpy()[node]
        features = [(n, float(v), float(c)) for n, v, c in zip(self.names, values, own, strict=True)]
        edges: list[tuple[EdgeType, int, int, float]] = []
        for kind, csr in relations_of(graph).items():
            if kind[2] != self.sight.target or kind[0] not in carried:
                continue
            slots = range(int(csr.indptr[node]), int(csr.indptr[node + 1]))[-most:]
            edges += [
                (kind, int(csr.indices[s]), int(csr.edge[s]), float(carried[kind[0]][csr.indices[s]].sum()))
                for s in slots
            ]
        return Parts(features, edges)

    def packed(self) -> Packed:
        """Weights and scales as arrays."""
        sight = self.sight
        meta = {
            "type": "network",
            "target": sight.target,
            "relations": [list(kind) for kind in sight.relations],
            "timed": sight.timed,
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
        sight = Sight(meta["target"], scaler, relations, meta["timed"], meta["seed"])
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
