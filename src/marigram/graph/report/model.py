"""What a report asks of a fitted model; :class:`marigram.graph.NodeDetector` answers it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from marigram.graph.data import Graph

Which = Literal["best", "graph", "control"]


class Told(Protocol):
    """Why a node has its score: the most telling first; contributions have the sign of their effect."""

    @property
    def features(self) -> Sequence[tuple[str, float, float]]:
        """Name, value, contribution."""
        ...

    @property
    def neighbours(self) -> Sequence[tuple[str, int, Any, float]]:
        """Node type, number within it, edge type, contribution."""
        ...


class Fitted(Protocol):
    """A fitted detector of nodes with its no-graph control beside it."""

    @property
    def kind(self) -> str: ...  # noqa: D102
    @property
    def chosen(self) -> str: ...  # noqa: D102
    @property
    def node_type(self) -> str: ...  # noqa: D102
    @property
    def verdict(self) -> str: ...  # noqa: D102
    @property
    def reason(self) -> str: ...  # noqa: D102
    @property
    def uses_graph(self) -> bool: ...  # noqa: D102
    @property
    def importances(self) -> Mapping[str, float]: ...  # noqa: D102

    def score(self, data: Graph, *, which: Which = "best") -> NDArray[np.float64]:
        """Return one number per node in the order of the source, NaN on types without labels."""
        ...

    def explain(self, node: int, data: Graph, *, top: int = 10) -> Told:
        """Tell why a node, numbered in the order of the source, has its score."""
        ...


__all__ = ["Fitted", "Told", "Which"]
