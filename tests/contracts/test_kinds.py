"""Each kind means what it is said to mean."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray
from tests.contracts.registry import alone, deciding, scalar
from tests.contracts.streams import BEGIN, MINUTE, Stream, lively, seeds, shaped
from tests.contracts.subjects import ALPHA, Columns, Subject

from marigram import Kind

N = 1500
few = settings(max_examples=20)
LARGEST = 1e300


def wide(column: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) as (n, 1)."""
    return column[:, None] if column.ndim == 1 else column


def outside(columns: Columns) -> NDArray[np.bool_]:
    """Whether any coordinate lies outside its band; a missing one does not."""
    x = wide(columns["value"])
    beyond = (x < wide(columns["lower"])) | (x > wide(columns["upper"]))
    return np.asarray(beyond.any(axis=1))


@deciding
@few
@given(seed=seeds)
def test_rejected_comes_before_missing_and_nothing_else_is_either(subject: Subject, seed: int) -> None:
    stream = lively(seed, N, subject.d, timed=subject.timed)
    columns = subject.feed(subject.fresh(), stream)
    x = wide(stream.values)
    bad = (np.abs(x) > LARGEST).any(axis=1)
    missing = ~bad & np.isnan(x).all(axis=1)
    kind = columns["kind"]
    assert ((kind == Kind.REJECTED) == bad).all()
    assert ((kind == Kind.MISSING) == missing).all()
    unscored = bad | missing
    for name in ("p_value", "score", "severity"):
        assert np.isnan(columns[name][unscored]).all()
        assert not np.isnan(columns[name][~unscored]).any()
    assert not columns["notice"][unscored].any()


@deciding
@few
@given(seed=seeds)
def test_seq_counts_events_and_n_counts_what_was_learned(subject: Subject, seed: int) -> None:
    stream = lively(seed, N, subject.d, timed=subject.timed)
    columns = subject.feed(subject.fresh(), stream)
    keys = stream.keys % subject.keys
    for key in range(subject.keys):
        mine = keys == key
        learned = (columns["kind"][mine] < Kind.MISSING) & ~columns["late"][mine]
        assert (columns["seq"][mine] == np.arange(mine.sum())).all()
        assert (columns["n"][mine] == np.cumsum(learned) - learned).all()


@deciding
@few
@given(seed=seeds)
def test_outside_the_band_means_p_of_alpha_or_less(subject: Subject, seed: int) -> None:
    columns = subject.feed(subject.fresh(), lively(seed, N, subject.d, timed=subject.timed))
    scored = columns["kind"] < Kind.MISSING
    assert ((columns["p_value"] <= ALPHA) == outside(columns))[scored].all()


@deciding
@few
@given(seed=seeds)
def test_learning_is_short_and_modest(subject: Subject, seed: int) -> None:
    stream = lively(seed, N, subject.d, timed=subject.timed)
    columns = subject.feed(subject.fresh(), stream)
    learning = columns["kind"] == Kind.LEARNING
    assert (columns["n"][learning] < 64).all()
    assert (columns["p_value"][learning] >= 1 / (columns["n"][learning] + 2)).all()
    assert not columns["notice"][learning].any()
    keys = stream.keys % subject.keys
    for key in range(subject.keys):
        scored = learning[(keys == key) & (columns["kind"] < Kind.MISSING)]
        assert (np.diff(scored.astype(int)) <= 0).all(), "learning came back"


@deciding
@few
@given(seed=seeds)
def test_the_kind_of_a_settled_event_follows_from_p(subject: Subject, seed: int) -> None:
    columns = subject.feed(subject.fresh(), lively(seed, N, subject.d, timed=subject.timed))
    kind, p = columns["kind"], columns["p_value"]
    assert (p[kind == Kind.NORMAL] > ALPHA).all()
    assert (p[np.isin(kind, [Kind.ANOMALY, Kind.UNDECIDED])] <= ALPHA).all()


@scalar
def test_undecided_follows_an_exceedance_on_its_side(subject: Subject) -> None:
    """In 99 of 100: the earlier one may have lain outside the norm's band, but inside that of a candidate level."""
    alone = total = 0
    for seed in range(120):
        columns = subject.feed(subject.fresh(), lively(seed, N, 1, timed=subject.timed))
        x, exceeds = columns["value"], (columns["p_value"] <= ALPHA) & ~columns["late"]
        for row in np.flatnonzero(columns["kind"] == Kind.UNDECIDED):
            drifts = np.flatnonzero(columns["kind"][:row] == Kind.DRIFT)
            begin = drifts[-1] + 1 if len(drifts) else 0
            norm = columns["expected"][begin:row]
            earlier = exceeds[begin:row] & ((x[begin:row] > norm) == (x[row] > norm))
            seen = x[begin:row][np.isfinite(x[begin:row])]
            total += 1
            alone += not (earlier.any() or len(np.unique(seen)) == 1)
    assert total > 200
    assert alone <= 0.01 * total


@alone
@few
@given(seed=seeds)
def test_a_first_exceedance_is_said_at_once(subject: Subject, seed: int) -> None:
    """After 300 quiet events no change test is open: an exceedance is an anomaly now, not undecided."""
    rng = np.random.default_rng(seed)
    n = 1300
    values = rng.normal(size=(n, subject.d))
    values[-300:] = np.clip(values[-300:], -1.2, 1.2)
    values[-1, rng.integers(subject.d)] = rng.choice([-1, 1]) * 10.0 ** rng.uniform(1.2, 9)
    times = BEGIN + np.arange(n) * MINUTE if subject.timed else None
    columns = subject.feed(subject.fresh(), Stream(shaped(values, subject.d), times, np.zeros(n, np.int64)))
    assert columns["kind"][-1] == Kind.ANOMALY


@deciding
@few
@given(seed=seeds)
def test_only_drift_tells_of_levels_and_it_tells_of_the_past(subject: Subject, seed: int) -> None:
    columns = subject.feed(subject.fresh(), lively(seed, N, subject.d, timed=subject.timed))
    drift = columns["kind"] == Kind.DRIFT
    for name in ("changed_at", "resolves"):
        assert (columns[name][~drift] == -1).all()
    for name in ("before", "after"):
        assert np.isnan(columns[name][~drift]).all()
        assert np.isfinite(columns[name][drift]).all()
    seq, changed_at, resolves = (columns[name][drift] for name in ("seq", "changed_at", "resolves"))
    assert ((changed_at >= 0) & (changed_at <= seq)).all()
    assert ((resolves >= changed_at) & (resolves <= seq)).all()
    assert (seq - resolves <= 5).all()


@alone
@pytest.mark.parametrize("value", [0.0, 5.0, -1e6, 1e-200, 1e250, 0.1])
@pytest.mark.parametrize("step", [1e-6, 1.0, -30.0, 1e9])
def test_after_a_constant_history_the_first_other_value_is_undecided_and_sets_the_scale(
    subject: Subject, value: float, step: float
) -> None:
    unit = abs(value) if value else 1.0
    other = value + step * unit
    n = 200
    values = np.full((n + 1, subject.d), value)
    values[n, 0] = other
    running = subject.fresh()
    columns = subject.feed(running, Stream(shaped(values, subject.d), None, np.zeros(n + 1, np.int64)))
    assert set(columns["kind"][:64]) == {Kind.LEARNING}
    assert set(columns["kind"][64:n]) == {Kind.NORMAL}
    assert columns["kind"][n] == Kind.UNDECIDED
    after = subject.feed(running, Stream(shaped(values[:1], subject.d), None, np.zeros(1, np.int64)))
    assert after["kind"][0] == Kind.NORMAL
    if getattr(subject, "unitless", False):
        return
    reach = (wide(after["upper"]) - wide(after["lower"]))[0, 0] / 2
    assert abs(step) * unit / 10 < reach < 100 * abs(step) * unit


@alone
@few
@given(seed=seeds)
def test_every_share_is_a_share(subject: Subject, seed: int) -> None:
    columns = subject.feed(subject.fresh(), lively(seed, N, subject.d, timed=subject.timed))
    why = wide(columns["why"])
    scored = columns["kind"] < Kind.MISSING
    assert (why[scored] >= 0).all()
    np.testing.assert_allclose(why[scored].sum(axis=1), 1, rtol=1e-5)


@alone
def test_the_share_belongs_to_the_coordinate_that_moved(subject: Subject) -> None:
    rng = np.random.default_rng(0)
    for coordinate in range(subject.d):
        values = rng.normal(size=(800, subject.d))
        values[-1, coordinate] += 25
        columns = subject.feed(
            subject.fresh(), Stream(shaped(values, subject.d), None, np.zeros(800, np.int64))
        )
        assert columns["kind"][-1] == Kind.ANOMALY
        assert wide(columns["why"])[-1, coordinate] > 0.8
