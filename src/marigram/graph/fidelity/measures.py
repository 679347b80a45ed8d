"""How alike two sets of nodes are: distributions, a classifier that tries to tell them apart, and distances.

========================== ==========================================================================================
Kolmogorov-Smirnov         largest gap between two distribution functions, 0 to 1
Wasserstein                mean distance that values must move, in standard deviations of the real ones
two-sample AUC             a random forest is trained to tell both sets apart and measured on rows it has not seen: 0.5
                           it cannot, 1 it always can (D. Lopez-Paz and M. Oquab, "Revisiting classifier two-sample
                           tests", ICLR 2017)
nearest-neighbour ratio    median distance of a new row to the nearest training row, over the median distance of a
                           training row to the nearest other one: far below 1 the new rows are copies
========================== ==========================================================================================
"""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from marigram.evaluate.metrics import roc_auc
from marigram.graph.data import Graph
from marigram.graph.detectors.growing import Binned, grow_forest
from marigram.graph.hops import HopFeatures

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

MOST_ROWS = 2000
"""Rows of each set that are told apart, or that distances are taken between."""
SHRUNK = ("std of ", "min of ", "max of ", "distance to ", "cosine to ")
"""Columns of :mod:`marigram.graph.hops` that :func:`described` leaves out."""


class Nearness(NamedTuple):
    """How near new rows are to training rows.

    Attributes
    ----------
    ratio
        See the module; NaN with fewer than two training rows.
    copies
        Share of new rows that are exactly a training row.
    """

    ratio: float
    copies: float


def described(graph: Graph, target: str, nodes: Ints) -> tuple[Floats, tuple[str, ...]]:
    """Return what a node is in a graph, in columns: its attributes, its degrees, and means over its neighbours.

    Parameters
    ----------
    graph
        Real and new nodes joined.
    target
        Their type.
    nodes
        Which, int64 (n,).

    Returns
    -------
    float32 (n, D) with NaN where nothing is known, and D names.
    """
    features = HopFeatures.fit(graph, target, hops=1)
    kept = [j for j, name in enumerate(features.names) if not name.startswith(SHRUNK)]
    x = features.view(graph).rows(nodes)
    return x[:, kept], tuple(features.names[j] for j in kept)


def two_sample_auc(
    first: Floats, second: Floats, *, seed: int = 0, trees: int = 100, folds: int = 5
) -> float:
    """Return how well a random forest tells two sets of rows apart, out of fold: 0.5 to 1, or less by chance.

    Parameters
    ----------
    first, second
        float32 (n, D) and (m, D), NaN allowed. Of each at most 2,000 rows, drawn at random, are used, and
        of the larger set as many as lie in the smaller one, so that both are equally frequent.
    seed
        Of the draw, the folds and the forest.
    trees, folds
        Of the forest, and of the cross-validation.

    Returns
    -------
    NaN with fewer than ``folds`` rows in a set.
    """
    rng = np.random.default_rng([seed, 31])
    size = min(len(first), len(second), MOST_ROWS)
    if size < folds:
        return float("nan")
    a, b = (rows[rng.permutation(len(rows))[:size]] for rows in (first, second))
    x, y = np.concatenate([a, b]), np.repeat([0, 1], size)
    x = np.where(np.isnan(x), np.nanmin(x, initial=0) - 1, x)  # missing is a value of its own
    fold = np.concatenate([rng.permutation(size) % folds for _ in range(2)])
    score = np.empty(len(y))
    with ThreadPoolExecutor(1) as worker:
        for k in range(folds):
            inside, outside = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
            forest = grow_forest(
                Binned.of(x[inside]), y[inside], np.ones(len(inside)), trees=trees, leaf=2, extra=False, seed=seed,
                workers=worker,
            )  # fmt: skip
            score[outside] = forest.shares(x[outside])
    return float(roc_auc(y, score))


def nearness(new: Floats, train: Floats) -> Nearness:
    """Return how near new rows lie to training rows, in columns standardised by the training rows.

    Parameters
    ----------
    new, train
        float32 (n, D) and (m, D); at most 2,000 of each are looked at. Columns that do not vary in training are left
        out; what is missing stands at the mean.
    """
    new, train = new[:MOST_ROWS], train[:MOST_ROWS]
    if len(train) < 2 or not len(new):
        return Nearness(float("nan"), float("nan"))
    known = np.maximum((~np.isnan(train)).sum(0), 1)
    centre = np.nansum(train, axis=0, dtype=np.float64) / known
    scale = np.sqrt(np.nansum((train - centre) ** 2, axis=0) / known)
    varies = scale > 0
    a, b = (np.nan_to_num((rows[:, varies] - centre[varies]) / scale[varies]) for rows in (new, train))
    own = _distances(b, b)
    np.fill_diagonal(own, np.inf)
    usual = float(np.median(own.min(1)))
    nearest = _distances(a, b).min(1)
    ratio = float(np.median(nearest)) / usual if usual > 0 else float("nan")
    return Nearness(ratio, copies(new, train))


def copies(rows: Floats, train: Floats, *, own: bool = False) -> float:
    """Return the share of rows that are exactly a training row; NaN without rows.

    Few flags and categories have few combinations, so that real rows are such copies, too: what matters is how many
    more there are among new ones.

    Parameters
    ----------
    rows, train
        float32 (n, D) and (m, D); NaN equals NaN.
    own
        The rows are the training rows themselves: each is compared with the others.

    Examples
    --------
    >>> import numpy as np
    >>> train = np.array([[0, 1], [1, 1], [0, 1]], np.float32)
    >>> copies(np.array([[1, 1], [1, 0]], np.float32), train), round(copies(train, train, own=True), 2)
    (0.5, 0.67)
    """
    if not len(rows):
        return float("nan")
    seen = Counter(row.tobytes() for row in np.ascontiguousarray(train) + np.float32(0))  # -0 is 0
    return float(np.mean([seen[row.tobytes()] > own for row in np.ascontiguousarray(rows) + np.float32(0)]))


def _distances(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    square = (a * a).sum(1)[:, None] + (b * b).sum(1) - 2 * a @ b.T
    return np.asarray(np.sqrt(np.maximum(square, 0)))


def kolmogorov_smirnov(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Return the largest gap between the distribution functions of finite values (n,) and (m,); NaN when one is empty.

    Examples
    --------
    >>> import numpy as np
    >>> kolmogorov_smirnov(np.array([1.0, 2.0]), np.array([2.0, 3.0]))
    0.5
    """
    if not len(first) or not len(second):
        return float("nan")
    at = np.concatenate([first, second])
    a, b = (np.searchsorted(np.sort(x), at, side="right") / len(x) for x in (first, second))
    return float(np.abs(a - b).max())


def wasserstein(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Return the mean distance that values of one set must move to lie as the other's, in units of the values.

    Examples
    --------
    >>> import numpy as np
    >>> wasserstein(np.array([1.0, 2.0]), np.array([2.0, 3.0]))
    1.0
    """
    if not len(first) or not len(second):
        return float("nan")
    at = np.sort(np.concatenate([first, second]))
    a, b = (np.searchsorted(np.sort(x), at[:-1], side="right") / len(x) for x in (first, second))
    return float((np.abs(a - b) * np.diff(at)).sum())


__all__ = [
    "Nearness", "copies", "described", "kolmogorov_smirnov", "nearness", "two_sample_auc", "wasserstein",
]  # fmt: skip
