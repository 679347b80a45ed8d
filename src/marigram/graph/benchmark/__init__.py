"""Ours, its control and the rivals on labelled graphs: ranking figures over runs, beside what others published."""

from __future__ import annotations

from marigram.graph.benchmark.cells import Cells
from marigram.graph.benchmark.run import ALL_LABELS, RUNS, measure

__all__ = ["ALL_LABELS", "RUNS", "Cells", "measure"]
