"""Self-training: nodes without labels that a first model is surest of join the training nodes.

    pool = nodes that are neither in training nor in validation,
    anomalies' = the n_1 r of the pool with the highest score,  n_1 = anomalies in training,

each with a weight below 1 (H. Scudder, 1965; D.-H. Lee, "Pseudo-Label", 2013). Where the training nodes hold a usual
share of anomalies, the lowest scores join as normal in the same proportion; where normal nodes abound, none does. The
features of nodes to be scored may be in the pool (transductive), or be kept out of it (inductive); their labels never
are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, final, get_args

import numpy as np

from marigram.errors import ParameterError
from marigram.graph.detectors.jobs import Doubles, Ints, Job

Pool = Literal["all", "unlabelled", "test"]


@final
@dataclass(frozen=True, kw_only=True)
class SelfTraining:
    """How many join, and how much they count; checked when it is made.

    Parameters
    ----------
    ratio
        Joining anomalies for each one that is known, above 0.
    most
        Largest share of the pool that joins as anomalies, above 0 to 0.5.
    weight
        Of a node that joined, above 0 to 1.
    among
        Which nodes may join: ``"all"`` that are neither in training nor in validation, ``"unlabelled"`` ones outside
        the test part (inductive), or those of the ``"test"`` part alone (transductive).
    """

    ratio: float = 10.0
    most: float = 0.05
    weight: float = 0.5
    among: Pool = "all"

    def __post_init__(self) -> None:
        if self.among not in get_args(Pool):
            raise ParameterError(f"among must be one of {', '.join(get_args(Pool))}, got {self.among!r}")
        if not 0 < self.ratio < np.inf:
            raise ParameterError(f"ratio must be above 0 and finite, got {self.ratio!r}")
        for name, high in (("most", 0.5), ("weight", 1)):
            if not 0 < getattr(self, name) <= high:
                raise ParameterError(
                    f"{name} must be above 0 and at most {high}, got {getattr(self, name)!r}"
                )

    def pool(self, job: Job) -> Ints:
        """Return the nodes that may join."""
        free = np.ones(len(job.labels), np.bool_)
        free[job.train] = free[job.valid] = False
        tested = job.graph.nodes[job.target].test_mask
        if self.among != "all":
            free &= tested if self.among == "test" else ~tested
        return np.flatnonzero(free)

    def extended(self, job: Job, pool: Ints, scores: Doubles) -> Job:
        """Return the job with the surest of the pool, given a first model's scores (n,) of it."""
        positive = int((job.labels[job.train] == 1).sum())
        count = min(round(self.ratio * positive), int(self.most * len(pool)))
        if not count:
            return job
        order = pool[np.argsort(scores, kind="stable")]
        normal = min(round(count * (len(job.train) - positive) / positive), len(pool) // 4)
        few = len(job.train) - positive < NORMALS_ABOUND * count
        chosen = np.concatenate([order[len(order) - count :], order[: normal if few else 0]])
        labels, weights = job.labels.copy(), job.weights.copy()
        labels[chosen] = np.arange(len(chosen)) < count
        weights[chosen] = self.weight
        return replace(job, labels=labels, weights=weights, train=np.concatenate([job.train, chosen]))


NORMALS_ABOUND = 10
"""Known normal nodes for each joining anomaly from which on no normal node joins."""

__all__ = ["SelfTraining"]
