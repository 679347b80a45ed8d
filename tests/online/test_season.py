"""The season's calendar against the standard library's, its curves against their definition, and what it learns."""

from datetime import UTC, datetime, timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

import marigram as mg
from marigram.detectors.state import COORDINATE, SEASON
from marigram.online import season

HOUR = 3_600_000_000_000
DAY = 24 * HOUR


@njit
def calendar(w, time):
    season.read_calendar(w[0], time)


@njit
def curves(c, g, w):
    return season.season_curves(c[0], g[0], w[0])


@njit
def learn(c, g, w, x):
    constant, straight = season.season_curves(c[0], g[0], w[0])
    season.season_learn(c[0], g[0], w[0], x - constant, x - straight, 1.0)


@given(st.datetimes(datetime(1940, 1, 1), datetime(2200, 1, 1)))
def test_the_calendar_is_the_standard_librarys(moment):
    moment = moment.replace(tzinfo=UTC)
    microseconds = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    w = np.zeros(1, season.CALENDAR)
    calendar(w, microseconds * 1000)
    half_hour = 2 * moment.hour + (moment.minute >= 30)
    assert w["slot"][0] == half_hour + (48 if moment.weekday() >= 5 else 0)
    assert w["window"][0] == 4 * moment.weekday() + moment.hour // 6
    for name, slots in (("slot", 48), ("window", 4)):
        own, beside = int(w[name][0]), int(w[f"{name}_beside"][0])
        assert abs(own - beside) == 1
        assert own // slots == beside // slots, "a line never leaves its day"
        assert -0.5 <= w[f"{name}_share"][0] <= 0.5


def test_the_straight_curve_of_a_line_is_the_line():
    c, g, w = np.zeros(1, COORDINATE), np.zeros(1, SEASON), np.zeros(1, season.CALENDAR)
    c["season_unit"], c["season_level"] = 2.0, 5.0
    g["slot_offset"][0] = np.tile(np.arange(48) + 0.5, 2)
    g["slot_count"] = 9
    for half_minutes in range(1, 24 * 120, 7):
        calendar(w, half_minutes * 30_000_000_000)
        constant, straight = curves(c, g, w)
        exact = half_minutes / 60.0
        assert constant == 5.0 + 2.0 * (int(exact) + 0.5)
        np.testing.assert_allclose(straight, 5.0 + 2.0 * exact, rtol=1e-9)


def test_windows_of_the_same_hours_sum_to_zero():
    c, g, w = np.zeros(1, COORDINATE), np.zeros(1, SEASON), np.zeros(1, season.CALENDAR)
    c["season_unit"], c["season_n"] = 1.0, 16.0
    rng = np.random.default_rng(0)
    for i in range(3000):
        calendar(w, i * HOUR // 2)
        learn(c, g, w, 4.0 * np.sin(2 * np.pi * i / 336) + rng.normal())
    windows = g["window_offset"][0].astype(float).reshape(7, 4)
    assert np.abs(windows).max() > 0.5
    np.testing.assert_allclose(windows[:5].sum(axis=0), 0.0, atol=1e-4)
    np.testing.assert_allclose(windows[5:].sum(axis=0), 0.0, atol=1e-4)


def test_a_week_that_swings_is_expected():
    rng = np.random.default_rng(3)
    times = 1_700_000_000_000_000_000 + np.arange(288 * 35) * (DAY // 288)
    day = times / DAY
    season_of = 10.0 * np.sin(2 * np.pi * day) + 10.0 * np.sin(2 * np.pi * day / 7.0)
    verdicts = mg.Detector().update_many(season_of + rng.normal(size=len(times)), times)
    late = slice(288 * 28, None)
    error = verdicts["expected"][late] - season_of[late]
    assert np.sqrt(np.mean(error**2)) < 0.75  # standard deviations of the noise
    assert np.count_nonzero(verdicts["kind"][late] == mg.Kind.DRIFT) == 0
