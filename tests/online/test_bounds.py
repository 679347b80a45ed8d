"""The radius holds where it says something, grows with what makes estimates worse, and is refused where unproved."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

import marigram as mg
from marigram.online import EstimatorTable

RUNS, T, DELTA = 400, 1500, 0.2


def noise(family: str, rng: np.random.Generator, d: int) -> np.ndarray:
    """(T, RUNS, d) of total standard deviation 1."""
    shape = (T, RUNS, d)
    if family == "Pareto 2.1":
        a = 2.1
        return (rng.pareto(a, shape) + 1 - a / (a - 1)) / math.sqrt(d * a / ((a - 1) ** 2 * (a - 2)))
    if family == "t(3)":
        return rng.standard_t(3, shape) / math.sqrt(3 * d)
    return np.where(rng.random(shape) < 0.01, 10.0, 0.0) * rng.choice([-1.0, 1.0], shape) / math.sqrt(d)


@pytest.mark.parametrize("family", ["Pareto 2.1", "t(3)", "rare spikes"])
@pytest.mark.parametrize(("drift", "corrupted"), [(0.0, 0), (0.0005, 0), (0.0005, 20)])
def test_the_radius_covers_all_events_of_a_stream(family: str, drift: float, corrupted: int) -> None:
    """The share of streams that leave the radius at any event is at most delta: refuted with error below 1e-4."""
    d, eta, level = 3, 0.003, 8.0
    rng = np.random.default_rng([1, corrupted, len(family)])
    mean = mg.ClippedMean(step=eta, clip=level, start=0.0)
    way = np.arange(1, T + 1)[:, None] * drift * np.array([1.0, 0.0, 0.0])
    x = noise(family, rng, d) + way[:, None, :]
    x[T - corrupted :] = 1e6  # the worst place, and all on one side
    table = EstimatorTable(mean, RUNS, d)
    said = table.trace(np.tile(np.arange(RUNS), T), x.reshape(-1, d)).reshape(x.shape)
    away = np.linalg.norm(said[1:] - way[:-1, None, :], axis=2)
    bound = [
        mean.radius(t, DELTA, sigma=1.0, distance=0.0, drift=drift, corrupted=min(corrupted, t))
        for t in range(1, T)
    ]
    assert np.isfinite(bound).all()
    left = int((away > np.array(bound)[:, None]).any(axis=0).sum())
    assert left <= binom.ppf(1 - 1e-4, RUNS, DELTA)
    assert away.max() > 0.05 * bound[-1], "not empty: the estimate does move"


@given(
    eta=st.floats(1e-5, 0.01),
    level=st.floats(2, 50),
    t=st.integers(1, 10**6),
    delta=st.floats(1e-9, 0.5),
    sigma=st.floats(0.01, 2),
)
def test_what_makes_it_worse_makes_it_larger(eta, level, t, delta, sigma) -> None:
    mean = mg.ClippedMean(step=eta, clip=level, start=0.0)
    usual = mean.radius(t, delta, sigma=sigma, drift=eta / 10, corrupted=min(3, t))
    assert usual > 0.0
    assert mean.radius(t, delta / 2, sigma=sigma, drift=eta / 10, corrupted=min(3, t)) >= usual
    assert mean.radius(t, delta, sigma=sigma * 2, drift=eta / 10, corrupted=min(3, t)) >= usual
    assert mean.radius(t, delta, sigma=sigma, drift=eta / 5, corrupted=min(3, t)) >= usual
    assert mean.radius(t, delta, sigma=sigma, drift=eta / 10, corrupted=min(6, t)) >= usual
    assert mean.radius(t, delta, sigma=sigma, distance=0.0, drift=0.0) <= usual


def test_its_terms_are_those_of_the_equation() -> None:
    mean = mg.ClippedMean(step=0.01, clip=20.0, start=0.0)
    L = math.log(2 * 500 / 0.1)
    q = 0.99
    terms = [
        q**500 * 3.0,
        1.5 * math.sqrt(2 * 0.01 * L),
        4 / 3 * 0.01 * 20 * L,
        1.5**2 / 40,
        0.002 * (1 - q**500) / 0.01,
        30 * (1 - q**4),
    ]
    found = mean.radius(500, 0.1, sigma=1.5, distance=3.0, drift=0.002, corrupted=4)
    assert found == pytest.approx(sum(terms), rel=1e-12)


def test_where_the_proof_says_nothing_the_radius_is_infinite() -> None:
    assert mg.ClippedMean(step=0.3, clip=5.0, start=0.0).radius(100, 0.05) == math.inf
    assert mg.ClippedMean(step=0.003, clip=8.0, start=0.0).radius(10_000, 0.05, corrupted=5000) == math.inf
    assert mg.ClippedMean(step=1.0, clip=8.0, start=0.0).radius(1, 0.05) == math.inf


@pytest.mark.parametrize(
    ("options", "arguments", "says"),
    [
        ({"step": 0.1, "clip": 2.0}, {}, "given start"),
        ({"step": 0.1, "start": 0.0}, {}, "fixed clip"),
        ({"step": 0.1, "start": 0.0, "clip": None}, {}, "fixed clip"),
        ({"start": 0.0, "clip": 1.0}, {}, "constant or power"),
        ({"step": 0.1, "start": 0.0, "clip": 1.0, "ball": 1.0}, {}, "without ball"),
        ({"step": 0.1, "start": 0.0, "clip": 1.0}, {"delta": 0.0}, "delta must lie"),
        ({"step": 0.1, "start": 0.0, "clip": 1.0}, {"t": 0}, "t must lie"),
        ({"step": 0.1, "start": 0.0, "clip": 1.0}, {"corrupted": 11}, r"corrupted must lie in \[0, 10\]"),
        ({"step": 0.1, "start": 0.0, "clip": 1.0}, {"distance": 0.6}, "distance must lie"),
        ({"step": 0.1, "start": 0.0, "clip": 1.0}, {"sigma": -1.0}, "sigma must lie"),
    ],
)
def test_refused(options: dict, arguments: dict, says: str) -> None:
    mean = mg.ClippedMean(**options)
    with pytest.raises(mg.ParameterError, match=says):
        mean.radius(**({"t": 10, "delta": 0.1} | arguments))


def test_the_optimal_step_beats_its_neighbours_in_the_regret_it_minimises() -> None:
    T, drift, sigma, diameter = 50_000, 4.0, 0.7, 2.0
    best = mg.optimal_step(T, drift, sigma, diameter)
    assert best == pytest.approx(((diameter + drift) / (sigma * T)) ** (2 / 3))
    regrets = [(diameter + drift) / eta + T * sigma * math.sqrt(eta) for eta in (best / 8, best, best * 8)]
    assert min(regrets) == regrets[1]
    assert mg.optimal_step(1, 1e9, 1.0, 1.0) == 1.0


def test_the_optimal_clip_balances_corruption_and_bias() -> None:
    T, corrupted, sigma = 10_000, 50, 2.0
    best = mg.optimal_clip(T, corrupted, sigma)
    assert corrupted * best == pytest.approx(T * sigma**2 / (2 * best))
    assert mg.optimal_clip(T, corrupted, sigma, 100.0) == 200.0
    assert mg.optimal_clip(8000, None, 1.0) == pytest.approx(20.0)
    assert mg.optimal_clip(T, 0, sigma) == mg.optimal_clip(T, 1, sigma)


@pytest.mark.parametrize(
    "make",
    [
        lambda: mg.optimal_step(0, 1.0, 1.0, 1.0),
        lambda: mg.optimal_step(10, -1.0, 1.0, 1.0),
        lambda: mg.optimal_step(10, 0.0, 1.0, 0.0),
        lambda: mg.optimal_step(10, 1.0, 0.0, 1.0),
        lambda: mg.optimal_clip(10, 11, 1.0),
        lambda: mg.optimal_clip(10, 1, math.nan),
        lambda: mg.optimal_clip(10, 1, 1.0, -1.0),
    ],
)
def test_settings_out_of_range_are_refused(make) -> None:
    with pytest.raises(mg.ParameterError):
        make()
