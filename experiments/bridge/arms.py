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
from marigram.bridge.loop.asking import questions
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
    found = [average_precision(truth, case.score[judged])]
    if arm == "streams":
        return {"ap": found * len(budgets)}
    graph_only = arm.startswith("graph")
    events = _without_streams(case.events) if graph_only else case.events
    scale = Scale.fit(events, case.score)
    prior = np.zeros(len(case.score)) if graph_only else scale.prior(case.score)
    found = [average_precision(truth, prior[judged])]
    spot, seen = scale.placed(events.take(pool)), scale.placed(events.take(judged))
    rng, known, used = np.random.default_rng([seed, 3]), list[int](), list[Fitted]()
    model = Process.fit(scale, spot.take(np.arange(0)), prior[:0], np.arange(0))
    while len(known) < budgets[-1]:
        known += _chosen(arm, model, spot, prior[pool], known, step, rng)
        rows = pool[np.array(known)]
        model = Process.fit(scale, spot.take(np.array(known)), prior[rows], case.truth[rows])
        if len(known) not in budgets:
            continue
        if arm in ("loop", NO_SYNTHESIS):
            found.append(average_precision(truth, _in_use(case, rows, used, arm)[judged]))
        else:
            found.append(average_precision(truth, model.logits(seen, prior[judged])))
    told = case.truth[pool[np.array(known)]]
    asked = [int(told[:budget].sum()) for budget in budgets]
    return {"ap": found, "malicious": asked, "used": len(used)}


def _in_use(case: Case, rows: Rows, used: list[Fitted], arm: str) -> NDArray[np.float64]:
    """Refit as the product does; return the logit of every event by what is in use then."""
    order = np.argsort(rows)
    known = Known(
        rows=rows[order],
        labels=case.truth[rows[order]].astype(np.int8),
        doubt=np.ones(len(rows)),
        conflicts=(),
        unknown=0,
        spent=float(len(rows)),
    )
    before = used[-1].trial if used else None
    new = refit(case.material, known, at=1, before=before, synthesis=arm != NO_SYNTHESIS)
    if new.report.promoted:
        used.append(new)
    if not used:
        return Scale.fit(case.events, case.score).prior(case.score)
    return scored(used[-1].model, used[-1].detector, case.material)


def _chosen(
    arm: str,
    model: Process,
    spot: Placed,
    prior: NDArray[np.float64],
    known: list[int],
    step: int,
    rng: np.random.Generator,
) -> list[int]:
    free = np.setdiff1d(np.arange(len(prior)), known)
    if arm.endswith("random labels"):
        return [int(row) for row in rng.choice(free, step, replace=False)]
    told = model.logits(spot, prior)
    if arm.endswith("(top alerts)"):
        return [int(row) for row in free[np.argsort(-told[free], kind="stable")[:step]]]
    asked = questions(model, spot, told, np.array(known, np.int64), count=step, seed=0)
    return [question.event for question in asked]


def _without_streams(events: Described) -> Described:
    kept = [j for j, group in enumerate(events.groups) if group != "streams"]
    return dataclasses.replace(
        events,
        names=tuple(events.names[j] for j in kept),
        groups=tuple(events.groups[j] for j in kept),
        x=events.x[:, kept],
    )


__all__ = ["NO_SYNTHESIS", "curve"]
