"""Parts that can be told apart are seen as such without a label, and only there fewer normal nodes are kept."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.graph.detectors.graphs import QUICK, planted

from marigram import graph as mgg
from marigram.graph.augmenters.kinds import Makers, extended
from marigram.graph.augmenters.shift import SHIFTED, is_shifted, told_apart
from marigram.graph.detectors.auto import Candidate, learner_of, tried
from marigram.graph.detectors.jobs import Job
from marigram.graph.detectors.labels import job_of

LEARNING = mgg.SelfTraining(among="test", ratio=2.0, most=0.2)


def case(*, by_time: bool, n: int = 600) -> Job:
    """An attribute is when a node was seen; the split goes by it or does not."""
    graph = planted(0, by="attributes", n=n)
    users = graph.nodes["user"]
    x = np.column_stack([users.attributes.numeric, np.arange(n)]).astype(np.float32)
    graph = graph.with_nodes(user=users.with_attributes(mgg.Columns.of_numbers(x)))
    if by_time:
        parts = np.repeat([mgg.Part.TRAIN, mgg.Part.VAL, mgg.Part.TEST], [n // 2, n // 4, n // 4]).astype(
            np.int8
        )
        graph = graph.with_splits("user", parts[None])
    return job_of(graph, "user", seed=0)


def first(job: Job) -> Candidate:
    return tried("trees", learner_of("trees", hops=1, seed=0, trees=QUICK), job)


def grown(job: Job, kind: str) -> Job:
    return extended(kind, first(job), Makers(0), ratio=2.0, tabular=True, learning=LEARNING)


def test_a_split_by_time_is_told_apart_and_a_split_by_chance_is_not() -> None:
    """Chance: an AUC of 180 against as many nodes has standard error .03; .7 is six of them."""
    later, mixed = case(by_time=True), case(by_time=False)
    assert told_apart(later, LEARNING.pool(later), 0) > 0.98
    assert told_apart(mixed, LEARNING.pool(mixed), 0) < 0.7 < SHIFTED
    assert not is_shifted(later, LEARNING.pool(later)[:3], 0), "too few to tell"


def test_labels_outside_training_are_not_looked_at() -> None:
    job = case(by_time=False)
    other = job.labels.copy()
    other[LEARNING.pool(job)] = 1 - other[LEARNING.pool(job)]
    pool = LEARNING.pool(job)
    assert told_apart(job, pool, 3) == told_apart(replace(job, labels=other), pool, 3)


def test_without_a_shift_nothing_is_left_out_and_the_first_model_is_asked() -> None:
    job = case(by_time=False)
    plain, same = grown(job, "pseudo"), grown(job, "undersample-shifted+pseudo")
    np.testing.assert_array_equal(plain.train, same.train)
    np.testing.assert_array_equal(plain.labels, same.labels)
    assert len(plain.train) > len(job.train)


def test_with_a_shift_it_is_undersampling() -> None:
    job = case(by_time=True)
    fewer, asked = grown(job, "undersample+pseudo"), grown(job, "undersample-shifted+pseudo")
    np.testing.assert_array_equal(fewer.train, asked.train)
    kept = np.intersect1d(asked.train, job.train)
    assert (job.labels[kept] == 1).sum() == (job.labels[job.train] == 1).sum(), "all known anomalies stay"
    assert (job.labels[kept] != 1).sum() == round((job.labels[job.train] != 1).sum() / 3)


def test_after_undersampling_suspects_are_named_by_a_model_of_what_is_left() -> None:
    job = case(by_time=True)
    left = grown(job, "undersample")
    namer = first(replace(left, graph=job.graph))
    pool = LEARNING.pool(job)
    expected = LEARNING.extended(left, pool, namer.scorer.logits(job.graph, pool))
    found = grown(job, "undersample+pseudo")
    np.testing.assert_array_equal(found.train, expected.train)
    joined = found.train[len(left.train) :]
    assert (found.labels[joined] != 1).any(), (
        "the least suspicious of the later part join beside the suspects"
    )


@pytest.mark.parametrize("kind", ["undersample-shifted", "undersample-shifted+smote"])
def test_it_has_a_name_among_the_augmenters(kind: str) -> None:
    data = planted(2, by="attributes", n=200)
    assert mgg.augment(data, kind, 1.0).nodes["user"].train_mask.any()
