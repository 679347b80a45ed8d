"""The laws that every estimator obeys, whatever its setting."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.contracts.streams import cuts, lively, seeds
from tests.online.subjects import SUBJECTS, Subject, every

import marigram as mg
from marigram.online import EstimatorTable

N = 300
few = settings(max_examples=8)
EXTREMES = [
    0.0, -0.0, 1.0, -1.0, np.nan, np.inf, -np.inf, 1e308, -1e308, 1e300, -1e300, 1.0000001e300, 5e-324, -1e-310,
    2.2250738585072014e-308, 2.0**53 + 1, 1e150, -1e150, 1e100, 1e-150, 1 / 3,
]  # fmt: skip


def events(subject: Subject, seed: int, n: int = N, *, sane: bool = False) -> np.ndarray:
    """(n, width) with everything in it; ``sane``: finite numbers of one magnitude."""
    return lively(seed, n, subject.width, timed=False, sane=sane).values.reshape(n, subject.width)


def same(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(np.array_equal(a, b, equal_nan=True))


def assert_finite(running) -> None:
    records = running._records.array
    for name in records.dtype.names:
        assert np.isfinite(records[name]).all() or (running.n == 0 and name in ("value", "level")), name


@every
@few
@given(seed=seeds, where=cuts(N))
def test_any_split_gives_the_same(subject: Subject, seed: int, where: list[int]) -> None:
    x = events(subject, seed)
    whole, pieces = subject.make(), subject.make()
    expected = subject.trace(whole, x)
    parts = [subject.trace(pieces, x[a:b]) for a, b in pairwise(where) if a < b]
    assert same(np.concatenate(parts), expected)
    assert pieces.to_bytes() == whole.to_bytes()


@every
def test_one_by_one_gives_the_same_and_every_estimate_comes_before_its_event(subject: Subject) -> None:
    x = events(subject, 7)
    whole, single = subject.make(), subject.make()
    said = subject.trace(whole, x)
    for before, row in zip(said, x, strict=True):
        if subject.targets:
            np.testing.assert_allclose(single.predict_one(row[:-1]), before, rtol=1e-9)
            subject.learn(single, row[None])
        else:
            assert single.n + single.rejected == 0 or same(single.value, before)
            single.update(row[0] if subject.d == 1 else row)
    assert single.to_bytes() == whole.to_bytes()


@every
@few
@given(seed=seeds, where=st.integers(0, N))
def test_a_snapshot_resumes_as_if_never_stopped(subject: Subject, seed: int, where: int) -> None:
    x = events(subject, seed)
    whole, running = subject.make(), subject.make()
    subject.learn(whole, x)
    subject.learn(running, x[:where])
    resumed = subject.load(running.to_bytes())
    assert resumed.to_bytes() == running.to_bytes()
    assert resumed.parameters == running.parameters
    subject.learn(resumed, x[where:])
    assert resumed.to_bytes() == whole.to_bytes()
    assert same(resumed.value, whole.value)


@every
@few
@given(seed=seeds, keys=st.integers(1, 5))
def test_keys_do_not_influence_each_other(subject: Subject, seed: int, keys: int) -> None:
    x = events(subject, seed)
    slots = np.random.default_rng(seed).integers(0, keys, N)
    table = EstimatorTable(subject.make(), keys, subject.d)
    said = table.trace(slots, *subject.split(x))
    for key in range(keys):
        alone = subject.make()
        assert same(subject.trace(alone, x[slots == key]), said[slots == key])
        assert same(table.values[key], alone.value if subject.d > 1 else np.ravel(alone.value)[0])
        assert (table.n[key], table.rejected[key]) == (alone.n, alone.rejected)


@every
@settings(max_examples=15)
@given(data=st.data(), seed=seeds)
def test_hostile_events_leave_the_state_finite(subject: Subject, data: st.DataObject, seed: int) -> None:
    rng = np.random.default_rng(seed)
    parts = []
    for _ in range(data.draw(st.integers(1, 5))):
        shape = (data.draw(st.integers(1, 40)), subject.width)
        temper = data.draw(st.integers(0, 4))
        if temper == 0:
            parts.append(rng.choice(EXTREMES, shape))
        elif temper == 1:
            parts.append(rng.integers(0, 2**64, shape, dtype=np.uint64).view(np.float64))
        elif temper == 2:
            parts.append(np.full(shape, data.draw(st.floats(width=64))))
        else:
            parts.append(rng.normal(size=shape) * 10.0 ** data.draw(st.integers(-300, 299)))
    x = np.concatenate(parts)
    running = subject.make()
    subject.learn(running, x)
    assert_finite(running)
    assert running.n + running.rejected == len(x)
    limit = 1e100 if subject.targets else 1e300
    assert running.rejected == (~(np.abs(x) <= limit)).any(axis=1).sum()


@every
@pytest.mark.parametrize("value", EXTREMES)
def test_one_value_for_ever(subject: Subject, value: float) -> None:
    running = subject.make()
    subject.learn(running, np.full((200, subject.width), value))
    assert_finite(running)


@every
def test_the_callers_arrays_are_not_changed(subject: Subject) -> None:
    x = events(subject, 3)
    before = x.copy()
    x.flags.writeable = False
    running = subject.make()
    subject.learn(running, x)
    subject.trace(running, x)
    assert same(x, before)
    value = np.copy(running.value)
    if subject.d > 1:
        running.value[:] = 7.0
    x.flags.writeable = True
    x[:] = 1.0
    assert same(running.value, value)


@every
def test_a_non_contiguous_batch_is_the_same_batch(subject: Subject) -> None:
    x = events(subject, 4)
    wide = np.zeros((2 * N, 2 * subject.width))
    wide[::2, : subject.width] = x
    a, b = subject.make(), subject.make()
    subject.learn(a, x)
    subject.learn(b, wide[::2, : subject.width])
    assert a.to_bytes() == b.to_bytes()


@pytest.mark.parametrize("subject", [s for s in SUBJECTS if s.unit == "quantile"], ids=lambda s: s.name)
@few
@given(seed=seeds, k=st.integers(-100, 100))
def test_powers_of_two_change_no_bit(subject: Subject, seed: int, k: int) -> None:
    """In units of 2^k everything is 2^k times as large, to the last bit; coefficients do not change."""
    x = events(subject, seed, sane=True)
    x[x == 0.0] = 1.0
    a = 2.0**k
    said, scaled = subject.trace(subject.make(), x), subject.trace(subject.make(), a * x)
    assert same(scaled, said if isinstance(subject.make(), mg.ClippedLogistic) else a * said)


@pytest.mark.parametrize(
    "subject", [s for s in SUBJECTS if s.unit == "quantile" and not s.targets], ids=lambda s: s.name
)
@few
@given(seed=seeds, log_a=st.floats(-6, 6), offset=st.floats(-1e5, 1e5), sign=st.sampled_from([1, -1]))
def test_any_unit_and_origin_will_do(
    subject: Subject, seed: int, log_a: float, offset: float, sign: int
) -> None:
    centred = "centred" in subject.name
    a, b = sign * 10.0**log_a, 0.0 if centred else offset
    x = events(subject, seed, sane=True)
    x += np.random.default_rng(seed).uniform(0, 1e-3, x.shape)  # no ties with the clip level
    plain, other = subject.make(), subject.make()
    said, changed = subject.trace(plain, x)[1:], subject.trace(other, a * (x + b))[1:]
    back = changed / abs(a) if isinstance(plain, mg.ClippedScale) else changed / a - b
    np.testing.assert_allclose(back, said, atol=2e-6 * np.abs(x).max(), rtol=0)


@pytest.mark.parametrize("d", [1, 3])
@settings(max_examples=25)
@given(seed=seeds, far=st.floats(-1e300, 1e300), step=st.floats(1e-3, 1), clip=st.floats(1e-3, 1e3))
def test_no_event_moves_a_mean_by_more_than_the_step_times_the_level(
    d: int, seed: int, far: float, step: float, clip: float
) -> None:
    mean = mg.ClippedMean(step=step, clip=clip, start=0.0)
    mean.update_many(np.random.default_rng(seed).normal(size=(50, d)))
    before = mean.value
    mean.update(np.full(d, far))
    assert np.linalg.norm(mean.value - before) <= step * clip * (1 + 1e-9)


@pytest.mark.parametrize("kind", [mg.ClippedMean, mg.StepEnsemble])
@pytest.mark.parametrize("d", [1, 3])
@settings(max_examples=25)
@given(seed=seeds, far=st.floats(-1e300, 1e300))
def test_no_event_moves_an_estimate_by_more_than_the_running_level(
    kind: type, d: int, seed: int, far: float
) -> None:
    running = kind().update_many(np.random.default_rng(seed).normal(size=(50, d)))
    before, level = running.value, running.clip_level
    running.update(np.full(d, far))
    # an ensemble is also moved by its weights, but only between its levels
    reach = level if kind is mg.ClippedMean else level + np.ptp(before_levels(running), axis=0).max() * d
    assert np.linalg.norm(running.value - before) <= reach * (1 + 1e-9)
    assert running.clip_level <= level * np.exp(2 / 52)


def before_levels(ensemble: mg.StepEnsemble) -> np.ndarray:
    return ensemble._records.array["theta"][0]


@settings(max_examples=25)
@given(seed=seeds, far=st.floats(-1e300, 1e300))
def test_no_event_changes_a_scale_by_more_than_a_factor(seed: int, far: float) -> None:
    scale = mg.ClippedScale().update_many(np.random.default_rng(seed).normal(size=50))
    before = scale.value
    scale.update(far)
    assert abs(np.log(scale.value / before)) <= 1.5 / 51 * (1 + 1e-9)


@few
@given(seed=seeds, radius=st.floats(1e-3, 1e3))
def test_the_level_stays_in_its_ball(seed: int, radius: float) -> None:
    x = lively(seed, N, 3, timed=False).values
    path = mg.ClippedMean(ball=radius).trace(x)
    assert (np.linalg.norm(path[~np.isnan(path).any(axis=1)], axis=1) <= radius * (1 + 1e-12)).all()


@pytest.mark.parametrize("kind", [mg.ClippedMean, mg.StepEnsemble, mg.ClippedScale])
def test_after_a_constant_history_the_first_other_value_sets_the_unit_and_moves_nothing(kind: type) -> None:
    running = kind().update_many(np.full(100, 5.0))
    constant = running.value
    assert constant == (0.0 if kind is mg.ClippedScale else 5.0)
    running.update(7.0)
    assert (running.value if kind is mg.ClippedScale else running.clip_level) == 2.0
    assert (running.level if kind is mg.ClippedScale else running.value) == 5.0


def test_numbers_of_any_kind_are_numbers() -> None:
    a, b = mg.ClippedMean(), mg.ClippedMean()
    for value in (1, True, np.float32(0.5), np.int64(3), 10**400, None, float("nan")):
        a.update(value)
    b.update_many([1.0, 1.0, 0.5, 3.0, np.inf, np.nan, np.nan])
    assert a.to_bytes() == b.to_bytes()
    assert (a.n, a.rejected) == (4, 3)
