"""A random forest as flat arrays: saved without pickle, walked by our own kernels."""

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


__all__ = ["Forest"]
