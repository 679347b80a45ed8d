"""What a report says, before it is put into words: figures of the graph model and of its control on held-out nodes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marigram.errors import ParameterError
from marigram.graph.data import Graph, NodeTable, Part
from marigram.graph.fidelity.fidelity import Fidelity
from marigram.graph.leakage import Leak, find_leaks
from marigram.graph.metrics import Interval, bootstrap, delong, recall_at
from marigram.graph.report.ego import Ego, Node, ego_of
from marigram.graph.report.model import Fitted, Told, Which

Floats = NDArray[np.float64]

ROWS: tuple[tuple[Which, str], ...] = (
    ("best", "the model"),
    ("graph", "with the graph"),
    ("control", "without the graph"),
)
"""What is measured: what `score` answers with, and the two that were compared on validation."""

_BUDGETS = (10, 30, 100, 300, 1000, 3000)
_REASONS = 8
_RESAMPLED = 200_000_000
"""Rows times resamples of a bootstrap."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """The figures of one set of scores, with 95 % intervals."""

    which: Which
    name: str
    auc: Interval
    ap: Interval
    recall: Interval


@dataclass(frozen=True, kw_only=True)
class Held:
    """The held-out nodes of a part and how well they are ranked.

    Parameters
    ----------
    part
        ``TEST``, or ``VAL`` when there is no test part.
    rows
        One for each of :data:`ROWS`.
    gain
        AP with the graph less AP without, on the same nodes; None without a control.
    budgets
        (highest scores looked at, anomalous ones among them).
    expected
        How many anomalous nodes the probabilities of the model add up to.
    resamples
        Of each bootstrap.
    """

    part: Part
    truth: NDArray[np.bool_]
    scores: dict[Which, Floats]
    rows: tuple[Row, ...]
    gain: Interval | None
    budgets: tuple[tuple[int, int], ...]
    expected: float
    resamples: int


@dataclass(frozen=True, kw_only=True)
class Top:
    """A node with one of the highest scores, why it has it, and what lies around it."""

    node: Node
    score: float
    told: Told
    ego: Ego


@dataclass(frozen=True, kw_only=True)
class Findings:
    """All that a report says."""

    graph: Graph
    model: Fitted
    node_type: str
    scores: Floats
    leaks: tuple[Leak, ...] | None
    held: Held | None
    tops: tuple[Top, ...]
    fidelity: Fidelity | None = None


def findings_of(graph: Graph, model: Fitted, *, top: int, seed: int) -> Findings:
    """Return what there is to say of a model on a graph.

    Raises
    ------
    ParameterError
        ``top`` is out of its range, or the graph lacks the type that the model scores.
    """
    node_type = model.node_type
    if node_type not in graph.nodes:
        raise ParameterError(
            f"the model scores nodes of type {node_type!r}; there are {', '.join(graph.nodes)}"
        )
    if not 0 <= top <= 50:
        raise ParameterError(f"top must lie in 0 .. 50, not {top}")
    table, places = graph.nodes[node_type], graph.places(node_type)
    best = model.score(graph)[places]
    divided = table.labels is not None and table.splits is not None
    return Findings(
        graph=graph, model=model, node_type=node_type, scores=best,
        leaks=find_leaks(graph, of=node_type) if divided else None,
        held=_held(graph, model, table, places, best, seed) if divided else None,
        tops=_tops(graph, model, table, places, best, top),
    )  # fmt: skip


def _held(
    graph: Graph, model: Fitted, table: NodeTable, places: NDArray[np.int64], best: Floats, seed: int
) -> Held | None:
    assert table.labels is not None  # noqa: S101 - the caller has seen to it
    parts = ((part, _rows_in(table, part, best)) for part in (Part.TEST, Part.VAL))
    usable = [(part, rows) for part, rows in parts if len(np.unique(table.labels[rows])) == 2]
    if not usable:
        return None
    part, rows = usable[0]
    truth = table.labels[rows] == 1
    scores: dict[Which, Floats] = {"best": best[rows]}
    if model.kind != "unsupervised":  # which has no control
        for which in ("graph", "control"):
            scores[which] = model.score(graph, which=which)[places][rows]
    resamples = int(np.clip(_RESAMPLED // len(rows), 100, 1000))
    return Held(
        part=part, truth=truth, scores=scores,
        rows=tuple(_row(truth, scores[which], which, name, resamples, seed) for which, name in ROWS if which in scores),
        gain=None if "graph" not in scores else bootstrap(
            truth, scores["graph"], scores["control"], resamples=resamples, seed=seed
        ),
        budgets=_budgets(truth, scores["best"]), expected=float(scores["best"].sum()), resamples=resamples,
    )  # fmt: skip


def _rows_in(table: NodeTable, part: Part, score: Floats) -> NDArray[np.int64]:
    """The labelled nodes of a part that have a score."""
    assert table.labels is not None  # noqa: S101 - the caller has seen to it
    mask = table.test_mask if part is Part.TEST else table.val_mask
    return np.flatnonzero(mask & (table.labels >= 0) & ~np.isnan(score))


def _row(truth: NDArray[np.bool_], score: Floats, which: Which, name: str, resamples: int, seed: int) -> Row:
    ap, recall = (
        bootstrap(truth, score, figure=figure, resamples=resamples, seed=seed) for figure in ("ap", "recall")
    )
    return Row(which=which, name=name, auc=delong(truth, score), ap=ap, recall=recall)


def _budgets(truth: NDArray[np.bool_], score: Floats) -> tuple[tuple[int, int], ...]:
    total = int(truth.sum())
    looked = [k for k in _BUDGETS if k <= len(truth)]
    return tuple((k, round(recall_at(truth, score, k) * total)) for k in looked)


def _tops(
    graph: Graph, model: Fitted, table: NodeTable, places: NDArray[np.int64], score: Floats, top: int
) -> tuple[Top, ...]:
    """The highest scores among nodes that the model was not fitted to; among all when there are no others."""
    fresh = ~(table.train_mask | table.val_mask) & ~np.isnan(score)
    open_rows = np.flatnonzero(fresh if fresh.any() else ~np.isnan(score))
    chosen = open_rows[np.argsort(-score[open_rows], kind="stable")[:top]]
    found = []
    for row in chosen.tolist():
        told = model.explain(int(places[row]), graph, top=_REASONS)
        rank = {(name, number): share for name, number, _, share in told.neighbours}
        node = (model.node_type, row)
        ego = ego_of(graph, node, rank=rank, scores={model.node_type: score})
        found.append(Top(node=node, score=float(score[row]), told=told, ego=ego))
    return tuple(found)


__all__ = ["ROWS", "Findings", "Held", "Row", "Top", "findings_of"]
