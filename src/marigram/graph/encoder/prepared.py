"""A graph as the synthesizer sees it: who may be learned from, who may be joined, and what the encoder is told.

Labels of validation and test nodes are never looked at, nothing is learned from such nodes, and no synthetic node is
connected to one. A node whose label is not known is neither normal nor anomalous, but of a third class.

Beside its own columns and degrees a node brings the means of both over its neighbours, relation by relation, made once:
of the hundred neighbours that a node may have, a sampled batch holds a few, and the means hold all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from marigram.errors import InputError
from marigram.graph.csr import CSR
from marigram.graph.data import EdgeType, Graph, NodeTable, Part
from marigram.graph.diffusion.latent import UNKNOWN
from marigram.graph.networks.features import CLIP, FeatureScaler
from marigram.graph.relations import REVERSE, node_times, relations_of
from marigram.graph.rows import NO_TIMES, Rows

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

CLASSES = 3
"""Normal, anomalous, unknown."""
WIDEST = 64
"""Columns of a node that are averaged over its neighbours; more are first mixed into so many."""


@final
@dataclass(frozen=True, eq=False)
class Prepared:
    """See the module; made by :func:`prepare`.

    Attributes
    ----------
    graph, target
        Whose, and the node type with labels.
    relations
        (sending type, name, receiving type) -> edges, as messages go.
    allowed
        Node type -> bool (n,): who may be learned from: all but validation and test nodes.
    partners
        Node type -> bool (n,): who may be joined: training nodes; of types without splits, those that some allowed
        node is connected to.
    classes
        Node type -> int64 (n,): 0, 1, 2.
    own, around
        Node type -> float32 (n, d): standardised columns and degrees, and their means over neighbours.
    degrees
        Node type -> int64 (n, relations into the type), as each node can see them at its time.
    times
        Node type -> int64 (n,): when each node came into being; of length 0 where it lasts.
    """

    graph: Graph
    target: str
    relations: Mapping[EdgeType, CSR]
    allowed: Mapping[str, Mask]
    partners: Mapping[str, Mask]
    classes: Mapping[str, Ints]
    own: Mapping[str, Floats]
    around: Mapping[str, Floats]
    degrees: Mapping[str, Ints]
    times: Mapping[str, Ints]

    @cached_property
    def features(self) -> dict[str, Tensor]:
        """Node type -> float32 (n, own + around + classes): what the encoder is given."""
        told = {}
        for name, own in self.own.items():
            mark = np.eye(CLASSES, dtype=np.float32)[self.classes[name]]
            told[name] = torch.from_numpy(np.concatenate([own, self.around[name], mark], axis=1))
        return told

    def into(self, name: str) -> list[EdgeType]:
        """Return the relations into a type."""
        return [kind for kind in self.relations if kind[2] == name]


def prepare(
    graph: Graph, node_type: str | None = None, *, conditioned: bool = True, suspects: Ints | None = None
) -> Prepared:
    """Look at a graph once.

    Parameters
    ----------
    graph
        Not changed.
    node_type
        The type whose labels count; by default the only one that has labels.
    conditioned
        False: every label counts as unknown.
    suspects
        int64: unlabelled, validation or test nodes of the target type that are learned from as anomalous ones.

    Raises
    ------
    InputError
        No node type has labels, several have and none is named, there is no training node, or a suspect does not exist
        or is a training node with a label.
    """
    target = _target(graph, node_type)
    relations = relations_of(graph)
    allowed = {name: ~(table.val_mask | table.test_mask) for name, table in graph.nodes.items()}
    if not allowed[target].any():
        raise InputError(
            0, f"nodes {target!r}: there is nothing to learn from, all are validation or test nodes"
        )
    classes = {
        name: _classes(table) if name == target and conditioned else np.full(table.count, UNKNOWN, np.int64)
        for name, table in graph.nodes.items()
    }
    partners = _partners(graph, relations, allowed)
    if suspects is not None:
        _suspect(suspects, target, allowed[target], classes[target] if conditioned else None, graph)
    moments = {name: node_times(graph, name) for name in graph.nodes}
    times = {name: NO_TIMES if moment is None else moment for name, moment in moments.items()}
    degrees = {
        name: _degrees(times[name], name, table.count, relations) for name, table in graph.nodes.items()
    }
    columns = FeatureScaler.fit(graph, degrees=False).transform(graph, {})
    own = {}
    for name, x in columns.items():
        seen = np.log1p(degrees[name])
        spread = np.maximum(seen.std(0, keepdims=True), 1e-3)
        parts = [x.numpy(), (seen - seen.mean(0, keepdims=True)) / spread]
        own[name] = np.concatenate(parts, axis=1, dtype=np.float32)
    return Prepared(
        graph, target, relations, allowed, partners, classes, own,
        _around(relations, own, times), degrees, times,
    )  # fmt: skip


def edge_type_of(graph: Graph, relation: EdgeType) -> tuple[EdgeType, bool]:
    """Return the edge type that a relation walks, and whether backwards: then its receivers are the sources."""
    if relation in graph.edges:
        return relation, False
    return (relation[2], relation[1].removeprefix(REVERSE), relation[0]), True


def _target(graph: Graph, node_type: str | None) -> str:
    labelled = graph.labelled_types
    if node_type is not None:
        if node_type not in labelled:
            raise InputError(
                0, f"node type {node_type!r} has no labels; with labels: {', '.join(labelled) or 'none'}"
            )
        return node_type
    if len(labelled) != 1:
        raise InputError(
            0, f"one node type with labels is needed; there are {len(labelled)}: name one as node_type"
        )
    return labelled[0]


def _classes(table: NodeTable) -> Ints:
    """What may be known of the labels: those of training nodes; all where there is no split."""
    labels = np.full(table.count, -1, np.int8) if table.labels is None else table.labels
    known = labels >= 0
    if table.splits is not None:
        known &= table.splits[table.split] == Part.TRAIN
    return np.where(known, labels, UNKNOWN).astype(np.int64)


def _suspect(suspects: Ints, target: str, allowed: Mask, classes: Ints | None, graph: Graph) -> None:
    """Let suspects be learned from, and be of the class where classes are told."""
    count = graph.nodes[target].count
    if len(suspects) and not (suspects.min() >= 0 and suspects.max() < count):
        raise InputError(0, f"nodes {target!r}: suspects are numbers from 0 to {count - 1}")
    if (_classes(graph.nodes[target])[suspects] != UNKNOWN).any():
        raise InputError(0, f"nodes {target!r}: a suspect is a training node whose label is known")
    allowed[suspects] = True
    if classes is not None:
        classes[suspects] = 1


def _partners(
    graph: Graph, relations: Mapping[EdgeType, CSR], allowed: Mapping[str, Mask]
) -> dict[str, Mask]:
    found = {}
    for name, table in graph.nodes.items():
        if table.splits is not None:
            found[name] = table.train_mask
            continue
        touched = np.zeros(table.count, bool)
        for kind, csr in relations.items():
            if kind[0] == name:
                touched[csr.indices[allowed[kind[2]][csr.receivers]]] = True
        found[name] = touched if touched.any() else np.ones(table.count, bool)
    return found


def _degrees(times: Ints, name: str, count: int, relations: Mapping[EdgeType, CSR]) -> Ints:
    rows = [Rows.of(csr, np.arange(csr.rows), times) for kind, csr in relations.items() if kind[2] == name]
    seen = [row.stops - row.starts for row in rows]
    return np.stack(seen, axis=1) if seen else np.empty((count, 0), np.int64)


def _around(
    relations: Mapping[EdgeType, CSR], own: Mapping[str, Floats], times: Mapping[str, Ints]
) -> dict[str, Floats]:
    """Means over neighbours, standardised; wide types are mixed into fewer columns by a fixed random matrix."""
    said = {}
    for name, x in own.items():
        if x.shape[1] > WIDEST:
            mix = np.random.default_rng(x.shape[1]).normal(size=(x.shape[1], WIDEST)) / np.sqrt(x.shape[1])
            x = (x @ mix.astype(np.float32)).astype(np.float32)
        said[name] = np.ascontiguousarray(x)
    around: dict[str, list[Any]] = {name: [] for name in own}
    for kind, csr in relations.items():
        rows = Rows.of(csr, np.arange(csr.rows), times[kind[2]])
        means = np.nan_to_num(rows.means(said[kind[0]], rows.indices))
        spread = means.std(0)
        scaled = (means - means.mean(0)) / np.where(spread > 1e-6, spread, np.inf)
        around[kind[2]].append(np.clip(scaled, -CLIP, CLIP))
    lonely = {name: np.zeros((len(x), 1), np.float32) for name, x in own.items()}
    return {
        name: np.concatenate(parts, axis=1, dtype=np.float32) if parts else lonely[name]
        for name, parts in around.items()
    }


__all__ = ["CLASSES", "UNKNOWN", "Prepared", "edge_type_of", "prepare"]
