"""Each tree cuts where it must: beside brute force over all cuts, and beside scikit-learn's forests."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from marigram.errors import SnapshotError
from marigram.evaluate.metrics import roc_auc
from marigram.graph.detectors.forest import Forest
from marigram.graph.detectors.growing import Binned, grow_forest
from marigram.graph.kernels.growing import grow_tree

Array = np.ndarray[Any, Any]


def noisy(seed: int, n: int = 200, d: int = 4) -> tuple[Array, Array, Array]:
    """Columns, one of them a constant, of which two tell."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d)).astype(np.float32)
    x[:, 3] = 7
    y = x[:, 0] + x[:, 1] ** 2 + rng.normal(size=n) > 1.5
    return x, y, rng.random(n) + 0.5


def grown(x: Array, y: Array, weights: Array | None = None, *, workers: int = 1, **how: Any) -> Forest:
    how = {"trees": 7, "leaf": 2, "extra": False, "seed": 3} | how
    with ThreadPoolExecutor(workers) as pool:
        return grow_forest(
            Binned.of(x), y, np.ones(len(x)) if weights is None else weights, **how, workers=pool
        )


def worth(y: Array, w: Array) -> float:
    """Weight times (1 - Gini impurity), up to a constant factor."""
    p = (w * y).sum()
    return float((p**2 + (w.sum() - p) ** 2) / w.sum())


@pytest.mark.parametrize("extra", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_every_node_cuts_best_and_leaves_are_shares(seed: int, extra: bool) -> None:
    x, y, w = noisy(seed)
    binned = Binned.of(x)
    everyone = np.arange(200, dtype=np.int32)
    nodes = [np.full(400, -7, np.int32) for _ in range(4)]
    value, leaf = np.empty(400, np.float32), 3
    count = grow_tree(binned.codes, everyone, w, w * y, 4, leaf, extra, seed, *nodes, value)
    feature, cut, left, right = (part[:count] for part in nodes)
    rows = {0: np.arange(200)}
    assert count > 10
    for node in range(count):
        here = rows.pop(node)
        assert value[node] == pytest.approx(np.average(y[here], weights=w[here]), abs=1e-6)
        whole = worth(y[here], w[here])
        cuts = [
            (
                j,
                c,
                below.sum(),
                worth(y[here][below], w[here][below]) + worth(y[here][~below], w[here][~below]),
            )
            for j in range(4)
            for c in range(len(binned.cuts[j]))
            if leaf <= (below := binned.codes[j, here] <= c).sum() <= len(here) - leaf
        ]
        best = max((gain for *_, gain in cuts), default=0)
        if feature[node] < 0:
            assert (
                len(here) < 2 * leaf
                or y[here].all()
                or not y[here].any()
                or extra
                or best < whole * (1 + 1e-9)
            )
            continue
        below = x[here, feature[node]] <= binned.cuts[feature[node]][cut[node]]
        mine = worth(y[here][below], w[here][below]) + worth(y[here][~below], w[here][~below])
        assert mine > whole
        assert mine == pytest.approx(best) or (extra and mine < best)
        assert min(below.sum(), (~below).sum()) >= leaf
        rows[int(left[node])], rows[int(right[node])] = here[below], here[~below]
    assert not rows


@pytest.mark.parametrize("extra", [False, True])
def test_a_forest_is_as_good_as_scikit_learns(extra: bool) -> None:
    """The difference of AUC has a spread of .02 over sets, .007 for the mean of eight: .04 is more than 5 sigma."""
    from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier

    make = ExtraTreesClassifier if extra else RandomForestClassifier
    behind = []
    for seed in range(8):
        x, y, w = noisy(seed, n=400, d=8)
        new, truth, _ = noisy(100 + seed, n=1000, d=8)
        theirs = make(60, min_samples_leaf=3, bootstrap=True, random_state=seed).fit(x, y, w)
        ours = grown(x, y, w, trees=60, leaf=3, extra=extra, seed=seed)
        behind.append(roc_auc(truth, theirs.predict_proba(new)[:, 1]) - roc_auc(truth, ours.shares(new)))
    assert np.mean(behind) < 0.04


def test_workers_change_nothing_and_seeds_do() -> None:
    x, y, w = noisy(0)
    one, two, other = grown(x, y, w), grown(x, y, w, workers=2), grown(x, y, w, seed=4)
    for name, array in one.to_arrays().items():
        np.testing.assert_array_equal(array, two.to_arrays()[name])
    assert (one.shares(x) != other.shares(x)).any()


def test_bins_hold_what_lies_up_to_their_cut_and_missing_values_are_the_mean() -> None:
    rng = np.random.default_rng(1)
    x = np.column_stack([rng.lognormal(size=5000), rng.integers(0, 5, 5000), np.full(5000, np.nan)])
    x = x.astype(np.float32)
    x[::7, 1] = np.nan
    binned = Binned.of(x)
    assert [len(cuts) for cuts in binned.cuts] == [255, 5, 0]  # five values and their mean
    assert binned.fill[1] == pytest.approx(np.nanmean(x[:, 1]), rel=1e-6)
    for j in range(2):
        column, cuts = np.where(np.isnan(x[:, j]), binned.fill[j], x[:, j]), binned.cuts[j]
        np.testing.assert_array_equal(binned.codes[j], (column[:, None] > cuts).sum(1))
    assert np.bincount(binned.codes[0]).max() < 50


def test_shares_walk_down_every_tree_and_contributions_add_up() -> None:
    x, y, w = noisy(2)
    new, *_ = noisy(3, n=600)  # more than one block of rows
    new[5, 0] = np.nan
    forest = grown(x, y, w)
    walked = np.zeros(600)
    for i, row in enumerate(np.where(np.isnan(new), forest.fill, new)):
        for node in forest.roots:
            while forest.feature[node] >= 0:
                side = forest.left if row[forest.feature[node]] <= forest.threshold[node] else forest.right
                node = side[node]
            walked[i] += forest.value[node] / 7
    np.testing.assert_allclose(forest.shares(new), walked, atol=1e-6)
    np.testing.assert_allclose(forest.contributions(new).sum(1), walked, atol=1e-6)


def test_a_forest_that_runs_in_circles_is_refused() -> None:
    x = np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32)
    forest = grown(x, x[:, 0] > 0, trees=2)
    for name, value in (("left", 0), ("right", 10**6), ("feature", 9)):
        arrays = {k: a.copy() for k, a in forest.to_arrays().items()}
        arrays[name][0] = value
        with pytest.raises(SnapshotError):
            Forest.from_arrays(arrays)
