"""A person's word on a flagged verdict: its effect is stated, happens once, and reaches that key alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from marigram.errors import ParameterError, SnapshotError
from marigram.fleet import Fleet
from marigram.fleet import feedback as ring
from marigram.fleet.feedback import Effect, Flagged
from marigram.kinds import Kind

from .streams import same, stream


def judged(**named: Any) -> tuple[Fleet, int]:
    """A fleet with an anomaly of key a, and its seq."""
    fleet = Fleet(**named)
    values = np.random.default_rng(0).normal(size=4000)
    values[3000] = 9.0
    keys = np.array(["a", "b"], object)[np.arange(4000) % 2]
    table = fleet.update(keys, values)
    assert table[3000].kind is Kind.ANOMALY
    return fleet, table[3000].seq


@pytest.mark.parametrize("label", ["false", "expected"])
def test_a_false_alarm_raises_the_threshold_once(label: Any) -> None:
    fleet, seq = judged()
    other = fleet.state("b")
    effect = fleet.feedback("a", seq, label)
    assert (effect.key, effect.seq, effect.kind, effect.label) == ("a", seq, Kind.ANOMALY, label)
    assert effect.after > effect.before > 0
    assert f"threshold {effect.before:.3g} -> {effect.after:.3g}" in str(effect)
    again = fleet.feedback("a", seq, label)
    assert again.before == again.after == effect.after
    assert "stays" in str(again)
    assert fleet.state("b") == other


def test_a_true_alarm_changes_nothing_and_may_be_taken_back() -> None:
    fleet, seq = judged()
    before = fleet.state("a")
    assert fleet.feedback("a", seq, "true").after == fleet.feedback("a", seq, "true").before
    assert fleet.state("a") == before
    effect = fleet.feedback("a", seq, "expected")
    assert effect.after > effect.before


def test_a_drift_is_noted_and_nothing_learned() -> None:
    fleet = Fleet()
    values = np.random.default_rng(0).normal(size=2000)
    values[1000:] += 12.0
    table = fleet.update(["a"] * 2000, values)
    (drift,) = np.flatnonzero(table["kind"] == Kind.DRIFT)
    before = fleet.state("a")
    effect = fleet.feedback("a", table[int(drift)].seq, "false")
    assert (effect.kind, effect.before) == (Kind.DRIFT, effect.after)
    assert fleet.state("a") == before


@pytest.mark.parametrize(
    ("key", "seq", "label", "reason"),
    [
        ("c", 1500, "true", "no key 'c' is known"),
        (3, 1500, "true", "keys=str was promised"),
        ("a", 1, "true", "no flagged verdict 1 of 'a'"),
        ("b", 1500, "true", "no flagged verdict 1500 of 'b'"),
        ("a", 1500, "maybe", "a label is one of true, false, expected"),
    ],
)
def test_what_cannot_be_spoken_of(key: Any, seq: int, label: Any, reason: str) -> None:
    fleet, flagged = judged()
    assert flagged == 1500
    with pytest.raises(ParameterError, match=reason):
        fleet.feedback(key, seq, label)


def test_feedback_survives_a_snapshot_and_reaches_a_key_on_disk(tmp_path: Path) -> None:
    fleet, seq = judged()
    fleet.save(tmp_path / "fleet")
    again, capped = Fleet.load(tmp_path / "fleet"), Fleet.load(tmp_path / "fleet", memory="30 kB")
    keys, values, _ = stream(0, rows=500, keys=60)
    for each in (fleet, again, capped):
        each.update(keys, values)
    assert capped.stats()["on_disk"] > 20
    effects = [each.feedback("a", seq, "false") for each in (fleet, again, capped)]
    assert effects[0] == effects[1] == effects[2]
    tables = [each.update(["a"] * 50, np.arange(50.0)) for each in (fleet, again, capped)]
    assert same(tables[0], tables[1])
    assert same(tables[0], tables[2])
    capped.save(tmp_path / "labelled")
    assert Fleet.load(tmp_path / "labelled").feedback("a", seq, "false").after == effects[0].after


def test_the_ring_keeps_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ring, "MOST_ROWS", 100)
    flagged = Flagged(2)
    for start in range(0, 1000, 30):
        flagged.note(*rows(np.arange(start, start + 30)))
        held = flagged.rows()["number"].tolist()
        assert held == list(range(max(0, start + 30 - 100), start + 30))
        assert len(flagged) == len(held)
    assert flagged.find(950, 1950)["value"].tolist() == [950.0, 0.0]
    assert flagged.find(5, 1005) is None
    other = Flagged(2)
    other.take(flagged.rows())
    assert other.rows().tobytes() == flagged.rows().tobytes()
    flagged.note(*rows(np.arange(3000, 3500)))
    assert flagged.rows()["number"].tolist() == list(range(3400, 3500))
    with pytest.raises(SnapshotError, match="another layout"):
        Flagged(1).take(flagged.rows())


def rows(numbers: Any) -> tuple[Any, Any, dict[str, Any]]:
    n = len(numbers)
    kind = np.full(n, Kind.ANOMALY, np.uint8)
    columns = {"kind": kind, "seq": numbers + 1000, "p_value": np.zeros(n), "severity": np.zeros(n)}
    wide = np.zeros((n, 2))
    columns |= dict.fromkeys(("expected", "lower", "upper"), wide)
    return numbers, np.column_stack([numbers, np.zeros(n)]), columns


def test_an_effect_reads_as_a_sentence() -> None:
    effect = Effect("web-7", 12, Kind.ANOMALY, "expected", 4.0, 5.25)
    assert str(effect) == "anomaly #12 of web-7 is expected: threshold 4 -> 5.25 scales"
