"""From no label to a hundred: finding malicious events by the streams, by the graph, and by both in a loop.

With a hundred labels trees and synthetic data seldom begin, so a refit with the labels of *all* that may be labelled
is measured too: by the process alone, with trees, and with trees and synthesis.

Cells lie in ``cells/``; the quick form measures one anew and makes the tables of all. ``--full`` measures what is
missing and stops after ``most_seconds``; called again it goes on. Data are looked for in the folder that MARIGRAM_DATA
names.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from experiments import common
from experiments.bridge.arms import NO_SYNTHESIS, all_labels, curve
from experiments.bridge.sets import Case, case_of, split_of
from experiments.common import Figure, Run
from marigram.bridge.loop.refit import FEWEST_OF_EACH

CELLS = Path(__file__).parent / "cells"
_case = cache(case_of)


def cell(config: dict[str, Any], name: str, seed: int, arm: str) -> dict[str, Any]:
    """Measure one arm of one data set and seed."""
    if arm == NO_SYNTHESIS:
        loop = [one for one in stored(name) if one["arm"] == "loop" and one["seed"] == seed]
        if loop and loop[0]["malicious"][-1] < FEWEST_OF_EACH:  # then no refit had trees, and nothing differs
            return {**loop[0], "arm": arm}
    case: Case = _case(name)
    pool, judged = split_of(case, seed, config["pool"], config["tested"])
    found = curve(arm, case, pool, judged, config["budgets"], config["step"], seed)
    return {"arm": arm, "seed": seed, **found, "ap": [round(value, 5) for value in found["ap"]]}


def stored(name: str) -> list[dict[str, Any]]:
    """All cells of a data set."""
    path = CELLS / f"{name}.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def cells(name: str) -> dict[str, dict[int, list[float]]]:
    """Arm -> seed -> average precision after each budget."""
    found = dict[str, dict[int, list[float]]]()
    for one in stored(name):
        found.setdefault(one["arm"], {})[one["seed"]] = one["ap"]
    return found


def measure_missing(config: dict[str, Any]) -> None:
    """Measure the cells that are not there while there is time."""
    ends = time.monotonic() + config["most_seconds"]
    CELLS.mkdir(exist_ok=True)
    for name in config["sets"]:
        for seed in range(config["seeds"]):
            for arm in config["arms"]:
                if seed in cells(name).get(arm, {}) or time.monotonic() > ends:
                    continue
                with (CELLS / f"{name}.jsonl").open("a") as sink:
                    sink.write(json.dumps(cell(config, name, seed, arm)) + "\n")
                print(f"{name} seed {seed} {arm}", flush=True)
    for name, seeds in config["all_labels"].items():
        for seed in range(seeds):
            if any(one["seed"] == seed for one in stored(f"{name}-all")) or time.monotonic() > ends:
                continue
            case = _case(name)
            found = all_labels(case, *split_of(case, seed, config["pool"], config["tested"]))
            with (CELLS / f"{name}-all.jsonl").open("a") as sink:
                sink.write(json.dumps({"seed": seed, **found}) + "\n")
            print(f"{name} seed {seed} all labels", flush=True)


def report(run: Run, name: str) -> None:
    """The table of a data set, and what the loop gains."""
    table, budgets = cells(name), run.config["budgets"]
    rows = []
    for arm in run.config["arms"]:
        seeds = table.get(arm, {})
        if seeds:
            values = np.array([seeds[seed] for seed in sorted(seeds)])
            figures = [
                run.figure(f"{name}, {arm}, {n} labels: AP", values[:, j]) for j, n in enumerate(budgets)
            ]
            rows.append([f"{arm} ({len(seeds)} seeds)", *figures])
    run.table(f"Average precision on {name} by labels spent", ["", *map(str, budgets)], rows, ".3f")
    if "loop" in table:
        _gains(run, name, table, budgets)
        _asked(run, name)
    if stored(f"{name}-all"):
        _all(run, name)


def _gains(run: Run, name: str, table: dict[str, dict[int, list[float]]], budgets: Sequence[int]) -> None:
    seeds = sorted(table["loop"])
    ours = np.array([table["loop"][seed] for seed in seeds])
    falls = 1 - (1 - ours) / (1 - ours[:, :1])
    figures = [run.figure(f"{name}: 1 - AP falls by, {n} labels", falls[:, j]) for j, n in enumerate(budgets)]
    run.table(
        f"{name}: by how much 1 - AP of the streams falls, paired",
        ["", *map(str, budgets)],
        [["loop", *figures]],
        ".3f",
    )
    random = table.get("streams and graph, random labels", {})
    wanted = np.mean([random[seed][-1] for seed in seeds if seed in random])
    needed = np.interp(wanted, np.maximum.accumulate(ours.mean(0)), budgets, right=np.inf)
    run.figure(f"{name}: labels for what 100 random ones reach", Figure(float(needed)))
    run.note(
        f"{name}: random labelling reaches {wanted:.3f} with 100 labels, the loop with about {needed:.0f}."
    )


def _asked(run: Run, name: str) -> None:
    """What was asked: how many malicious, and which refits were used."""
    loops = [one for one in stored(name) if one["arm"] == "loop"]
    asked = np.array([one["malicious"] for one in loops], float)
    refits = len(run.config["budgets"]) - 1
    most = Figure(float(asked[:, -1].max()))
    run.figure(f"{name}: most malicious events among the questions of a loop", most)
    kept = sum(one["used"] for one in loops)
    run.note(
        f"{name}: of 100 questions of the loop {asked[:, -1].mean():.1f} were about malicious events on average, "
        f"{most.value:.0f} at most; {kept} of {refits * len(loops)} refits were used."
    )


def _all(run: Run, name: str) -> None:
    cells_of = stored(f"{name}-all")
    kinds = ("streams", "process", "without synthesis", "with synthesis")
    figures = [run.figure(f"{name}, all labels: {k}", np.array([one[k] for one in cells_of])) for k in kinds]
    run.table(f"{name}: AP with all labels ({len(cells_of)} seeds)", kinds, [list(figures)], ".3f")
    for what in ("trees_used", "synthesis_used"):
        run.figure(f"{name}, all labels: {what}", Figure(float(sum(one[what] for one in cells_of))))
    run.note(
        f"{name}: with all labels trees were used in {sum(one['trees_used'] for one in cells_of)} of {len(cells_of)} "
        f"seeds, synthetic data in {sum(one['synthesis_used'] for one in cells_of)}."
    )


def measure(run: Run) -> None:
    """Measure, and make the tables."""
    if run.full:
        measure_missing(run.config)
    for name, seed, arm in run.config["live"]:
        again = cell(run.config, name, seed, arm)["ap"]
        stored = cells(name).get(arm, {}).get(seed, again)
        gap = float(np.abs(np.subtract(again, stored)).max())
        run.figure(f"{name}, seed {seed}, {arm}: anew less stored", Figure(gap))
    for name in [] if run.form == "smoke" else run.config["sets"]:
        report(run, name)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the experiment; return the exit status."""
    return common.main(__file__, __doc__, measure, arguments)


if __name__ == "__main__":
    sys.exit(main())
