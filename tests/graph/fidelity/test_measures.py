"""Measures of likeness against SciPy, and against sets that are known to be alike or not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from tests.graph.detectors.graphs import planted

from marigram.graph.fidelity.measures import (
    described,
    kolmogorov_smirnov,
    nearness,
    two_sample_auc,
    wasserstein,
)

VALUES = arrays(np.float64, st.integers(1, 30), elements=st.floats(-1e3, 1e3).map(lambda x: round(x, 1)))


@settings(max_examples=40, deadline=None)
@given(a=VALUES, b=VALUES)
def test_distances_of_distributions_are_as_defined_and_scipys(a: np.ndarray, b: np.ndarray) -> None:
    gaps = [abs((a <= x).mean() - (b <= x).mean()) for x in np.concatenate([a, b])]
    assert kolmogorov_smirnov(a, b) == pytest.approx(max(gaps), abs=1e-12)
    assert wasserstein(a, b) == pytest.approx(stats.wasserstein_distance(a, b), abs=1e-9, rel=1e-9)


def test_of_nothing_nothing_is_known() -> None:
    nothing = np.empty(0)
    assert np.isnan(kolmogorov_smirnov(nothing, np.ones(3)))
    assert np.isnan(wasserstein(np.ones(3), nothing))
    assert np.isnan(two_sample_auc(np.ones((3, 1), np.float32), np.ones((9, 1), np.float32)))
    assert np.isnan(nearness(np.ones((3, 1), np.float32), np.ones((1, 1), np.float32)).ratio)


def test_sets_of_one_distribution_cannot_be_told_apart_and_shifted_ones_can() -> None:
    """Out of fold on 2 x 300 rows the AUC of a coin has standard deviation .024: .4 to .6 holds but for 1 in 10,000."""
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=(300, 5)).astype(np.float32) for _ in range(2))
    assert 0.4 < two_sample_auc(a, b) < 0.6
    assert two_sample_auc(a, b + np.float32(3)) > 0.95


def test_a_value_that_is_missing_in_one_set_alone_tells_them_apart() -> None:
    rng = np.random.default_rng(1)
    a, b = (rng.normal(size=(100, 2)).astype(np.float32) for _ in range(2))
    b[:, 1] = np.nan
    assert two_sample_auc(a, b) > 0.99


def test_copies_are_at_distance_zero_and_fresh_draws_are_not() -> None:
    rng = np.random.default_rng(2)
    train, fresh = (rng.normal(size=(400, 3)).astype(np.float32) for _ in range(2))
    assert nearness(train[:50], train) == (0.0, 1.0)
    ratio, copies = nearness(fresh, train)
    assert 0.8 < ratio < 1.25  # a median of 400 distances, each way
    assert copies == 0
    assert nearness(fresh * 5, train).ratio > 1.5


def test_a_node_is_described_by_attributes_degrees_and_means_alone() -> None:
    graph = planted(0, by="neighbours", n=120)
    x, names = described(graph, "user", np.arange(7))
    assert x.shape == (7, len(names))
    assert names[:3] == ("x0", "x1", "x2")
    assert all(name.startswith(("x", "degree by ", "mean of ")) for name in names)
    np.testing.assert_array_equal(x[:, :3], graph.nodes["user"].attributes.numeric[:7])
