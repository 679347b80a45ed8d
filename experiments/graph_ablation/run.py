"""What each part of the synthesizer is worth: average precision of a detector when the part is left out.

Cells lie in ``cells/``; the quick form makes the table of them and measures one anew. ``--full`` measures what is
missing and stops after ``most_seconds``; called again it goes on. Graphs are looked for in the folder that
MARIGRAM_DATA names.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments import common
from experiments.common import Figure, Run
from experiments.graph_ablation.parts import NONE, WHOLE, Variant, variants
from experiments.graph_augmentation.bench import Bench
from experiments.graph_augmentation.cells import Cells
from experiments.graph_augmentation.comparing import Difference, difference, holm
from experiments.graph_augmentation.sets import case_of
from marigram import graph as mgg
from marigram.graph.augmenters.generated import Generated
from marigram.graph.augmenters.makers import divided
from marigram.graph.augmenters.suspects import suspects

FOLDER = Path(__file__).parent / "cells"


class Ablation:
    """One graph and seed; a fitted synthesizer serves all that can be drawn from it."""

    def __init__(self, name: str, seed: int, config: dict[str, Any]) -> None:
        self.name, self.seed, self.config = name, seed, config
        self.bench = Bench(case_of(name, config["regime"], seed), seed, config)
        self._fitted: tuple[dict[str, Any], mgg.Synthesizer] | None = None

    def cell(self, variant: Variant | None) -> dict[str, Any]:
        """Measure a variant; None is no synthesis at all."""
        begun = time.monotonic()
        if variant is None:
            return self.bench.measured(NONE, self.bench.first, begun)
        generated = Generated(
            {}, {"guidance": self.config["guidance"]} | variant.sampling, fitted=self._synthesizer(variant)
        )
        winner = self.bench.made(generated, self.config["ratio"])
        return self.bench.measured(variant.name, winner, begun)

    @cached_property
    def _suspects(self) -> NDArray[np.int64]:
        return suspects(
            self.bench.first.job, mgg.SelfTraining(among="test"), self.seed, self.bench.learner.columns
        )

    def _synthesizer(self, variant: Variant) -> mgg.Synthesizer:
        if self._fitted is None or self._fitted[0] != variant.learning:
            job, told = self.bench.first.job, dict(variant.learning)
            supposed = self._suspects if told.pop("suspects", True) else None
            fresh = mgg.Synthesizer(seed=self.seed, budget=self.config["budget"], **told)
            self._fitted = variant.learning, fresh.fit(divided(job), suspects=supposed)
        return self._fitted[1].without(**variant.drawing)


def measure_missing(config: dict[str, Any]) -> None:
    """Go through all cells, seed after seed, and measure those that are not there, as long as there is time."""
    ends = time.monotonic() + config["most_seconds"]
    for seed in range(max(config["seeds"].values())):
        for name in config["sets"]:
            cells = Cells(name, config["regime"], "trees", FOLDER)
            wanted = [None, *variants(config)] if seed < config["seeds"][name] else []
            missing = [v for v in wanted if not cells.has(NONE if v is None else v.name, seed)]
            if missing and time.monotonic() < ends:
                _measure(Ablation(name, seed, config), cells, missing, ends)


def _measure(ablation: Ablation, cells: Cells, missing: list[Variant | None], ends: float) -> None:
    for variant in missing:
        if time.monotonic() >= ends:
            return
        cell = ablation.cell(variant)
        cells.add(cell)
        print(
            f"{cells.name} seed {cell['seed']} {cell['kind']}: AP {cell['ap']:.3f}, {cell['seconds']} s",
            flush=True,
        )


def live(run: Run) -> None:
    """Measure some cells anew and say how far they are from those that lie there."""
    known = {variant.name: variant for variant in variants(run.config)}
    for name, seed, kinds in run.config["live"]:
        ablation = Ablation(name, seed, run.config)
        stored = Cells(name, run.config["regime"], "trees", FOLDER).table()
        for kind in kinds:
            gap = ablation.cell(known.get(kind))["ap"] - stored[kind][seed]["ap"]
            run.figure(f"{name}, seed {seed}, {kind}: AP anew less stored, points", Figure(100 * gap))


def report(run: Run) -> None:
    """The loss of each part, and which have none."""
    tables = {name: Cells(name, run.config["regime"], "trees", FOLDER).table() for name in run.config["sets"]}
    tables = {name: table for name, table in tables.items() if WHOLE in table}
    names = [variant.name for variant in variants(run.config)][1:]
    rows: list[list[object]] = [[name] for name in names]
    for graph, table in tables.items():
        over = difference(table, WHOLE, NONE, "ap")
        run.figure(f"{graph}: whole over none, AP", over.points.value)
        run.note(f"{graph}: the whole has {_said(over)} points of AP over no synthesis.")
        losses = [difference(table, WHOLE, name, "ap") for name in names]
        sure = holm([loss.p for loss in losses])
        for row, name, loss, known in zip(rows, names, losses, sure, strict=True):
            if loss.seeds:
                run.figure(f"{graph}: loss {name}, AP", loss.points.value)
            row.append(_said(loss) + _mark(loss, known))
        lossless = [name for name, loss in zip(names, losses, strict=True) if not loss.points.low > 0]
        run.note(f"{graph}: no loss that these seeds show: {', '.join(lossless)}.")
    run.table(
        "Loss of AP in points when a part is left out or changed (seeds; \\*: interval clear of 0; \\*\\*: Holm, 5 %)",
        ["part", *tables],
        rows,
    )


def _mark(gap: Difference, sure: bool) -> str:
    clear = gap.points.low > 0 or gap.points.high < 0
    return "\\*\\*" if sure and clear else "\\*" if clear else ""


def _said(gap: Difference) -> str:
    if gap.seeds < 2:
        return "–"
    return f"{gap.points.value:+.2f} ± {(gap.points.high - gap.points.low) / 2:.2f} ({gap.seeds})"


def measure(run: Run) -> None:
    """Measure, and make the table."""
    if run.full:
        measure_missing(run.config)
    live(run)
    if run.form != "smoke":
        report(run)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it."""
    return common.main(__file__, __doc__, measure, arguments)


if __name__ == "__main__":
    sys.exit(main())
