"""What people do to alerts, and what then is and is not sent."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.service.alerts.scenes import SECOND, START, Scene, silent, told

import marigram as mg
from marigram.errors import ParameterError
from marigram.fleet.feedback import Effect, Label
from marigram.kinds import Kind
from marigram.service.alerts import Team, actions, silences
from marigram.service.alerts.actions import silence_of
from marigram.service.alerts.desk import ConflictError, UnknownError


def heard(key: str, seq: int, label: Label) -> Effect:
    return Effect(key, seq, Kind.ANOMALY, label, 3.0, 4.0)


def opened(letters: str = "A") -> Scene:
    scene = Scene()
    scene.follow(told(letters))
    return scene


def test_an_acknowledged_alert_is_not_raised_but_closed_and_turned() -> None:
    scene = opened()
    alert = actions.acknowledge(scene.book, scene.connection, scene.alert.id, "ann")
    assert (alert.status, alert.acknowledged_by) == ("acknowledged", "ann")
    scene.follow(told("B...", start=1))
    assert (scene.sent, scene.kept_back) == (["opened", "closed"], [("raised", "acknowledged")])
    with pytest.raises(ConflictError):
        actions.acknowledge(scene.book, scene.connection, alert.id, "ann")


def test_a_snoozed_alert_is_told_again_when_it_is_still_open() -> None:
    scene = opened()
    actions.snooze(scene.book, scene.connection, scene.alert.id, 600, scene.now)
    scene.follow(told("B", start=1))
    scene.tick(599)
    assert (scene.alert.status, scene.sent, scene.kept_back) == (
        "snoozed",
        ["opened"],
        [("raised", "snoozed")],
    )
    scene.restart()
    scene.tick(1)
    assert (scene.alert.status, scene.sent) == ("open", ["opened", "reminder"])
    scene.tick(3600)
    assert scene.sent == ["opened", "reminder"]


def test_a_snoozed_alert_that_closed_is_not_told_again() -> None:
    scene = opened()
    actions.snooze(scene.book, scene.connection, scene.alert.id, 600, scene.now)
    scene.follow(told("...", start=1))
    scene.tick(601)
    assert scene.sent == ["opened", "closed"]


@pytest.mark.parametrize("seconds", [0.0, -1.0, 40 * 86_400.0, float("nan")])
def test_a_snooze_has_a_length(seconds: float) -> None:
    scene = opened()
    with pytest.raises(ParameterError, match="snooze"):
        actions.snooze(scene.book, scene.connection, scene.alert.id, seconds, scene.now)


def test_a_silence_mutes_delivery_alone_and_says_what_it_would_have_sent() -> None:
    scene = Scene()
    quiet = silence_of({"key": "web-*"}, START, START + 3600 * SECOND, "ann", "deploy", "s1")
    actions.silence(scene.book, scene.connection, quiet)
    scene.follow(told("AB...", key="web-1"), told("A", key="web-2"), told("A", key="db-1"))
    assert {alert.key: alert.status for alert in scene.alerts} == {
        "web-1": "closed",
        "web-2": "open",
        "db-1": "open",
    }
    assert scene.sent == ["opened"]
    ((found, muted),) = silences.listed(scene.connection)
    assert (found, muted) == (quiet, 4)


@given(st.text("....aAABunD", max_size=40), st.text("....aAABud", max_size=40), st.booleans())
@settings(max_examples=80)
def test_a_silence_says_exactly_what_would_have_been_sent(first: str, second: str, budgeted: bool) -> None:
    teams = (Team(name="all", budget=2, per="hour"),) if budgeted else ()
    plain, silent_ = Scene(teams=teams), Scene(teams=teams)
    quiet = silence_of({"key": "*"}, START, START + 60 * SECOND, "ann", "", "s1")
    actions.silence(silent_.book, silent_.connection, quiet)
    for scene in (plain, silent_):
        scene.follow(told(first, key="a", resolves=0), told(second, key="b", resolves=1))

    def listed(scene: Scene, which: str) -> list[tuple[object, ...]]:
        sql = f"SELECT id, what, made FROM alert_outbox WHERE {which} ORDER BY id"  # noqa: S608
        return list(scene.connection.execute(sql))

    # what a drift took back before it was sent would have been sent by who is quick
    assert listed(silent_, "state = 'waiting'") == []
    assert listed(silent_, "state = 'muted'") == listed(plain, "state = 'waiting' OR reason = 'drift'")
    assert listed(silent_, "state = 'held'") == listed(plain, "state = 'held' AND reason <> 'drift'")
    assert [alert.status for alert in silent_.alerts] == [alert.status for alert in plain.alerts]


def test_after_a_silence_what_is_still_open_is_told() -> None:
    scene = Scene()
    actions.silence(
        scene.book, scene.connection, silence_of({"key": "*"}, START, START + 60 * SECOND, "ann", "", "s1")
    )
    scene.follow(told("A...", key="over"), told("A", key="open"))
    scene.restart()
    scene.tick(60)
    assert scene.sent == ["opened"]
    assert [alert.told for alert in scene.alerts if alert.key == "open"] == [1]


def test_a_silence_can_be_ended_at_once_and_only_once() -> None:
    scene = Scene()
    actions.silence(
        scene.book, scene.connection, silence_of({"key": "*"}, START, START + 60 * SECOND, "ann", "", "s1")
    )
    scene.follow(told("A"))
    actions.end_silence(scene.book, scene.connection, "s1", START + SECOND)
    assert scene.sent == ["opened"]
    with pytest.raises(ConflictError):
        actions.end_silence(scene.book, scene.connection, "s1", START + 2 * SECOND)
    with pytest.raises(UnknownError):
        actions.end_silence(scene.book, scene.connection, "s2", START)


def test_a_silence_that_was_not_needed_to_start_can_be_ended() -> None:
    scene = Scene()
    actions.silence(
        scene.book,
        scene.connection,
        silence_of({"key": "*"}, START + 10 * SECOND, START + 60 * SECOND, "ann", "", "s1"),
    )
    actions.end_silence(scene.book, scene.connection, "s1", START)
    scene.follow(told("A"))
    assert scene.sent == ["opened"]


@pytest.mark.parametrize(
    ("match", "seconds"), [({}, 60), ({"key": "*"}, 0), ({"key": "*"}, -5), ({"key": "*"}, 400 * 86_400)]
)
def test_a_silence_makes_sense(match: dict[str, str], seconds: int) -> None:
    with pytest.raises(ParameterError, match="silence"):
        silence_of(match, START, START + seconds * SECOND, "ann", "", "s1")


def test_expected_closes_recalibrates_and_says_by_how_much() -> None:
    scene, fleet = Scene(), mg.Fleet(keys=str)
    rng = np.random.default_rng(2)
    values = np.append(rng.normal(size=6000), 9.0)
    scene.follow(fleet.update(["a"] * len(values), values)[-1:])
    alert = actions.label(
        scene.book,
        scene.connection,
        scene.alert.id,
        "expected",
        "ann",
        scene.now,
        fleet.feedback,
        "load test",
    )
    assert (alert.status, alert.why_closed) == ("closed", "label")
    word = alert.word
    assert word is not None
    assert word.before is not None
    assert word.after is not None
    assert word.after > word.before
    assert "threshold" in word.effect
    assert scene.sent == ["opened", "closed"]
    band = fleet.update(["a"], [0.0])
    assert band["upper"][0] > fleet.update(["b"], [0.0])["upper"][0] or band["upper"][0] > 4.0


def test_true_keeps_an_alert_open_and_false_closes_it() -> None:
    for said, status in (("true", "open"), ("false", "closed"), ("expected", "closed")):
        scene = opened()
        alert = actions.label(scene.book, scene.connection, scene.alert.id, said, "ann", scene.now, heard)  # type: ignore[arg-type]
        assert (alert.status, alert.word.label if alert.word else "") == (status, said)


def test_what_was_called_expected_stays_closed_for_its_episode() -> None:
    scene = opened()
    actions.label(scene.book, scene.connection, scene.alert.id, "expected", "ann", scene.now, heard)
    scene.follow(told("B", start=1))
    assert (scene.alert.status, scene.sent) == ("closed", ["opened", "closed"])


def test_a_word_on_what_cannot_be_learned_is_noted() -> None:
    def forgotten(key: str, seq: int, label: Label) -> Effect:
        raise ParameterError("no flagged verdict 0 of 'web-7' is remembered")

    scene = opened()
    alert = actions.label(scene.book, scene.connection, scene.alert.id, "false", "ann", scene.now, forgotten)
    assert alert.word is not None
    assert "nothing was learned" in alert.word.effect
    quiet = Scene()
    quiet.follow(silent())
    alert = actions.label(
        quiet.book, quiet.connection, quiet.alert.id, "expected", "ann", quiet.now, forgotten
    )
    assert alert.word is not None
    assert "no data" in alert.word.effect


def test_the_word_is_about_the_most_severe_event_that_was_flagged() -> None:
    scene = opened("aA.Ba")
    said = []

    def listen(key: str, seq: int, label: Label) -> Effect:
        said.append((key, seq, label))
        return heard(key, seq, label)

    actions.label(scene.book, scene.connection, scene.alert.id, "expected", "ann", scene.now, listen)
    assert said == [("web-7", 3, "expected")]


def test_closing_by_hand_and_what_is_unknown() -> None:
    scene = opened()
    assert actions.close(scene.book, scene.connection, scene.alert.id, scene.now).why_closed == "hand"
    for act in (
        lambda: actions.close(scene.book, scene.connection, "nothing", scene.now),
        lambda: actions.acknowledge(scene.book, scene.connection, "nothing", "ann"),
        lambda: actions.retry(scene.connection, "nothing", scene.now),
    ):
        with pytest.raises(UnknownError):
            act()
