"""The benchmark: a graph, one or two amounts of labels, ten runs, ours and the rivals on the same rows.

========== =========================================================================================================
labels     splits
========== =========================================================================================================
``"full"`` those in the file; where it has none, stratified 40/20/40 under seeds 0, 1, …
``"100"``  20 anomalous and 80 normal nodes to train, as many for validation, the rest test; GADBench's seeds
========== =========================================================================================================

Run i takes split i and seed i. Where there is one split, as after a split by time, the runs differ by their seeds
alone, and the standard deviation says less: it lacks the choice of nodes.
"""

from __future__ import annotations

import time
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from marigram.errors import MarigramError, ParameterError
from marigram.graph.benchmark.published import Labels, published
from marigram.graph.benchmark.rivals import Flat, absent_peers, flatten, rivals
from marigram.graph.data import Graph, NodeTable
from marigram.graph.data.splits import GADBENCH_SEEDS, few_labels, stratified
from marigram.graph.detectors.detector import NodeDetector, Which
from marigram.graph.metrics import Figures, figures, over_splits

Say = Callable[[str], None]
ALL_LABELS: tuple[Labels, ...] = ("full", "100")
RUNS = 10


class Trial(NamedTuple):
    """One run of one competitor: its figures and the seconds it took; ``reason`` when it did not come to an end."""

    figures: Figures
    seconds: float
    reason: str = ""


def measure(
    graph: Graph,
    name: str,
    *,
    labels: Sequence[Labels] = ALL_LABELS,
    runs: int = RUNS,
    kinds: Sequence[str] = ("trees",),
    peers: bool = True,
    say: Say = lambda _: None,
) -> dict[str, Any]:
    """Return the figures of a graph, ready for JSON.

    Parameters
    ----------
    graph
        With one labelled node type.
    name
        By which published figures are looked up.
    labels
        Amounts of labels.
    runs
        From 1 to 10.
    kinds
        Of :class:`NodeDetector`.
    peers
        Whether installed packages take part.
    say
        Is told what is being measured.

    Raises
    ------
    ParameterError
        A setting is out of its range, or not one node type has labels.
    """
    if not 1 <= runs <= RUNS:
        raise ParameterError(f"runs must lie in 1 .. {RUNS}, not {runs}")
    if len(graph.labelled_types) != 1:
        raise ParameterError(f"one node type must have labels; {graph.labelled_types} have")
    node_type = graph.labelled_types[0]
    truth = graph.nodes[node_type].labels
    assert truth is not None  # noqa: S101 - the type has labels
    flat = flatten(graph, node_type)
    return {
        "set": name, "nodes": graph.count, "edges": graph.edge_count, "node_type": node_type,
        "labelled": int((truth >= 0).sum()), "anomalous": int((truth == 1).sum()),
        "protocols": [_protocol(graph, flat, name, amount, runs, kinds, peers, say) for amount in labels],
        "absent_peers": list(absent_peers()),
    }  # fmt: skip


def _protocol(
    graph: Graph,
    flat: Flat,
    name: str,
    labels: Labels,
    runs: int,
    kinds: Sequence[str],
    peers: bool,
    say: Say,
) -> dict[str, Any]:
    try:
        divided, told = _divided(graph, labels, runs)
    except ParameterError as error:
        return {"labels": labels, "left_out": str(error)}
    trials: dict[str, list[Trial]] = {}
    verdicts: dict[str, Counter[str]] = {kind: Counter() for kind in kinds}
    for run in range(runs):
        shown = divided.with_split(min(run, divided.split_count - 1))
        say(f"{name}, {labels} labels, run {run + 1} of {runs}")
        for kind in kinds:
            for row, trial in _ours(shown, kind, run, verdicts[kind]).items():
                trials.setdefault(row, []).append(trial)
        for row, rival in rivals(peers=peers):
            if not (row in trials and trials[row][-1].reason):  # what has failed once is not tried again
                trials.setdefault(row, []).append(_rival(shown, flat, rival, run))
    return {
        "labels": labels, "splits": told, "runs": runs,
        "rows": {row: _summary(each) for row, each in trials.items()},
        "gain": {kind: _gain(trials, kind, divided, labels) for kind in kinds},
        "verdicts": {kind: dict(counts) for kind, counts in verdicts.items()},
        "published": [row._asdict() for row in published(name, labels)],
    }  # fmt: skip


def _divided(graph: Graph, labels: Labels, runs: int) -> tuple[Graph, str]:
    """The graph with a split for each run, and what they are."""
    if labels == "100":
        return few_labels(
            graph, seeds=GADBENCH_SEEDS[:runs]
        ), f"20 + 80 nodes, seeds {GADBENCH_SEEDS[0]} + 10 i"
    if graph.split_count:
        one = ", the runs differ by their seeds" if graph.split_count == 1 else ""
        return graph, f"{graph.split_count} of the file{one}"
    return stratified(graph, seeds=range(runs)), "stratified 40/20/40, seeds 0, 1, …"


def _ours(graph: Graph, kind: str, seed: int, verdicts: Counter[str]) -> dict[str, Trial]:
    """The detector, and both sides of its comparison; the time is that of fitting and scoring them all."""
    start = time.perf_counter()
    model = NodeDetector(kind, seed=seed).fit(graph)  # type: ignore[arg-type]
    best = model.score(graph)
    seconds = time.perf_counter() - start
    verdicts[model.verdict] += 1
    found = {f"marigram {kind}": Trial(_figures(graph, best), seconds)}
    sides: tuple[tuple[Which, str], ...] = (("graph", "with"), ("control", "without"))
    for which, side in sides if kind != "unsupervised" else ():
        trial = Trial(_figures(graph, model.score(graph, which=which)), float("nan"))
        found[f"marigram {kind}, {side} the graph, train only"] = trial
    return found


def _rival(graph: Graph, flat: Flat, rival: Callable[..., NDArray[np.float64]], seed: int) -> Trial:
    table = _labelled(graph)
    assert table.labels is not None  # noqa: S101 - _labelled has seen to it
    known = np.where(table.train_mask | table.val_mask, table.labels, np.int8(-1))
    start = time.perf_counter()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the peers about their own dependencies
            score = rival(flat, known, seed)
    except MarigramError:
        raise
    except Exception as error:  # noqa: BLE001 - a peer that cannot run here is a finding, told with its reason
        return Trial(Figures(*[float("nan")] * 3), float("nan"), f"{type(error).__name__}: {error}"[:200])
    seconds = time.perf_counter() - start
    return Trial(_tested(table, score), seconds)


def _labelled(graph: Graph) -> NodeTable:
    return graph.nodes[graph.labelled_types[0]]


def _figures(graph: Graph, score: NDArray[np.float64]) -> Figures:
    return _tested(_labelled(graph), score[graph.places(graph.labelled_types[0])])


def _tested(table: NodeTable, score: NDArray[np.float64]) -> Figures:
    assert table.labels is not None  # noqa: S101 - the callers have seen to it
    rows = table.test_mask & (table.labels >= 0)
    return figures(table.labels[rows] == 1, score[rows])


def _summary(trials: list[Trial]) -> dict[str, Any]:
    if trials[-1].reason:
        return {"failed": trials[-1].reason}
    told: dict[str, Any] = {}
    for name in Figures._fields:
        values = np.array([getattr(trial.figures, name) for trial in trials])
        spread = float(values.std(ddof=1)) if len(values) > 1 else float("nan")
        told[name] = {
            "mean": _number(float(values.mean())),
            "std": _number(spread),
            "runs": [_number(v) for v in values],
        }
    told["seconds"] = _number(float(np.mean([trial.seconds for trial in trials])))
    return told


def _gain(trials: dict[str, list[Trial]], kind: str, graph: Graph, labels: Labels) -> dict[str, Any] | None:
    """AP on test with the graph less without, both learned from train: mean and 95 % intervals over the runs.

    The correction is for training parts that overlap, so not for few labels, nor for one split under several seeds.
    """
    with_it, without = (
        [trial.figures.ap for trial in trials.get(f"marigram {kind}, {side} the graph, train only", [])]
        for side in ("with", "without")
    )
    differences = [a - b for a, b in zip(with_it, without, strict=True)]
    if len(differences) < 2 or np.isnan(differences).any():
        return None
    plain = over_splits(differences)
    told: dict[str, Any] = {"mean": plain.value, "low": plain.low, "high": plain.high, "runs": differences}
    if labels == "full" and graph.split_count > 1:
        table = _labelled(graph)
        corrected = over_splits(differences, overlap=float(table.test_mask.sum() / table.train_mask.sum()))
        told |= {"corrected_low": corrected.low, "corrected_high": corrected.high}
    return told


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


__all__ = ["ALL_LABELS", "RUNS", "measure"]
