"""Runs of flags as episodes, counted one by one beside the arrays."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marigram.errors import ParameterError
from marigram.evaluate import change_score, episode_score, false_alarms_per_day, segments

DAY = 86_400_000_000_000
flags = st.lists(st.booleans(), max_size=60)


@given(flags)
def test_segments_cover_exactly_the_flags(rows):
    found = segments(rows)
    again = np.zeros(len(rows), bool)
    for start, stop in found:
        again[start:stop] = True
    assert again.tolist() == rows
    assert all(later[0] > earlier[1] for earlier, later in itertools.pairwise(found))


@given(flags, st.integers(0, 5))
def test_a_gap_joins_runs_that_near_and_no_others(rows, gap):
    found = segments(rows, gap)
    single = segments(rows)
    joined = sum(1 for a, b in itertools.pairwise(single) if b[0] - a[1] <= gap)
    assert len(found) == len(single) - joined


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=60))
def test_episode_score_is_the_definition(rows):
    truth, alarm = np.array([r[0] for r in rows], bool), np.array([r[1] for r in rows], bool)
    score = episode_score(truth, alarm)
    stretches, runs = segments(truth), segments(alarm)
    first = [np.flatnonzero(alarm[a:b]) for a, b in stretches]
    assert score.delays.tolist() == [int(hits[0]) for hits in first if hits.size]
    assert (score.found, score.episodes, score.runs) == (len(score.delays), len(stretches), len(runs))
    assert score.true_runs == sum(truth[a:b].any() for a, b in runs)
    if score.found:
        assert score.f1 == pytest.approx(2 / (1 / score.precision + 1 / score.recall))


def test_one_alarm_in_a_stretch_is_no_more_than_one():
    truth = np.array([0, 1, 1, 1, 1, 0, 0, 1], bool)
    alarm = np.array([0, 0, 0, 1, 0, 0, 1, 0], bool)
    score = episode_score(truth, alarm)
    assert (score.precision, score.recall, score.delays.tolist()) == (0.5, 0.5, [2])
    assert episode_score(truth, alarm, gap=2).precision == 1.0
    silent = episode_score(truth, np.zeros(8, bool))
    assert math.isnan(silent.precision)
    assert (silent.recall, silent.f1) == (0.0, 0.0)


def test_change_score_counts_findings_repeats_and_inventions():
    score = change_score([1000, 2000, 3000], [2, 1004, 1009, 2050, 3000, 3999], within=50)
    assert (score.changes, score.told, score.repeats, score.false) == (3, 2, 1, 3)
    assert score.delays.tolist() == [4, 0]
    none = change_score([], [5, 6], within=10)
    assert (none.changes, none.told, none.false) == (0, 0, 2)
    assert change_score([7], [], within=10).told == 0


def test_false_alarms_per_day():
    times = np.arange(9) * DAY // 4
    alarm = np.array([1, 1, 0, 0, 1, 0, 0, 0, 1], bool)
    truth = np.array([1, 0, 0, 0, 0, 0, 0, 0, 0], bool)
    assert false_alarms_per_day(truth, alarm, times) == pytest.approx(1.5)
    assert math.isnan(false_alarms_per_day([False], [True], [5]))


def test_arguments_out_of_range_are_refused():
    with pytest.raises(ParameterError, match="gap"):
        segments([True], gap=-1)
    with pytest.raises(ParameterError, match="within"):
        change_score([1], [2], within=0)
    with pytest.raises(ParameterError, match="one length"):
        episode_score([True], [True, False])
    with pytest.raises(ParameterError, match="one length"):
        false_alarms_per_day([True], [True], [1, 2])
