"""Ranking metrics against their definitions, written out slowly, and against scikit-learn."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marigram.errors import ParameterError
from marigram.evaluate import average_precision, best_f1, precision_recall, roc_auc

scored = st.lists(
    st.tuples(st.booleans(), st.sampled_from([0.0, 0.5, 1.0, 2.0, 1e300, -3.0])), min_size=1, max_size=40
)


def split(rows):
    return np.array([truth for truth, _ in rows]), np.array([score for _, score in rows])


def slow_average_precision(truth, score):
    total, before = 0.0, 0.0
    for threshold in sorted(set(score), reverse=True):
        flagged = score >= threshold
        recall = (truth & flagged).sum() / truth.sum()
        total += (recall - before) * (truth & flagged).sum() / flagged.sum()
        before = recall
    return total


def slow_roc_auc(truth, score):
    pairs = [(p > q) + 0.5 * (p == q) for p in score[truth] for q in score[~truth]]
    return sum(pairs) / len(pairs)


def slow_best_f1(truth, score):
    return max(2 * (truth & (score >= t)).sum() / ((score >= t).sum() + truth.sum()) for t in set(score))


@given(scored)
def test_against_the_definitions(rows):
    truth, score = split(rows)
    if truth.any():
        assert average_precision(truth, score) == pytest.approx(slow_average_precision(truth, score))
        best = best_f1(truth, score)
        assert best.f1 == pytest.approx(slow_best_f1(truth, score))
        flagged = score >= best.threshold
        assert best.precision == pytest.approx((truth & flagged).sum() / flagged.sum())
    if truth.any() and not truth.all():
        assert roc_auc(truth, score) == pytest.approx(slow_roc_auc(truth, score))


@given(scored, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(rows, random):
    mixed = rows.copy()
    random.shuffle(mixed)
    for metric in (average_precision, roc_auc):
        assert metric(*split(rows)) == pytest.approx(metric(*split(mixed)), nan_ok=True)


def test_against_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics", reason="this machine lacks scikit-learn")
    rng = np.random.default_rng(3)
    for _ in range(20):
        truth = rng.random(500) < 0.1
        score = np.round(rng.normal(size=500) + truth, rng.integers(0, 4))
        assert average_precision(truth, score) == pytest.approx(metrics.average_precision_score(truth, score))
        assert roc_auc(truth, score) == pytest.approx(metrics.roc_auc_score(truth, score))


def test_what_labels_do_not_define_is_nan():
    assert math.isnan(average_precision([False, False], [1.0, 2.0]))
    assert math.isnan(best_f1([False], [1.0]).f1)
    assert math.isnan(roc_auc([True, True], [1.0, 2.0]))
    assert math.isnan(roc_auc([], []))
    assert math.isnan(average_precision([], []))
    assert precision_recall([], []).recall.size == 0


def test_nan_scores_and_unequal_lengths_are_refused():
    with pytest.raises(ParameterError, match="1 scores are NaN"):
        roc_auc([True, False], [math.nan, 1.0])
    with pytest.raises(ParameterError, match="one length"):
        average_precision([True], [1.0, 2.0])
