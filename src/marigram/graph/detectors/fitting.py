"""How a node detector learns: the control, the graph model, the choice between them, and the winner once more on all.

The training part is learned from, the validation part stops, chooses, calibrates and judges; then the winner learns
from both. Labels of other nodes are never looked at.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from marigram.graph.augmenters.gate import augmented
from marigram.graph.data import Graph
from marigram.graph.detectors.auto import Candidate, combined, self_trained, tried
from marigram.graph.detectors.calibration import Calibration
from marigram.graph.detectors.control import control_learner
from marigram.graph.detectors.fitted import Findings, Fitted
from marigram.graph.detectors.jobs import Job
from marigram.graph.detectors.plan import Plan
from marigram.graph.detectors.verdict import Comparison

Tell = Callable[[str], None]


def fit_with_labels(job: Job, plan: Plan, *, augment: str | None, ratio: float, tell: Tell) -> Fitted:
    """Learn from a job as a plan says; ``tell`` is called with the name of each step as it begins."""
    tell("control, without the graph")
    control = tried("control", control_learner(plan.seeded_trees), job)
    winner, added = _graph_model(job, plan, tell), None
    learning = plan.self_training
    if augment is not None:
        winner, added = augmented(
            winner,
            augment,
            ratio,
            seed=plan.seed,
            tabular=winner.kind == "trees",
            tell=tell,
            learning=learning,
        )
    elif learning is not None:
        tell("self-training")
        winner = self_trained(winner, learning)
    truth = job.labels[job.valid] == 1
    compared = Comparison.of(winner.logits, control.logits, truth, seed=plan.seed)
    uses_graph = not compared.gain < 0
    chosen = winner if uses_graph else control
    tell("training and validation together")
    best = chosen.refitted(chosen.job.on_all())
    curves = {
        "graph": Calibration.fit(winner.logits, truth),
        "control": Calibration.fit(control.logits, truth),
    }
    findings = Findings(
        node_type=job.target,
        chosen=winner.kind,
        uses_graph=uses_graph,
        self_trained=bool((winner.job.weights[: len(job.weights)] != job.weights).any()),
        augmentation=added,
        validation=compared,
    )
    return Fitted(
        findings,
        scorers={"best": best, "graph": winner.scorer, "control": control.scorer},
        curves=curves | {"best": curves["graph" if uses_graph else "control"]},
    )


def _graph_model(job: Job, plan: Plan, tell: Tell) -> Candidate:
    found = {}
    for kind in plan.kinds:
        tell(kind)
        found[kind] = tried(kind, plan.learner(kind), job)
    return combined(found)


def fit_without_labels(graph: Graph, target: str, plan: Plan) -> Fitted:
    """Learn what is usual for a node type."""
    count, nan = graph.nodes[target].count, float("nan")
    nothing = np.zeros(count, np.float32)
    job = Job(graph, target, nothing, nothing, np.arange(count), np.arange(0))
    findings = Findings(
        node_type=target,
        chosen=plan.kind,
        uses_graph=True,
        self_trained=False,
        augmentation=None,
        validation=Comparison(nan, nan, nan, nan, nan, 0, 0),
    )
    return Fitted(findings, {"best": plan.learner(plan.kind).fit(job)}, {"best": Calibration()})


__all__ = ["fit_with_labels", "fit_without_labels"]
