"""Which nodes a detector learns from, and which are kept to stop, to choose and to judge by."""

from __future__ import annotations

import numpy as np

from marigram.errors import InputError, ParameterError
from marigram.graph.data import Graph
from marigram.graph.detectors.jobs import Ints, Job

HELD_OUT = 0.25
"""Share of the training nodes of each class that becomes validation where the data have none."""


def target_of(graph: Graph, asked: str | None, *, labelled: bool = True) -> str:
    """Return the node type that is scored; ``InputError`` when that is not clear or it has no labels."""
    types = graph.labelled_types
    if asked is not None:
        if asked not in graph.nodes:
            raise ParameterError(f"there is no node type {asked!r} in {graph!r}")
        if labelled and asked not in types:
            raise InputError(0, f"nodes of type {asked!r} have no labels")
        return asked
    if not labelled and not types:
        types = tuple(graph.nodes)
    if len(types) != 1:
        raise InputError(0, f"which node type is to be scored? say node_type; {len(types)} have labels")
    return types[0]


def job_of(graph: Graph, target: str, *, seed: int) -> Job:
    """Return the nodes to learn from and to validate by.

    Without masks every labelled node is for training; without validation a quarter of each class is held out, at random
    by ``seed``.

    Raises
    ------
    InputError
        Training lacks an anomaly or a normal node.
    """
    table = graph.nodes[target]
    labels = np.full(table.count, -1, np.int8) if table.labels is None else np.asarray(table.labels)
    known = labels >= 0
    undivided = not (table.train_mask | table.val_mask | table.test_mask).any()
    train = np.flatnonzero(known if undivided else table.train_mask & known)
    valid = np.flatnonzero(table.val_mask & known)
    for label, name in ((1, "anomaly"), (0, "normal node")):
        if not (labels[train] == label).any():
            raise InputError(
                0, f"training has no {name}: a detector needs both kinds, or kind='unsupervised'"
            )
    if not len(valid):
        train, valid = _held_out(train, labels, seed)
    parts = np.zeros(table.count, np.float32)
    used = np.concatenate([train, valid])
    parts[used] = labels[used]
    return Job(graph, target, parts, np.ones(table.count, np.float32), train, valid)


def _held_out(train: Ints, labels: np.ndarray, seed: int) -> tuple[Ints, Ints]:
    rng = np.random.default_rng([seed, 11])
    kept, out = [], []
    for label in (0, 1):
        rows = rng.permutation(train[labels[train] == label])
        cut = int(len(rows) * HELD_OUT)
        out.append(rows[:cut])
        kept.append(rows[cut:])
    return np.sort(np.concatenate(kept)), np.sort(np.concatenate(out))


__all__ = ["job_of", "target_of"]
