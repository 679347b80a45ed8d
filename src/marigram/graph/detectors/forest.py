"""A random forest as flat arrays: grown by scikit-learn, saved without pickle, walked by our own kernels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from marigram.errors import SnapshotError
from marigram.graph.kernels.forest import forest_means, forest_shares

Floats = NDArray[np.float32]
Ids = NDArray[np.int32]

MOST_ROWS = 50_000
"""Rows that a tree sees at most, drawn anew for each."""


@final
@dataclass(frozen=True, eq=False)
class Forest:
    """Trees one after another.

    Attributes
    ----------
    roots
        int64 (trees,): the place of each tree's first node.
    feature
        int32 (nodes,): the column that is asked; -1 in a leaf.
    threshold
        float32 (nodes,): a row with at most this goes to the left.
    left, right
        int32 (nodes,): places of the children.
    value
        float32 (nodes,): weighted share of anomalies among the rows that came here.
    fill
        float32 (d,): stands for what is missing.
    """

    roots: NDArray[np.int64]
    feature: Ids
    threshold: Floats
    left: Ids
    right: Ids
    value: Floats
    fill: Floats

    @classmethod
    def grow(
        cls,
        x: Floats,
        y: NDArray[Any],
        weights: NDArray[Any],
        *,
        trees: int,
        leaf: int,
        extra: bool,
        seed: int,
    ) -> Forest:
        """Grow a forest on rows ``x`` (n, d), beliefs ``y`` in {0, 1} and weights (n,).

        ``extra`` draws thresholds at random (P. Geurts et al., 2006) instead of searching for the best.
        """
        from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier

        with np.errstate(invalid="ignore"):
            known = np.maximum((~np.isnan(x)).sum(0), 1)
            fill = (np.nansum(x, axis=0, dtype=np.float64) / known).astype(np.float32)
        make = ExtraTreesClassifier if extra else RandomForestClassifier
        model = make(
            trees,
            min_samples_leaf=leaf,
            max_samples=min(len(x), MOST_ROWS),
            bootstrap=True,
            max_features="sqrt",
            n_jobs=1,
            random_state=seed,
        )
        model.fit(np.where(np.isnan(x), fill, x), y, sample_weight=weights)
        grown = [estimator.tree_ for estimator in model.estimators_]
        sizes = np.array([tree.node_count for tree in grown])
        roots = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        shares = [tree.value[:, 0, :] for tree in grown]
        return cls(
            roots.astype(np.int64),
            np.concatenate([np.where(tree.children_left < 0, -1, tree.feature) for tree in grown]).astype(
                np.int32
            ),
            _rounded_down(np.concatenate([tree.threshold for tree in grown])),
            np.concatenate([tree.children_left + r for tree, r in zip(grown, roots, strict=True)]).astype(
                np.int32
            ),
            np.concatenate([tree.children_right + r for tree, r in zip(grown, roots, strict=True)]).astype(
                np.int32
            ),
            np.concatenate([s[:, 1] / s.sum(1) for s in shares]).astype(np.float32),
            fill,
        )

    def shares(self, x: Floats) -> NDArray[np.float64]:
        """Return the share of anomalies that the forest expects: (n,)."""
        out = np.empty(len(x))
        forest_means(self.roots, *self._nodes, self._filled(x), out)
        return out

    def contributions(self, x: Floats) -> NDArray[np.float64]:
        """Return what each column added to :meth:`shares`, and in the last the forest's mean: (n, d + 1)."""
        out = np.zeros((len(x), x.shape[1] + 1))
        forest_shares(self.roots, *self._nodes, self._filled(x), out)
        return out

    @property
    def _nodes(self) -> tuple[Ids, Floats, Ids, Ids, Floats]:
        return self.feature, self.threshold, self.left, self.right, self.value

    def _filled(self, x: Floats) -> Floats:
        return np.ascontiguousarray(np.where(np.isnan(x), self.fill, x), np.float32)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return all there is, for saving."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Forest:
        """Return the forest of :meth:`to_arrays`; ``SnapshotError`` when its nodes lead nowhere."""
        try:
            forest = cls(*(arrays[field.name] for field in fields(cls)))
        except KeyError as error:
            raise SnapshotError(f"the forest lacks its {error}") from error
        inner = forest.feature >= 0
        nodes, count = np.arange(len(forest.feature)), len(forest.feature)
        sound = (
            len(forest.roots) > 0
            and all(len(a) == count for a in (forest.threshold, forest.left, forest.right, forest.value))
            and bool(((forest.roots >= 0) & (forest.roots < count)).all())
            and bool((forest.feature < len(forest.fill)).all())
            and all(bool(((a > nodes) & (a < count))[inner].all()) for a in (forest.left, forest.right))
        )
        if not sound:
            raise SnapshotError("the nodes of a forest contradict each other")
        return forest


def _rounded_down(threshold: NDArray[np.float64]) -> Floats:
    """The largest float32 that is not above: float32 rows then fall to the same side."""
    near = threshold.astype(np.float32)
    return np.where(near > threshold, np.nextafter(near, np.float32(-np.inf)), near).astype(np.float32)


__all__ = ["Forest"]
