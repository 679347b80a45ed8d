"""The test for a change of scale: what it finds, and what it does not fall for."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from tests.numerics.pieces import callable_on_record

from marigram.change import level_shift, scale_shift

RECORD = np.dtype([*level_shift.FIELDS, *scale_shift.FIELDS])
step = callable_on_record(scale_shift.scale_shift_step)
reset = callable_on_record(scale_shift.scale_shift_reset)
ALPHA = 1e-3


def run(p: np.ndarray) -> np.ndarray:
    """Evidence (wide, narrow) after each event, (n, 2)."""
    records = np.zeros(1, RECORD)
    out = []
    for x in p:
        step(records, 0, x, bool(x <= ALPHA), False)
        out.append((float(records["wide"][0]), float(records["narrow"][0])))
    return np.array(out)


def p_of(rng: np.random.Generator, n: int, factor: float) -> np.ndarray:
    """Two-sided p of Gaussian events whose scale is ``factor`` times what is believed."""
    return np.asarray(2 * stats.norm.sf(np.abs(rng.normal(size=n)) * factor))


@pytest.mark.parametrize("side", ["wide", "narrow"])
def test_the_average_run_to_a_false_alarm_is_at_least_e_to_the_threshold(side: str) -> None:
    """p is uniform while nothing changes: evidence of h nats takes e^h events or more; h = 2.5, over 100 runs."""
    rng = np.random.default_rng(1)
    runs = []
    for _ in range(100):
        records = np.zeros(1, RECORD)
        n = 0
        while records[side][0] < 2.5:
            p = rng.random()
            step(records, 0, p, p <= ALPHA, False)
            n += 1
        runs.append(n)
    assert np.mean(runs) > math.exp(2.5)


@pytest.mark.parametrize(("factor", "column"), [(3.0, 0), (10.0, 0), (1 / 3, 1), (0.1, 1)])
def test_a_change_of_scale_is_found_soon(factor: float, column: int) -> None:
    delays = []
    for seed in range(30):
        track = run(p_of(np.random.default_rng(seed), 400, factor))[:, column]
        assert track.max() >= scale_shift.THRESHOLD
        delays.append(int(np.argmax(track >= scale_shift.THRESHOLD)) + 1)
    assert np.median(delays) <= 100


def test_a_burst_of_five_wild_events_is_no_change_of_scale() -> None:
    rng = np.random.default_rng(2)
    p = rng.random(2000)
    for begin in range(0, 2000, 100):
        p[begin : begin + 5] = 1e-12
    assert run(p)[:, 0].max() < scale_shift.THRESHOLD


def test_events_that_equal_their_prediction_say_nothing_of_narrowness() -> None:
    records = np.zeros(1, RECORD)
    for _ in range(500):
        step(records, 0, 1.0, False, True)
    assert records["narrow"][0] == 0.0


def test_ages_count_events_since_the_evidence_left_zero() -> None:
    rng = np.random.default_rng(3)
    records = np.zeros(1, RECORD)
    since = {"wide": 0, "narrow": 0}
    for p in rng.random(500):
        started = {side: records[side][0] <= 0.0 for side in since}
        step(records, 0, p, p <= ALPHA, False)
        since = {side: 0 if started[side] else age + 1 for side, age in since.items()}
        for side, age in since.items():
            if records[side][0] > 0:
                assert records[f"{side}_age"][0] == age


def test_reset_forgets() -> None:
    records = np.zeros(1, RECORD)
    for _ in range(10):
        step(records, 0, 1e-9, True, False)
    reset(records, 0)
    assert records["wide"][0] == records["narrow"][0] == 0.0
