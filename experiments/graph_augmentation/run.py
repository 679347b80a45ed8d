"""Augmenters of a training graph with few known anomalies, side by side under one fixed detector.

Cells lie in ``cells/``; the quick form measures some of them anew, and makes the tables of all. ``--full`` measures
what is missing. Graphs are looked for in the folder that MARIGRAM_DATA names.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
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


def measure_missing(run: Run) -> None:
    """Go through all cells, seed after seed, and measure those that are not there."""
    config = run.config
    for regime in config["regimes"]:
        for seed in range(max(config["seeds"].values())):
            for name in config["sets"]:
                if seed < config["seeds"][name]:
                    measure_cells(Cells(name, regime, "trees"), seed, config["kinds"], config)


def measure_cells(cells: Cells, seed: int, kinds: Sequence[str], config: dict[str, Any]) -> None:
    """Measure the cells of one graph and seed that are missing."""
    missing = [kind for kind in kinds if not cells.has(kind, seed)]
    if not missing:
        return
    bench = Bench(case_of(cells.name, cells.regime, seed), seed, config)
    for kind in missing:
        cell = bench.cell(kind)
        cells.add(cell)
        print(
            f"{cells.name} {cells.regime} seed {seed} {kind}: AP {cell['ap']:.3f}, {cell['seconds']} s",
            flush=True,
        )


def live(run: Run) -> None:
    """Measure some cells anew and say how far they are from those that lie there."""
    for name, seed, kinds in run.config["live"]:
        bench = Bench(case_of(name, "20", seed), seed, run.config)
        stored = Cells(name, "20", "trees").table()
        for kind in kinds:
            gap = bench.cell(kind)["ap"] - stored[kind][seed]["ap"]
            run.figure(f"{name}, seed {seed}, {kind}: AP anew less stored, points", Figure(100 * gap))


def tables_of(run: Run, regime: str) -> dict[str, Table]:
    """The cells of each graph."""
    found = {name: Cells(name, regime, "trees").table() for name in run.config["sets"]}
    return {name: table for name, table in found.items() if table}


def report(run: Run, regime: str) -> None:
    """The tables of a regime."""
    tables = tables_of(run, regime)
    config = run.config
    every = [*dict.fromkeys([*config["kinds"], *config["rivals"], config["ours"]])]
    kinds = [kind for kind in every if any(kind in table for table in tables.values())]
    shared = {name: shared_seeds(table, kinds) for name, table in tables.items()}
    for figure in FIGURES:
        rows = [
            [
                kind,
                *(
                    _mean(table, kind, shared[name], figure, run, f"{regime}: {name}, {kind}, {figure}")
                    for name, table in tables.items()
                ),
            ]
            for kind in kinds
        ]
        heads = [f"{name}, {len(seeds)} seeds" for name, seeds in shared.items()]
        run.table(
            f"{SHOWN[figure]} on test in points, {regime} known anomalies, trees, seeds that all have",
            ["augmenter", *heads], rows, ".1f",
        )  # fmt: skip
    _gains(run, regime, tables, kinds)
    _counts(run, regime, tables, kinds)


def shared_seeds(table: Table, kinds: Sequence[str]) -> list[int]:
    """The seeds that every augmenter of a graph was measured on."""
    return sorted(set.intersection(*(set(table.get(kind, {})) for kind in kinds)))


def _mean(table: Table, kind: str, seeds: Sequence[int], figure: str, run: Run, name: str) -> object:
    values = [100 * table[kind][seed][figure] for seed in seeds]
    return run.figure(name, values) if values else "–"


def _gains(run: Run, regime: str, tables: dict[str, Table], kinds: Sequence[str]) -> None:
    """AP over no augmentation, paired."""
    rows = []
    for kind in kinds[1:]:
        gaps = [difference(table, kind, "none", "ap") for table in tables.values()]
        total = sum(gap.points.value for gap in gaps) / len(gaps)
        run.figure(f"{regime}: {kind} over none, AP, mean of sets", Figure(total))
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


def _counts(run: Run, regime: str, tables: dict[str, Table], kinds: Sequence[str]) -> None:
    """Best means, and wins, ties and losses against no augmentation, each under Holm's correction."""
    config = run.config
    rivals = [kind for kind in config["rivals"] if kind in kinds]
    rows = []
    for kind in kinds[1:]:
        won, tied, lost = wins_and_losses(tables, kind, "none")
        run.figure(f"{regime}: {kind} against none, won", Figure(won))
        run.figure(f"{regime}: {kind} against none, lost", Figure(lost))
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
        run.figure(f"{regime}: {ours}, best mean", Figure(best[ours]))
        run.figure(f"{regime}: {ours}, not below the best rival", Figure(not_below(tables, ours, rivals)))


def measure(run: Run) -> None:
    """Measure, and make the tables."""
    if run.full:
        measure_missing(run)
    live(run)
    if run.form == "smoke":
        return
    for regime in run.config["regimes"]:
        report(run, regime)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it."""
    return common.main(__file__, __doc__, measure, arguments)


if __name__ == "__main__":
    sys.exit(main())
