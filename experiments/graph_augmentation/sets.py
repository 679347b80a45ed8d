"""The five graphs, their splits, and the regimes of few known anomalies."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from marigram import graph as mgg
from marigram.datasets.local import DatasetMissingError

Ints = NDArray[np.int64]

FILES = {
    "tolokers": "tolokers/tolokers.npz",
    "reddit": "reddit/reddit.npz",
    "inj_cora": "inj_cora/inj_cora.npz",
    "minesweeper": "minesweeper/minesweeper.npz",
    "sffsd": "sffsd/sffsd_hetero.npz",
}
SHARES = {"tolokers": (0.5, 0.25, 0.25), "minesweeper": (0.5, 0.25, 0.25)}
"""Train, val and test where they are not 40/20/40."""
DESIGN = 100
"""Seeds from here on have splits of their own: designs are fixed on them, and nothing is reported."""
WORDS = 48
"""inj_cora's 1,433 words become so many singular vectors, as a table of few rows needs."""
STEADY = 24_800
"""sffsd: so many labelled transactions lie before its fraud rate jumps from an eighth to nearly all."""


@dataclass(frozen=True, eq=False)
class Case:
    """A graph with one split and few known anomalies; the others of its training part count as unlabelled."""

    name: str
    graph: mgg.Graph
    target: str


def case_of(name: str, regime: str, seed: int) -> Case:
    """Return a graph under a regime (``"20"`` or ``"50"`` known anomalies, or ``"full"``) and a seed."""
    graph = _split(name, seed)
    target = graph.labelled_types[0]
    if regime == "full":
        return Case(name, graph, target)
    table = graph.nodes[target]
    assert table.labels is not None  # noqa: S101 - labelled graphs
    assert table.splits is not None  # noqa: S101 - labelled graphs
    found = np.flatnonzero(table.train_mask & (table.labels == 1))
    hidden = np.random.default_rng([seed, 20]).permutation(found)[int(regime) :]
    labels, parts = table.labels.copy(), table.splits[table.split].copy()
    labels[hidden], parts[hidden] = -1, mgg.Part.NONE
    table = table.with_labels(labels).with_splits(parts[None])
    return Case(name, graph.with_nodes(**{target: table}), target)


def _split(name: str, seed: int) -> mgg.Graph:
    """Published or our own splits for reported seeds, fresh ones for the others; by time in sffsd."""
    graph = _load(name)
    if name == "sffsd":
        return graph
    if seed < DESIGN:
        return graph.with_split(seed % graph.split_count)
    return mgg.stratified(graph, seeds=[seed], fractions=SHARES.get(name, (0.4, 0.2, 0.4)))


@cache
def _load(name: str) -> mgg.Graph:
    graph = mgg.load(_path(name))
    target = graph.labelled_types[0]
    if name == "inj_cora":
        return graph.with_nodes(**{target: _fewer_words(graph.nodes[target])})
    return _steady(graph, target) if name == "sffsd" else graph


def _path(name: str) -> Path:
    folder = os.environ.get("MARIGRAM_DATA")
    path = None if folder is None else Path(folder) / FILES[name]
    if path is None or not path.exists():
        raise DatasetMissingError(
            f"{name} lies in the folder that MARIGRAM_DATA names; it has no {FILES[name]}"
        )
    return path


def _fewer_words(table: mgg.NodeTable) -> mgg.NodeTable:
    """Principal components of the words of all nodes; no label is looked at."""
    x = table.attributes.numeric.astype(np.float64)
    u, s, _ = np.linalg.svd(x - x.mean(0), full_matrices=False)
    return table.with_attributes(mgg.Columns.of_numbers((u * s)[:, :WORDS].astype(np.float32)))


def _steady(graph: mgg.Graph, target: str) -> mgg.Graph:
    """60/20/20 in the order of time, before the jump; later labels are left out of all parts."""
    table = graph.nodes[target]
    assert table.labels is not None  # noqa: S101 - labelled graphs
    rows = np.flatnonzero(table.labels >= 0)[:STEADY]
    parts = np.zeros((1, table.count), np.int8)
    for part, piece in zip(
        (mgg.Part.TRAIN, mgg.Part.VAL, mgg.Part.TEST), _cut(rows, (0.6, 0.8)), strict=True
    ):
        parts[0, piece] = part
    return graph.with_splits(target, parts)


def _cut(rows: Ints, shares: Sequence[float]) -> list[Ints]:
    return np.split(rows, [int(share * len(rows)) for share in shares])


__all__ = ["DESIGN", "FILES", "Case", "case_of"]
