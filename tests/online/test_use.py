"""The estimators as they are used: restarted, saved, scored, many at a time."""

from __future__ import annotations

import numpy as np
import pytest

import marigram as mg
from marigram.errors import SnapshotError
from marigram.online import EstimatorTable

KINDS = [mg.ClippedMean, mg.ClippedScale, mg.StepEnsemble]
both = pytest.mark.parametrize("kind", [mg.ClippedMean, mg.StepEnsemble])


def normal(n: int, level: float = 0.0, seed: int = 0, shape: tuple[int, ...] = ()) -> np.ndarray:
    return np.random.default_rng(seed).normal(level, 1.0, (n, *shape))


@pytest.mark.parametrize("kind", KINDS)
def test_before_the_first_event_nothing_is_known(kind: type) -> None:
    fresh = kind()
    assert np.isnan(fresh.value)
    assert np.isnan(fresh.score_one(1.0))
    assert (fresh.n, fresh.rejected, fresh.clip_level) == (0, 0, 0.0)
    assert fresh.update_many([]).n == 0
    assert kind.from_bytes(fresh.to_bytes()).update_many(normal(20)).n == 20


@both
def test_the_first_event_may_be_the_anomaly(kind: type) -> None:
    for place in range(5):
        x = normal(200)
        x[place] = 1e12
        assert abs(kind().update_many(x).value) < 0.5


@both
def test_a_restart_is_where_the_next_events_are_and_keeps_the_clip(kind: type) -> None:
    running = kind().update_many(normal(2000))
    clip = running.clip_level
    assert running.restart() is running
    running.update_many(normal(5, 100.0))
    assert running.clip_level == clip
    assert abs(running.value - 100.0) < 1.5
    assert running.n == 2005


@both
def test_without_a_restart_a_far_level_is_reached_slowly(kind: type) -> None:
    running = kind().update_many(normal(2000)).update_many(normal(5, 100.0))
    assert running.value < 20.0


@both
def test_a_restart_at_a_value_trusts_it_as_told(kind: type) -> None:
    moved = []
    for n in (5, 1000):
        running = kind().update_many(normal(500, shape=(2,)))
        running.restart([10.0, -10.0], n=n)
        np.testing.assert_array_equal(running.value, [10.0, -10.0])
        before = running.value
        moved.append(np.linalg.norm(running.update([10.5, -9.5]).value - before))
    assert moved[1] < moved[0]


def test_a_restarted_ensemble_trusts_its_steps_alike() -> None:
    ensemble = mg.StepEnsemble().update_many(normal(3000))
    assert np.ptp(ensemble.weights) > 0.1
    np.testing.assert_allclose(ensemble.restart(0.0).weights, 1 / 12)
    assert mg.StepEnsemble().weights.tolist() == [0.0] * 12


def test_a_scale_is_restarted_at_a_scale() -> None:
    scale = mg.ClippedScale().update_many(normal(3000))
    level = scale.level
    scale.restart(50.0)
    assert (scale.value, scale.level) == (50.0, level)
    scale.update_many(50.0 * normal(3000, seed=1))
    assert 45.0 < scale.value < 55.0
    early = mg.ClippedScale().restart(2.0)
    assert (early.value, early.level) == (2.0, 0.0)


def test_a_given_start_is_restarted_from() -> None:
    mean = mg.ClippedMean(start=3.0, step=0.5).update_many(normal(100))
    assert mean.restart().update(4.0).value == 3.5


def test_coefficients_are_restarted() -> None:
    X = normal(500, shape=(2,))
    linear = mg.ClippedLinear().update_many(X, X @ [1.0, 2.0])
    assert linear.restart([3.0, 4.0]).value.tolist() == [3.0, 4.0]
    assert linear.restart().value.tolist() == [0.0, 0.0]
    assert linear.update_many(X, X @ [1.0, 2.0]).value == pytest.approx([1.0, 2.0], abs=0.02)


@pytest.mark.parametrize("value", [float("nan"), [1.0, np.inf], [[1.0]], [], "x"])
def test_a_restart_needs_a_value(value: object) -> None:
    with pytest.raises(mg.ParameterError):
        mg.ClippedMean().restart(value)
    with pytest.raises(mg.ParameterError, match="n must be an integer"):
        mg.ClippedMean().restart(1.0, n=1.5)


def test_scores_are_distances_and_change_nothing() -> None:
    mean = mg.ClippedMean().update_many(normal(100, shape=(2,)))
    scale = mg.ClippedScale().update_many(normal(100))
    linear = mg.ClippedLinear().update_many(normal(100, shape=(2,)), normal(100))
    before = [e.to_bytes() for e in (mean, scale, linear)]
    assert mean.score_one(mean.value + np.array([3.0, 4.0])) == pytest.approx(5.0)
    assert scale.score_one(scale.level + 2 * scale.value) == pytest.approx(2.0)
    assert linear.score_one([1.0, 1.0], 7.0) == pytest.approx(abs(7.0 - linear.value.sum()))
    assert [e.to_bytes() for e in (mean, scale, linear)] == before
    mean.learn_one([1.0, 1.0])
    linear.learn_one([1.0, 1.0], 2.0)
    assert (mean.n, linear.n) == (101, 101)


def test_what_is_not_finite_is_counted_and_not_learned() -> None:
    mean = mg.ClippedMean().update_many(normal(50, shape=(3,)))
    before = mean.value
    mean.update_many([[np.nan, 0.0, 0.0], [0.0, np.inf, 0.0], [0.0, 0.0, -1.1e300]])
    assert (mean.n, mean.rejected) == (50, 3)
    np.testing.assert_array_equal(mean.value, before)


def test_plain_sgd_with_a_step_of_one_over_n_is_the_mean() -> None:
    x = normal(1000, 5.0)
    assert mg.ClippedMean(clip=None, alpha=1.0).update_many(x).value == pytest.approx(x.mean(), rel=1e-12)


def test_a_normal_scale_is_its_standard_deviation() -> None:
    x = 3.0 * normal(20_000, 2.0)
    assert mg.ClippedScale(step="anytime", alpha=1.0).update_many(x).value == pytest.approx(3.0, rel=0.03)


@pytest.mark.parametrize("kind", [*KINDS, mg.ClippedLinear])
def test_a_snapshot_that_is_not_whole_or_not_ours_is_refused(kind: type) -> None:
    running = kind().update_many(
        *([normal(9, shape=(2,)), normal(9)] if kind is mg.ClippedLinear else [normal(9)])
    )
    data = running.to_bytes()
    for bad in (data[:-1], b"", data[:100] + bytes([data[100] ^ 1]) + data[101:]):
        with pytest.raises(SnapshotError):
            kind.from_bytes(bad)
    for other in {*KINDS, mg.ClippedLinear} - {kind}:
        with pytest.raises(SnapshotError, match="holds a"):
            other.from_bytes(data)
    with pytest.raises(SnapshotError, match="holds a"):
        EstimatorTable.from_bytes(data, kind)


def test_a_table_grows_clears_restarts_and_is_saved() -> None:
    table = EstimatorTable(mg.ClippedMean(), d=2)
    table.grow(4)
    table.grow(2)
    assert (len(table), table.d) == (4, 2)
    slots = np.tile([0, 1, 2], 40)
    table.update(slots, normal(120, shape=(2,)) + slots[:, None])
    back = EstimatorTable.from_bytes(table.to_bytes(), mg.ClippedMean)
    assert back.to_bytes() == table.to_bytes()
    table.clear([0])
    table.restart([1, 2], [[7.0, 7.0], [8.0, 8.0]], n=10)
    assert np.isnan(table.values[[0, 3]]).all()
    assert table.values[[1, 2]].tolist() == [[7.0, 7.0], [8.0, 8.0]]
    assert table.n.tolist() == [0, 40, 40, 0]
    table.restart([1])
    table.update([1], [[1.0, 2.0]])
    assert table.values[1].tolist() == [1.0, 2.0]
    assert back.n.tolist() == [40, 40, 40, 0]
    assert back.bytes_per_key == back.records.dtype.itemsize
    with pytest.raises(ValueError, match="read-only"):
        back.records["n"] = 0
    with pytest.raises(mg.ParameterError, match="2 finite values"):
        table.restart([1, 2], [[1.0, 2.0]])


def test_a_table_of_pairs_gives_predictions() -> None:
    X = normal(200, shape=(2,))
    table = EstimatorTable(mg.ClippedLinear(), 2, 2)
    said = table.trace(np.tile([0, 1], 100), X, X @ [1.0, -1.0])
    assert said.shape == (200,)
    assert np.abs(said - X @ [1.0, -1.0])[-20:].max() < 0.5


def test_the_values_of_a_snapshot_with_other_settings_do_not_fit() -> None:
    table = EstimatorTable(mg.ClippedMean(start=1.0), 2)
    other = EstimatorTable(mg.ClippedMean(), 2)
    with pytest.raises(SnapshotError, match="records"):
        other._records.put(table._records.array)


def test_a_burst_hardly_moves_the_clip_level_and_a_change_of_scale_does() -> None:
    x = np.random.default_rng(5).normal(size=5000)
    burst = mg.ClippedMean("half-life", half_life=200).update_many(x)
    usual = burst.clip_level
    burst.update_many(np.full(20, 1e6))
    assert burst.clip_level < 1.15 * usual
    changed = mg.ClippedMean("half-life", half_life=200).update_many(x).update_many(100.0 * x[:2000])
    assert 50.0 * usual < changed.clip_level < 150.0 * usual
