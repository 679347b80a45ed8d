"""Tolokers and Questions, ``.npz`` files of the heterophilous benchmarks.

Platonov, Kuznedelev, Diskin, Babenko, Prokhorenkova: A critical look at the evaluation of GNNs under heterophily, 2023.
Arrays ``node_features, node_labels, edges, train_masks, val_masks, test_masks``; each undirected edge once.
"""

from __future__ import annotations

from pathlib import Path

from marigram.graph.data.graph import Graph
from marigram.graph.data.npz import load_npz


def heterophilous(path: Path) -> Graph:
    """Read the graph with its ten published splits (50/25/25, stratified)."""
    return load_npz(path)


__all__ = ["heterophilous"]
