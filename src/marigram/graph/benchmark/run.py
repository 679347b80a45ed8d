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

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from marigram.errors import ParameterError
from marigram.graph.benchmark.cells import Cell, Cells, Key, digest
from marigram.graph.benchmark.published import Labels, published
from marigram.graph.benchmark.rivals import Flat, absent_peers, flatten, rivals
from marigram.graph.benchmark.trials import SIDES, labelled, ours, rival, row_of
from marigram.graph.data import Graph
from marigram.graph.data.splits import GADBENCH_SEEDS, few_labels, stratified
from marigram.graph.metrics import Figures, over_splits

Say = Callable[[str], None]
Task = tuple[str, Callable[[Graph, int], Cell]]
ALL_LABELS: tuple[Labels, ...] = ("full", "100")
RUNS = 10


def measure(
    graph: Graph,
    name: str,
    *,
    labels: Sequence[Labels] = ALL_LABELS,
    runs: int = RUNS,
    kinds: Sequence[str] = ("trees",),
    peers: bool = True,
    cells: Cells | None = None,
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
    cells
        What was measured before, which is not measured again, and where the rest is kept.
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
    truth = labelled(graph).labels
    assert truth is not None  # noqa: S101 - the type has labels
    kept = Cells() if cells is None else cells
    flat, known_by = flatten(graph, node_type), digest(graph)
    tasks = list(_tasks(flat, kinds, peers))
    protocols = [
        _protocol(graph, Key(name, known_by, amount, 0, ""), tasks, kinds, runs, kept, say)
        for amount in labels
    ]
    return {
        "set": name, "digest": known_by, "nodes": graph.count, "edges": graph.edge_count, "node_type": node_type,
        "labelled": int((truth >= 0).sum()), "anomalous": int((truth == 1).sum()),
        "protocols": protocols, "absent_peers": list(absent_peers()),
    }  # fmt: skip


def _protocol(
    graph: Graph, key: Key, tasks: Sequence[Task], kinds: Sequence[str], runs: int, kept: Cells, say: Say
) -> dict[str, Any]:
    """All runs with one amount of labels."""
    labels: Labels = "100" if key.labels == "100" else "full"
    try:
        divided, told = _divided(graph, labels, runs)
    except ParameterError as error:
        return {"labels": labels, "left_out": str(error)}
    found: dict[str, list[Cell]] = {competitor: [] for competitor, _ in tasks}
    for run in range(runs):
        shown = divided.with_split(min(run, divided.split_count - 1))
        for competitor, task in tasks:
            before = found[competitor]
            if before and before[-1].get("reason"):  # what has failed once is not tried again
                continue
            here = key._replace(run=run, competitor=competitor)
            cell = kept.get(here)
            if cell is None:
                say(f"{key.set}, {labels} labels, run {run + 1} of {runs}: {competitor}")
                cell = task(shown, run)
                kept.put(here, cell)
            before.append(cell)
    return {
        "labels": labels, "splits": told, "runs": runs, **_summed_up(found, kinds, divided, labels),
        "published": [row._asdict() for row in published(key.set, labels)],
    }  # fmt: skip


def _tasks(flat: Flat, kinds: Sequence[str], peers: bool) -> Iterator[Task]:
    """Who competes, and how each is measured on a split under a seed."""
    for kind in kinds:
        yield row_of(kind), partial(ours, kind=kind)
    for name, run in rivals(peers=peers):
        yield name, partial(rival, flat=flat, name=name, run=run)


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


def _summed_up(
    found: dict[str, list[Cell]], kinds: Sequence[str], graph: Graph, labels: Labels
) -> dict[str, Any]:
    """Means and spreads of all rows, and of each kind of ours what the graph gained and what was said of it."""
    rows: dict[str, Any] = {}
    for competitor, cells in found.items():
        if cells[-1].get("reason"):
            rows[competitor] = {"failed": cells[-1]["reason"]}
            continue
        rows |= {row: _summary([cell["rows"][row] for cell in cells]) for row in cells[0]["rows"]}
    told: dict[str, Any] = {"rows": rows, "gain": {}, "verdicts": {}, "fits": {}}
    for kind in kinds:
        cells = found[row_of(kind)]
        verdicts = [cell["verdict"] for cell in cells]
        gain = _gain(cells, kind, graph, labels)
        told["gain"][kind] = gain
        told["verdicts"][kind] = dict(Counter(verdicts))
        told["fits"][kind] = [{name: cell[name] for name in cell if name != "rows"} for cell in cells]
        if gain is not None:
            gain["refuted"] = verdicts.count("helps") if gain["high"] < 0 else 0
    return told


def _summary(trials: list[dict[str, float | None]]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for name in Figures._fields:
        values = np.array([trial[name] for trial in trials], np.float64)
        spread = float(values.std(ddof=1)) if len(values) > 1 else float("nan")
        told[name] = {
            "mean": _number(float(values.mean())),
            "std": _number(spread),
            "runs": [trial[name] for trial in trials],
        }
    told["seconds"] = _number(float(np.mean(np.array([trial["seconds"] for trial in trials], np.float64))))
    return told


def _gain(cells: list[Cell], kind: str, graph: Graph, labels: Labels) -> dict[str, Any] | None:
    """AP on test with the graph less without, both learned from train: mean and 95 % intervals over the runs.

    The correction is for training parts that overlap, so not for few labels, nor for one split under several seeds.
    ``refuted`` counts the runs whose verdict was "helps" although the interval lies below 0.
    """
    sides = [[cell["rows"].get(row_of(kind, side), {}).get("ap") for cell in cells] for _, side in SIDES]
    if len(cells) < 2 or any(value is None for side in sides for value in side):
        return None
    differences = [a - b for a, b in zip(*sides, strict=True)]
    plain = over_splits(differences)
    told: dict[str, Any] = {"mean": plain.value, "low": plain.low, "high": plain.high, "runs": differences}
    if labels == "full" and graph.split_count > 1:
        table = labelled(graph)
        corrected = over_splits(differences, overlap=float(table.test_mask.sum() / table.train_mask.sum()))
        told |= {"corrected_low": corrected.low, "corrected_high": corrected.high}
    return told


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


__all__ = ["ALL_LABELS", "RUNS", "measure"]
