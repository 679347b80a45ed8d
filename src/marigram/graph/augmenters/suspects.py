"""Suspects: unlabelled nodes that a first model takes for anomalies, and that teach a generator what the class is like.

Twenty anomalies say little about how a class is distributed; the two hundred nodes that self-training would take
(:mod:`marigram.graph.detectors.selftrain`) say more, though some of them are wrong. They are learned from as the class,
and not themselves added; their labels are never looked at.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from marigram.graph.detectors.jobs import Ints, Job
from marigram.graph.detectors.selftrain import SelfTraining
from marigram.graph.detectors.tables import grown
from marigram.graph.detectors.trees import TreeSettings
from marigram.graph.hops import HopFeatures, HopView

SUSPECTING = TreeSettings(rounds=100, patience=20, rate=0.1, boosters=1, forest=50)
"""The trees that say who is suspicious."""
HOPS = 4
"""Of their columns."""


def suspects(job: Job, how: SelfTraining, seed: int, view: HopView | None = None) -> Ints:
    """Return the nodes that self-training would let join as anomalies.

    Parameters
    ----------
    job
        What is known.
    how
        How many, and among whom.
    seed
        Of the first model.
    view
        Its columns, made when None.
    """
    pool = how.pool(job)
    if not len(pool):
        return pool
    if view is None:
        view = HopFeatures.fit(job.graph, job.target, hops=HOPS).view(job.graph)
    model = grown(view, job, replace(SUSPECTING, seed=seed))
    longer = how.extended(job, pool, model.logits(view.rows(pool)))
    new = longer.train[len(job.train) :]
    return np.asarray(new[longer.labels[new] == 1])


__all__ = ["suspects"]
