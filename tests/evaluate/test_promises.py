"""What a detector promised against what it did: settled alarms, rates, calibration."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marigram.errors import ParameterError
from marigram.evaluate import alarm_rates, calibration, settled
from marigram.kinds import Kind
from marigram.verdicts import Verdicts

A, D, N, U, L = Kind.ANOMALY, Kind.DRIFT, Kind.NORMAL, Kind.UNDECIDED, Kind.LEARNING


def slow_settled(verdicts):
    kept = []
    for row, one in enumerate(verdicts):
        later = [
            other for other in list(verdicts)[row:] if other.key == one.key and other.resolves is not None
        ]
        withdrawn = any(other.resolves <= one.seq <= other.seq for other in later)
        kept.append(one.kind is A and not withdrawn)
    return kept


@st.composite
def tables(draw):
    rows = draw(
        st.lists(
            st.tuples(st.sampled_from("abc"), st.sampled_from([A, A, D, N]), st.integers(0, 4)), max_size=30
        )
    )
    seen = {}
    columns = {"key": [], "kind": [], "seq": [], "resolves": []}
    for key, kind, back in rows:
        seq = seen[key] = seen.get(key, 10**12) + 1
        columns["key"].append(key)
        columns["kind"].append(kind)
        columns["seq"].append(seq)
        columns["resolves"].append(seq - back if kind is D else -1)
    as_numbers = draw(st.booleans())
    if as_numbers:
        columns["key"] = np.array([ord(key) for key in columns["key"]], np.int64)
    return Verdicts(value=np.zeros(len(rows)), **columns)


@given(tables())
def test_settled_is_the_definition(verdicts):
    assert settled(verdicts).tolist() == slow_settled(verdicts)


def test_rates_count_what_was_said_and_what_stood():
    kind = [L, N, A, A, U, D, A, N, N, A]
    verdicts = Verdicts(value=np.zeros(10), kind=kind, drift_rows=[5], resolves=[3])
    truth = np.array([0, 0, 1, 0, 0, 0, 0, 0, 1, 0], bool)
    rates = alarm_rates(verdicts, truth)
    assert (rates.rows, rates.immediate, rates.settled) == (10, 3 / 8, 2 / 8)
    assert (rates.immediate_recall, rates.settled_recall) == (0.5, 0.5)
    assert (rates.undecided, rates.learning) == (0.1, 0.1)
    after = alarm_rates(verdicts, truth, rows=np.arange(10) < 4)
    assert (after.rows, after.immediate, after.settled) == (4, 1 / 3, 0.0)
    assert math.isnan(alarm_rates(verdicts).settled_recall)
    with pytest.raises(ParameterError, match="10 rows"):
        alarm_rates(verdicts, [True])


def test_an_empty_table_settles():
    empty = Verdicts(value=np.empty(0), kind=np.empty(0, np.uint8))
    assert settled(empty).size == 0
    assert math.isnan(alarm_rates(empty).settled)


def test_calibration_of_uniform_p_values_holds_the_promise():
    rng = np.random.default_rng(11)
    levels = [calibration(rng.random(2000), [0.02])[0] for _ in range(400)]
    held = np.mean([level.low <= level.promised <= level.high for level in levels])
    assert 0.92 < held < 0.98  # they are 95 % intervals
    assert np.mean([level.ratio for level in levels]) == pytest.approx(1.0, abs=0.03)


def test_calibration_tells_a_loud_detector_and_leaves_out_nan():
    p = np.append(np.random.default_rng(12).random(20_000) / 3.0, np.full(999, np.nan))
    loud = calibration(p, [0.01])[0]
    assert loud.events == 20_000
    assert loud.low > 0.01
    assert loud.ratio == pytest.approx(3.0, rel=0.15)


def test_calibration_at_the_edges():
    none = calibration([math.nan], [0.5])[0]
    assert none.events == 0
    assert math.isnan(none.observed)
    everything = calibration([0.0, 0.0], [0.5])[0]
    assert (everything.observed, everything.high) == (1.0, 1.0)
    with pytest.raises(ParameterError, match="between 0 and 1"):
        calibration([0.5], [1.0])
