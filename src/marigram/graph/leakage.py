"""What gives the label away by itself: columns, times, ids, row order, twins across the split, edges from the future.

A model that shines for one of these reasons is of no use tomorrow: the column is filled in after the decision, the ids
were given class by class, the test rows were seen in training. Each check learns from the train rows alone and is
judged on the held-out ones (val and test), so that chance does not warn.

Nothing here proves a leak; the person who knows where a column comes from decides.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from marigram.errors import ParameterError
from marigram.graph.data import Graph, NodeTable
from marigram.graph.lookahead import later_edges
from marigram.graph.metrics import Figures, delong, figures
from marigram.graph.relations import edge_times, node_times

Kind = Literal["column", "value", "time", "order", "degree", "name", "twins", "future"]
Grade = Literal["leak", "look"]

LEAK_AUC = 0.98
"""A held-out AUC from which one column alone counts as giving the label away."""
LOOK_AUC = 0.9
"""And from which it is worth a look; DeLong's lower end must be within .05 of either."""

_LATER_AUC = 0.6
"""What has not happened yet should tell nothing: above this AUC (DeLong's lower end above a half) it tells."""
_TWINS_AUC = 0.8
_BINS = 32
_PRIOR = 2.0
"""Rows of the average kind that every bin starts with, so that a bin of one row is not certain."""
_FEW = 10
"""Anomalous rows below which nothing is learned of a column."""
_TOLD = re.compile(
    r"(^|[\W_])(label|target|class|y|is_?fraud|fraud|fraudulent|anomal\w*|outlier|abus\w*|malicious|attack\w*|banned?"
    r"|blocked|suspended|chargeback|dispute\w*|confirmed|verdict|decision|review\w*|investigat\w*|ground_?truth|risk_?score)"
    r"($|[\W_\d])",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True)
class Leak:
    """One warning.

    Parameters
    ----------
    kind
        What was found suspicious: a ``column``, a ``value`` of one, the ``time``, the ``order`` of the rows, a
        ``degree``, a ``name``, ``twins`` across the split, edges from the ``future``.
    grade
        ``leak``: as good as the label. ``look``: find out where it comes from.
    what
        The column, edge type or split in question.
    reason
        One sentence with the figures.
    auc, ap
        Of this alone on the held-out rows; NaN where it is no question of ranking.
    """

    kind: Kind
    grade: Grade
    what: str
    reason: str
    auc: float = float("nan")
    ap: float = float("nan")


@dataclass(frozen=True)
class _Rows:
    """The labelled rows: which are learned from, which are judged on."""

    table: NodeTable
    labels: NDArray[np.bool_]
    train: NDArray[np.int64]
    held: NDArray[np.int64]


def find_leaks(graph: Graph, *, of: str | None = None) -> tuple[Leak, ...]:
    """Return what gives the labels of a node type away, the gravest first.

    Parameters
    ----------
    graph
        With labels, and a split chosen.
    of
        The node type; None is the only one with labels.

    Raises
    ------
    ParameterError
        The type has no labels or there is no split.

    Examples
    --------
    >>> import numpy as np
    >>> from marigram import graph as mgg
    >>> rng = np.random.default_rng(0)
    >>> labels = (rng.random(400) < 0.2).astype(np.int8)
    >>> columns = np.column_stack([rng.normal(size=400), labels * 50.0]).astype(np.float32)
    >>> users = mgg.NodeTable(attributes=mgg.Columns.of_numbers(columns, ("age", "refunded")), labels=labels)
    >>> data = mgg.stratified(mgg.Graph(nodes={"user": users}, edges={}), seeds=[0])
    >>> [(leak.grade, leak.what) for leak in mgg.find_leaks(data)]
    [('leak', 'refunded')]
    """
    node_type = _one_type(graph, of)
    rows = _rows_of(graph.nodes[node_type], node_type)
    found = [*_names(rows.table), *_twins(rows), *_future(graph, node_type, rows)]
    if rows.labels[rows.train].sum() >= _FEW and 0 < rows.labels[rows.held].sum() < len(rows.held):
        found += [
            leak
            for kind, what, values in _suspects(graph, node_type)
            for leak in _judged(rows, kind, what, values)
        ]
        found += _later(graph, node_type, rows)
    return tuple(sorted(found, key=lambda leak: (leak.grade != "leak", -np.nan_to_num(leak.auc))))


def _one_type(graph: Graph, of: str | None) -> str:
    if of is None and len(graph.labelled_types) == 1:
        return graph.labelled_types[0]
    if of is None or of not in graph.labelled_types:
        raise ParameterError(f"say with `of` which node type; labels have: {graph.labelled_types}")
    return of


def _rows_of(table: NodeTable, node_type: str) -> _Rows:
    if table.splits is None or table.labels is None:
        raise ParameterError(f"{node_type!r} has no split: make one, such as by mgg.stratified")
    known = table.labels >= 0
    train = np.flatnonzero(known & table.train_mask)
    held = np.flatnonzero(known & (table.val_mask | table.test_mask))
    return _Rows(table, table.labels == 1, train, held)


# --- one column alone ------------------------------------------------------------------------------------------------


def _suspects(graph: Graph, node_type: str) -> Iterator[tuple[Kind, str, NDArray[Any]]]:
    """Everything that could be read off a node without learning: values as float, or as codes (int)."""
    table = graph.nodes[node_type]
    columns = table.attributes
    for block, names in ((columns.numeric, columns.numeric_names), (columns.text, columns.text_names)):
        for j, name in enumerate(names):
            yield "column", name, np.asarray(block[:, j], np.float64)
    for j, name in enumerate(columns.code_names):
        yield "column", name, columns.codes[:, j]
    if table.time is not None:
        yield "time", "time", (table.time - table.time.min()).astype(np.float64)
    yield "order", "the order of the rows", np.arange(table.count, dtype=np.float64)
    for kind, edges in graph.edges.items():
        for end, column in ((kind[0], edges.src), (kind[2], edges.dst)):
            if end == node_type:
                way = "out of" if column is edges.src else "into"
                yield (
                    "degree",
                    f"edges {way} it, {'-'.join(kind)}",
                    np.bincount(column, minlength=table.count).astype(np.float64),
                )


def _judged(rows: _Rows, kind: Kind, what: str, values: NDArray[Any]) -> Iterator[Leak]:
    """Warn when the share of anomalous train rows with a like value ranks the held-out rows well."""
    alone, low = _by_itself(rows, values)
    bars: tuple[tuple[Grade, float], ...] = (("leak", LEAK_AUC), ("look", LOOK_AUC))
    for grade, least in bars:
        if alone.auc >= least and low >= least - 0.05:
            yield Leak(
                kind=kind,
                grade=grade,
                what=what,
                reason=_alone(kind, what, alone),
                auc=alone.auc,
                ap=alone.ap,
            )
            return
    if kind == "column":
        yield from _pure_value(rows, what, values, alone)


def _by_itself(rows: _Rows, values: NDArray[Any]) -> tuple[Figures, float]:
    """How well values rank the held-out rows by the share of anomalous train rows alike; DeLong's lower end of AUC."""
    cells = _cells(values, rows.train)
    share = _shares(cells[rows.train], rows.labels[rows.train], int(cells.max()) + 1)
    truth, score = rows.labels[rows.held], share[cells[rows.held]]
    return figures(truth, score), delong(truth, score).low


def _alone(kind: Kind, what: str, alone: Figures) -> str:
    ranks = f"ranks the held-out rows with AUC {alone.auc:.3f} and AP {alone.ap:.3f}"
    if kind == "order":
        return f"The order of the rows alone {ranks}: ids or rows were given out by class"
    if kind == "time":
        return f"Time alone {ranks}: the classes were collected in different periods"
    if kind == "degree":
        return f"The number of {what} alone {ranks}: perhaps an effect of how the graph was sampled"
    return f"{what} alone {ranks}: is it known when a node is to be judged?"


def _cells(values: NDArray[Any], train: NDArray[np.int64]) -> NDArray[np.int64]:
    """A number for each group of like values: a code, a value where there are few, else a quantile; 0 is missing."""
    if values.dtype.kind == "i":
        return np.asarray(values, np.int64) + 1
    known = values[train][~np.isnan(values[train])]
    distinct = np.unique(known)
    if len(distinct) > _BINS:
        distinct = np.unique(np.quantile(known, np.linspace(0, 1, _BINS + 1)[1:-1]))
    cells = np.searchsorted(distinct, values, "left") + 1
    cells[np.isnan(values)] = 0
    return np.asarray(cells, np.int64)


def _shares(cells: NDArray[np.int64], labels: NDArray[np.bool_], count: int) -> NDArray[np.float64]:
    base = labels.mean()
    rows = np.bincount(cells, minlength=count)
    hits = np.bincount(cells, labels, minlength=count)
    return np.asarray((hits + _PRIOR * base) / (rows + _PRIOR), np.float64)


def _pure_value(rows: _Rows, what: str, values: NDArray[Any], alone: Figures) -> Iterator[Leak]:
    """Warn of a value, or a missing one, that many anomalous rows have and hardly any normal row."""
    exact = values if values.dtype.kind == "i" else np.where(np.isnan(values), np.inf, values)
    train, truth = exact[rows.train], rows.labels[rows.train]
    candidates, counts = np.unique(train[truth], return_counts=True)
    for value in candidates[counts >= max(_FEW, 0.1 * truth.sum())]:
        here, there = train == value, exact[rows.held] == value
        if not there.any():
            continue
        learned, kept = truth[here].mean(), rows.labels[rows.held][there].mean()
        if learned >= 0.99 and kept >= 0.95:
            covered = (exact[rows.held] == value)[rows.labels[rows.held]].mean()
            yield Leak(
                kind="value", grade="look", what=what, auc=alone.auc, ap=alone.ap,
                reason=f"{_value_of(rows.table, what, value)} has {covered:.0%} of the anomalous held-out rows, and "
                f"{kept:.0%} of those that have it are anomalous: is it set after the fact?",
            )  # fmt: skip


def _value_of(table: NodeTable, what: str, value: Any) -> str:
    columns = table.attributes
    if what in columns.code_names:
        words = columns.vocabularies[columns.code_names.index(what)]
        return f"{what} = {words[value]!r}" if value >= 0 else f"No {what}"
    return f"No {what}" if np.isinf(value) else f"{what} = {value:g}"


def _names(table: NodeTable) -> Iterator[Leak]:
    columns = table.attributes
    texts = dict.fromkeys(name.rpartition("#")[0] for name in columns.text_names)
    for name in (*columns.numeric_names, *columns.code_names, *texts):
        if _TOLD.search(name):
            yield Leak(
                kind="name", grade="look", what=name,
                reason=f"{name} is called like something written down after the decision",
            )  # fmt: skip


# --- rows that know each other ---------------------------------------------------------------------------------------


def _twins(rows: _Rows) -> Iterator[Leak]:
    """Warn of held-out rows whose attributes a train row has too, all of them, with the same label mostly."""
    matrix, names = rows.table.attributes.matrix()
    if len(names) < 2 or not len(rows.train) or not len(rows.held):
        return
    both = np.concatenate([rows.train, rows.held])
    _, group = np.unique(_bytes(matrix[both]), return_inverse=True)
    first, second = group[: len(rows.train)], group[len(rows.train) :]
    count = int(group.max()) + 1
    size = np.bincount(first, minlength=count)
    share = np.bincount(first, rows.labels[rows.train], minlength=count) / np.maximum(size, 1)
    has = size[second] > 0
    truth, told = rows.labels[rows.held][has], share[second][has]
    part = has.mean()
    if has.sum() < _FEW or part < 0.01:
        return
    alone = figures(truth, told)
    if alone.auc >= _TWINS_AUC:  # a few columns of few values have twins without telling anything
        yield Leak(
            kind="twins", grade="leak" if alone.auc >= LOOK_AUC and part >= 0.2 else "look",
            what="attributes", auc=alone.auc, ap=alone.ap,
            reason=f"{part:.0%} of the held-out rows have all attributes in common with a train row, and the labels "
            f"of these twins rank them with AUC {alone.auc:.3f}",
        )  # fmt: skip


def _bytes(matrix: NDArray[np.float32]) -> NDArray[Any]:
    """Each row as one value of raw bytes, so that rows can be sorted; -0 as 0, and one NaN."""
    plain = np.ascontiguousarray(np.where(np.isnan(matrix), np.float32(np.nan), matrix + np.float32(0)))
    return plain.view(np.dtype((np.void, plain.dtype.itemsize * plain.shape[1]))).ravel()


def _future(graph: Graph, node_type: str, rows: _Rows) -> Iterator[Leak]:
    """Warn when train nodes have edges from after the end of train, or a split ignores the times that there are."""
    time = node_times(graph, node_type)
    if time is None or not len(rows.train) or not len(rows.held):
        return
    end = int(time[rows.train].max())
    early = float((time[rows.held] <= end).mean())
    if early > 0.01:
        yield Leak(
            kind="future", grade="look", what="split",
            reason=f"{early:.0%} of the held-out rows are no later than the last train row: the split is not by time, "
            "so the model learns from the future of what it is tested on",
        )  # fmt: skip
        return
    learned = np.zeros(rows.table.count, bool)
    learned[rows.train] = True
    for kind, edges in graph.edges.items():
        times = edge_times(graph, kind)
        if times is None or node_type not in (kind[0], kind[2]):
            continue
        touches = np.zeros(edges.count, bool)
        for side, column in ((kind[0], edges.src), (kind[2], edges.dst)):
            if side == node_type:
                touches |= learned[column]
        late = int((touches & (times > end)).sum())
        if late:
            yield Leak(
                kind="future", grade="look", what="-".join(kind),
                reason=f"{late:,} edges of train nodes ({late / touches.sum():.0%}) are from after the end of train: "
                "who reads all edges looks ahead; mgg.as_of(data, mgg.Part.TRAIN) has none of them",
            )  # fmt: skip


def _later(graph: Graph, node_type: str, rows: _Rows) -> Iterator[Leak]:
    """Warn when the edges that partners have after a node's time tell of its label."""
    for kind, late in later_edges(graph, node_type).items():
        if not np.nanmax(late, initial=0):
            continue
        alone, low = _by_itself(rows, late.astype(np.float64))
        if alone.auc >= _LATER_AUC and low > 0.5:
            yield Leak(
                kind="future", grade="look", what=f"later edges, {'-'.join(kind)}", auc=alone.auc, ap=alone.ap,
                reason=f"The number of edges that the {kind[0]} of a {node_type} has after it ranks the held-out rows "
                f"with AUC {alone.auc:.3f} and AP {alone.ap:.3f}: a degree or mean over all edges looks ahead; "
                "the columns of the default detector take none later than the node",
            )  # fmt: skip


__all__ = ["LEAK_AUC", "LOOK_AUC", "Leak", "find_leaks"]
