"""The scorer of the Numenta benchmark against its definition, row by row."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marigram.errors import ParameterError
from marigram.evaluate.nab import (
    PROFILES,
    Layout,
    Profile,
    best_threshold,
    normalise,
    probation,
    score_alarms,
    window_rows,
)


def slow_score(alarm, windows, profile):
    """The definition, row by row."""

    def sigma(y):
        return -1.0 if y > 3.0 else 2.0 / (1.0 + math.exp(5.0 * y)) - 1.0

    rows, start = len(alarm), min(int(0.15 * len(alarm)), 750)
    best = {w: -profile.missed for w in windows if w[1] >= start}
    total = 0.0
    for i in range(start, rows):
        if not alarm[i]:
            continue
        inside = [w for w in windows if w[0] <= i <= w[1]]
        past = [w for w in windows if w[1] < i]
        if inside:
            (first, last) = inside[0]
            worth = sigma(-(last - i + 1) / (last - first + 1)) / sigma(-1.0) * profile.found
            best[inside[0]] = max(best[inside[0]], worth)
        elif past and past[-1][1] > past[-1][0]:
            first, last = past[-1]
            total += profile.false * sigma((i - last) / (last - first))
        else:
            total -= profile.false
    return total + sum(best.values())


@st.composite
def layouts(draw):
    rows = draw(st.integers(1, 120))
    ends = sorted(draw(st.sets(st.integers(0, rows - 1), max_size=6)))
    windows = [(a, b) for a, b in zip(ends[::2], ends[1::2], strict=False)]
    return rows, windows


profiles = st.sampled_from([*PROFILES.values(), Profile(found=1.5, missed=0.7, false=0.5)])


@given(layouts(), profiles, st.data())
def test_score_of_alarms_is_the_definition(layout, profile, data):
    rows, windows = layout
    alarm = np.array(data.draw(st.lists(st.booleans(), min_size=rows, max_size=rows)), bool)
    tally = score_alarms(alarm, Layout(rows, windows), profile)
    assert tally.score == pytest.approx(slow_score(alarm, windows, profile), abs=1e-9)
    assert tally.tp + tally.fp + tally.tn + tally.fn == rows - probation(rows)


@settings(max_examples=60)
@given(st.lists(layouts(), min_size=1, max_size=3), profiles, st.data())
def test_best_threshold_is_the_best_of_all(corpus, profile, data):
    levels = st.sampled_from([0.0, 0.25, 0.5, 1.0, 7.0, float("nan")])
    scores = [np.array(data.draw(st.lists(levels, min_size=n, max_size=n))) for n, _ in corpus]
    placed = [Layout(n, windows) for n, windows in corpus]
    threshold, total = best_threshold(scores, placed, profile)
    reached = {
        t: sum(slow_score(s >= t, w, profile) for s, (_, w) in zip(scores, corpus, strict=True))
        for t in (0.0, 0.25, 0.5, 1.0, 7.0, math.inf)
    }
    assert total == pytest.approx(max(reached.values()), abs=1e-9)
    present = min(
        [float(s[s >= threshold].min()) for s in scores if (s >= threshold).any()], default=math.inf
    )
    assert reached[threshold] == pytest.approx(total, abs=1e-9)
    assert math.isinf(threshold) or present == threshold


def test_silence_is_0_and_the_first_row_of_each_window_100():
    windows = [(40, 49), (70, 79)]
    layout = Layout(100, windows)
    first = np.zeros(100, bool)
    first[[40, 70]] = True
    for profile in PROFILES.values():
        silent = score_alarms(np.zeros(100, bool), layout, profile).score
        assert normalise(silent, [layout], profile) == pytest.approx(0.0)
        assert normalise(score_alarms(first, layout, profile).score, [layout], profile) == pytest.approx(
            100.0
        )


def test_probation_is_not_scored():
    layout = Layout(100, [(3, 9)])
    assert score_alarms(np.arange(100) < 15, layout, PROFILES["standard"]).score == 0.0
    assert math.isnan(normalise(0.0, [layout], PROFILES["standard"]))
    assert [probation(n) for n in (0, 99, 5000, 22_695)] == [0, 14, 750, 750]


def test_window_rows_with_repeated_backward_and_absent_times():
    times = np.array([0, 10, 20, 20, 30, 25, 40, 50])
    assert window_rows(times, [(20, 40)]) == [(2, 6)]
    assert window_rows(times, [(18, 27)]) == [(2, 5)]
    assert window_rows(times, [(60, 70), (0, 10)]) == [(0, 1)]


def test_wrong_shapes_and_overlapping_windows_are_refused():
    layout = Layout(20, [])
    with pytest.raises(ParameterError, match="overlaps"):
        Layout(20, [(3, 8), (8, 9)])
    with pytest.raises(ParameterError, match="leaves"):
        Layout(20, [(3, 20)])
    with pytest.raises(ParameterError, match="20 rows"):
        score_alarms(np.zeros(19, bool), layout, PROFILES["standard"])
    with pytest.raises(ParameterError, match="20 rows"):
        best_threshold([np.zeros(19)], [layout], PROFILES["standard"])
    with pytest.raises(ParameterError, match="layouts"):
        best_threshold([], [layout], PROFILES["standard"])
