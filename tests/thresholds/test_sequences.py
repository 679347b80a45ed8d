"""The bounds of a quantile hold at all sample sizes at once, with the probability that is stated."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats
from tests.thresholds.naive_sequences import passage_probabilities

from marigram.thresholds.sequences import (
    SPENT_HALF,
    WEIGHT,
    beta_binomial,
    bounds,
    looks_up_to,
    passage,
    printed,
)

RATES = [0.5, 0.1, 0.01, 0.9, 0.99]


def test_looks_are_every_size_and_then_ever_sparser() -> None:
    looks = looks_up_to(100_000)
    assert looks[:2000].tolist() == list(range(1, 2001))
    assert looks[-1] >= 100_000 > looks[-2]
    steps = np.diff(looks)
    assert (steps >= 1).all()
    assert (steps <= np.maximum(looks[:-1] // 256, 1)).all()


@pytest.mark.parametrize("r", RATES)
@pytest.mark.parametrize("alpha", [0.2, 0.01])
def test_passage_spends_what_it_may_and_no_more(r: float, alpha: float) -> None:
    looks = looks_up_to(2600)
    found = passage(looks, r, alpha)
    rarer = looks * min(r, 1 - r)
    budget = alpha * rarer / (rarer + SPENT_HALF)
    spent = passage_probabilities(looks, r, found)
    assert (spent <= budget * (1 + 1e-9)).all()
    higher = found.copy()
    higher[-1] += 1  # one more at the last look alone would be too much
    assert passage_probabilities(looks, r, higher)[-1] > budget[-1]


@pytest.mark.parametrize("r", RATES)
def test_beta_binomial_is_where_the_mixture_stops_refusing(r: float) -> None:
    looks = np.array([1, 7, 60, 700, 1999])
    a, b, alpha = WEIGHT * r, WEIGHT * (1 - r), 0.01
    for n, bound in zip(looks, beta_binomial(looks, r, alpha), strict=True):
        k = np.arange(n + 1)
        excess = (
            special.betaln(a + k, b + n - k) - special.betaln(a, b) - k * np.log(r) - (n - k) * np.log1p(-r)
        )
        refused = np.flatnonzero((excess >= -np.log(alpha)) & (k < n * r))
        assert bound == (refused[-1] if len(refused) else -1)


@pytest.mark.parametrize("sequence", ["passage", "beta-binomial", "printed"])
@pytest.mark.parametrize("p", [0.5, 0.9, 0.98])
def test_the_quantile_is_enclosed_at_all_sizes(sequence: str, p: float) -> None:
    """3,000 streams; a true error of alpha at each end would show more than the bound with probability 1e-6."""
    alpha, streams, size = 0.05, 3000, 3000
    table = bounds(sequence, p, alpha, size)
    rows = table.looks <= size
    below = np.random.default_rng(1).random((streams, size)) <= p
    counts = np.cumsum(below, axis=1)[:, table.looks[rows] - 1]
    most = stats.binom.isf(1e-6, streams, alpha)
    assert (counts <= table.low[rows]).any(axis=1).sum() <= most
    assert (table.looks[rows] - counts <= table.high[rows]).any(axis=1).sum() <= most


def test_passage_is_sharper_than_the_mixture_and_both_than_the_print() -> None:
    looks = looks_up_to(50_000)
    sharp, mixed, wide = (make(looks, 0.01, 0.01) for make in (passage, beta_binomial, printed))
    far = looks > 10_000  # about m0 expected scores both cost the same
    assert (sharp[far] >= mixed[far]).all()
    assert (mixed >= wide).all()
    assert sharp[-1] > mixed[-1] > wide[-1]


@pytest.mark.parametrize("sequence", ["passage", "beta-binomial", "printed"])
def test_a_larger_table_begins_like_a_smaller_one(sequence: str) -> None:
    small, large = bounds(sequence, 0.97, 0.02, 100), bounds(sequence, 0.97, 0.02, 10_000)
    m = len(small.looks)
    for a, b in zip(small, large, strict=True):
        np.testing.assert_array_equal(a, b[:m])
