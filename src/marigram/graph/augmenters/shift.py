"""Whether the nodes to be scored are of another kind than those that are known, as where a split is by time.

Self-training presumes that both come from one distribution. Where a forest tells them apart, suspects that join say
above all that an anomaly is a node of the later part, since all known normal nodes are of the earlier one; what learns
from that ranks the later part no better than chance. Where few normal nodes are known, the least suspicious nodes of
the later part join beside the suspects (:mod:`marigram.graph.detectors.selftrain`), and of which part a node is says
little. So fewer normal nodes are kept there, and nothing is changed elsewhere. No label of the nodes to be scored is
looked at.
"""

from __future__ import annotations

import numpy as np

from marigram.graph.detectors.jobs import Ints, Job
from marigram.graph.fidelity.measures import described, two_sample_auc

SHIFTED = 0.9
"""AUC from which parts count as different. Without a shift, a pool of which a share p is anomalous is told from normal
nodes with at most (1 + p) / 2."""
MOST = 2000
"""Nodes of each that are compared."""
TREES = 50


def told_apart(job: Job, pool: Ints, seed: int) -> float:
    """Return the AUC of a forest that tells a pool from the normal training nodes by attributes and one hop.

    Parameters
    ----------
    job
        What is known.
    pool
        int64 (m,): the nodes that may join.
    seed
        Of what is random.

    Returns
    -------
    About 0.5 to 1; NaN with fewer than five nodes in either.
    """
    rng = np.random.default_rng([seed, 30])
    normal = job.train[job.labels[job.train] != 1]
    known, new = (rng.permutation(nodes)[:MOST] for nodes in (normal, pool))
    x, _ = described(job.graph, job.target, np.concatenate([known, new]))
    return two_sample_auc(x[: len(known)], x[len(known) :], seed=seed, trees=TREES)


def is_shifted(job: Job, pool: Ints, seed: int) -> bool:
    """Whether a pool is told from the normal training nodes at least as well as :data:`SHIFTED`."""
    return told_apart(job, pool, seed) >= SHIFTED


__all__ = ["SHIFTED", "is_shifted", "told_apart"]
