"""What ours is measured against, in the same run and on the same rows.

Every rival learns from train and validation nodes, as ours does after it has chosen, and gives one score per node of
the labelled type. The rivals look at the graph as one of a single node type, which is what they know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marigram.graph.data import Graph

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Flat:
    """A graph as one table and one symmetric adjacency matrix over the nodes of all types.

    Parameters
    ----------
    x
        float32 ``(N, D)``: attributes, 0 where missing or foreign to the node's type.
    adjacency
        SciPy CSR ``(N, N)``, symmetric, an edge that is there several times counted as often.
    rows
        Which rows are those of the labelled type.
    """

    x: NDArray[np.float32]
    adjacency: Any
    rows: slice


Rival = Callable[[Flat, NDArray[np.int8], int], Floats]
"""(the graph; labels of the labelled type, 1, 0, -1 where not to be learned from; seed) -> a score for each of them."""


def flatten(graph: Graph, node_type: str) -> Flat:
    """Return a graph of any types as one of a single type; attributes of one name share a column."""
    import scipy.sparse as sp

    offsets, blocks = graph.offsets, {name: table.attributes.matrix() for name, table in graph.nodes.items()}
    names = {
        name: j for j, name in enumerate(dict.fromkeys(n for _, titles in blocks.values() for n in titles))
    }
    x = np.zeros((graph.count, len(names)), np.float32)
    for name, (matrix, titles) in blocks.items():
        x[offsets[name] : offsets[name] + len(matrix), [names[title] for title in titles]] = np.nan_to_num(
            matrix
        )
    ends = [
        np.stack([table.src + offsets[kind[0]], table.dst + offsets[kind[2]]])
        for kind, table in graph.edges.items()
    ]
    src, dst = np.concatenate(ends, axis=1) if ends else np.empty((2, 0), np.int64)
    both = np.concatenate([src, dst]), np.concatenate([dst, src])
    adjacency = sp.coo_matrix(
        (np.ones(2 * len(src), np.float32), both), shape=(graph.count, graph.count)
    ).tocsr()
    start = offsets[node_type]
    return Flat(x, adjacency, slice(start, start + graph.nodes[node_type].count))


def extra_trees(flat: Flat, labels: NDArray[np.int8], seed: int, *, neighbours: bool) -> Floats:
    """Sixty extremely randomised trees, classes balanced, leaves of two rows: a floor that detectors should clear.

    With ``neighbours`` on attributes, their means over one and two hops, and the logarithm of the degree; else on the
    attributes alone.
    """
    from sklearn.ensemble import ExtraTreesClassifier

    x = _with_neighbours(flat) if neighbours else flat.x[flat.rows]
    known = labels >= 0
    if not x.shape[1]:
        return np.zeros(len(labels))
    forest = ExtraTreesClassifier(
        60, class_weight="balanced", min_samples_leaf=2, random_state=seed, n_jobs=1
    ).fit(x[known], labels[known])
    return np.asarray(forest.predict_proba(x)[:, 1], np.float64)


def _with_neighbours(flat: Flat) -> NDArray[np.float32]:
    degree = np.asarray(flat.adjacency.sum(axis=1), np.float32)
    first = (flat.adjacency @ flat.x) / np.maximum(degree, 1)
    second = (flat.adjacency @ first) / np.maximum(degree, 1)
    return np.asarray(np.hstack([flat.x, first, second, np.log1p(degree)])[flat.rows], np.float32)


def graphspot(flat: Flat, labels: NDArray[np.int8], seed: int, *, detector: str) -> Floats:
    """A detector of graphspot with its own defaults."""
    from graphspot import detectors
    from graphspot.graph import Graph as Theirs

    everywhere = np.full(len(flat.x), -1, np.int64)
    everywhere[flat.rows] = labels
    model = getattr(detectors, detector)(random_state=seed).fit(Theirs(flat.adjacency, x=flat.x), everywhere)
    return np.asarray(model.decision_scores_, np.float64)[flat.rows]


def pygod(flat: Flat, labels: NDArray[np.int8], seed: int, *, detector: str) -> Floats:  # noqa: ARG001 - learns without labels
    """A detector of pygod with its own defaults; it takes no labels."""
    if detector in _DENSE and len(flat.x) > _MOST_DENSE:
        raise NotImplementedError(f"inverts (n, n) matrices: left out above {_MOST_DENSE:,} nodes")
    import torch
    from pygod import detector as detectors
    from torch_geometric.data import Data

    torch.manual_seed(seed)
    pairs = flat.adjacency.tocoo()
    data = Data(
        x=torch.from_numpy(flat.x),
        edge_index=torch.from_numpy(np.stack([pairs.row, pairs.col]).astype(np.int64)),
    )
    found = getattr(detectors, detector)().fit(data)
    return np.asarray(found.decision_score_, np.float64)[flat.rows]


_DENSE = ("Radar",)
_MOST_DENSE = 3000

_PEERS: dict[str, tuple[Callable[..., Floats], tuple[str, ...]]] = {
    "graphspot": (graphspot, ("XGBGraph", "RFGraph")),
    "pygod": (pygod, ("DOMINANT", "Radar")),
}


def rivals(*, peers: bool) -> Iterator[tuple[str, Rival]]:
    """Yield the name of each rival and what it does; of ``peers`` those that are installed."""
    yield "extra-trees, attributes", partial(extra_trees, neighbours=False)
    yield "extra-trees, and neighbours", partial(extra_trees, neighbours=True)
    for package, (run, names) in _PEERS.items():
        if peers and find_spec(package) is not None:
            for name in names:
                yield f"{package} {name}", partial(run, detector=name)


def absent_peers() -> tuple[str, ...]:
    """Return the peers that are not installed."""
    return tuple(name for name in _PEERS if find_spec(name) is None)


__all__ = ["Flat", "Rival", "absent_peers", "extra_trees", "flatten", "rivals"]
