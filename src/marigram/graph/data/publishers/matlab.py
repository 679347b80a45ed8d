"""YelpChi and Amazon: reviews and reviewers with three relations each, ``.mat`` files of CARE-GNN.

Dou et al.: Enhancing graph neural network-based fraud detectors against camouflaged fraudsters, 2020. ``features``,
``label``, and one symmetric sparse matrix a relation; ``homo``, their union, is not read. Of Amazon's nodes the
first 3,305 have no label, though the file says 0 there. Each undirected edge is taken once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from marigram.errors import InputError
from marigram.graph.data.cells import read_labels
from marigram.graph.data.columns import Columns
from marigram.graph.data.graph import Graph
from marigram.graph.data.tables import EdgeTable, NodeTable

YELPCHI = ("net_rur", "net_rtr", "net_rsr")
AMAZON = ("net_upu", "net_usu", "net_uvu")
UNLABELLED = 3305
"""Nodes of Amazon at the beginning that have no label."""


def yelpchi(path: Path) -> Graph:
    """Read ``YelpChi.mat``: reviews by the same user, of the same product and stars, of the same product and month."""
    return _read(path, "review", YELPCHI, unlabelled=0)


def amazon(path: Path) -> Graph:
    """Read ``Amazon.mat``: users who reviewed a common product, gave equal stars in a week, wrote alike."""
    return _read(path, "user", AMAZON, unlabelled=UNLABELLED)


def _read(path: Path, node: str, relations: tuple[str, ...], *, unlabelled: int) -> Graph:
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError
    from scipy.sparse import issparse, triu

    try:
        content: dict[str, Any] = loadmat(path)
        features, label = content["features"], content["label"]
        matrices = {name: content[name] for name in relations}
    except KeyError as error:
        raise InputError(0, f"{path.name} has no matrix {error}") from error
    except (MatReadError, ValueError, NotImplementedError) as error:
        raise InputError(0, f"{path.name} is not a .mat file of version 5: {error}") from error
    x = np.ascontiguousarray(features.toarray() if issparse(features) else features, np.float32)
    labels = read_labels(np.asarray(label).reshape(-1), f"{path.name}, labels")
    labels[:unlabelled] = -1
    edges = {}
    for name, matrix in matrices.items():
        if matrix.shape != (len(x), len(x)) or (matrix != matrix.T).nnz:
            raise InputError(0, f"{path.name}: {name} is not a symmetric matrix over {len(x):,} nodes")
        half = triu(matrix, format="coo")
        edges[node, name, node] = EdgeTable(src=half.row.astype(np.int64), dst=half.col.astype(np.int64))
    return Graph(nodes={node: NodeTable(attributes=Columns.of_numbers(x), labels=labels)}, edges=edges)


__all__ = ["amazon", "yelpchi"]
