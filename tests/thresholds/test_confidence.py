"""ConfidenceThreshold: what it decides is right, and it is what the algorithms of the paper say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.thresholds import laws
from tests.thresholds.naive_sequences import NaiveConfidence

import marigram as mg
from marigram.errors import ParameterError, SnapshotError

N = 250
SETTINGS = {
    "algorithm 1": {"p": 0.9, "alpha": 0.2, "change": None},
    "algorithm 3": {"p": 0.8, "alpha": 0.3, "change": 0.3},
    "beta-binomial": {"p": 0.7, "alpha": 0.3, "change": 0.2, "sequence": "beta-binomial"},
    "algorithm 5": {
        "p": 0.8,
        "alpha": 0.3,
        "change": 0.3,
        "offline": [np.linspace(0, 3, 200), np.linspace(5, 9, 150), np.linspace(50, 60, 90)],
    },
}
every = pytest.mark.parametrize("options", SETTINGS.values(), ids=SETTINGS)
few = settings(max_examples=10)
seeds = st.integers(0, 10**6)


def uniform(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(n)


@every
@settings(max_examples=4)
@given(seed=seeds)
def test_it_is_what_the_algorithms_say(options: dict, seed: int) -> None:
    x = laws.lively(seed, N)
    x = x[np.abs(x) <= 1e300]
    x[len(x) // 2 :] += np.random.default_rng(seed).choice([0.0, 4.0, -4.0])
    given_options = {"change": None, "sequence": "passage"} | options
    naive = NaiveConfidence(**given_options)
    fast = mg.ConfidenceThreshold(**options)
    for v in x:
        assert fast.update(v) is naive.update(v)
        assert (fast.lower, fast.upper) == (
            max(naive.low, naive.joint[0]),
            min(naive.high, naive.joint[1]),
        )
    assert fast.offline_set == naive.joined


@every
@few
@given(seed=seeds, where=st.lists(st.integers(0, N), max_size=4))
def test_any_split_gives_the_same(options: dict, seed: int, where: list[int]) -> None:
    laws.assert_any_split_is_the_same(lambda: mg.ConfidenceThreshold(**options), laws.lively(seed, N), where)


@every
def test_one_by_one_gives_the_same(options: dict) -> None:
    laws.assert_one_by_one_is_the_same(lambda: mg.ConfidenceThreshold(**options), laws.lively(3, N))


@every
@few
@given(seed=seeds, at=st.integers(0, N))
def test_a_snapshot_resumes_as_if_never_stopped(options: dict, seed: int, at: int) -> None:
    laws.assert_a_snapshot_resumes(lambda: mg.ConfidenceThreshold(**options), laws.lively(seed, N), at)


@every
def test_the_callers_array_is_left_alone(options: dict) -> None:
    laws.assert_the_callers_array_is_left_alone(lambda: mg.ConfidenceThreshold(**options), laws.lively(5, N))


def test_what_is_no_number_is_said_and_not_learned() -> None:
    x = uniform(3000)
    plain, odd = mg.ConfidenceThreshold(p=0.9), mg.ConfidenceThreshold(p=0.9)
    expected = plain.update_many(x)
    said = odd.update_many(np.insert(x, [100, 2000, 2500], [np.nan, np.inf, -1e301]))
    assert said[[100, 2001, 2502]].tolist() == [mg.Kind.MISSING, mg.Kind.REJECTED, mg.Kind.REJECTED]
    np.testing.assert_array_equal(np.delete(said, [100, 2001, 2502]), expected)
    assert (odd.rejected, odd.n) == (3, plain.n)


def test_only_the_order_of_scores_counts() -> None:
    x = np.random.default_rng(2).normal(size=4000)
    x[2000:] += 2
    a, b = mg.ConfidenceThreshold(p=0.9), mg.ConfidenceThreshold(p=0.9)
    np.testing.assert_array_equal(a.update_many(x), b.update_many(np.exp(x)))
    assert a.changes == b.changes == 1


@pytest.mark.parametrize("sequence", ["passage", "beta-binomial"])
def test_decisions_on_a_steady_stream_are_right(sequence: str) -> None:
    """100 streams: each would have a wrong decision with probability 0.02 at most, ten or more have 2e-5."""
    wrong = flagged = 0
    for seed in range(100):
        x = uniform(4000, seed)
        kinds = mg.ConfidenceThreshold(p=0.98, alpha=0.01, sequence=sequence).update_many(x)
        anomalous = x > 0.98
        wrong += ((kinds == mg.Kind.ANOMALY) & ~anomalous).any() or (
            (kinds == mg.Kind.NORMAL) & anomalous
        ).any()
        flagged += ((kinds == mg.Kind.ANOMALY) & anomalous).sum() / anomalous.sum() / 100
    assert wrong < 10
    assert flagged > 0.3


def test_what_was_abstained_from_is_settled_later_and_once() -> None:
    x = uniform(20_000)
    threshold = mg.ConfidenceThreshold(p=0.98)
    kinds = threshold.update_many(x)
    events, answers = threshold.settle()
    assert (kinds[events] == mg.Kind.UNDECIDED).all()
    np.testing.assert_array_equal(
        answers, np.where(x[events] > threshold.upper, mg.Kind.ANOMALY, mg.Kind.NORMAL)
    )
    assert ((x[events] > threshold.upper) | (x[events] < threshold.lower)).all()
    undecided = np.setdiff1d(np.flatnonzero(kinds == mg.Kind.UNDECIDED), events)
    assert ((x[undecided] >= threshold.lower) & (x[undecided] <= threshold.upper)).all()
    assert len(threshold.settle()[0]) == 0
    kinds[events] = answers
    assert ((kinds == mg.Kind.ANOMALY) & (x > 0.98)).sum() > 0.7 * (x > 0.98).sum()


def test_a_shift_is_told_once_and_the_threshold_begins_anew() -> None:
    x = uniform(4000)
    x[2000:] += 3.0
    threshold = mg.ConfidenceThreshold(p=0.9)
    kinds = threshold.update_many(x)
    (at,) = np.flatnonzero(kinds == mg.Kind.DRIFT)
    assert 2000 < at < 2050
    assert threshold.changed_at is not None
    assert abs(threshold.changed_at - 2000) < 20
    assert threshold.n == 4000 - at
    assert not (kinds[at : at + 20] == mg.Kind.ANOMALY).any()
    assert 3.8 < threshold.lower < 3.9 < threshold.upper < 4.0


def test_steady_streams_change_seldom() -> None:
    changes = 0
    for seed in range(20):
        threshold = mg.ConfidenceThreshold()
        threshold.update_many(uniform(10_000, seed))
        changes += threshold.changes
    assert changes == 0  # 1e-4 an event would be 20; none is usual


def test_the_offline_set_that_fits_is_used() -> None:
    rng = np.random.default_rng(0)
    sets = [rng.normal(level, 1.0, 5000) for level in (0.0, 5.0, 9.0)]
    alone, helped = mg.ConfidenceThreshold(p=0.95), mg.ConfidenceThreshold(p=0.95, offline=sets)
    x = rng.normal(5.0, 1.0, 400)
    kinds = helped.update_many(x)
    alone.update_many(x)
    assert helped.offline_set == 1
    assert alone.offline_set is None
    assert helped.upper - helped.lower < 0.5 * (alone.upper - alone.lower)
    assert (kinds == mg.Kind.ANOMALY).sum() > 0


@pytest.mark.parametrize(
    "options",
    [
        {"p": 0.4},
        {"p": 1.0},
        {"alpha": 0.0},
        {"alpha": 0.6},
        {"sequence": "other"},
        {"change": 0.0},
        {"p": "high"},
    ],
)
def test_settings_out_of_range_are_refused(options: dict) -> None:
    with pytest.raises(ParameterError, match=next(iter(options))):
        mg.ConfidenceThreshold(**options)


@pytest.mark.parametrize("scores", [[], [1.0, np.nan], [[1.0]]])
def test_offline_sets_that_are_none_are_refused(scores: list) -> None:
    with pytest.raises(ParameterError):
        mg.ConfidenceThreshold(offline=[scores])


def test_scores_of_another_shape_are_refused() -> None:
    threshold = mg.ConfidenceThreshold()
    for wrong in ([[1.0]], ["a"], 3.0):
        with pytest.raises(ParameterError):
            threshold.update_many(wrong)
    with pytest.raises(ParameterError):
        threshold.update([1.0])


def test_foreign_bytes_are_refused() -> None:
    data = mg.ConfidenceThreshold().to_bytes()
    with pytest.raises(SnapshotError):
        mg.ConfidenceThreshold.from_bytes(data[:-1] + b"x")
    with pytest.raises(SnapshotError):
        mg.QuantileTracker.from_bytes(data)
