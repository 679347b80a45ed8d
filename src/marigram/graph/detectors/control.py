"""The no-graph control: the same trees on a node's own attributes alone.

A graph model is worth its trouble only where it beats this one. The control of a network is also made of trees,
which on a table of attributes are the harder to beat.
"""

from __future__ import annotations

from marigram.graph.detectors.tables import TableLearner
from marigram.graph.detectors.trees import TreeSettings


def control_learner(settings: TreeSettings) -> TableLearner:
    """Return what learns without the graph."""
    return TableLearner(0, settings)


__all__ = ["control_learner"]
