"""FITNESS: its arithmetic against a slow twin, its bases, its laws, and what it promises in its own setting."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from experiments.fitness.streams import gaussian
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import LocalOutlierFactor
from tests.detectors.fitness import naive

import marigram as mg
from marigram.detectors.fitness import theory_radius
from marigram.detectors.fitness.bases import adapter, robust_t
from marigram.detectors.fitness.kernel import UNUSABLE, conclude, distance_score, look
from marigram.detectors.fitness.parameters import FitnessParameters
from marigram.detectors.fitness.state import new_answers, new_buffer
from marigram.evaluate import roc_auc
from marigram.verdicts import FIELDS

NO_TIMES = np.zeros(0, np.int64)


def scores_of(X: np.ndarray, parameters: FitnessParameters) -> tuple[np.ndarray, np.ndarray]:
    """t and the expected value of each event, by the compiled steps."""
    n, d = X.shape
    buffer, answers, t = (
        new_buffer(parameters.window, parameters.scales(d)),
        new_answers(n, d),
        np.full(n, np.nan),
    )
    row = parameters.settings(d)
    for i in range(n):
        status, count, novel = look(buffer, row, X, NO_TIMES, i, answers)
        assert status != UNUSABLE
        t[i] = distance_score(buffer, count) if count else np.nan
        conclude(buffer, row, X, i, answers, status, count, novel, t[i], np.nan)
        answers.expected[i] = buffer.mean * buffer.scale if count else np.nan
    return t, answers.expected


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    d=st.sampled_from([1, 3, 11]),
    radius=st.sampled_from([2.0, 6.0, None]),
    k=st.sampled_from([None, 7]),
    k_min=st.integers(1, 5),
)
def test_scores_are_those_of_the_slow_twin(
    seed: int, d: int, radius: float | None, k: int | None, k_min: int
) -> None:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(120, d)) + 20.0 * rng.integers(0, 2, (4, d)).repeat(30, axis=0)
    parameters = FitnessParameters(window=40, radius=radius, k=k, k_min=k_min, scale=1.0)
    reach = radius or (math.inf if k else theory_radius(d, 40))
    t, expected = scores_of(X, parameters)
    t_slow, expected_slow = naive.scores(X, 40, reach, k, k_min)
    np.testing.assert_allclose(t, t_slow, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(expected, expected_slow, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("scale", "auc", "after"), [(1.0, 0.995, 0.065), (None, 0.99, 0.10)])
def test_its_setting_at_ten_seeds(scale: float | None, auc: float, after: float) -> None:
    ranks, alarms = [], []
    for seed in range(100, 110):
        stream = gaussian(seed)
        table = mg.Fitness(scale=scale).update_many(stream.values)
        ranks.append(roc_auc(stream.truth[64:], table["score"][64:]))
        alarms.append(np.mean(table["p_value"][stream.after] <= 1e-3))
    assert np.mean(ranks) >= auc
    assert np.mean(alarms) <= after


def test_a_drift_is_told_once_and_names_its_first_event() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=1000)
    x[600:] += 30.0
    table = mg.Fitness(k_min=4).update_many(x)
    (told,) = np.flatnonzero(table["kind"] == mg.Kind.DRIFT)
    assert 600 < told < 610
    verdict = table[int(told)]
    assert verdict.changed_at == verdict.resolves == 600
    assert abs(float(verdict.before)) < 1.0  # type: ignore[arg-type]
    assert abs(float(verdict.after) - 30.0) < 3.0  # type: ignore[arg-type]
    assert not np.any(table["kind"][told + 20 :] == mg.Kind.ANOMALY)


@pytest.mark.parametrize("law", ["normal", "t3", "vectors"])
def test_the_rate_of_false_alarms_is_near_alpha(law: str) -> None:
    """30,000 events at alpha = 1e-2: one standard error is 6 % of the rate, correlation left aside."""
    rng = np.random.default_rng(11)
    draw = {
        "normal": lambda: rng.normal(size=30_000),
        "t3": lambda: rng.standard_t(3, 30_000),
        "vectors": lambda: rng.normal(size=(30_000, 4)),
    }
    p = mg.Fitness(alpha=1e-2).update_many(draw[law]())["p_value"][1000:]
    assert 0.6 < np.mean(p <= 1e-2) / 1e-2 < 1.4


@pytest.mark.parametrize("d", [1, 3])
def test_one_by_one_is_the_batch(d: int) -> None:
    rng = np.random.default_rng(5)
    values = rng.normal(size=(300, d))
    values[[20, 150]] = [[np.nan] * d, [np.inf] * d]
    values[200:] += 25.0
    times = np.arange(300) * 10**9
    times[100] = 0
    values = values[:, 0] if d == 1 else values
    together, alone = mg.Fitness(window=50), mg.Fitness(window=50)
    table = together.update_many(values, times)
    for i in range(300):
        assert str(alone.update(values[i], int(times[i]))) == str(table[i])
    assert alone.to_bytes() == together.to_bytes()
    assert table["kind"][[20, 150]].tolist() == [mg.Kind.MISSING, mg.Kind.REJECTED]
    assert table["late"].nonzero()[0].tolist() == [100]
    assert together.n == 297


@pytest.mark.parametrize("cut", [0, 1, 40, 500])
@pytest.mark.parametrize("forest", [False, True])
def test_a_snapshot_goes_on_as_if_never_stopped(cut: int, forest: bool) -> None:
    def base() -> object:
        return IsolationForest(n_estimators=5, random_state=0) if forest else "gaussian"

    n = 80 if forest else 1000
    cut = min(cut, n // 2)
    X = gaussian(1, n=n, d=2).values
    whole = mg.Fitness(base(), window=60).update_many(X)
    first = mg.Fitness(base(), window=60)
    first.update_many(X[:cut])
    second = mg.Fitness.from_bytes(first.to_bytes(), base()).update_many(X[cut:])
    for name in FIELDS:
        np.testing.assert_array_equal(second[name], whole[cut:][name], err_msg=name)


def test_a_snapshot_without_its_base_is_refused() -> None:
    forest = mg.Fitness(IsolationForest(n_estimators=5))
    with pytest.raises(mg.SnapshotError, match="base="):
        mg.Fitness.from_bytes(forest.to_bytes())
    with pytest.raises(mg.SnapshotError, match="Gaussian"):
        mg.Fitness.from_bytes(mg.Fitness().to_bytes(), mg.ClippedMean())


class HigherIsAbnormal:
    """The manner of PyOD: the distance from the mean, and ``decision_scores_`` once fitted."""

    def fit(self, X: np.ndarray) -> HigherIsAbnormal:
        self.mean = X.mean(axis=0)
        self.decision_scores_ = self.decision_function(X)
        return self

    def decision_function(self, X: np.ndarray) -> np.ndarray:
        return np.asarray(np.linalg.norm(X - self.mean, axis=1))


class Silent(HigherIsAbnormal):
    """One that does not show which way its scores go."""

    def fit(self, X: np.ndarray) -> Silent:
        self.mean = X.mean(axis=0)
        return self


@pytest.mark.parametrize(
    ("base", "options"),
    [
        (mg.ClippedMean(), {}),
        (mg.StepEnsemble(), {}),
        (IsolationForest(n_estimators=10, random_state=0), {"refresh": 0.5}),
        (LocalOutlierFactor(n_neighbors=5, novelty=True), {"k_min": 8, "refresh": 0.5}),
        (HigherIsAbnormal(), {}),
        (Silent(), {"orientation": "abnormal"}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_base_finds_outliers_and_gets_over_a_jump(base: object, options: dict[str, object]) -> None:
    rng = np.random.default_rng(2)
    X = rng.normal(size=(300, 3))
    X[150:] += 30.0
    odd = np.array([90, 120, 250, 270])
    X[odd, 0] += 14.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = mg.Fitness(base, window=50, **options).update_many(X)  # type: ignore[arg-type]
    truth = np.zeros(300, bool)
    truth[odd] = True
    rows = np.r_[64:150, 200:300]
    assert roc_auc(truth[rows], table["score"][rows]) > 0.97
    assert np.mean(table["kind"][200:] == mg.Kind.ANOMALY) < 0.1


def test_a_regression_takes_the_last_coordinate_for_its_target() -> None:
    rng = np.random.default_rng(4)
    x = rng.normal(size=200)
    y = 2.0 * x + 0.1 * rng.normal(size=200)
    y[150] += 4.0
    table = mg.Fitness(mg.ClippedLinear(), window=50).update_many(np.column_stack((x, y)))
    assert int(np.argmax(table["score"][100:])) == 50


def test_the_orientation_is_known_or_asked_for() -> None:
    assert robust_t(5.0, np.array([1.0, 2.0, 3.0])) == pytest.approx(3.0 / 1.482602218505602)
    assert robust_t(5.0, np.array([2.0, 2.0, 2.0])) == 3.0
    silent = adapter(Silent(), "auto", 0.1)
    with pytest.raises(mg.ParameterError, match="orientation"):
        silent.score(np.zeros((3, 1)), np.arange(3), np.ones(1))


@pytest.mark.parametrize(
    "setting",
    [
        {"window": 7},
        {"radius": 0.0},
        {"radius": math.nan},
        {"k": 2},
        {"k": 201},
        {"k_min": 0},
        {"k_min": 101},
        {"alpha": 0.5},
        {"scale": 0.0},
        {"scale": [1.0, -1.0]},
        {"scale": []},
        {"orientation": "up"},
        {"refresh": 1.5},
        {"base": "laplace"},
        {"base": LocalOutlierFactor()},
    ],
    ids=str,
)
def test_a_setting_out_of_range_is_refused(setting: dict[str, object]) -> None:
    with pytest.raises(mg.ParameterError):
        mg.Fitness(**setting)  # type: ignore[arg-type]


def test_values_that_do_not_fit_are_refused() -> None:
    fitness = mg.Fitness(scale=[1.0, 2.0])
    with pytest.raises(mg.ParameterError, match="scale has 2"):
        fitness.update([1.0, 2.0, 3.0])
    fitness.update([1.0, 2.0])
    with pytest.raises(mg.ParameterError, match="begun with 2"):
        fitness.update(1.0)
    with pytest.raises(mg.ParameterError, match="times"):
        fitness.update_many(np.zeros((2, 2)), [1])
    assert len(fitness.update_many(np.zeros((0, 2)))) == 0
