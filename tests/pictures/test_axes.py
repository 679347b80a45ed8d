"""Limits, ticks and thinning: what a picture may leave out, and what never."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marigram.pictures.axes import number_ticks, robust_limits, time_ticks
from marigram.pictures.thin import pieces_of, thinned

finite = st.floats(-1e300, 1e300)
DAY = 86_400_000_000_000


@given(st.lists(st.floats(), max_size=30), st.lists(st.floats(), max_size=30))
def test_limits_are_finite_and_in_order(bulk, everything):
    low, high = robust_limits(np.array(bulk), np.array(everything))
    assert np.isfinite([low, high]).all()
    assert low < high
    assert np.isfinite(high - low)


@given(
    st.lists(st.floats(-100, 100, allow_subnormal=False), min_size=2, max_size=50, unique=True),
    st.floats(1e6, 1e300),
)
def test_the_bulk_is_shown_and_a_far_spike_is_not(bulk, spike):
    values = np.array(bulk)
    low, high = robust_limits(values, np.append(values, spike))
    inner = np.quantile(values, (0.002, 0.998))
    assert low <= inner[0]
    assert inner[1] <= high < 1e4


def test_what_is_only_a_little_outside_stretches_the_axis():
    low, high = robust_limits(np.linspace(0, 10, 1000), np.array([0.0, 10.0, 25.0, -12.0]))
    assert low < -12
    assert high > 25


@given(finite, finite, st.integers(2, 12))
def test_number_ticks_are_few_round_ascending_and_inside(a, b, most):
    low, high = min(a, b), max(a, b)
    if not high - low > 1e-12 * max(abs(low), abs(high)) or high - low < 1e-290:
        return
    ticks = number_ticks(low, high, most)
    assert len(ticks.places) == len(ticks.labels) <= most + 1
    assert all(p < q for p, q in zip(ticks.places, ticks.places[1:], strict=False))
    slack = 1e-6 * (high - low)
    assert all(low - slack <= place <= high + slack for place in ticks.places)
    assert len(set(ticks.labels)) == len(ticks.labels)


@pytest.mark.parametrize(
    ("low", "high", "labels", "note"),
    [
        (0.0, 1.0, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"], ""),
        (-5.0, 5.0, ["−4", "−2", "0", "2", "4"], ""),
        (0.0, 0.5, ["0.0", "0.1", "0.2", "0.3", "0.4", "0.5"], ""),
        (0.0, 4e-6, ["0", "1", "2", "3", "4"], "×10⁻⁶"),
        (0.0, 2.5e12, ["0.0", "0.5", "1.0", "1.5", "2.0", "2.5"], "×10¹²"),
        (20_000.0, 24_000.0, ["20,000", "21,000", "22,000", "23,000", "24,000"], ""),
    ],
)
def test_number_ticks_read_well(low, high, labels, note):
    ticks = number_ticks(low, high, 5)
    assert (ticks.labels, ticks.note) == (labels, note)


@given(st.integers(-(2**62), 2**62), st.integers(0, 2**61), st.integers(2, 12))
def test_time_ticks_are_few_ascending_and_inside(low, span, most):
    ticks = time_ticks(low, low + span, most)
    assert len(ticks.places) == len(ticks.labels) == len(ticks.context) <= most + 1
    assert ticks.places == sorted(set(ticks.places))
    assert all(0 <= place <= span * (1 + 1e-9) for place in ticks.places)


@pytest.mark.parametrize(
    ("span", "labels"),
    [
        (4 * 3_600_000_000_000, ["00:00", "01:00", "02:00", "03:00", "04:00"]),
        (20_000_000_000, ["00:00:00", "00:00:05", "00:00:10", "00:00:15", "00:00:20"]),
        (1_000_000, ["00:00:00.000000", "00:00:00.000200", "00:00:00.000400", "00:00:00.000600", "00:00:00.000800",
                     "00:00:00.001000"]),
        (8 * DAY, ["8 Jan", "10 Jan", "12 Jan", "14 Jan", "16 Jan"]),
        (150 * DAY, ["Feb", "Mar", "Apr", "May", "Jun"]),
        (3650 * DAY, ["2024", "2026", "2028", "2030", "2032"]),
    ],
)  # fmt: skip
def test_time_ticks_read_well(span, labels):
    assert time_ticks(19_000 * DAY, 19_000 * DAY + span, 6).labels == labels


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(), st.booleans()), max_size=60))
def test_thinning_keeps_extremes_ends_and_whatever_must_stay(rows):
    rows.sort(key=lambda row: row[0])
    columns = np.array([row[0] for row in rows], float)
    value = np.array([row[1] for row in rows], float)
    always = np.array([row[2] for row in rows], bool)
    kept = thinned(columns, value, always)
    assert (np.diff(kept) > 0).all()
    assert set(np.flatnonzero(always)) <= set(kept.tolist())
    for column in np.unique(columns):
        inside = np.flatnonzero(columns == column)
        shown = kept[columns[kept] == column]
        assert {inside[0], inside[-1]} <= set(shown.tolist())
        if not np.isnan(value[inside]).all():
            assert np.nanmax(value[shown]) == np.nanmax(value[inside])
            assert np.nanmin(value[shown]) == np.nanmin(value[inside])
    assert len(kept) <= 4 * len(np.unique(columns)) + always.sum() + 4


def test_a_line_breaks_where_nothing_came():
    x = np.array([0.0, 1, 2, 3, 4, 100, 101])
    present = np.array([True, True, False, True, True, True, True])
    pieces = pieces_of(x, present)
    assert pieces[0] == pieces[1]
    assert pieces[2] == -1
    assert pieces[1] != pieces[3] == pieces[4] != pieces[5] == pieces[6]
