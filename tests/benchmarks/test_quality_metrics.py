"""Figures of the quality benchmark on cases small enough to count by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from benchmarks.quality import metrics
from benchmarks.quality.report import pool
from benchmarks.quality.rows import ROWS, Target
from benchmarks.quality.streams import Stream

from marigram.kinds import Kind


def verdicts(kinds, *, resolves=None, changed_at=None, p=None):
    n = len(kinds)
    sparse = {"resolves": np.full(n, -1), "changed_at": np.full(n, -1)}
    for name, given in (("resolves", resolves or {}), ("changed_at", changed_at or {})):
        for row, value in given.items():
            sparse[name][row] = value
    return {
        "kind": np.array(kinds, np.uint8),
        "seq": np.arange(n),
        "p_value": np.full(n, 0.5) if p is None else np.array(p, float),
        **sparse,
    }


def stream(n, spikes=(), shifts=(), oracle=None):
    marked = np.zeros(n, bool)
    marked[list(spikes)] = True
    known = None
    if oracle is not None:
        known = np.zeros(n, bool)
        known[list(oracle)] = True
    return Stream(np.zeros(n), marked, np.array(shifts, np.int64), known)


def test_kind_codes_are_those_of_the_package():
    own = (metrics.NORMAL, metrics.ANOMALY, metrics.DRIFT, metrics.UNDECIDED, metrics.LEARNING)
    assert own == (Kind.NORMAL, Kind.ANOMALY, Kind.DRIFT, Kind.UNDECIDED, Kind.LEARNING)


def test_a_drift_takes_back_only_from_resolves_to_itself():
    table = verdicts([1, 0, 1, 3, 2, 1], resolves={4: 2})
    assert metrics.immediate(table).tolist() == [True, False, True, False, False, True]
    assert metrics.settled(table).tolist() == [True, False, False, False, False, True]


def test_a_drift_without_resolves_takes_nothing_back():
    assert metrics.settled(verdicts([1, 1, 2])).tolist() == [True, True, False]


def test_alarm_figures_count_by_hand():
    table = verdicts([1, 1, 0, 1, 3, 2, 1, 0, 4, 0], resolves={5: 3})
    truth = stream(10, spikes=(1, 2), shifts=(3,), oracle=(1, 2, 9))
    figures = metrics.alarm_figures(table, truth, alpha=0.1, start=1)
    assert figures["immediate rate"] == (2, pytest.approx(0.7))  # rows 3 and 6 of rows 3..9
    assert figures["settled rate"] == (1, pytest.approx(0.7))
    assert figures["settled after shift"] == (1, 7)
    assert figures["settled recall"] == (1, 2)
    assert figures["settled recall/oracle"] == (1, 2)
    assert figures["oracle rate"] == (1, pytest.approx(0.7))
    assert figures["undecided+learning"] == (2, 9)


def test_shift_figures_count_by_hand():
    kinds = [0] * 4000
    for row in (1003, 1500, 1990, 3950):
        kinds[row] = 2
    table = verdicts(kinds, changed_at={1003: 1001, 3950: 1})
    figures = metrics.shift_figures(table, np.array([1000, 1800, 2900]), 4000)
    assert figures["shifts told"] == (2, 3)  # 3950 is 1,050 events after 2900
    assert figures["told exactly once"] == (1, 3)
    assert figures["drifts per shift"] == (4, 3)
    assert figures["delay"] == (3 + 190, 2)
    assert figures["changed_at within 20"] == (1, 3)
    assert figures["false drifts"] == (2, 1)


def test_tail_figures_count_by_hand():
    table = verdicts([2, 0, 0, 2], p=[1e-9, 1e-2, 1e-3, 0.5])
    figures = metrics.tail_figures(table, start=1)
    assert figures["p<=0.01"] == (2, pytest.approx(0.03))
    assert figures["p<=0.001"] == (1, pytest.approx(0.003))
    assert figures["false drifts /1e5"] == (1, pytest.approx(3e-5))


def test_ranking_of_a_known_order():
    average, f1 = metrics.ranking_figures(
        np.array([4.0, 3.0, 2.0, 1.0]), np.array([True, False, True, False])
    )
    assert average == pytest.approx((1 + 2 / 3) / 2)
    assert f1 == pytest.approx(0.8)


def test_ties_are_one_threshold():
    average, f1 = metrics.ranking_figures(np.ones(4), np.array([True, False, False, False]))
    assert (average, f1) == (pytest.approx(0.25), pytest.approx(0.4))


def test_only_normal_and_anomaly_verdicts_rank():
    table = verdicts([0, 1, 2, 3, 4], p=[0.1, 1e-5, 1e-6, 1e-6, 1e-6])
    assert metrics.alarm_score(table) == pytest.approx([1, 5, 0, 0, 0])


def test_widening_is_the_median_over_time():
    narrow = {"upper": np.full(5, 1.0), "lower": np.full(5, -1.0)}
    wide = {"upper": np.array([9, 1, 1.2, 1.2, 3.0]), "lower": np.full(5, -1.0)}
    assert metrics.widening(narrow, wide, start=1) == (pytest.approx(0.1), pytest.approx(1.0))


def test_pooling_weighs_by_the_denominator_and_skips_empty_seeds():
    figure = pool([{"x": (1, 2)}, {"x": (0, 8)}, {"x": (0, 0)}])["x"]
    assert figure["pooled"] == pytest.approx(0.1)
    assert (figure["mean"], figure["min"], figure["max"]) == (0.25, 0, 0.5)
    assert math.isnan(pool([{"x": (0, 0)}])["x"]["pooled"])


def test_marks():
    target = Target("x", (0.5, 2), (0.8, 1.25))
    assert [target.mark(x) for x in (1.0, 0.5, 0.49, 2.1, math.nan)] == ["++", "ok", "LOW", "LOW", "LOW"]


def test_reach_lies_within_the_floor():
    for row in ROWS.values():
        for target in row.targets:
            assert target.floor[0] <= target.reach[0] <= target.reach[1] <= target.floor[1], (
                row.name,
                target,
            )
