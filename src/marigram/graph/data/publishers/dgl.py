"""Graphs that were saved by DGL: T-Finance and T-Social, and all files of GADBench. DGL itself is not needed.

Tang et al.: Rethinking graph neural networks for anomaly detection, 2022; GADBench, revisiting and benchmarking
supervised graph anomaly detection, 2023. Nodes have ``feature`` and ``label``, one number or one column a class; files
of GADBench also ``train_masks``, ``val_masks`` and ``test_masks`` of twenty splits: ten with full labels, then ten with
100.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from marigram.errors import InputError
from marigram.graph.data.cells import read_labels
from marigram.graph.data.columns import Columns, as_matrix
from marigram.graph.data.graph import EdgeType, Graph
from marigram.graph.data.publishers._dgl_stream import Named, read_dgl
from marigram.graph.data.stacked import EDGE, NODE, parts_of
from marigram.graph.data.tables import EdgeTable, NodeTable, Part

_MASKS = {Part.TRAIN: "train_mask", Part.VAL: "val_mask", Part.TEST: "test_mask"}
_OF_ONE_TYPE = {"_N": NODE, "_E": EDGE}
"""DGL's names for types that have none."""


def dgl_file(path: Path) -> Graph:
    """Read the first graph of the file; edges as they are there, which is often in both directions.

    Raises
    ------
    InputError
        The file is not a graph saved by DGL, or is damaged.
    """
    source = read_dgl(path)
    names = [_OF_ONE_TYPE.get(name, name) for name in source.node_types]
    nodes = {
        name: _nodes(arrays, count, f"{path.name}, nodes {name!r}")
        for name, count, arrays in zip(names, source.counts, source.nodes, strict=True)
    }
    edges: dict[EdgeType, EdgeTable] = {}
    for relation, (s, t), ends in zip(source.edge_types, source.between, source.ends, strict=True):
        if not (0 <= s < len(names) and 0 <= t < len(names)):
            raise InputError(0, f"{path.name}: edge type {relation!r} is between types that are not there")
        edges[names[s], _OF_ONE_TYPE.get(relation, relation), names[t]] = EdgeTable(src=ends[0], dst=ends[1])
    return Graph(nodes=nodes, edges=edges)


def _nodes(arrays: Named, count: int, what: str) -> NodeTable:
    x = next((arrays[name] for name in ("feature", "feat", "x") if name in arrays), None)
    label = next((arrays[name] for name in ("label", "y") if name in arrays), None)
    if any(len(values) != count for values in arrays.values()):
        raise InputError(0, f"{what}: an array has another length than there are nodes")
    masks = {
        part: arrays[many].astype(bool).T
        for part, name in _MASKS.items()
        if (many := name if name in arrays else f"{name}s") in arrays
    }
    return NodeTable(
        attributes=Columns.empty(count) if x is None else Columns.of_numbers(as_matrix(x)),
        labels=None if label is None else read_labels(_classes(label), f"{what}, labels"),
        splits=parts_of(masks, count, what),
    )


def _classes(label: NDArray[Any]) -> NDArray[Any]:
    """Labels as one number a node, also where there is a column for each class."""
    return label.argmax(axis=1) if label.ndim == 2 and label.shape[1] > 1 else label


__all__ = ["dgl_file"]
