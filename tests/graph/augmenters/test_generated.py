"""Nodes of the synthesizer as an augmenter for networks: wired to training nodes or alone, learned from suspects."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.graph.detectors.graphs import planted

from marigram import graph as mgg
from marigram.graph.augmenters.generated import Generated, diffusion, godm, vae
from marigram.graph.augmenters.makers import divided
from marigram.graph.augmenters.suspects import suspects
from marigram.graph.detectors.jobs import Job
from marigram.graph.detectors.labels import job_of
from marigram.graph.relations import relations_of

pytest.importorskip("torch")
QUICK: dict[str, Any] = {"budget": 0.01, "hops": 1, "width": 16, "latent": 16}
LEARNING = mgg.SelfTraining(among="test", ratio=0.5)


def case() -> Job:
    return job_of(planted(0, by="neighbours", n=240), "user", seed=0)


@pytest.mark.parametrize(
    ("maker", "joined"),
    [(vae(1, **QUICK), True), (diffusion(1, LEARNING, **QUICK), True), (godm(1, **QUICK), False)],
    ids=["vae", "diffusion", "godm"],
)
def test_new_nodes_are_anomalies_behind_the_real_ones_joined_to_training_nodes_or_to_none(
    maker: Generated, joined: bool
) -> None:
    job = case()
    real = divided(job).nodes["user"]
    found = maker.graph(job, 9, 4)
    users = found.nodes["user"]
    assert users.count == real.count + 9
    assert users.labels is not None
    assert (users.labels[real.count :] == 1).all()
    assert users.train_mask[real.count :].all()
    np.testing.assert_array_equal(users.attributes.numeric[: real.count], real.attributes.numeric)
    partners = {
        int(node)
        for kind, csr in relations_of(found).items()
        if kind[0] == kind[2] == "user"
        for new in range(real.count, users.count)
        for node in csr.indices[csr.indptr[new] : csr.indptr[new + 1]]
    }
    assert bool(partners) == joined
    assert not {node for node in partners if node < real.count and not real.train_mask[node]}
    again = maker.graph(job, 9, 4).nodes["user"].attributes.numeric
    np.testing.assert_array_equal(users.attributes.numeric, again)


def test_suspects_are_what_self_training_would_let_join() -> None:
    """Anomalies are a sixth of the nodes; of those that the trees suspect more are, by far."""
    job = case()
    found = suspects(job, LEARNING, 0)
    known = int((job.labels[job.train] == 1).sum())
    tested = job.graph.nodes["user"].test_mask
    assert len(found) == min(round(0.5 * known), int(0.05 * tested.sum()))
    assert tested[found].all()
    np.testing.assert_array_equal(found, suspects(job, LEARNING, 0))
    nobody = replace(job, valid=np.flatnonzero(~np.isin(np.arange(len(job.labels)), job.train)))
    assert not len(suspects(nobody, replace(LEARNING, among="all"), 0))
