"""Every compiled loop does what its equations say."""

from __future__ import annotations

import math

import numpy as np
import pytest
from tests.online import oracles
from tests.online.oracles import Level, anytime, averaging

import marigram as mg

N = 600
HALF_LIFE_50 = 1 - 2 ** (-1 / 50)


def ball(radius: float):
    return lambda v: [a * min(1.0, radius / oracles.norm(v)) for a in v] if oracles.norm(v) else v


MEANS = {
    "as it comes": ({}, lambda d: oracles.Mean(anytime, Level(None))),
    "tau": ({"tau": 0.8}, lambda d: oracles.Mean(anytime, Level(None, 0.8))),
    "fixed clip": ({"clip": 1.5}, lambda d: oracles.Mean(anytime, Level(1.5))),
    "constant": ({"step": 0.05}, lambda d: oracles.Mean(averaging(0.05), Level(None))),
    "power": ({"step": "power", "horizon": N}, lambda d: oracles.Mean(averaging(N ** (-2 / 3)), Level(None))),
    "half-life": (
        {"step": "half-life", "half_life": 50},
        lambda d: oracles.Mean(averaging(HALF_LIFE_50), Level(None)),
    ),
    "alpha": (
        {"step": "half-life", "half_life": 50, "alpha": 0.7},
        lambda d: oracles.Mean(lambda t: max((t + 1.0) ** -0.7, HALF_LIFE_50), Level(None)),
    ),
    "from a start": (
        {"step": 0.05, "clip": 2.0, "start": 3.0},
        lambda d: oracles.Mean(lambda t: 0.05, Level(2.0), [3.0] * d),
    ),
    "doubling": (
        {"step": "doubling", "alpha": 0.8, "clip": "2G", "diameter": 1.5},
        lambda d: oracles.Mean(lambda t: 2.0 ** (-0.8 * math.floor(math.log2(t + 1))), Level(3.0)),
    ),
    "in a box": (
        {"box": (-0.3, 0.5)},
        lambda d: oracles.Mean(anytime, Level(None), region=lambda v: [min(max(a, -0.3), 0.5) for a in v]),
    ),
    "in a ball": ({"ball": 0.7}, lambda d: oracles.Mean(anytime, Level(None), region=ball(0.7))),
    "plain": ({"clip": None, "alpha": 1.0}, lambda d: oracles.Plain(lambda t: 1.0 / (t + 1.0))),
    "plain, constant": ({"clip": None, "step": 0.1}, lambda d: oracles.Plain(averaging(0.1))),
}


def stream(d: int, seed: int = 0) -> np.ndarray:
    """(N, d): heavy tails, a jump, 2 % of far values."""
    rng = np.random.default_rng(seed)
    x = rng.standard_t(2.5, (N, d)) + 0.3
    x[N // 2 :] += 4.0
    x[rng.random(N) < 0.02] *= 1e4
    return x


def path(oracle, x: np.ndarray) -> np.ndarray:
    """The oracle's value after each event, (n, d)."""
    found = []
    for row in x.tolist():
        oracle.update(row)
        found.append(list(oracle.value))
    return np.array(found)


def followed(estimator, x: np.ndarray) -> np.ndarray:
    """The estimator's value after each event: what it says before the next one."""
    return np.vstack([estimator.trace(x)[1:], estimator.value])


@pytest.mark.parametrize("d", [1, 2, 7])
@pytest.mark.parametrize("name", MEANS)
def test_mean(name: str, d: int) -> None:
    options, oracle = MEANS[name]
    x = stream(d)
    np.testing.assert_allclose(
        followed(mg.ClippedMean(**options), x), path(oracle(d), x), rtol=1e-7, atol=1e-9
    )


@pytest.mark.parametrize("d", [1, 2, 7])
@pytest.mark.parametrize("clip", ["quantile", 2.5])
def test_ensemble(clip: float | str, d: int) -> None:
    x = stream(d, seed=1)
    ensemble, oracle = (
        mg.StepEnsemble(clip=clip),
        oracles.Ensemble(Level(None if clip == "quantile" else clip)),
    )
    np.testing.assert_allclose(followed(ensemble, x), path(oracle, x), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(ensemble.weights, oracle.weights, rtol=1e-6)
    assert oracle.restarts > 0, "the stream has a jump that the slow steps cannot follow"


def test_the_ensembles_exponential_is_nearly_one() -> None:
    y = np.linspace(-1, 1, 101)
    np.testing.assert_allclose([oracles.fading(v) for v in y], np.exp(-y), rtol=0.15)
    assert np.all(np.diff([oracles.fading(v) for v in y]) < 0)


@pytest.mark.parametrize("centre", [None, 0.5])
def test_scale(centre: float | None) -> None:
    x = stream(3, seed=2)
    scale = mg.ClippedScale(step="half-life", half_life=50, centre=centre)
    columns = []
    for j in range(3):
        oracle = oracles.Scale(averaging(HALF_LIFE_50), centre)
        columns.append([oracle.update(v) or oracle.value for v in x[:, j].tolist()])
    np.testing.assert_allclose(followed(scale, x), np.array(columns).T, rtol=1e-7)


REGRESSIONS = pytest.mark.parametrize(
    ("options", "oracle"),
    [
        ({}, {}),
        ({"clip": 0.8}, {"clip": 0.8}),
        ({"mu": 0.3}, {"mu": 0.3}),
        ({"clip": 3.0, "smoothness": 10.0, "mu": 0.1}, {"clip": 3.0, "smoothness": 10.0, "mu": 0.1}),
        (
            {"clip": "2G", "smoothness": 10.0, "ball": 0.4},
            {"clip": 16.0, "smoothness": 10.0, "region": ball(0.4)},
        ),
    ],
    ids=["as it comes", "fixed clip", "ridge", "textbook", "2G in a ball"],
)


@REGRESSIONS
@pytest.mark.parametrize("d", [1, 4])
@pytest.mark.parametrize("kind", [mg.ClippedLinear, mg.ClippedLogistic])
def test_regression(kind: type, options: dict, oracle: dict, d: int) -> None:
    rng = np.random.default_rng(3)
    X = rng.normal(size=(N, d))
    z = X @ np.arange(1.0, d + 1)
    if kind is mg.ClippedLinear:
        y = z + rng.standard_t(2.5, N)
        y[rng.random(N) < 0.02] += 1e4
        slow = oracles.Linear(d, anytime, **oracle)
    else:
        y = np.where(rng.logistic(size=N) < z, 1.0, rng.choice([0.0, -1.0], N))
        X[rng.random(N) < 0.02] *= 1e4
        slow = oracles.Logistic(d, anytime, **oracle)
    predictions = []
    for row, target in zip(X.tolist(), y.tolist(), strict=True):
        predictions.append(slow.predict(row))
        slow.update(row, target)
    model = kind(**options)
    np.testing.assert_allclose(model.trace(X, y), predictions, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(model.value, slow.value, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(model.predict(X[:5]), [slow.predict(row) for row in X[:5].tolist()], rtol=1e-6)
