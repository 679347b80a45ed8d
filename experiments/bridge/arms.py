"""Ways to spend labels: average precision on judged events after each budget.

The loop is the product's: its questions one batch after another, and at each budget a refit, which is used or not by
its own rule. The arms of random labels, of top alerts and of the graph alone are the process without that rule.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.bridge.sets import Case
from marigram.bridge.loop.asking import most_telling
from marigram.bridge.loop.described import Described
from marigram.bridge.loop.labels import Known
from marigram.bridge.loop.process import Placed, Process, Scale
from marigram.bridge.loop.refit import Fitted, refit, scored
from marigram.evaluate.metrics import average_precision

Rows = NDArray[np.int64]
NO_SYNTHESIS = "loop without synthesis"


def curve(
    arm: str, case: Case, pool: Rows, judged: Rows, budgets: Sequence[int], step: int, seed: int
) -> dict[str, Any]:
    """Return the average precision after each budget, how many asked were malicious, and how many refits were used."""
    truth = case.truth[judged]
    if arm == "streams":
        return {"ap": [average_precision(truth, case.score[judged])] * len(budgets)}
    graph_only = arm.startswith("graph")
    events = _without_streams(case.events) if graph_only else case.events
    scale = Scale.fit(events, case.score) if graph_only else case.material.scale
    prior = np.zeros(len(case.score)) if graph_only else scale.prior(case.score)
    found = [average_precision(truth, prior[judged])]
    spot, seen = scale.placed(events.take(pool)), scale.placed(events.take(judged))
    chooser, known, used = Chooser(arm, spot, seed), list[int](), list[Fitted]()
    model = Process.fit(scale, spot.take(np.arange(0)), prior[:0], np.arange(0))
    while len(known) < budgets[-1]:
        known += chooser.next(model, prior[pool], step)
        rows = pool[np.array(known)]
        model = Process.fit(scale, spot.take(np.array(known)), prior[rows], case.truth[rows])
        if len(known) not in budgets:
            continue
        if arm in ("loop", NO_SYNTHESIS):
            found.append(average_precision(truth, _in_use(case, rows, judged, used, arm)))
        else:
            found.append(average_precision(truth, model.logits(seen, prior[judged])))
    told = case.truth[pool[np.array(known)]]
    asked = [int(told[:budget].sum()) for budget in budgets]
    return {"ap": found, "malicious": asked, "used": len(used)}


class Chooser:
    """What an arm labels next; the questions of the loop are the product's, whose covariance is kept between them."""

    def __init__(self, arm: str, spot: Placed, seed: int) -> None:
        self.arm, self.spot = arm, spot
        self.rng = np.random.default_rng([seed, 3])
        self.free = np.ones(len(spot), np.bool_)
        self.covariance: NDArray[np.float64] | None = None

    def next(self, model: Process, prior: NDArray[np.float64], step: int) -> list[int]:
        """Return the next rows of the pool."""
        free = np.flatnonzero(self.free)
        if self.arm.endswith("random labels"):
            rows = [int(row) for row in self.rng.choice(free, step, replace=False)]
        elif self.arm.endswith("(top alerts)"):
            told = model.logits(self.spot, prior)[free]
            rows = [int(row) for row in free[np.argsort(-told, kind="stable")[:step]]]
        else:
            if self.covariance is None:
                self.covariance = self.spot.kernel(self.spot, model.settings)
            told = most_telling(self.covariance, self.free, model.settings.noise, step)
            rows = [row for row, *_ in told]
        self.free[rows] = False
        return rows


def _in_use(case: Case, rows: Rows, judged: Rows, used: list[Fitted], arm: str) -> NDArray[np.float64]:
    """Refit as the product does; return the logit of each judged event by what is in use then."""
    known = _known(case, rows)
    before = used[-1].trial if used else None
    new = refit(case.material, known, at=1, before=before, synthesis=arm != NO_SYNTHESIS)
    if new.report.promoted:
        used.append(new)
    if not used:
        return case.material.scale.prior(case.score)[judged]
    return _scored(used[-1], case, judged)


def _scored(fitted: Fitted, case: Case, judged: Rows) -> NDArray[np.float64]:
    if fitted.detector is not None:
        return scored(fitted.model, fitted.detector, case.material)[judged]
    scale = fitted.model.scale
    return fitted.model.logits(scale.placed(case.events.take(judged)), scale.prior(case.score[judged]))


def all_labels(case: Case, pool: Rows, judged: Rows) -> dict[str, Any]:
    """Refit with every label that there may be; return the average precision of each part, and what was used."""
    known, truth = _known(case, pool), case.truth[judged]
    out: dict[str, Any] = {"streams": average_precision(truth, case.score[judged])}
    for name, synthesis in (("without synthesis", False), ("with synthesis", True)):
        new = refit(case.material, known, at=1, synthesis=synthesis)
        out["process"] = average_precision(truth, scored(new.model, None, case.material)[judged])
        out[name] = average_precision(truth, _scored(new, case, judged))
        out["trees_used"] = new.detector is not None
        gate = None if new.detector is None else new.detector.augmentation
        out["synthesis_used"] = gate is not None and gate.kind != "none"
        out["trees"] = new.report.trees
    return {key: round(value, 5) if type(value) is float else value for key, value in out.items()}


def _known(case: Case, rows: Rows) -> Known:
    order = np.sort(rows)
    labels = case.truth[order].astype(np.int8)
    return Known(order, labels, np.ones(len(rows)), conflicts=(), unknown=0, spent=float(len(rows)))


def _without_streams(events: Described) -> Described:
    kept = [j for j, group in enumerate(events.groups) if group != "streams"]
    return dataclasses.replace(
        events,
        names=tuple(events.names[j] for j in kept),
        groups=tuple(events.groups[j] for j in kept),
        x=events.x[:, kept],
    )


__all__ = ["NO_SYNTHESIS", "all_labels", "curve"]
