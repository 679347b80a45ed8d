"""A fitted detector that is no more than arrays, for tests of what is said of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marigram.graph import Graph


@dataclass
class Why:
    features: tuple[tuple[str, float, float], ...] = ()
    neighbours: tuple[tuple[str, int, Any, float], ...] = ()


@dataclass
class StandIn:
    """Answers with the scores it was given, one array over all nodes for each model."""

    scores: Mapping[str, NDArray[np.float64]]
    node_type: str = "user"
    kind: str = "trees"
    chosen: str = "trees"
    verdict: str = "helps"
    reason: str = "AP 0.51 with the graph, 0.40 without"
    uses_graph: bool = True
    importances: Mapping[str, float] = field(default_factory=dict)
    why: Why = field(default_factory=Why)

    def score(self, data: Graph, *, which: str = "best") -> NDArray[np.float64]:
        return self.scores[which]

    def explain(self, node: int, data: Graph, *, top: int = 10) -> Why:
        return self.why
