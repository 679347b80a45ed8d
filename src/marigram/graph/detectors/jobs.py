"""What a learner is given, and what it gives back: the two shapes that all kinds of detector share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol, final

import numpy as np
from numpy.typing import NDArray

from marigram.graph.data import EdgeType, Graph
from marigram.graph.hops import HopView

Ints = NDArray[np.int64]
Doubles = NDArray[np.float64]
Arrays = dict[str, NDArray[Any]]


@final
@dataclass(frozen=True, eq=False)
class Sample:
    """Rows that no real node has.

    Attributes
    ----------
    x
        float32 (m, D): the columns of a view.
    labels, weights
        float32 (m,): 1 anomaly, 0 normal, and how much each counts.
    """

    x: NDArray[np.float32]
    labels: NDArray[np.float32]
    weights: NDArray[np.float32]


class Added(Protocol):
    """What joins the training rows of a model of tables: made when the columns are known."""

    def sample(self, view: HopView) -> Sample:
        """Return the rows; the same ones at each call."""


@final
@dataclass(frozen=True, eq=False)
class Job:
    """Nodes to learn from.

    Attributes
    ----------
    graph
        Whose.
    target
        The node type with labels.
    labels
        float32 (n,) over all nodes of the type: 1 anomaly, 0 normal; what stands elsewhere is not looked at.
    weights
        float32 (n,): how much each counts.
    train, valid
        int64: numbers of the nodes to learn from and to stop by; the second may be empty.
    added
        Rows that a model of tables learns from as well; others leave them alone.
    """

    graph: Graph
    target: str
    labels: NDArray[np.float32]
    weights: NDArray[np.float32]
    train: Ints
    valid: Ints
    added: tuple[Added, ...] = ()

    def on_all(self) -> Job:
        """Return the job of learning from both parts at once."""
        return replace(self, train=np.concatenate([self.train, self.valid]), valid=self.valid[:0])


@final
@dataclass(frozen=True, eq=False)
class Packed:
    """What is to be written of a scorer: a header, arrays, and texts of other libraries."""

    meta: Mapping[str, Any]
    arrays: Arrays
    texts: Mapping[str, str]


@final
@dataclass(frozen=True, eq=False)
class Parts:
    """Why a node has its score, all in units of logits.

    Attributes
    ----------
    features
        (name, value, contribution) of each column.
    edges
        (relation as messages go, neighbour's number within its type, edge's row, contribution) of each edge of the node
        that was tried.
    """

    features: list[tuple[str, float, float]]
    edges: list[tuple[EdgeType, int, int, float]]


class Scorer(Protocol):
    """What was learned."""

    @property
    def names(self) -> tuple[str, ...]:
        """The columns it looks at."""

    @property
    def importances(self) -> dict[str, float]:
        """Each column's share in what it decides, summing to 1; empty where that is not known."""

    def logits(self, graph: Graph, nodes: Ints) -> Doubles:
        """Score nodes of the target type of any graph of the same kind: (n,)."""

    def parts(self, graph: Graph, node: int, most: int) -> Parts:
        """Take the score of one node apart, trying at most so many edges of each relation."""

    def packed(self) -> Packed:
        """Return what is to be saved."""


class Learner(Protocol):
    """Makes scorers."""

    def fit(self, job: Job, like: Scorer | None = None) -> Scorer:
        """Learn; with ``like``, as long as that one learned, since there is nothing to stop by."""


__all__ = ["Added", "Arrays", "Job", "Learner", "Packed", "Parts", "Sample", "Scorer"]
