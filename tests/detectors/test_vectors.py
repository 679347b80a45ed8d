"""Events of many coordinates, up to 784."""

from __future__ import annotations

import numpy as np
import pytest
from tests.numerics.pieces import callable_on_record

import marigram as mg
from marigram import Kind
from marigram.detectors.learning import FAR, FAR_SHARE, STRETCH_CLIP, learn_stretch
from marigram.detectors.scoring import STRETCH_MARGIN
from marigram.detectors.state import COORDINATE


@pytest.mark.parametrize("d", [2, 10, 100, 784])
def test_a_moved_coordinate_is_found_and_named(d: int) -> None:
    rng = np.random.default_rng(d)
    n = 2500 if d <= 100 else 600
    x = rng.normal(size=(n, d)) * 10.0 ** rng.uniform(-6, 6, d)
    scale = x[:400].std(axis=0)
    which = int(rng.integers(d))
    x[n - 1, which] += 40 * scale[which]
    table = mg.Detector().update_many(x)
    assert table["kind"][-1] == Kind.ANOMALY
    assert int(np.argmax(table["why"][-1])) == which
    assert table["why"].shape == table["lower"].shape == (n, d)
    alarms = np.isin(table["kind"][200:-1], [Kind.ANOMALY, Kind.UNDECIDED, Kind.DRIFT])
    assert alarms.mean() <= 0.01


@pytest.mark.parametrize("d", [2, 10, 100])
def test_a_shift_of_all_coordinates_is_told_once_with_all_levels(d: int) -> None:
    rng = np.random.default_rng(d)
    x = rng.normal(size=(1500, d))
    size = rng.choice([-8, 8], d)
    x[1000:] += size
    table = mg.Detector().update_many(x)
    told = np.flatnonzero(table["kind"] == Kind.DRIFT)
    assert len(told) == 1
    assert 1000 <= told[0] < 1020
    drift = table[int(told[0])]
    assert np.abs(np.array(drift.after) - np.array(drift.before) - size).mean() < 1.5


def test_missing_coordinates_leave_the_others_scored() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(1500, 4))
    x[rng.random(x.shape) < 0.3] = np.nan
    x[-1] = [np.nan, 30.0, np.nan, np.nan]
    table = mg.Detector().update_many(x)
    nothing = np.isnan(x).all(axis=1)
    assert (table["kind"][nothing] == Kind.MISSING).all()
    assert (table["kind"][~nothing] < Kind.MISSING).all()
    assert table["kind"][-1] == Kind.ANOMALY
    assert table["why"][-1].tolist() == [0.0, 1.0, 0.0, 0.0]


def test_a_coordinate_missing_at_first_begins_with_its_first_value() -> None:
    """What a key has not said is nothing: not 0."""
    rng = np.random.default_rng(4)
    x = rng.normal(size=(600, 2)) + 1e6
    x[:5, 1] = np.nan
    table = mg.Detector().update_many(x)
    assert not np.isin(table["kind"], [Kind.ANOMALY, Kind.DRIFT, Kind.UNDECIDED])[64:].any()
    width = (table["upper"] - table["lower"])[-1]
    assert width[1] < 5 * width[0]


def test_one_coordinate_that_never_comes_disturbs_nobody() -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(size=(800, 3))
    x[:, 2] = np.nan
    x[-1, 0] = 25.0
    table = mg.Detector().update_many(x)
    assert table["kind"][-1] == Kind.ANOMALY
    assert (table["kind"][64:-1] == Kind.NORMAL).mean() > 0.98


def test_a_discrete_coordinate_among_others_is_judged_by_its_own_far_values() -> None:
    """Most of its values are equal, so that its scale is a rounding step; the others are a fourth of what it does."""
    for seed in range(5):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(3000, 8))
        x[:, 7] = rng.choice([31.0, 32.0, 33.0], 3000, p=[0.12, 0.75, 0.13]) + 0.002 * rng.integers(
            0, 3, 3000
        )
        x[2500, 7] = 300.0
        table = mg.Detector().update_many(x)
        assert (table["kind"][1000:2500] == Kind.ANOMALY).mean() <= 0.005
        assert table["kind"][2500] == Kind.ANOMALY
        assert int(np.argmax(table["why"][2500])) == 7


@pytest.mark.parametrize("share", [0.0, 0.03])
def test_the_stretch_of_a_coordinate_follows_what_is_usual_and_no_less(share: float) -> None:
    """At its fixed point the mean of the clipped doublings beyond is FAR_SHARE; a few values never move it."""
    rng = np.random.default_rng(5)
    learn = callable_on_record(learn_stretch)
    state = np.zeros(1, COORDINATE)
    z = np.abs(rng.normal(size=20_000))
    z[rng.random(len(z)) < (share or 0.3)] = 200.0
    for n, value in enumerate(z if share else np.where(z == 200.0, 200.0 * rng.uniform(0.5, 2, len(z)), z)):
        learn(state, 0, value, 24.0 + n)
    t = float(state["stretch"][0])
    if share:
        assert t <= STRETCH_MARGIN
        return
    beyond = np.clip(
        np.log2(np.maximum(200.0 * rng.uniform(0.5, 2, 100_000) / FAR, 1e-9)) - t, 0, STRETCH_CLIP
    )
    assert 0.3 * beyond.mean() == pytest.approx(FAR_SHARE, abs=0.07)
