"""Events that come too late are scored, marked, and not learned."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.contracts.registry import timed
from tests.contracts.streams import BEGIN, MINUTE, NAT, Stream, lively, seeds, shaped
from tests.contracts.subjects import Subject, difference

from marigram import Kind

N = 900
few = settings(max_examples=15)
DETECTED = (
    "n",
    "p_value",
    "score",
    "expected",
    "lower",
    "upper",
    "kind",
    "severity",
    "before",
    "after",
    "why",
    "value",
)
"""What the learned state decides; ``seq`` and episodes count late events too."""


@timed
@few
@given(seed=seeds)
def test_late_is_what_is_earlier_than_the_last_time_of_its_key(subject: Subject, seed: int) -> None:
    stream = lively(seed, N, subject.d, timed=True)
    columns = subject.feed(subject.fresh(), stream)
    assert stream.times is not None
    keys = stream.keys % subject.keys
    last: dict[int, int] = {}
    for row, (key, time) in enumerate(zip(keys.tolist(), stream.times.tolist(), strict=True)):
        if columns["kind"][row] >= Kind.MISSING:
            continue
        late = time != NAT and key in last and time < last[key]
        assert columns["late"][row] == late, f"row {row}"
        if time != NAT and not late:
            last[key] = time


@timed
@few
@given(seed=seeds)
def test_late_events_are_scored_and_not_learned(subject: Subject, seed: int) -> None:
    stream = lively(seed, N, subject.d, timed=True)
    columns = subject.feed(subject.fresh(), stream)
    late = columns["late"]
    usable = columns["kind"] < Kind.MISSING
    assert (columns["p_value"][late & usable] > 0).all()
    without = subject.feed(subject.fresh(), stream.take(~late))
    kept = {name: columns[name][~late] for name in DETECTED}
    assert difference(kept, {name: without[name] for name in DETECTED}) is None


@timed
@pytest.mark.parametrize("begin", [0, -50 * MINUTE, -(2**62), BEGIN, 2**62])
def test_lateness_knows_no_special_time(subject: Subject, begin: int) -> None:
    """1970 is a time like any other."""
    n = 200
    rng = np.random.default_rng(0)
    times = begin + np.arange(n) * MINUTE
    for row in (1, 51, 101, 151):
        times[row] = times[row - 1] - 1
    values = shaped(rng.normal(size=(n, subject.d)), subject.d)
    columns = subject.feed(subject.fresh(), Stream(values, times, np.zeros(n, np.int64)))
    assert np.flatnonzero(columns["late"]).tolist() == [1, 51, 101, 151]


@timed
@few
@given(seed=seeds, share=st.sampled_from([0.1, 0.5, 1.0]))
def test_events_without_a_time_are_never_late(subject: Subject, seed: int, share: float) -> None:
    stream = lively(seed, N, subject.d, timed=True)
    assert stream.times is not None
    times = stream.times.copy()
    times[np.random.default_rng(seed).random(N) < share] = NAT
    columns = subject.feed(subject.fresh(), stream._replace(times=times))
    assert not columns["late"][times == NAT].any()


@timed
@few
@given(seed=seeds)
def test_times_that_are_all_null_are_no_times(subject: Subject, seed: int) -> None:
    stream = lively(seed, N, subject.d, timed=True)
    null = np.full(N, NAT)
    a = subject.feed(subject.fresh(), stream._replace(times=null))
    b = subject.feed(subject.fresh(), stream._replace(times=None))
    assert difference(a, b) is None
