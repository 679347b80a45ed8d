"""The unit and the origin of a measurement do not matter."""

from __future__ import annotations

import numpy as np
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


def scaled(subject: Subject, columns: Columns, a: float) -> Columns:
    """What verdicts would be in units of 1/a; distances have none."""
    if getattr(subject, "unitless", False):
        return columns
    return {name: column * a if name in IN_UNITS else column for name, column in columns.items()}


@every
@few
@given(seed=seeds, k=st.integers(-200, 200))
def test_powers_of_two_change_no_bit(subject: Subject, seed: int, k: int) -> None:
    stream = tame(subject, seed)
    a = 2.0**k
    plain = subject.feed(subject.fresh(), stream)
    changed = subject.feed(subject.fresh(), stream.valued(a * stream.values))
    assert difference(changed, scaled(subject, plain, a)) is None


@deciding
@few
@given(seed=seeds, log_a=st.floats(-6, 6), offset=st.floats(-1e3, 1e3))
def test_any_unit_and_origin_give_the_same_kinds_and_scores(
    subject: Subject, seed: int, log_a: float, offset: float
) -> None:
    """Sums in single precision cost about one stream in three hundred more than 1e-6 of a score; no kind differs."""
    stream = tame(subject, seed)
    plain = subject.feed(subject.fresh(), stream)
    a = 10.0**log_a
    changed = subject.feed(subject.fresh(), stream.valued(a * (stream.values + offset)))
    assert (changed["kind"] == plain["kind"]).all()
    assert (changed["notice"] == plain["notice"]).all()
    assert np.nanmax(np.abs(changed["score"] - plain["score"])) < 1e-5


@deciding
def test_an_origin_a_million_scales_away_gives_the_same_kinds_and_scores(subject: Subject) -> None:
    """Where the numbers keep ten digits of a scale; some stretches of these streams have a scale of .1.

    Sums in single precision cost a few streams in a hundred more than 1e-6 of a score; no kind differs.
    """
    worst = []
    for seed in range(40):
        stream = tame(subject, seed)
        plain = subject.feed(subject.fresh(), stream)
        changed = subject.feed(subject.fresh(), stream.valued(31.6 * (stream.values + 1e5)))
        assert (changed["kind"] == plain["kind"]).all()
        worst.append(np.nanmax(np.abs(changed["score"] - plain["score"])))
    assert np.mean(np.array(worst) < 1e-6) >= 0.9
    assert max(worst) < 1e-4
