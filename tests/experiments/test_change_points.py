"""The metrics of the change-point experiment on examples counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
from experiments.change_points import annotated, streams


def test_a_marked_change_needs_a_found_one_of_its_own():
    assert annotated.true_positives([10, 12], [11]) == 1
    assert annotated.true_positives([10, 12], [11, 13]) == 2
    assert annotated.true_positives([10], [16]) == 0
    assert annotated.true_positives([10], [15]) == 1
    assert annotated.true_positives([], [3]) == 0


def test_f1_takes_precision_from_all_annotators_and_recall_from_each():
    assert annotated.f1([[50], [50]], [52]) == 1.0
    # the beginning and 50 are right of three: 2/3; recall 1 and 1/2
    assert annotated.f1([[50], [80]], [50, 65]) == pytest.approx(2 * (2 / 3) * 0.75 / (2 / 3 + 0.75))
    assert annotated.f1([[]], []) == 1.0


def test_covering_is_the_mean_of_the_best_jaccard_index():
    assert annotated.covering([[50]], [50], 100) == 1.0
    assert annotated.covering([[50]], [], 100) == 0.5
    assert annotated.covering([[50], []], [50], 100) == pytest.approx((1 + 0.5) / 2)
    # 40 of 0..40 within 0..50, and 0..50 of 40..100: 50 * 40/50 + 50 * 50/60 over 100
    assert annotated.covering([[50]], [40], 100) == pytest.approx(0.5 * 0.8 + 0.5 * 50 / 60)


def test_regret_counts_what_is_told_too_late_or_too_often():
    assert streams.regret([], 1600) == 2400
    assert streams.regret([400, 800, 1200], 1600) == 0
    assert streams.regret([430, 800, 1200], 1600) == 30
    assert streams.regret([100, 400, 800, 1200], 1600) == 1500


@pytest.mark.parametrize("kind", ["Gaussian", "Pareto(2.01)"])
@pytest.mark.parametrize("d", [1, 32])
def test_the_noise_has_total_variance_one(kind, d):
    x = streams.isotropic(kind, d, np.random.default_rng(0), 200_000)
    assert np.allclose(x.mean(axis=0), 0, atol=0.05)
    if kind == "Gaussian":  # that of the other has no sample estimate worth the name
        assert x.var(axis=0).sum() == pytest.approx(1, rel=0.02)
    else:
        norm = (
            np.abs(x[:, 0] + 1 / 1.01 / np.sqrt(2.01 / (1.01**2 * 0.01)))
            if d == 1
            else np.linalg.norm(x, axis=1)
        )
        share = np.mean(norm > 10 * np.median(norm))
        assert 0.001 < share < 0.1


def test_standardised_noise_has_scale_one():
    x = 7 + 3 * np.random.default_rng(0).normal(size=(20_000, 2))
    assert np.allclose(annotated.standardised(x).std(axis=0), 1, rtol=0.05)
    assert np.allclose(annotated.standardised(np.ones((9, 1))), 0)
