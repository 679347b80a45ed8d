"""QuantileTracker keeps its rate against any scores, and does what its equations say."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.thresholds import laws

import marigram as mg
from marigram.errors import ParameterError

N = 400
SETTINGS = {
    "plain": {},
    "span": {"alpha": 0.1, "span": 3.0, "step": 0.2},
    "integral": {"alpha": 0.05, "integral": 0.5, "saturation": 2.0},
    "forecast": {"alpha": 0.1, "forecast": 20.0, "integral": 0.1},
}
every = pytest.mark.parametrize("options", SETTINGS.values(), ids=SETTINGS)
few = settings(max_examples=15)
seeds = st.integers(0, 10**6)


def naive(x, alpha=0.01, step=0.05, span=None, integral=0.0, saturation=1.0, forecast=None):
    """The equations, one score after the other."""
    said, kept, mean, tracked, balance = [], [], 0.0, 0.0, 0.0
    for t, s in enumerate(x):
        if forecast and t == 0:
            mean = s
        if t < 100:
            said.append(mg.Kind.LEARNING)
        else:
            if t == 100:
                tracked = sorted(kept)[99 - int(alpha * 100)]
            unit = span or max(kept[-100:]) - min(kept[-100:])
            angle = balance * math.log(t + 1) / (saturation * (t + 1)) if integral else 0.0
            q = tracked + integral * unit * math.tan(max(-1.57, min(1.57, angle))) + mean
            error = float(s > q)
            said.append(mg.Kind.ANOMALY if error else mg.Kind.NORMAL)
            tracked += step * unit * (error - alpha)
            balance += error - alpha
        kept.append(s - mean)
        if forecast:
            mean += (1 - 0.5 ** (1 / forecast)) * (s - mean)
    return said


@every
@few
@given(seed=seeds)
def test_it_does_what_the_equations_say(options: dict, seed: int) -> None:
    x = laws.lively(seed, N)
    x = x[np.abs(x) <= 1e300]
    assert mg.QuantileTracker(**options).update_many(x).tolist() == naive(x, **options)


@settings(max_examples=40)
@given(
    scores=st.lists(st.floats(0, 1), min_size=1, max_size=300),
    alpha=st.floats(0.01, 0.5),
    step=st.floats(0.01, 1),
    clever=st.booleans(),
)
def test_the_rate_is_kept_against_any_scores(scores: list, alpha: float, step: float, clever: bool) -> None:
    """Also against scores that lie just on the wrong side of the threshold each time."""
    tracker = mg.QuantileTracker(alpha, step, span=1.0)
    tracker.update_many(np.linspace(0, 1, 100))
    for s in scores:
        tracker.update(min(1.0, max(0.0, tracker.threshold + 1e-9)) if clever else s)
    assert abs(tracker.rate - alpha) <= (1 + step) / (step * len(scores)) + 1e-9


@every
@few
@given(seed=seeds, where=st.lists(st.integers(0, N), max_size=4))
def test_any_split_gives_the_same(options: dict, seed: int, where: list[int]) -> None:
    laws.assert_any_split_is_the_same(lambda: mg.QuantileTracker(**options), laws.lively(seed, N), where)


@every
@few
@given(seed=seeds, at=st.integers(0, N))
def test_a_snapshot_resumes_as_if_never_stopped(options: dict, seed: int, at: int) -> None:
    laws.assert_a_snapshot_resumes(lambda: mg.QuantileTracker(**options), laws.lively(seed, N), at)


@every
def test_one_by_one_gives_the_same(options: dict) -> None:
    laws.assert_one_by_one_is_the_same(lambda: mg.QuantileTracker(**options), laws.lively(3, N))
    laws.assert_the_callers_array_is_left_alone(lambda: mg.QuantileTracker(**options), laws.lively(3, N))


@pytest.mark.parametrize("options", [{}, {"integral": 0.3}, {"forecast": 30.0}])
def test_a_drift_does_not_change_the_rate(options: dict) -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=20_000) + np.linspace(0, 30, 20_000) + 10 * (np.arange(20_000) > 9000)
    tracker = mg.QuantileTracker(alpha=0.02, **options)
    tracker.update_many(x)
    assert abs(tracker.rate - 0.02) < 0.01  # 43 units of way, steps of 0.05 spans of about 5


@pytest.mark.parametrize(
    "options",
    [
        {"alpha": 0},
        {"alpha": 0.9},
        {"step": 0},
        {"span": -1},
        {"integral": -1},
        {"saturation": 0},
        {"forecast": 0},
    ],
)
def test_settings_out_of_range_are_refused(options: dict) -> None:
    with pytest.raises(ParameterError, match=next(iter(options))):
        mg.QuantileTracker(**options)
