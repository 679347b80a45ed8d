"""Nothing that a stream can hold breaks the state: it stays finite, of one size, and able to answer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.contracts.registry import alone, deciding, every
from tests.contracts.streams import BEGIN, MANY, MINUTE, NAT, Stream, lively, seeds, shaped
from tests.contracts.subjects import Columns, Subject, numbers_of

EXTREMES = [
    0.0, -0.0, 1.0, -1.0, True, False, np.nan, np.inf, -np.inf, 1e308, -1e308, 1e300, -1e300, 1.0000001e300,
    5e-324, -5e-324, 1e-310, 2.2250738585072014e-308, 2**53 + 1, -(2**63), 1.7e38, 1e150, 1e-150, 1 / 3,
]  # fmt: skip
TIMES = [NAT, NAT + 1, -(2**62), -1, 0, 1, BEGIN, BEGIN, BEGIN + 1, BEGIN + MINUTE, 2**62, 2**63 - 1]


def assert_finite(subject: Subject, running: Any) -> None:
    """Every number of the state is finite, once anything was learned."""
    for name, array in subject.state(running).items():
        for path, numbers in numbers_of(array).items():
            assert np.isfinite(numbers).all(), f"{name}{path} is not finite"


def assert_sound(subject: Subject, running: Any, columns: Columns) -> None:
    """The state is finite; so are the verdicts where they must be."""
    assert_finite(subject, running)
    p, scored = columns["p_value"], columns["kind"] < 5
    assert ((p[scored] > 0) & (p[scored] <= 1)).all()
    assert np.isnan(p[~scored]).all()
    assert (columns["score"][scored] >= 0).all()
    assert (columns["score"][scored] <= 300).all()
    severity = columns["severity"][scored]
    assert ((severity >= 0) & (severity <= 300)).all()
    old = columns["n"] >= 64
    assert not np.isnan(columns["expected"][old]).any()
    assert (columns["lower"][old] <= columns["upper"][old]).all()


@st.composite
def hostile(draw: st.DrawFn, d: int, *, timed: bool) -> Stream:
    """Up to 400 events in runs of one temper: extremes, any double, one value again and again, ordinary noise."""
    rng = np.random.default_rng(draw(seeds))
    parts = []
    for _ in range(draw(st.integers(1, 6))):
        length = draw(st.integers(1, 120))
        temper = draw(st.integers(0, 4))
        if temper == 0:
            part = rng.choice(np.array(EXTREMES, np.float64), (length, d))
        elif temper == 1:
            part = rng.integers(0, 2**64, (length, d), dtype=np.uint64).view(np.float64)
        elif temper == 2:
            part = np.full((length, d), draw(st.floats(width=64)))
        elif temper == 3:
            part = rng.normal(size=(length, d)) * 10.0 ** draw(st.integers(-300, 299))
        else:
            part = rng.normal(size=(length, d))
        parts.append(part)
    values = np.concatenate(parts)
    times = None
    if timed:
        times = BEGIN + np.arange(len(values)) * MINUTE
        wild = rng.random(len(values)) < draw(st.sampled_from([0.0, 0.1, 1.0]))
        times[wild] = rng.choice(np.array(TIMES, np.int64), int(wild.sum()))
    return Stream(shaped(values, d), times, rng.integers(0, MANY, len(values)))


@every
@settings(max_examples=40)
@given(data=st.data())
def test_hostile_events_leave_the_state_finite(subject: Subject, data: st.DataObject) -> None:
    stream = data.draw(hostile(subject.d, timed=subject.timed))
    running = subject.fresh()
    columns = subject.feed(running, stream)
    if "kind" in columns:
        assert_sound(subject, running, columns)
    elif running.n:
        assert_finite(subject, running)


@alone
@settings(max_examples=6)
@given(data=st.data(), seed=seeds)
def test_a_stream_returns_to_its_senses_after_hostile_events(
    subject: Subject, data: st.DataObject, seed: int
) -> None:
    """However mad the beginning: 50,000 ordinary events later nearly all of them are normal."""
    n = 50_000
    stream = data.draw(hostile(subject.d, timed=False))
    rng = np.random.default_rng(seed)
    calm = Stream(shaped(rng.normal(size=(n, subject.d)), subject.d), None, np.arange(n))
    running = subject.fresh()
    subject.feed(running, stream)
    columns = subject.feed(running, calm)
    assert_sound(subject, running, columns)
    end = columns["kind"][-500:]
    assert (end == 0).mean() > 0.9


@deciding
@pytest.mark.parametrize("value", [float(value) for value in EXTREMES])
def test_one_value_for_ever(subject: Subject, value: float) -> None:
    n = 300 * subject.keys
    values = np.full((n, subject.d), value, np.float64)
    times = BEGIN + np.arange(n) * MINUTE if subject.timed else None
    running = subject.fresh()
    columns = subject.feed(running, Stream(shaped(values, subject.d), times, np.arange(n)))
    assert_sound(subject, running, columns)
    assert not np.isin(columns["kind"], [1, 2, 3]).any()
    usable = np.isfinite(value) and abs(value) <= 1e300
    assert (columns["kind"] < 5).all() == usable


@every
def test_the_state_never_grows(subject: Subject) -> None:
    running = subject.fresh()
    sizes = set()
    for seed in range(8):
        subject.feed(running, lively(seed, 500, subject.d, timed=subject.timed))
        sizes.add(sum(array.nbytes for array in subject.state(running).values()))
    assert len(sizes) == 1
