"""Walk rows down the trees of a forest that is held as flat arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from marigram.numerics.jit import kernel

Ids = NDArray[np.int32]
Floats = NDArray[np.float32]


TOGETHER = 256
"""Rows that walk down a tree before the next tree is looked at."""


@kernel
def forest_means(
    roots: Any, feature: Ids, threshold: Floats, left: Ids, right: Ids, value: Floats, x: Floats, out: Any
) -> None:
    """Write the mean over the trees of the value of the leaf that each row of ``x`` (n, d) falls into to ``out`` (n,).

    A node sends a row to the left when ``x[feature] <= threshold``; a leaf has feature -1.
    """
    for first in range(0, len(x), TOGETHER):
        stop = min(first + TOGETHER, len(x))
        out[first:stop] = 0
        for root in roots:  # both the tree and the rows then lie in the cache
            for i in range(first, stop):
                node = root
                while feature[node] >= 0:
                    node = left[node] if x[i, feature[node]] <= threshold[node] else right[node]
                out[i] += value[node]
        for i in range(first, stop):
            out[i] /= len(roots)


@kernel
def forest_shares(
    roots: Any, feature: Ids, threshold: Floats, left: Ids, right: Ids, value: Floats, x: Floats, out: Any
) -> None:
    """Add what each feature moved the mean by, along the way down, to ``out`` (n, d + 1); the roots are last.

    A split's share goes to its feature: the value of the child less that of the parent (A. Saabas, 2014).
    """
    d = x.shape[1]
    for i in range(len(x)):
        for root in roots:
            node = root
            out[i, d] += value[root] / len(roots)
            while feature[node] >= 0:
                j = feature[node]
                child = left[node] if x[i, j] <= threshold[node] else right[node]
                out[i, j] += (value[child] - value[node]) / len(roots)
                node = child


__all__ = ["forest_means", "forest_shares"]
