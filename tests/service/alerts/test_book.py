"""The life of alerts: one an episode, told once, closed when the key is calm, and the same at any cut."""

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.service.alerts.scenes import HOOK, SECOND, START, Scene, silent, told

import marigram as mg
from marigram.kinds import Kind
from marigram.service.alerts import Team
from marigram.service.alerts.alert import alert_id
from marigram.verdicts import Verdicts


def test_an_episode_is_one_alert_told_once_and_closed_after_three_calm_events() -> None:
    scene = Scene()
    scene.follow(told("..Aau..a.."))
    assert (scene.alert.status, scene.alert.events, scene.alert.calm, scene.sent) == (
        "open",
        4,
        2,
        ["opened"],
    )
    scene.follow(told(".", start=10))
    assert (scene.alert.status, scene.alert.why_closed, scene.sent) == (
        "closed",
        "normal",
        ["opened", "closed"],
    )
    assert scene.alert.closed == START + 10 * 60 * SECOND
    scene.follow(told("aa...", start=11))  # the same episode, no more severe
    assert (len(scene.alerts), scene.sent) == (1, ["opened", "closed"])


def test_a_more_severe_notice_raises_and_reopens_the_same_alert() -> None:
    scene = Scene()
    scene.follow(told("AB"))
    assert (scene.alert.severity, scene.alert.peak_seq, scene.sent) == (7.0, 1, ["opened", "raised"])
    scene.follow(told("...B", start=2))
    assert (scene.alert.status, scene.alert.closed) == ("open", None)
    assert scene.sent == ["opened", "raised", "closed", "raised"]


def test_missing_and_rejected_events_are_neither_calm_nor_alarming() -> None:
    scene = Scene()
    scene.follow(told("A.mr.m."))
    assert scene.alert.status == "closed"
    assert scene.alert.events == 1


def test_late_events_do_not_close() -> None:
    scene = Scene()
    scene.follow(told("A"))
    calm = told("...", start=1)
    columns = {
        name: calm[name] for name in ("value", "kind", "key", "seq", "time", "episode", "severity", "notice")
    }
    scene.follow(Verdicts(**columns, late=np.ones(3, bool)))
    assert scene.alert.calm == 0


def test_an_unusual_event_within_the_band_is_an_alert_of_its_kind() -> None:
    scene = Scene()
    scene.follow(told("n"))
    assert (scene.alert.kind, scene.alert.flagged_seq) == ("unusual", None)


def test_a_drift_takes_its_beginning_back_and_is_told_once() -> None:
    scene = Scene()
    scene.follow(told("Auud", resolves=0))
    assert (scene.alert.kind, scene.alert.status, scene.alert.events) == ("drift", "open", 4)
    assert (scene.sent, scene.kept_back) == (
        ["drift"],
        [("opened", "drift")],
    )  # what was not sent yet never is
    scene.follow(told("....", start=4))
    assert scene.sent == ["drift", "closed"]


def test_what_was_sent_already_is_followed_by_the_drift_under_the_same_id() -> None:
    scene = Scene()
    scene.follow(told("A"))
    scene.connection.execute("UPDATE alert_outbox SET state = 'sent', finished = 0")
    scene.follow(told("uud", start=1, resolves=0))
    assert (scene.sent, scene.kept_back, len(scene.alerts)) == (["drift"], [], 1)


def test_a_drift_that_takes_nothing_back_is_an_alert_beside_the_other() -> None:
    scene = Scene()
    scene.follow(told("A.a.ud", resolves=4))
    assert [alert.kind for alert in scene.alerts] == ["anomaly", "drift"]
    assert scene.sent == ["opened", "drift"]


def test_what_is_unusual_after_a_drift_is_another_alert() -> None:
    scene = Scene()
    scene.follow(told("Aud...B...", resolves=0))
    assert [(alert.kind, alert.status) for alert in scene.alerts] == [
        ("drift", "closed"),
        ("anomaly", "closed"),
    ]
    scene.follow(told("B", start=10))
    assert [alert.status for alert in scene.alerts] == ["closed", "open"]


def test_shifts_are_told_once_each() -> None:
    scene = Scene()
    rng = np.random.default_rng(5)
    fleet = mg.Fleet(keys=str)
    shifts, each = 40, 600
    values = np.concatenate([rng.normal(20.0 * (i % 2), 1.0, each) for i in range(shifts)])
    for start in range(0, len(values), 1000):
        rows = values[start : start + 1000]
        scene.follow(fleet.update(["a"] * len(rows), rows))
    drifts = [alert for alert in scene.alerts if alert.kind == "drift"]
    assert abs(len(drifts) - (shifts - 1)) <= 1
    assert len({(alert.id) for alert in drifts}) == len(drifts)
    for alert in drifts:
        sent = scene.connection.execute(
            "SELECT count(*) FROM alert_outbox WHERE alert = ? AND what = 'drift'", (alert.id,)
        )
        assert list(sent) == [(1,)]


def test_silence_of_a_key_is_an_alert_that_the_next_value_closes() -> None:
    scene = Scene()
    scene.follow(silent(now=START + SECOND))
    assert (scene.alert.kind, scene.alert.severity, scene.alert.text) == (
        "missing",
        None,
        "fell silent after 100 events",
    )
    scene.follow(told("m", start=100))
    assert scene.alert.status == "open"
    scene.follow(told(".", start=101))
    assert (scene.alert.status, scene.alert.why_closed, scene.sent) == (
        "closed",
        "spoke",
        ["opened", "closed"],
    )


def test_silences_of_keys_come_from_their_own_cadence() -> None:
    scene, fleet = Scene(), mg.Fleet(keys=str)
    minute, hour = 60 * SECOND, 3600 * SECOND
    often, rarely = START + np.arange(60) * minute, START + np.arange(20) * hour
    scene.follow(
        fleet.update(["often"] * 60, np.ones(60), often), fleet.update(["rarely"] * 20, np.ones(20), rarely)
    )
    scene.follow(fleet.silent(START + 19 * hour + minute))
    assert [alert.key for alert in scene.alerts] == ["often"]
    scene.follow(fleet.silent(START + 19 * hour + 2 * minute))
    assert len(scene.alerts) == 1


def test_no_data_can_be_turned_off() -> None:
    scene = Scene(no_data=False)
    scene.follow(silent())
    assert scene.alerts == []


def test_a_new_episode_ends_an_old_one_that_never_became_calm() -> None:
    scene = Scene()
    scene.follow(told("A"), told("A", start=900, episodes=2))
    assert [(alert.status, alert.why_closed) for alert in scene.alerts] == [
        ("closed", "superseded"),
        ("open", None),
    ]


def test_labels_of_the_key_decide_group_and_team() -> None:
    teams = (Team(name="web", match={"service": "we?"}), Team(name="rest"))
    scene = Scene(pattern=r"(?P<service>[a-z]+)-\d+", group_by=("service", "team"), teams=teams)
    scene.follow(told("A"), told("A", key='up{service="db"}'))
    found = {alert.key: (alert.team, alert.group) for alert in scene.alerts}
    assert found == {
        "web-7": ("web", "service=web, team=web"),
        'up{service="db"}': ("rest", "service=db, team=rest"),
    }


def test_a_budget_holds_and_what_was_never_told_is_not_closed_either() -> None:
    scene = Scene(teams=(Team(name="all", budget=2, per="day"),))
    for number in range(40):
        scene.follow(told("A...", key=f"k{number}", start=number))
    assert len(scene.alerts) == 40
    assert scene.sent.count("opened") <= 2
    assert scene.sent.count("closed") == scene.sent.count("opened")
    assert set(scene.kept_back) == {("opened", "budget")}


def test_a_budget_goes_on_after_a_restart_as_if_there_had_been_none() -> None:
    def run(restart: bool) -> list[tuple[object, ...]]:
        scene = Scene(teams=(Team(name="all", budget=3, per="hour"),))
        for number in range(30):
            scene.follow(told("A...", key=f"k{number}", start=10 * number))
            if restart:
                scene.restart()
        return scene.dump()

    assert run(True) == run(False)


@given(
    st.text("....aAABunDdmrl", max_size=60),
    st.lists(st.integers(0, 60), max_size=8),
    st.sets(st.integers(0, 60), max_size=8),
    st.booleans(),
)
@settings(max_examples=150)
def test_any_cut_into_batches_gives_the_same_rows(
    letters: str, cuts: list[int], resolved: set[int], timed: bool
) -> None:
    resolves = min(resolved, default=None)
    table = told(letters, resolves=resolves, timed=timed, episodes=[1 + i // 25 for i in range(len(letters))])
    team = (Team(name="all", budget=3, per="hour"),)
    whole, parts = Scene(teams=team), Scene(teams=team)
    whole.follow(table)
    ends = [0, *sorted(cut for cut in cuts if cut < len(letters)), len(letters)]
    for start, stop in pairwise(ends):
        parts.follow(table[start:stop])
        parts.restart()
    assert whole.dump() == parts.dump()


@given(st.permutations(["a", "b", "c"] * 8), st.text("..aABu", min_size=24, max_size=24))
@settings(max_examples=50)
def test_keys_do_not_influence_each_other(order: list[str], letters: str) -> None:
    together, apart = Scene(), Scene()
    rows = {key: told("".join(letters[i] for i in range(24) if order[i] == key), key=key) for key in "abc"}
    at = dict.fromkeys("abc", 0)
    for key in order:
        together.follow(rows[key][at[key] : at[key] + 1])
        at[key] += 1
    for table in rows.values():
        apart.follow(table)
    assert together.dump() == apart.dump()


def test_after_a_rollback_memory_is_what_the_tables_say() -> None:
    scene = Scene()
    scene.follow(told("A"))
    before = scene.dump()
    scene.connection.execute("BEGIN")
    scene.follow(told("...", start=1))
    scene.connection.execute("ROLLBACK")
    scene.book.reload(scene.connection)
    assert scene.dump() == before
    scene.follow(told("...", start=1))
    assert scene.alert.status == "closed"


def test_what_is_old_is_forgotten_but_not_what_has_a_label_or_is_open() -> None:
    scene = Scene(keep_days=1.0)
    scene.follow(told("A...", key="old"), told("A", key="open"))
    scene.tick(3 * 86_400)
    assert len(scene.alerts) == 2  # history that was sent today is not old: nothing newer is known
    scene.follow(told("A...", key="new", start=2 * 1440))
    scene.tick(3600)
    assert [alert.key for alert in scene.alerts] == ["open", "new"]


def test_keys_that_are_numbers_or_absent_have_alerts_too() -> None:
    scene = Scene()
    scene.follow(
        Verdicts(value=[1.0], kind=[Kind.ANOMALY], severity=[4.0], notice=[True], key=[7], episode=[1])
    )
    scene.follow(Verdicts(value=[1.0], kind=[Kind.ANOMALY], severity=[4.0], notice=[True], episode=[1]))
    calm = {"value": [1.0] * 3, "kind": [Kind.NORMAL] * 3, "severity": [0.0] * 3, "episode": [1] * 3}
    scene.follow(Verdicts(**calm, key=[7] * 3), Verdicts(**calm))
    assert {alert.key: alert.status for alert in scene.alerts} == {"7": "closed", "": "closed"}
    assert {alert.id for alert in scene.alerts} == {alert_id("7", 1), alert_id("", 1)}


def test_a_channel_gets_what_it_asked_for() -> None:
    from msgspec.structs import replace

    grave = replace(HOOK, name="grave", when=("raised",))
    other = replace(HOOK, name="other", match={"key": "db-*"})
    scene = Scene(channels=(HOOK, grave, other))
    scene.follow(told("AB"))
    rows = scene.connection.execute("SELECT channel, what FROM alert_outbox ORDER BY id")
    assert sorted(rows) == [("grave", "raised"), ("hook", "opened"), ("hook", "raised")]
