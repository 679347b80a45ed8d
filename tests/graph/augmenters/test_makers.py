"""Rows that augmenters make for models of tables, against plain arithmetic and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.covariance import ledoit_wolf
from tests.graph.detectors.graphs import planted

from marigram.graph.augmenters.between import Mixup, Smote
from marigram.graph.augmenters.gaussian import draws, shrinkage
from marigram.graph.augmenters.makers import Duplicate, Made, Maker, Perturb, known_anomalies
from marigram.graph.detectors.jobs import Job
from marigram.graph.detectors.labels import job_of
from marigram.graph.hops import HopFeatures, HopView


def case(seed: int = 0) -> tuple[Job, HopView]:
    graph = planted(seed, by="neighbours", n=300)
    return job_of(graph, "user", seed=0), HopFeatures.fit(graph, "user", hops=2).view(graph)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), n=st.integers(2, 40), d=st.integers(2, 60))
def test_the_shrinkage_is_scikit_learns(seed: int, n: int, d: int) -> None:
    z = np.random.default_rng(seed).normal(size=(n, d)) @ np.diag(np.arange(1, d + 1))
    z -= z.mean(0)
    expected = ledoit_wolf(z, assume_centered=True)[1]
    assert shrinkage(z) == pytest.approx(expected, abs=1e-6)


def test_draws_have_the_mean_and_the_shrunk_covariance() -> None:
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(30, 4)) @ rng.normal(size=(4, 4)) + 5).astype(np.float32)
    drawn, like = draws(x, 200_000, np.random.default_rng(1))
    scale = x.std(0)
    z = (x - x.mean(0)) / scale
    share = shrinkage(z.astype(np.float64))
    wanted = (1 - share) * z.T @ z / 30 + share * (z * z).mean() * np.eye(4)
    got = np.cov(((drawn - x.mean(0)) / scale).T, bias=True)
    np.testing.assert_allclose(got, wanted, atol=0.02)  # 8 standard errors
    np.testing.assert_allclose(drawn.mean(0), x.mean(0), atol=0.05)
    assert ((like >= 0) & (like < 30)).all()


def test_what_is_missing_or_constant_stays_so() -> None:
    x = np.array([[1, 2, np.nan], [1, 3, np.nan], [1, 5, np.nan]], np.float32)
    drawn, _ = draws(x, 50, np.random.default_rng(0))
    assert (drawn[:, 0] == 1).all()
    assert np.isnan(drawn[:, 2]).all()
    assert drawn[:, 1].std() > 0


def test_one_anomaly_alone_can_be_learned_from() -> None:
    drawn, _ = draws(np.ones((1, 3), np.float32), 4, np.random.default_rng(0))
    assert (drawn == 1).all()


def test_duplicates_are_the_known_rows_each_as_often() -> None:
    job, view = case()
    known = known_anomalies(job)
    rows = Duplicate().sample(job, view, 3 * len(known), 0).x
    expected = np.sort(np.tile(view.rows(known), (3, 1)), axis=0)
    np.testing.assert_array_equal(np.sort(rows, axis=0), expected)


def test_smote_lies_on_the_segment_between_two_known_anomalies() -> None:
    job, view = case()
    known = view.rows(known_anomalies(job)).astype(np.float64)
    for row in Smote(neighbours=3).sample(job, view, 20, 0).x.astype(np.float64):
        ends = known[:, None] - known  # (a, b): a - b
        length = (ends**2).sum(2)
        t = ((known[:, None] - row) * ends).sum(2) / np.where(length > 0, length, 1)
        nearest = known[:, None] - t[..., None] * ends
        away = np.sqrt(((nearest - row) ** 2).sum(2))[(length > 0) & (t >= -1e-6) & (t <= 1 + 1e-6)]
        assert away.min() < 1e-3 * np.sqrt((row**2).sum())


def test_mixup_counts_each_row_once_in_all() -> None:
    job, view = case()
    rows = Mixup().sample(job, view, 50, 0)
    assert len(rows.x) == 100
    np.testing.assert_array_equal(rows.x[:50], rows.x[50:])
    np.testing.assert_allclose(rows.weights[:50] + rows.weights[50:], 1, atol=1e-6)
    assert (rows.labels[:50] == 1).all()


@pytest.mark.parametrize("maker", [Duplicate(), Perturb(), Smote(), Mixup()])
def test_rows_come_out_the_same_at_each_call_and_in_the_columns_of_the_view(maker: Maker) -> None:
    job, view = case()
    made = Made(maker, job, 15, 4, 0.5)
    first, second = made.sample(view), made.sample(view)
    np.testing.assert_array_equal(first.x, second.x)
    assert first.x.shape[1] == len(view.features.names)
    assert (first.weights <= 0.5).all()


def test_perturbed_twins_lose_the_share_of_edges_that_is_said() -> None:
    """1,200 edges or more, each dropped with probability 0.3: a share outside .24 to .36 has less than 1 in 10,000."""
    job, _ = case()
    graph = Perturb(drop=0.3).graph(job, 200, 0)
    whole = Duplicate().graph(job, 200, 0)
    kind = ("user", "pays", "user")
    real = job.graph.edges[kind].count
    kept, all_ = graph.edges[kind].count - real, whole.edges[kind].count - real
    assert all_ > 1200
    assert 0.64 < kept / all_ < 0.76
    assert (
        graph.nodes["user"].attributes.numeric[300:] != whole.nodes["user"].attributes.numeric[300:]
    ).all()
