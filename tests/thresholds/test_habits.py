"""Severity: how surprise, record and the second tail make it up."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.numerics.pieces import callable_on_record, callable_piece

from marigram.thresholds import habits

surprise = callable_piece(habits.surprise)
severity = callable_piece(habits.severity)
learn = callable_on_record(habits.record_learn)
record_probability = callable_on_record(habits.record_probability)

values = st.floats(-1e300, 1e300)


def naive_record_probability(seen: list[float], x: float) -> float:
    """2 n^-(1 + 2q) beyond the n values seen by q of their ranges; 1 within."""
    n, low, high = len(seen), min(seen), max(seen)
    if n < 2 or low <= x <= high:
        return 1.0
    span = high - low
    beyond = max(x - high, low - x)
    q = min(beyond / span, 100.0) if span > 0 else 0.0
    return min(1.0, 2.0 * n ** -(1.0 + 2.0 * q))


@given(st.lists(values, min_size=1, max_size=40), values)
def test_the_record_is_the_range_of_what_was_seen(seen: list[float], x: float) -> None:
    records = np.zeros(1, habits.RECORD_FIELDS)
    for i, value in enumerate(seen):
        learn(records, 0, value, float(i))
    assert records["highest"][0] == max(seen)
    assert records["lowest"][0] == min(seen)
    wanted = naive_record_probability(seen, x)
    assert record_probability(records, 0, x, float(len(seen))) == pytest.approx(wanted, rel=1e-9)


def test_a_new_record_is_as_rare_as_it_says() -> None:
    """Of exchangeable events the n-th is a new extreme with probability 2/(n + 1): what pC says at q = 0."""
    rng = np.random.default_rng(0)
    n, trials, new = 50, 20_000, 0
    z = rng.normal(size=(trials, n + 1))
    new = ((z[:, n] > z[:, :n].max(axis=1)) | (z[:, n] < z[:, :n].min(axis=1))).mean()
    assert new == pytest.approx(2 / (n + 1), rel=0.1)
    records = np.zeros(1, habits.RECORD_FIELDS)
    records["highest"], records["lowest"] = 1.0, -1.0
    assert record_probability(records, 0, 1.0 + 1e-12, float(n)) == pytest.approx(2 / n)


@given(st.floats(0, 1), st.floats(0, 1))
def test_severity_is_the_logarithm_of_both_together(p2: float, record: float) -> None:
    product = p2 * record
    wanted = min(-math.log10(product), 300.0) if product > 1e-300 else 300.0
    assert severity(p2, record) == pytest.approx(wanted, abs=1e-8)


@given(st.floats(1e-300, 1))
def test_surprise(p: float) -> None:
    assert surprise(p) == pytest.approx(-2 * math.log10(p), abs=1e-8)


def test_surprise_of_an_impossible_event_is_finite() -> None:
    assert surprise(0.0) == pytest.approx(600.0)
