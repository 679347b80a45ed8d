"""One competitor on one split: its figures on the test nodes, and what else is to be kept of it."""

from __future__ import annotations

import time
import warnings
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marigram.errors import MarigramError
from marigram.graph.benchmark.cells import Cell
from marigram.graph.benchmark.rivals import Flat, Rival
from marigram.graph.data import Graph, NodeTable
from marigram.graph.detectors.detector import NodeDetector, Which
from marigram.graph.metrics import figures

SIDES: tuple[tuple[Which, str], ...] = (("graph", "with"), ("control", "without"))


def row_of(kind: str, side: str = "") -> str:
    """Return the name of a row of ours: of the winner, or of one side of the comparison."""
    return f"marigram {kind}" + (f", {side} the graph, train only" if side else "")


def ours(graph: Graph, seed: int, *, kind: str) -> Cell:
    """Measure the detector and both sides of its comparison; the time is that of fitting and scoring them all."""
    start = time.perf_counter()
    model = NodeDetector(kind, seed=seed).fit(graph)  # type: ignore[arg-type]
    best = model.score(graph)
    seconds = time.perf_counter() - start
    rows = {row_of(kind): _row(graph, best, seconds)}
    for which, side in SIDES if kind != "unsupervised" else ():
        rows[row_of(kind, side)] = _row(graph, model.score(graph, which=which), None)
    validation = {name: _number(value) for name, value in asdict(model.validation).items()}
    told = {"chosen": model.chosen, "uses_graph": model.uses_graph, "validation": validation}
    return {"rows": rows, "verdict": model.verdict, **told}


def rival(graph: Graph, seed: int, *, flat: Flat, name: str, run: Rival) -> Cell:
    """Measure a rival, which learns from train and validation; what it fails with is kept."""
    table = labelled(graph)
    assert table.labels is not None  # noqa: S101 - labelled has seen to it
    known = np.where(table.train_mask | table.val_mask, table.labels, np.int8(-1))
    start = time.perf_counter()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the peers about their own dependencies
            score = run(flat, known, seed)
    except MarigramError:
        raise
    except Exception as error:  # noqa: BLE001 - a peer that cannot run here is a finding, told with its reason
        return {"rows": {}, "reason": f"{type(error).__name__}: {error}"[:200]}
    seconds = time.perf_counter() - start
    return {"rows": {name: _tested(table, score, seconds)}}


def labelled(graph: Graph) -> NodeTable:
    """Return the nodes with labels."""
    return graph.nodes[graph.labelled_types[0]]


def _row(graph: Graph, score: NDArray[np.float64], seconds: float | None) -> dict[str, float | None]:
    return _tested(labelled(graph), score[graph.places(graph.labelled_types[0])], seconds)


def _tested(table: NodeTable, score: NDArray[np.float64], seconds: float | None) -> dict[str, float | None]:
    assert table.labels is not None  # noqa: S101 - the callers have seen to it
    rows = table.test_mask & (table.labels >= 0)
    found = figures(table.labels[rows] == 1, score[rows])._asdict()
    return {name: _number(value) for name, value in found.items()} | {"seconds": seconds}


def _number(value: Any) -> Any:
    """JSON has no NaN."""
    return None if value != value else value


__all__ = ["SIDES", "labelled", "ours", "rival", "row_of"]
