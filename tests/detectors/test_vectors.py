"""Events of many coordinates, up to 784."""

from __future__ import annotations

import numpy as np
import pytest

import marigram as mg
from marigram import Kind


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
