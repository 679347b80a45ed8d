"""A million hostile events: whatever doubles they are, every state stays finite and every verdict sound."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from tests.contracts.streams import BEGIN, MINUTE, Stream, shaped
from tests.contracts.subjects import DetectorSubject, FleetSubject, Subject
from tests.contracts.test_hostile import EXTREMES, TIMES, assert_sound

BLOCKS = 10
ROWS = 1000
EXAMPLES = 25
"""BLOCKS * ROWS * EXAMPLES events for each of the four subjects below: a million.  Too many to shrink in useful time.
"""

FOUR: tuple[Subject, ...] = (
    DetectorSubject("detector"),
    DetectorSubject("detector timed", timed=True),
    DetectorSubject("detector d=3 timed", d=3, timed=True),
    FleetSubject("fleet of 20", 20, timed=True),
)

any_number = st.one_of(
    st.floats(width=64),
    st.floats(min_value=-1e-307, max_value=1e-307),
    st.sampled_from([1e308, -1e308, 1e300, -1e300, np.nan, np.inf, -np.inf]),
    st.booleans(),
    st.integers(-(2**1000), 2**1000),
)


@st.composite
def pools(draw: st.DrawFn) -> np.ndarray:
    """Up to a dozen numbers that hypothesis finds nasty, as doubles."""
    return np.array([float(x) for x in draw(st.lists(any_number, min_size=1, max_size=12))])


@st.composite
def block(draw: st.DrawFn, d: int) -> np.ndarray:
    """(ROWS, d): noise of some magnitude, into which numbers of a pool are thrown, often or hardly ever."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    pool = draw(st.one_of(pools(), st.just(np.array(EXTREMES, np.float64))))
    calm = rng.choice([0.0, 1.0]) * rng.normal(size=(ROWS, d)) * 10.0 ** draw(st.integers(-320, 300))
    share = draw(st.sampled_from([0.01, 0.2, 0.9, 1.0]))
    return np.where(rng.random((ROWS, d)) < share, rng.choice(pool, (ROWS, d)), calm)


@pytest.mark.parametrize("subject", FOUR, ids=lambda s: s.name)
@settings(max_examples=EXAMPLES, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(data=st.data())
def test_a_million_hostile_events_leave_every_state_finite(subject: Subject, data: st.DataObject) -> None:
    running = subject.fresh()
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    for number in range(BLOCKS):
        values = data.draw(block(subject.d))
        times = BEGIN + (number * ROWS + np.arange(ROWS)) * MINUTE
        wild = rng.random(ROWS) < rng.choice([0.0, 0.01, 0.5])
        times[wild] = rng.choice(np.array(TIMES, np.int64), int(wild.sum()))
        stream = Stream(
            shaped(values, subject.d), times if subject.timed else None, rng.integers(0, 24, ROWS)
        )
        assert_sound(subject, running, subject.feed(running, stream))
