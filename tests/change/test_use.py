"""What a user sees of the change-point tests: answers, refusals, snapshots, verdicts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import marigram as mg

KINDS: list[Any] = [mg.CatoniChangePoint, mg.ClippedChangePoint, mg.CusumChangePoint, mg.RankChangePoint]
STEP = np.concatenate(
    [np.random.default_rng(0).normal(size=200), 5 + np.random.default_rng(1).normal(size=100)]
)


@pytest.mark.parametrize("kind", KINDS)
def test_a_change_is_a_drift_verdict_with_time_and_levels(kind: Any) -> None:
    times = 1_700_000_000_000_000_000 + np.arange(300) * 1_000_000_000
    (change,) = kind().update_many(STEP, times)
    verdict = change.verdict("pump")
    assert verdict.kind is mg.Kind.DRIFT
    assert (verdict.key, verdict.seq, verdict.changed_at) == ("pump", change.seq, change.changed_at)
    assert verdict.time == times[change.seq] == change.time
    assert (verdict.before, verdict.after, verdict.value) == (change.before, change.after, STEP[change.seq])
    table = mg.Change.table([change, change])
    assert isinstance(table, mg.Verdicts)
    assert table["kind"].tolist() == [2, 2]
    assert b'"kind":"drift"' in table.json_lines()
    assert len(mg.Change.table([])) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_times_may_be_datetimes_or_absent(kind: Any) -> None:
    times = np.datetime64("2024-01-01", "s") + np.arange(300)
    (change,) = kind().update_many(STEP, times)
    assert change.time == times[change.seq].astype("datetime64[ns]").astype(int)
    (change,) = kind().update_many(STEP)
    assert change.time is None
    test = kind()
    assert test.update(1.0, np.datetime64("2024-01-01")) is None
    with pytest.raises(mg.ParameterError, match="times"):
        test.update_many(STEP, times[:-1])
    with pytest.raises(mg.ParameterError, match="times must be int64"):
        test.update_many([1.0], ["yesterday"])


@pytest.mark.parametrize(
    ("kind", "given", "told"),
    [
        (mg.CatoniChangePoint, {"delta": 0}, r"delta must lie in \[1e-12, 0.5\]"),
        (mg.CatoniChangePoint, {"delta": 0.6}, "delta must lie"),
        (mg.CatoniChangePoint, {"delta": float("nan")}, "delta must lie"),
        (mg.CatoniChangePoint, {"sigma": 0}, r"sigma must lie in \[1e-100, 1e\+100\]"),
        (mg.CatoniChangePoint, {"sigma": -1.0}, "sigma must lie"),
        (mg.CatoniChangePoint, {"sigma": "car"}, "'auto', .*number in"),
        (mg.CatoniChangePoint, {"sigma": None}, "sigma must be a number"),
        (mg.CatoniChangePoint, {"starts": "some"}, "'all', 'dyadic'"),
        (mg.ClippedChangePoint, {"sigma": 0}, "sigma must lie"),
        (mg.ClippedChangePoint, {"delta": True}, "delta must be a number"),
        (mg.ClippedChangePoint, {"variant": "icml"}, "'segments', 'uai'"),
        (mg.ClippedChangePoint, {"variant": "uai", "diameter": 2.0}, "'printed', 'theorem'"),
        (mg.ClippedChangePoint, {"variant": "uai", "constants": "printed"}, "diameter must be given"),
        (mg.ClippedChangePoint, {"constants": "printed"}, "belong to variant='uai'"),
        (mg.ClippedChangePoint, {"diameter": 3.0}, "together"),
        (mg.ClippedChangePoint, {"center": 3.0}, "together"),
        (mg.ClippedChangePoint, {"center": [[1.0]], "diameter": 1.0}, "center must be"),
        (mg.ClippedChangePoint, {"center": float("inf"), "diameter": 1.0}, "center must be"),
        (mg.RankChangePoint, {"delta": 2}, "delta must lie"),
        (mg.RankChangePoint, {"seed": -1}, r"seed must lie in \[0"),
        (mg.CusumChangePoint, {"threshold": 0.5}, r"threshold must lie in \[1, 100\]"),
        (mg.CusumChangePoint, {"anomaly_rate": 0.7}, "anomaly_rate must lie"),
    ],
)
def test_a_bad_parameter_is_refused_with_its_range(kind: Any, given: dict[str, Any], told: str) -> None:
    with pytest.raises(mg.ParameterError, match=told):
        kind(**given)


@pytest.mark.parametrize("kind", KINDS)
def test_events_of_a_wrong_shape_are_refused(kind: Any) -> None:
    test = kind()
    for bad in ([], [[1.0]], "text"):
        with pytest.raises(mg.ParameterError):
            test.update(bad)
    with pytest.raises(mg.ParameterError):
        test.update_many(np.zeros((2, 2, 2)))
    test.update([1.0, 2.0])
    with pytest.raises(mg.ParameterError, match="1 coordinates, the test was begun with 2"):
        test.update(1.0)
    assert test.update_many(np.zeros((0, 2))) == []
    assert (test.n, test.rejected) == (1, 0)


def test_a_center_of_another_length_is_refused() -> None:
    with pytest.raises(mg.ParameterError, match="center has 2 coordinates"):
        mg.ClippedChangePoint(center=[0.0, 0.0], diameter=1.0).update([1.0, 2.0, 3.0])


@pytest.mark.parametrize("kind", KINDS)
def test_a_snapshot_that_is_not_its_own_is_refused(kind: Any) -> None:
    test = kind()
    test.update_many(STEP[:100])
    data = test.to_bytes()
    assert repr(kind.from_bytes(data)) == repr(test)
    assert kind.from_bytes(kind().to_bytes()).n == 0
    with pytest.raises(mg.SnapshotError):
        kind.from_bytes(data[:-1])
    with pytest.raises(mg.SnapshotError):
        kind.from_bytes(data[:200] + bytes([data[200] ^ 1]) + data[201:])
    other = KINDS[(KINDS.index(kind) + 1) % len(KINDS)]
    with pytest.raises(mg.SnapshotError, match=f"holds a {kind.__name__}"):
        other.from_bytes(data)


@pytest.mark.parametrize("kind", KINDS)
def test_restart_forgets_the_level_and_keeps_the_count(kind: Any) -> None:
    test = kind()
    test.update_many(STEP[:200])
    test.restart()
    assert test.update_many(STEP[200:]) == []
    assert test.n == 300


@pytest.mark.parametrize("kind", KINDS)
def test_the_callers_data_are_not_changed(kind: Any) -> None:
    given = STEP.copy()
    given.flags.writeable = False
    assert len(kind().update_many(given)) == 1
