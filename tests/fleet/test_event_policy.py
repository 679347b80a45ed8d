"""Special events: judged by the past of their kind, or by the peers, and the baseline never hears of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import marigram as mg
from marigram.verdicts import FIELDS

HOUR = 3600 * 10**9
KEYS = 12


def panel(steps: int, seed: int = 0) -> tuple[list[str], np.ndarray, np.ndarray, np.ndarray]:
    """KEYS keys an hour: names, values of different levels and scales, times; and the step of each row."""
    rng = np.random.default_rng(seed)
    values = 10.0 * np.arange(KEYS) + (1.0 + np.arange(KEYS)) * rng.normal(size=(steps, KEYS))
    step = np.arange(steps).repeat(KEYS)
    return [f"k{i}" for i in range(KEYS)] * steps, values.ravel(), step * HOUR, step


def fed(policy: mg.EventPolicy, fleet: mg.Fleet, *columns: object) -> tuple[mg.Verdicts, np.ndarray]:
    """Everything in one batch."""
    judged = policy.update(fleet, *columns)
    return judged.verdicts, judged.against


def test_a_known_event_is_judged_by_past_ones_and_does_not_enter_the_baseline() -> None:
    keys, values, times, step = panel(600)
    sales = [(100, 200), (300, 400), (500, 600)]
    inside = np.zeros(len(step), bool)
    for start, stop in sales:
        inside |= (step >= start) & (step < stop)
    calendar = mg.Calendar([("sale", start * HOUR, stop * HOUR) for start, stop in sales])
    values[inside] += 500.0
    odd = np.flatnonzero(step == 550)[3]
    values[odd] -= 500.0
    fleet = mg.Fleet()
    table, against = fed(mg.EventPolicy(calendar), fleet, keys, values, times)
    assert (against == "sale").tolist() == inside.tolist()
    assert table[int(odd)].key == "k3@sale"
    assert table[int(odd)].kind == mg.Kind.ANOMALY, "an ordinary value inside a sale is what is odd"
    third = inside & (step >= 500)
    assert np.mean(table["kind"][third] == mg.Kind.ANOMALY) < 0.01
    plain = mg.Fleet().update(np.array(keys)[~inside], values[~inside], times[~inside])
    for name in FIELDS:
        np.testing.assert_array_equal(table[~inside][name], plain[name], err_msg=name)


def test_the_whole_fleet_moving_is_judged_by_the_peers() -> None:
    keys, values, times, step = panel(400)
    moved = (step >= 300) & (step < 330)
    values[moved] += 8.0 * (1.0 + np.arange(len(step)) % KEYS)[moved]
    odd = np.flatnonzero(step == 320)[5]
    values[odd] -= 8.0 * 6.0  # this key does not go with the others
    alone = mg.Fleet().update(keys, values, times)
    table, against = fed(mg.EventPolicy(peers=8), mg.Fleet(), keys, values, times)
    assert (against == "peers").tolist() == moved.tolist()
    assert np.mean(alone["kind"][step == 300] == mg.Kind.ANOMALY) > 0.8
    others = moved & (np.arange(len(step)) != odd)
    assert np.mean(table["kind"][others] == mg.Kind.ANOMALY) < 0.05
    assert table[int(odd)].kind == mg.Kind.ANOMALY
    inside = (table["value"] >= table["lower"]) & (table["value"] <= table["upper"])
    assert np.mean(inside[others]) > 0.9, "the band moves with the fleet"
    assert np.mean(table["kind"][step >= 330] == mg.Kind.ANOMALY) < 0.01
    np.testing.assert_array_equal(table["value"], values)


def test_few_peers_or_quiet_ones_change_nothing() -> None:
    keys, values, times, _ = panel(200, seed=2)
    plain = mg.Fleet().update(keys, values, times)
    for peers in (None, 8, KEYS + 1):
        table, against = fed(mg.EventPolicy(peers=peers), mg.Fleet(), keys, values, times)
        assert not any(against)
        for name in FIELDS:
            np.testing.assert_array_equal(table[name], plain[name], err_msg=name)


def test_a_signalled_event_lasts_until_it_is_finished() -> None:
    policy, fleet = mg.EventPolicy(), mg.Fleet(keys=int)
    times = np.arange(10) * HOUR
    policy.signal("deploy", times[3])
    assert fed(policy, fleet, [7] * 10, np.zeros(10), times)[1].tolist() == [None] * 3 + ["deploy"] * 7
    policy.finish("deploy", times[5])
    policy.signal("deploy", times[8], times[9])
    table, against = fed(policy, fleet, [7] * 10, np.zeros(10), times)
    assert against.tolist() == [None] * 3 + ["deploy"] * 2 + [None] * 3 + ["deploy", None]
    assert table["key"].tolist()[2:4] == [7, "7@deploy"]
    with pytest.raises(mg.ParameterError, match="running"):
        policy.finish("deploy", times[9])


def test_rows_without_a_time_fall_into_no_event() -> None:
    policy = mg.EventPolicy(mg.Calendar([("sale", 0, 10 * HOUR)]))
    assert not any(fed(policy, mg.Fleet(), ["a", "b"], [1.0, 2.0], None)[1])
    against = fed(policy, mg.Fleet(), ["a", "b"], [1.0, 2.0], np.array([HOUR, "NaT"], "datetime64[ns]"))[1]
    assert against.tolist() == ["sale", None]
    assert len(policy.update(mg.Fleet(), [], [], None).verdicts) == 0


def test_saved_and_loaded_it_goes_on_as_if_never_stopped(tmp_path: Path) -> None:
    keys, values, times, step = panel(400, seed=3)
    values[(step >= 350) & (step < 360)] += 1000.0
    calendar = mg.Calendar([("sale", 100 * HOUR, 220 * HOUR), ("sale", 300 * HOUR, 320 * HOUR)])
    whole, whole_against = fed(mg.EventPolicy(calendar, peers=5), mg.Fleet(), keys, values, times)
    for cut in (50, 210):
        first, fleet, rows = mg.EventPolicy(calendar, peers=5), mg.Fleet(), step < cut
        first.signal("deploy", 10**18)
        first.update(fleet, np.array(keys, object)[rows], values[rows], times[rows])
        first.save(tmp_path / "policy")
        again = mg.EventPolicy.load(tmp_path / "policy")
        table, against = fed(again, fleet, np.array(keys, object)[~rows], values[~rows], times[~rows])
        assert against.tolist() == whole_against[~rows].tolist()
        for name in FIELDS:
            np.testing.assert_array_equal(table[name], whole[~rows][name], err_msg=name)
        again.finish("deploy", 2 * 10**18)


def test_what_is_no_policy_is_refused(tmp_path: Path) -> None:
    mg.Fleet().save(tmp_path / "fleet")
    with pytest.raises(mg.SnapshotError, match="not a policy"):
        mg.EventPolicy.load(tmp_path / "fleet")
    with pytest.raises(mg.ParameterError, match="peers"):
        mg.EventPolicy(peers=2)
    with pytest.raises(mg.ParameterError, match="values"):
        mg.EventPolicy().update(mg.Fleet(), ["a"], [1.0, 2.0], None)
