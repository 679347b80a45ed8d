"""Ways to spend labels: average precision on judged events after each budget."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from experiments.bridge.sets import Case
from marigram.bridge.loop.asking import questions
from marigram.bridge.loop.described import Described
from marigram.bridge.loop.process import Process, Scale
from marigram.evaluate.metrics import average_precision

Rows = NDArray[np.int64]


def curve(
    arm: str, case: Case, pool: Rows, judged: Rows, budgets: Sequence[int], step: int, seed: int
) -> list[float]:
    """Return the average precision after each budget."""
    graph_only = arm.startswith("graph")
    events = _without_streams(case.events) if graph_only else case.events
    scale = Scale.fit(events, case.score)
    prior = np.zeros(len(case.score)) if graph_only else scale.prior(case.score)
    spot, seen = scale.placed(events.take(pool)), scale.placed(events.take(judged))
    truth, rng = case.truth[judged], np.random.default_rng([seed, 3])
    known: list[int] = []
    model = Process.fit(scale, spot.take(np.arange(0)), prior[:0], np.arange(0))
    found = [average_precision(truth, prior[judged])]
    while len(known) < budgets[-1] and arm != "streams":
        known += _chosen(arm, model, spot, prior[pool], known, step, rng)
        rows = np.array(known)
        model = Process.fit(scale, spot.take(rows), prior[pool[rows]], case.truth[pool[rows]])
        if len(known) in budgets:
            found.append(average_precision(truth, model.logits(seen, prior[judged])))
    return found if arm != "streams" else found * len(budgets)


def _chosen(
    arm: str,
    model: Process,
    spot: object,
    prior: NDArray[np.float64],
    known: list[int],
    step: int,
    rng: np.random.Generator,
) -> list[int]:
    free = np.setdiff1d(np.arange(len(prior)), known)
    if arm.endswith("random labels"):
        return [int(row) for row in rng.choice(free, step, replace=False)]
    told = model.logits(spot, prior)  # type: ignore[arg-type]
    if arm == "loop":
        asked = questions(model, spot, told, np.array(known, np.int64), count=step, seed=0)  # type: ignore[arg-type]
        return [question.event for question in asked]
    return [int(row) for row in free[np.argsort(-told[free], kind="stable")[:step]]]


def _without_streams(events: Described) -> Described:
    kept = [j for j, group in enumerate(events.groups) if group != "streams"]
    return dataclasses.replace(
        events,
        names=tuple(events.names[j] for j in kept),
        groups=tuple(events.groups[j] for j in kept),
        x=events.x[:, kept],
    )


__all__ = ["curve"]
