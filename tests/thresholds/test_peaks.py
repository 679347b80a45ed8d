"""PeaksOverThreshold: the fit, the threshold it gives, and what is learned."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit
from scipy import stats
from tests.thresholds import laws

import marigram as mg
from marigram.errors import ParameterError
from marigram.numerics.grid import BINS
from marigram.thresholds.exceedances import WORK, fit_exceedances

N = 500
SETTINGS = {
    "spot": {"level": 0.9, "alpha": 0.02, "calibration": 100, "memory": 40},
    "dspot": {"level": 0.8, "alpha": 0.05, "calibration": 60, "drift": 17},
    "lower": {"level": 0.9, "alpha": 0.01, "calibration": 90, "side": "lower"},
}
every = pytest.mark.parametrize("options", SETTINGS.values(), ids=SETTINGS)
few = settings(max_examples=10)
seeds = st.integers(0, 10**6)


@njit
def call_fit(y, cut=np.inf):
    return fit_exceedances(y, cut, np.empty(len(y)), np.zeros(BINS, np.int64), np.empty(WORK))


@pytest.mark.parametrize("xi", [-0.2, 0.0, 0.3])
def test_the_fit_finds_the_law(xi: float) -> None:
    y = stats.genpareto(xi, scale=7.0).rvs(20_000, random_state=1)
    found_xi, found_beta = call_fit(y)
    assert abs(found_xi - xi) < 0.05
    assert abs(found_beta - 7.0) < 0.4


@settings(max_examples=20)
@given(seed=seeds, k=st.integers(-60, 60))
def test_the_fit_has_no_unit(seed: int, k: int) -> None:
    y = np.random.default_rng(seed).exponential(size=50)
    xi, beta = call_fit(y)
    scaled_xi, scaled_beta = call_fit(y * 2.0**k)
    assert scaled_xi == xi
    assert scaled_beta == pytest.approx(beta * 2.0**k, rel=1e-12)


def test_one_far_value_does_not_carry_the_fit_away() -> None:
    y = np.random.default_rng(0).exponential(size=300)
    xi, beta = call_fit(y)
    far_xi, far_beta = call_fit(np.append(y, 1e200))
    assert abs(far_xi - xi) < 0.15
    assert abs(far_beta / beta - 1) < 0.15
    assert call_fit(np.zeros(5)) == (0.0, 0.0)


def naive(x, alpha, level, calibration, drift=None, side="upper", memory=1000):
    """Algorithms 1 and 2 of the paper, with the same fit."""
    sign = 1.0 if side == "upper" else -1.0
    said, normal, first, peaks, k = [], [], [], [], 0
    start = limit = 0.0
    for s in sign * np.asarray(x):
        if drift and len(normal) < drift:
            said.append(mg.Kind.LEARNING)
            normal.append(s)
            continue
        v = s - np.mean(normal[-drift:]) if drift else s
        if len(first) < calibration:
            said.append(mg.Kind.LEARNING)
            first.append(v)
            normal.append(s)
            if len(first) < calibration:
                continue
            start = sorted(first)[int(level * calibration)]
            peaks, k = [u - start for u in first if u > start], calibration
        elif v > limit:
            said.append(mg.Kind.ANOMALY)
            continue
        else:
            said.append(mg.Kind.NORMAL)
            normal.append(s)
            k += 1
            if v <= start:
                continue
            peaks.append(v - start)
        cut = limit - start if k > calibration else np.inf
        xi, beta = call_fit(np.array(peaks[-memory:]), cut)
        law = stats.genpareto(xi, scale=beta)
        full = len(peaks) / law.cdf(cut)
        limit = start + law.isf(min(alpha * (k - len(peaks) + full) / full, 1.0))
    return said


@every
@few
@given(seed=seeds)
def test_it_is_what_the_algorithms_say(options: dict, seed: int) -> None:
    x = np.random.default_rng(seed).normal(size=N) + np.linspace(0, 1, N)
    assert mg.PeaksOverThreshold(**options).update_many(x).tolist() == naive(x, **options)


@every
@few
@given(seed=seeds, where=st.lists(st.integers(0, N), max_size=4))
def test_any_split_gives_the_same(options: dict, seed: int, where: list[int]) -> None:
    laws.assert_any_split_is_the_same(lambda: mg.PeaksOverThreshold(**options), laws.lively(seed, N), where)


@every
@few
@given(seed=seeds, at=st.integers(0, N))
def test_a_snapshot_resumes_as_if_never_stopped(options: dict, seed: int, at: int) -> None:
    laws.assert_a_snapshot_resumes(lambda: mg.PeaksOverThreshold(**options), laws.lively(seed, N), at)


@every
def test_one_by_one_gives_the_same(options: dict) -> None:
    laws.assert_one_by_one_is_the_same(lambda: mg.PeaksOverThreshold(**options), laws.lively(3, N))
    laws.assert_the_callers_array_is_left_alone(lambda: mg.PeaksOverThreshold(**options), laws.lively(3, N))


@every
@pytest.mark.parametrize("value", laws.EXTREMES)
def test_one_value_for_ever(options: dict, value: float) -> None:
    peaks = mg.PeaksOverThreshold(**options)
    kinds = peaks.update_many(np.full(N, value))
    assert not (kinds == mg.Kind.ANOMALY).any()
    usable = abs(value) <= 1e300
    assert peaks.n == (N if usable else 0)
    assert peaks.rejected == (0 if usable else N)


@pytest.mark.parametrize(
    ("law", "low", "high"),
    [
        (stats.norm(), 0.5, 2.0),
        (stats.expon(), 0.5, 2.0),
        (stats.t(3), 0.5, 2.5),
        (stats.uniform(), 0.0, 1.0),
    ],
    ids=["normal", "exponential", "heavy", "with an end"],
)
def test_the_rate_of_a_steady_stream(law: object, low: float, high: float) -> None:
    """The fit's prior leans to xi = 0.2 and ends at -0.25: a law with an end is extrapolated cautiously."""
    x = law.rvs(60_000, random_state=2)  # type: ignore[attr-defined]
    kinds = mg.PeaksOverThreshold(alpha=2e-3).update_many(x)
    assert low <= (kinds == mg.Kind.ANOMALY).mean() / 2e-3 <= high


def test_what_was_cut_off_is_missing_and_not_absent() -> None:
    y = stats.genpareto(0.1, scale=3.0).rvs(20_000, random_state=3)
    cut = np.quantile(y, 0.9)
    xi, beta = call_fit(y[y <= cut], cut)
    assert abs(xi - 0.1) < 0.12
    assert abs(beta - 3.0) < 0.3
    assert call_fit(y[y <= cut])[0] < -0.1


def test_only_dspot_sees_an_anomaly_in_the_trough_of_a_wave() -> None:
    n = 20_000
    x = np.random.default_rng(0).normal(size=n) + 10 * np.sin(np.arange(n) / 500)
    troughs = np.flatnonzero(np.sin(np.arange(n) / 500) < -0.99)[::50]
    troughs = troughs[troughs > 5000]
    x[troughs] += 8.0
    spot = mg.PeaksOverThreshold(calibration=5000).update_many(x)
    dspot = mg.PeaksOverThreshold(drift=20, calibration=5000).update_many(x)
    assert not (spot[troughs] == mg.Kind.ANOMALY).any()
    assert (dspot[troughs] == mg.Kind.ANOMALY).all()
    assert (np.delete(dspot, troughs) == mg.Kind.ANOMALY).mean() < 3e-3


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"alpha": 0.0}, "alpha"),
        ({"alpha": 0.05}, "alpha must lie below"),
        ({"level": 0.3}, "level"),
        ({"calibration": 50}, "calibration must be at least 400"),
        ({"drift": 0}, "drift"),
        ({"side": "both"}, "side"),
        ({"memory": 3}, "memory"),
    ],
)
def test_settings_out_of_range_are_refused(options: dict, told: str) -> None:
    with pytest.raises(ParameterError, match=told):
        mg.PeaksOverThreshold(**options)
