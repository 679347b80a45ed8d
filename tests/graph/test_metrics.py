"""Figures and their intervals: slow twins, ties, and coverage counted over many trials."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from marigram.errors import ParameterError
from marigram.graph.metrics import bootstrap, delong, figures, over_splits, recall_at

rows = st.lists(st.tuples(st.booleans(), st.integers(0, 4)), min_size=2, max_size=30).filter(
    lambda some: len({label for label, _ in some}) == 2
)


def slow_recall(truth: NDArray[np.bool_], score: NDArray[np.float64]) -> float:
    """The mean over random orders of tied rows."""
    rng, k, hits = np.random.default_rng(0), int(truth.sum()), []
    for _ in range(4000):
        order = np.lexsort([rng.random(len(score)), -score])
        hits.append(truth[order[:k]].mean())
    return float(np.mean(hits))


def test_ties_count_as_a_random_order_would_take_them() -> None:
    rng = np.random.default_rng(4)
    truth, score = rng.random(40) < 0.3, rng.integers(0, 4, 40).astype(float)
    assert recall_at(truth, score) == pytest.approx(slow_recall(truth, score), abs=0.02)  # 8 sd of the mean


@given(rows, st.sampled_from(["auc", "ap", "recall"]))
def test_the_resampled_figure_without_resampling_is_the_figure(
    some: list[tuple[bool, int]], figure: str
) -> None:
    truth, score = (np.array(column) for column in zip(*some, strict=True))
    value = bootstrap(truth, score, figure=figure, resamples=100).value  # type: ignore[arg-type]
    assert value == pytest.approx(getattr(figures(truth, score), figure))


@given(rows)
def test_no_order_of_the_rows_changes_a_figure(some: list[tuple[bool, int]]) -> None:
    truth, score = (np.array(column) for column in zip(*some, strict=True))
    assert figures(truth, score) == pytest.approx(figures(truth[::-1], score[::-1]))


def test_a_class_that_is_absent_gives_nan() -> None:
    assert np.isnan(figures([0, 0], [1.0, 2.0])).all()
    assert np.isnan(bootstrap([1, 1], [1.0, 2.0])).all()
    assert np.isnan(delong([1, 0], [2.0, 1.0]).low)


def test_intervals_cover_what_they_say() -> None:
    """150 trials at 95 %: fewer than 125 have a chance below 1e-4 where the coverage is 93 % or more; all, 1e-3."""
    rng, true_auc = np.random.default_rng(1), 0.7602499389065233  # Φ(1 / √2)
    covered = {"delong": 0, "bootstrap": 0}
    for trial in range(150):
        truth = np.arange(200) < 60
        score = rng.normal(size=200) + truth
        for name, found in (
            ("delong", delong(truth, score)),
            ("bootstrap", bootstrap(truth, score, figure="auc", resamples=100, seed=trial)),
        ):
            covered[name] += found.low <= true_auc <= found.high
    assert 125 <= covered["delong"] < 150
    assert 125 <= covered["bootstrap"] < 150


def test_the_gain_of_a_model_over_itself_is_nothing_and_over_noise_is_found() -> None:
    rng = np.random.default_rng(2)
    truth = np.arange(500) < 100
    good, noise = rng.normal(size=500) + 2 * truth, rng.normal(size=500)
    assert bootstrap(truth, good, good) == (0.0, 0.0, 0.0)
    gain = bootstrap(truth, good, noise)
    assert 0.2 < gain.low < gain.value < gain.high < 1
    assert bootstrap(truth, noise, good).high == pytest.approx(-gain.low, abs=0.01)


def test_over_splits_covers_independent_differences_and_widens_for_shared_rows() -> None:
    """2,000 trials at 95 %: fewer than 1,850 or more than 1,950 has a chance below 1e-6."""
    rng = np.random.default_rng(3)
    inside = [
        low <= 0.3 <= high for _, low, high in (over_splits(rng.normal(0.3, 1, 10)) for _ in range(2000))
    ]
    assert 1850 <= sum(inside) <= 1950
    some = [0.1, 0.2, 0.4]
    assert over_splits(some, overlap=0.5).low < over_splits(some).low


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: bootstrap([1, 0], [1.0, 2.0], resamples=5),
        lambda: bootstrap([1, 0], [1.0, np.nan]),
        lambda: bootstrap([1, 0], [1.0, 2.0], level=1.0),
        lambda: over_splits([0.1]),
        lambda: over_splits([0.1, 0.2], overlap=-1),
        lambda: recall_at([1, 0], [1.0, 2.0], 3),
        lambda: delong([1, 0], [1.0, 2.0], level=0),
    ],
)
def test_what_cannot_be_answered_is_refused(wrong: object) -> None:
    with pytest.raises(ParameterError):
        wrong()  # type: ignore[operator]
