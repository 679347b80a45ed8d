"""Augmenters of a training graph with few known anomalies, side by side under one fixed detector.

Cells lie in ``cells/``; the quick form measures some of them anew, and makes the tables of all. ``--full`` measures
what is missing and stops after ``most_seconds``; called again it goes on. Graphs are looked for in the folder that
MARIGRAM_DATA names.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from experiments import common
from experiments.common import Figure, Run
from experiments.graph_augmentation.bench import Bench
from experiments.graph_augmentation.cells import Cells
from experiments.graph_augmentation.comparing import (
    FIGURES,
    Table,
    best_means,
    difference,
    not_below,
    wins_and_losses,
)
from experiments.graph_augmentation.sets import case_of

SHOWN = {"auc": "AUC", "ap": "AP", "recall": "Recall@K"}


@dataclass(frozen=True)
class Plan:
    """One table: a regime and a detector, and the settings that are its own.

    Attributes
    ----------
    regime, detector
        Which.
    config
        All settings, those of the table in place of the common ones.
    """

    regime: str
    detector: str
    config: dict[str, Any]

    @property
    def name(self) -> str:
        """How its figures begin."""
        return self.regime if self.detector == "trees" else f"{self.regime} {self.detector}"

    def cells(self, graph: str) -> Cells:
        """Where the cells of a graph lie."""
        return Cells(graph, self.regime, self.detector)


def plans(config: dict[str, Any]) -> list[Plan]:
    """The table of all graphs, and the smaller ones beside it."""
    found = [Plan("20", "trees", config)]
    for name, own in config["more"].items():
        regime, detector = name.split(" ")
        seeds = dict.fromkeys(own["sets"], own["seeds"])
        found.append(Plan(regime, detector, {**config, **own, "seeds": seeds}))
    return found


def measure_missing(plan: Plan, ends: float = math.inf) -> None:
    """Go through all cells, seed after seed, and measure those that are not there while there is time."""
    config = plan.config
    for seed in range(max(config["seeds"].values())):
        for name in config["sets"]:
            if seed < config["seeds"][name]:
                measure_cells(plan, name, seed, ends)


def measure_cells(plan: Plan, name: str, seed: int, ends: float) -> None:
    """Measure the cells of one graph and seed that are missing."""
    cells = plan.cells(name)
    missing = [kind for kind in plan.config["kinds"] if not cells.has(kind, seed)]
    if not missing or time.monotonic() > ends:
        return
    bench = Bench(case_of(name, plan.regime, seed), seed, plan.config, plan.detector)
    for kind in missing:
        if time.monotonic() > ends:
            return
        cell = bench.cell(kind)
        cells.add(cell)
        told = f"AP {cell['ap']:.3f}, {cell['seconds']} s"
        print(f"{name} {plan.regime} {plan.detector} seed {seed} {kind}: {told}", flush=True)


def live(run: Run) -> None:
    """Measure some cells anew and say how far they are from those that lie there."""
    for name, seed, kinds in run.config["live"]:
        bench = Bench(case_of(name, "20", seed), seed, run.config)
        stored = Cells(name, "20", "trees").table()
        for kind in kinds:
            gap = bench.cell(kind)["ap"] - stored[kind][seed]["ap"]
            run.figure(f"{name}, seed {seed}, {kind}: AP anew less stored, points", Figure(100 * gap))


def report(run: Run, plan: Plan) -> None:
    """The tables of a regime and a detector."""
    config = plan.config
    tables = {name: plan.cells(name).table() for name in config["sets"]}
    tables = {name: table for name, table in tables.items() if table}
    every = [*dict.fromkeys([*config["kinds"], *config["rivals"], config["ours"]])]
    kinds = [kind for kind in every if any(kind in table for table in tables.values())]
    if not kinds:
        return
    contest = [kind for kind in ["none", *config["rivals"], config["ours"]] if kind in kinds]
    shared = {name: shared_seeds(table, contest) for name, table in tables.items()}
    for figure in FIGURES:
        rows = [
            [
                kind,
                *(
                    _mean(table, kind, shared[name], figure, run, f"{plan.name}: {name}, {kind}, {figure}")
                    for name, table in tables.items()
                ),
            ]
            for kind in kinds
        ]
        heads = [f"{name}, {len(seeds)} seeds" for name, seeds in shared.items()]
        of = f"{plan.regime} known anomalies, {plan.detector}"
        run.table(
            f"{SHOWN[figure]} on test in points, {of} (in brackets: fewer seeds)",
            ["augmenter", *heads],
            rows,
            ".1f",
        )
    _gains(run, plan, tables, kinds)
    _counts(run, plan, tables, kinds)


def shared_seeds(table: Table, kinds: Sequence[str]) -> list[int]:
    """The seeds that each of these augmenters was measured on."""
    return sorted(set.intersection(*(set(table.get(kind, {})) for kind in kinds)))


def _mean(table: Table, kind: str, seeds: Sequence[int], figure: str, run: Run, name: str) -> object:
    measured = [100 * table[kind][seed][figure] for seed in seeds if seed in table.get(kind, {})]
    if not measured:
        return "–"
    found = run.figure(name, measured)
    return found if len(measured) == len(seeds) else f"{found:.1f} ({len(measured)})"


def _gains(run: Run, plan: Plan, tables: dict[str, Table], kinds: Sequence[str]) -> None:
    """AP over no augmentation, paired."""
    rows = []
    for kind in kinds[1:]:
        gaps = [difference(table, kind, "none", "ap") for table in tables.values()]
        total = sum(gap.points.value for gap in gaps) / len(gaps)
        run.figure(f"{plan.name}: {kind} over none, AP, mean of sets", Figure(total))
        rows.append([kind, *(_interval(gap) for gap in gaps), f"{total:+.2f}"])
    run.table(
        "AP over no augmentation, points, paired over as many seeds as in brackets",
        ["augmenter", *tables, "mean"],
        rows,
    )


def _interval(gap: Any) -> str:
    if gap.seeds == 0:
        return "–"
    sure = "\\*" if gap.points.low > 0 or gap.points.high < 0 else ""
    return f"{gap.points.value:+.2f} ± {(gap.points.high - gap.points.low) / 2:.2f}{sure} ({gap.seeds})"


def _counts(run: Run, plan: Plan, tables: dict[str, Table], kinds: Sequence[str]) -> None:
    """Best means, and wins, ties and losses against no augmentation, each under Holm's correction."""
    config = plan.config
    rivals = [kind for kind in config["rivals"] if kind in kinds]
    rows = []
    for kind in kinds[1:]:
        won, tied, lost = wins_and_losses(tables, kind, "none")
        run.figure(f"{plan.name}: {kind} against none, won", Figure(won))
        run.figure(f"{plan.name}: {kind} against none, lost", Figure(lost))
        rows.append([kind, won, tied, lost])
    run.table(
        f"Cells of {3 * len(tables)} against no augmentation (Holm, 5 %)",
        ["augmenter", "won", "tied", "lost"],
        rows,
    )
    ours = config["ours"]
    contest = [*rivals, ours] if ours in kinds else rivals
    best = best_means(tables, contest)
    run.table(
        "Cells with the best mean, among these", ["augmenter", "cells"], [[k, n] for k, n in best.items()]
    )
    if ours in kinds:
        run.figure(f"{plan.name}: {ours}, best mean", Figure(best[ours]))
        run.figure(f"{plan.name}: {ours}, not below the best rival", Figure(not_below(tables, ours, rivals)))


def measure(run: Run) -> None:
    """Measure, and make the tables."""
    found, ends = plans(run.config), time.monotonic() + run.config["most_seconds"]
    for plan in found if run.full else []:
        measure_missing(plan, ends)
    live(run)
    for plan in [] if run.form == "smoke" else found:
        report(run, plan)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it."""
    return common.main(__file__, __doc__, measure, arguments)


if __name__ == "__main__":
    sys.exit(main())
