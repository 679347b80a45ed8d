"""The test for a change of level against its twin, and the guarantee it gives."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.change import naive
from tests.numerics.pieces import callable_on_record, callable_piece

from marigram.change import level_shift, scale_shift

RECORD = np.dtype([*level_shift.FIELDS, *scale_shift.FIELDS])
step = callable_on_record(level_shift.level_shift_step)
reset = callable_on_record(level_shift.level_shift_reset)
evidence = callable_piece(level_shift.evidence)
evidence_cap = callable_piece(level_shift.evidence_cap)

p_values = st.one_of(st.floats(1e-300, 1), st.floats(-12, 0).map(lambda e: 10.0**e))


@given(st.lists(st.tuples(st.booleans(), p_values), max_size=60), st.floats(1e-3, 0.1))
def test_the_cusums_are_the_textbooks(events: list[tuple[bool, float]], smallest: float) -> None:
    records = np.zeros(1, RECORD)
    twin = naive.Shift(naive.Cusum(), naive.Cusum())
    for above, p in events:
        step(records, 0, above, p, smallest)
        naive.step(twin, above=above, p=p, smallest=smallest)
        for side, cusum in (("up", twin.up), ("down", twin.down)):
            assert float(records[side][0]) == pytest.approx(cusum.value, abs=1e-4)
            if cusum.value > 1e-3:
                assert records[f"{side}_age"][0] == cusum.age


@given(p_values, p_values, st.floats(1e-3, 0.1))
def test_evidence_falls_with_p_and_is_capped(a: float, b: float, smallest: float) -> None:
    assert evidence(min(a, b), smallest) >= evidence(max(a, b), smallest) - 1e-8
    assert evidence(1e-300, smallest) == pytest.approx(evidence(smallest, smallest))
    assert evidence(a, smallest) == pytest.approx(naive.evidence(a, smallest), abs=1e-8)


def test_no_single_event_brings_more_than_four_nats() -> None:
    for rate in np.linspace(0, 1, 50):
        smallest = evidence_cap(rate)
        assert evidence(0.0 + 1e-300, smallest) < 4.0
        assert 1e-3 <= smallest <= 0.1


def test_the_evidence_is_a_bet_that_cannot_be_won_on_average() -> None:
    """Under the old norm p is uniform, so E exp(g(p)) <= 1: with it the threshold h bounds false alarms by e^-h."""
    p = (np.arange(200_000) + 0.5) / 200_000
    for smallest in (1e-3, 1e-2, 0.1):
        mean = np.mean([math.exp(evidence(x, smallest)) for x in p[::20]])
        assert mean <= 1.0 + 1e-3


def test_the_average_run_to_a_false_alarm_is_at_least_e_to_the_threshold() -> None:
    """At h = 2.5 each side needs e^2.5 = 12 events or more on average; measured over 100 runs."""
    rng = np.random.default_rng(0)
    for side in ("up", "down"):
        runs = []
        for _ in range(100):
            records = np.zeros(1, RECORD)
            n = 0
            while records[side][0] < 2.5:
                step(records, 0, bool(rng.integers(2)), rng.random(), 1e-3)
                n += 1
            runs.append(n)
        assert np.mean(runs) > math.exp(2.5)


def test_a_shift_of_six_scales_is_found_within_five_events() -> None:
    records = np.zeros(1, RECORD)
    for _ in range(5):
        step(records, 0, True, 1e-9, 1e-3)
    assert records["up"][0] >= level_shift.THRESHOLD
    assert records["down"][0] == 0.0


def test_a_burst_of_both_signs_is_no_shift() -> None:
    records = np.zeros(1, RECORD)
    for _ in range(100):
        for above in (True, False):
            step(records, 0, above, 1e-300, 0.1 / 3)
    assert max(records["up"][0], records["down"][0]) < level_shift.THRESHOLD


def test_reset_forgets() -> None:
    records = np.zeros(1, RECORD)
    for _ in range(4):
        step(records, 0, True, 1e-9, 1e-3)
    reset(records, 0)
    assert records["up"][0] == records["down"][0] == 0.0
