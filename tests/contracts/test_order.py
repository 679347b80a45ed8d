"""The past decides: an event is scored before it is learned, and no verdict knows what comes after it."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.contracts.estimators import RegressionSubject
from tests.contracts.registry import ESTIMATING, alone, deciding, every, over, scalar
from tests.contracts.streams import Stream, lively, seeds
from tests.contracts.subjects import Columns, Subject, difference

N = 600
few = settings(max_examples=15)
BAND = ("expected", "lower", "upper")
CANDIDATES = (-1e9, -40.0, -12.0, -6.0, -3.0, -1.0, -0.1, 0.0, 0.2, 1.5, 4.0, 8.0, 20.0, 300.0, 1e12)
MOST_BANDS = 6
"""Two readings of the last anomaly (an outlier, or the new state of the noise) times three centres: the norm and the
last two outlying values, which are candidate levels while a change is suspected."""


def with_last(stream: Stream, t: int, value: object) -> Stream:
    """The first t + 1 events, with another value in the last of them."""
    values = stream.values[: t + 1].copy()
    values[t] = value
    return stream.part(0, t + 1).valued(values)


def bands(subject: Subject, stream: Stream, t: int, values: list[float]) -> set[bytes]:
    """The different bands of event t that its values bring about."""
    found = set()
    for value in values:
        columns = subject.feed(subject.fresh(), with_last(stream, t, value))
        found.add(b"".join(np.ascontiguousarray(columns[name][-1]).tobytes() for name in BAND))
    return found


@every
@few
@given(seed=seeds, t=st.integers(0, N - 1), other=st.sampled_from([*CANDIDATES, np.nan, np.inf, 1e308]))
def test_an_event_changes_no_earlier_verdict(subject: Subject, seed: int, t: int, other: float) -> None:
    stream = lively(seed, N, subject.d, timed=subject.timed)
    changed = stream.values.copy()
    changed[t:] = other
    a = subject.feed(subject.fresh(), stream)
    b = subject.feed(subject.fresh(), stream.valued(changed))
    assert difference({k: v[:t] for k, v in a.items()}, {k: v[:t] for k, v in b.items()}) is None


@every
@few
@given(seed=seeds, t=st.integers(0, N - 1))
def test_what_follows_an_event_in_its_batch_changes_nothing(subject: Subject, seed: int, t: int) -> None:
    stream = lively(seed, N, subject.d, timed=subject.timed)
    whole = subject.feed(subject.fresh(), stream)
    prefix = subject.feed(subject.fresh(), stream.part(0, t + 1))
    assert difference({k: v[: t + 1] for k, v in whole.items()}, prefix) is None


def quiet_past(subject: Subject, seed: int) -> Stream:
    """A lively stream, then a long quiet end in which no test of change can be open, and one more event."""
    stream = lively(seed, N, subject.d, timed=subject.timed, sane=True)
    rng = np.random.default_rng(seed)
    values = rng.normal(size=stream.values.shape)
    values[-100:] = rng.uniform(-0.7, 0.7, values[-100:].shape)
    return stream.valued(values)


@deciding
@few
@given(seed=seeds)
def test_after_a_quiet_past_the_band_does_not_depend_on_the_event(subject: Subject, seed: int) -> None:
    stream = quiet_past(subject, seed)
    values = [*CANDIDATES, np.nan, np.inf, -1e308]
    assert len(bands(subject, stream, N - 1, values)) == 1


@scalar
@settings(max_examples=8)
@given(seed=seeds, t=st.integers(100, N - 1))
def test_the_event_only_chooses_among_a_few_bands_that_the_past_made(
    subject: Subject, seed: int, t: int
) -> None:
    stream = lively(seed, N, subject.d, timed=subject.timed)
    values = [*np.linspace(-60, 60, 41), *CANDIDATES]
    assert len(bands(subject, stream, t, values)) <= MOST_BANDS


@alone
@few
@given(seed=seeds)
def test_the_scores_of_a_quiet_past_rise_with_the_distance(subject: Subject, seed: int) -> None:
    """Had the detector learned the event first, a large one would have widened its own band."""
    stream = quiet_past(subject, seed)
    scores = []
    for size in (0.0, 1.0, 3.0, 6.0, 12.0, 100.0, 1e6, 1e12):
        columns: Columns = subject.feed(subject.fresh(), with_last(stream, N - 1, size))
        scores.append(float(columns["p_value"][-1]))
    assert scores == sorted(scores, reverse=True)
    assert scores[-1] < 1e-4


@over(*(s for s in ESTIMATING if not isinstance(s, RegressionSubject)))
@few
@given(seed=seeds, t=st.integers(0, N - 1), other=st.sampled_from([*CANDIDATES, np.nan, np.inf, 1e308]))
def test_what_an_estimator_says_before_an_event_does_not_depend_on_it(
    subject: Subject, seed: int, t: int, other: float
) -> None:
    stream = lively(seed, N, subject.d, timed=False)
    a = subject.feed(subject.fresh(), stream.part(0, t + 1))
    b = subject.feed(subject.fresh(), with_last(stream, t, other))
    assert difference(a, b) is None
