"""Grow forests on columns that are cut into bins once, several trees at a time."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from marigram.graph.detectors.forest import Forest
from marigram.graph.kernels.growing import BINS, grow_tree

Floats = NDArray[np.float32]

MOST_ROWS = 50_000
"""Rows that a tree draws at most, anew for each."""
_LOOKED_AT = 100_000
"""Rows from which the cuts are chosen at most."""


@final
@dataclass(frozen=True, eq=False)
class Binned:
    """Columns as small integers.

    Attributes
    ----------
    codes
        uint8 (d, n): how many of a column's cuts lie below each value.
    cuts
        For each column its cuts, float32, ascending, at most 255: bin b holds the values up to cut b.
    fill
        float32 (d,): the mean of each column, which stands for what is missing.
    """

    codes: NDArray[np.uint8]
    cuts: tuple[Floats, ...]
    fill: Floats

    @classmethod
    def of(cls, x: Floats) -> Binned:
        """Cut columns of ``x`` (n, d) between all their values where these are few, else at quantiles."""
        n, d = x.shape
        codes, fill = np.empty((d, n), np.uint8), np.zeros(d, np.float32)
        some = slice(None, None, -(-n // _LOOKED_AT))
        cuts = []
        for j in range(d):
            column = np.ascontiguousarray(x[:, j])
            missing = np.isnan(column)
            if not missing.all():
                fill[j] = column[~missing].mean(dtype=np.float64)
            column[missing] = fill[j]
            cuts.append(_cuts(column[some]))
            codes[j] = np.searchsorted(cuts[-1], column)
        return cls(codes, tuple(cuts), fill)


def _cuts(column: Floats) -> Floats:
    values = np.unique(column)
    if len(values) <= BINS:
        between = values[:-1] + (values[1:] - values[:-1]) / 2
        return np.where(between < values[1:], between, values[:-1]).astype(np.float32)
    ranked = np.sort(column)
    places = np.linspace(0, len(ranked) - 1, BINS + 1)[1:-1]
    found = np.unique(ranked[places.astype(np.int64)])
    return np.asarray(found[found < ranked[-1]])


class _Tree(NamedTuple):
    feature: NDArray[np.int32]
    cut: NDArray[np.int32]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    value: Floats


def grow_forest(
    binned: Binned,
    y: NDArray[Any],
    weights: NDArray[Any],
    *,
    trees: int,
    leaf: int,
    extra: bool,
    seed: int,
    workers: Executor,
) -> Forest:
    """Grow a forest that tells labels ``y`` (n,) in {0, 1} with weights (n,) above 0.

    ``extra`` draws cuts at random (P. Geurts et al., 2006) instead of searching for the best. Each tree draws as many
    rows as there are, at most 50,000, with replacement, and each node looks at the square root of the columns. The same
    seed gives the same forest whatever the number of workers.
    """
    n, d = len(y), len(binned.codes)

    def tree(number: int) -> _Tree:
        rng = np.random.default_rng([seed, extra, number])
        times = np.bincount(rng.integers(0, n, min(n, MOST_ROWS)), minlength=n)
        rows = np.flatnonzero(times).astype(np.int32)
        weight = times * np.asarray(weights, np.float64)
        nodes = [np.empty(2 * len(rows), np.int32) for _ in range(4)]
        grown = _Tree(nodes[0], nodes[1], nodes[2], nodes[3], np.empty(2 * len(rows), np.float32))
        start = int(rng.integers(2**31))
        tried = max(1, int(np.sqrt(d)))
        count = grow_tree(binned.codes, rows, weight, weight * (y == 1), tried, leaf, extra, start, *grown)
        feature, cut, left, right = (part[:count].copy() for part in grown[:4])
        return _Tree(feature, cut, left, right, grown[4][:count].copy())

    return _joined(list(workers.map(tree, range(trees))), binned)


def _joined(grown: list[_Tree], binned: Binned) -> Forest:
    """The trees one after another, with thresholds in place of bins."""
    sizes = [len(tree.feature) for tree in grown]
    roots = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
    feature = np.concatenate([tree.feature for tree in grown])
    cut = np.concatenate([tree.cut for tree in grown])
    inner = feature >= 0
    first = np.concatenate([[0], np.cumsum([len(cuts) for cuts in binned.cuts])])
    threshold = np.zeros(len(feature), np.float32)
    threshold[inner] = np.concatenate(binned.cuts)[first[feature[inner]] + cut[inner]]
    shift = np.repeat(roots, sizes)
    left, right = (
        np.where(inner, np.concatenate(ends) + shift, -1).astype(np.int32)
        for ends in ([tree.left for tree in grown], [tree.right for tree in grown])
    )
    value = np.concatenate([tree.value for tree in grown])
    return Forest(roots, feature, threshold, left, right, value, binned.fill)


__all__ = ["MOST_ROWS", "Binned", "grow_forest"]
