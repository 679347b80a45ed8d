"""The unit and the origin of a measurement do not matter."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.contracts.registry import deciding, every
from tests.contracts.streams import Stream, lively, seeds
from tests.contracts.subjects import Columns, Subject, difference

N = 1500
few = settings(max_examples=15)
IN_UNITS = ("value", "expected", "lower", "upper", "before", "after")


def tame(subject: Subject, seed: int) -> Stream:
    """A lively stream without numbers whose multiples would leave the range of doubles."""
    stream = lively(seed, N, subject.d, timed=subject.timed)
    values = stream.values.copy()
    values[np.abs(values) > 1e12] = np.nan
    values[np.abs(values) < 1e-100] = 0.0
    return stream.valued(values)


def scaled(columns: Columns, a: float) -> Columns:
    """What verdicts would be in units of 1/a."""
    return {name: column * a if name in IN_UNITS else column for name, column in columns.items()}


@every
@few
@given(seed=seeds, k=st.integers(-200, 200))
def test_powers_of_two_change_no_bit(subject: Subject, seed: int, k: int) -> None:
    stream = tame(subject, seed)
    a = 2.0**k
    plain = subject.feed(subject.fresh(), stream)
    changed = subject.feed(subject.fresh(), stream.valued(a * stream.values))
    assert difference(changed, scaled(plain, a)) is None


@pytest.mark.xfail(
    strict=False,
    reason="known: single-precision autoregression sums; one stream in twenty differs by up to 1e-4",
)
@deciding
@few
@given(seed=seeds, log_a=st.floats(-6, 6), offset=st.floats(-1e5, 1e5), sign=st.sampled_from([1, 1, -1]))
def test_any_unit_and_origin_give_the_same_kinds_and_scores(
    subject: Subject, seed: int, log_a: float, offset: float, sign: int
) -> None:
    stream = tame(subject, seed)
    a = 10.0**log_a
    plain = subject.feed(subject.fresh(), stream)
    changed = subject.feed(subject.fresh(), stream.valued(a * (stream.values + offset)))
    assert (changed["kind"] == plain["kind"]).all()
    worst = np.nanmax(np.abs(changed["score"] - plain["score"]))
    assert worst < 1e-6
    assert (changed["notice"] == plain["notice"]).all()
