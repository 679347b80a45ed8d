"""A key that stops is told once, after a wait that its own cadence sets."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from marigram.errors import ParameterError
from marigram.fleet import Fleet
from marigram.kinds import Kind

from .streams import MINUTE, START


def two_keys() -> Fleet:
    """A key each minute and one each hour, for 100 events each."""
    fleet = Fleet()
    for key, gap in (("fast", MINUTE), ("slow", 60 * MINUTE)):
        fleet.update([key] * 100, np.random.default_rng(0).normal(size=100), START + gap * np.arange(100))
    return fleet


def test_a_silence_is_told_once_until_the_key_speaks_again() -> None:
    fleet = two_keys()
    end = START + 99 * MINUTE
    assert len(fleet.silent(end + MINUTE)) == 0
    told = fleet.silent(end + 5 * MINUTE)
    assert told["key"].tolist() == ["fast"]
    assert len(fleet.silent(end + 6 * MINUTE)) == 0
    fleet.update(["fast"], [0.0], [end + 7 * MINUTE])
    assert len(fleet.silent(end + 8 * MINUTE)) == 0
    later = fleet.silent(START + 10_000 * MINUTE)
    assert later["key"].tolist() == ["fast", "slow"]


def test_the_row_of_a_silence() -> None:
    now = dt.datetime.fromtimestamp(START / 1e9, dt.UTC) + dt.timedelta(days=30)
    (row,) = list(two_keys().silent(now))[:1]
    assert (row.kind, row.seq, row.n, row.notice) == (Kind.MISSING, -1, 100, True)
    assert row.time == START + 30 * 24 * 60 * MINUTE
    assert np.isnan([row.value, row.p_value, row.expected, row.lower, row.upper]).all()


def test_without_times_or_with_few_events_nobody_is_silent() -> None:
    fleet = Fleet()
    assert len(fleet.silent(START)) == 0
    fleet.update(["timeless"] * 50, np.arange(50.0))
    fleet.update(["new"] * 5, np.arange(5.0), START + MINUTE * np.arange(5))
    fleet.update(["at once"] * 50, np.arange(50.0), np.full(50, START))
    assert len(fleet.silent(START + 10**7 * MINUTE)) == 0


def test_random_arrivals_are_hardly_ever_called_silent() -> None:
    rng = np.random.default_rng(1)
    told = 0
    for _ in range(20):
        fleet = Fleet()
        times = START + np.cumsum(rng.exponential(MINUTE, 400)).astype(np.int64)
        for k in range(20, 400, 20):
            fleet.update(["a"] * 20, rng.normal(size=20), times[k - 20 : k])
            told += len(fleet.silent(times[k] - 1))
    assert told <= 2


def test_a_time_is_needed() -> None:
    with pytest.raises(ParameterError, match="needs a time"):
        Fleet().silent(None)
    with pytest.raises(ParameterError, match="times must be"):
        Fleet().silent("now")
