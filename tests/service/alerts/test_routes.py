"""The routes: lists, pages, actions, silences, exports; and nonsense is answered, not a crash."""

import json

import numpy as np
import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.service.alerts.scenes import told
from tests.service.alerts.site import MemoryDesk, site

EVIL = "<img src=x onerror=alert(1)>\"'&"


@pytest.fixture
def desk() -> MemoryDesk:
    desk = MemoryDesk()
    for number in range(5):
        desk.scene.follow(told("A", key=f"web-{number}", start=number))
    desk.scene.follow(told("Aud", key="db-1", resolves=0, start=20))
    return desk


@pytest.fixture
def client(desk: MemoryDesk) -> TestClient:
    return site(desk)


def keys(client: TestClient, query: str = "") -> list[str]:
    return [alert["key"] for alert in client.get(f"/v1/alerts?{query}").json()["alerts"]]


def test_the_list_is_newest_first_and_filtered(client: TestClient) -> None:
    assert keys(client) == ["db-1", "web-4", "web-3", "web-2", "web-1", "web-0"]
    assert keys(client, "kind=drift") == ["db-1"]
    assert keys(client, "key=b-3") == ["web-3"]
    assert keys(client, "status=closed&status=acknowledged") == []
    assert keys(client, "min_severity=6") == []
    assert keys(client, "since=2023-11-14T22:16:20Z&until=2023-11-14T22:17:20Z") == ["web-3"]
    assert keys(client, "label=none&team=") == keys(client)


def test_pages_follow_each_other_without_loss(client: TestClient) -> None:
    found, after = [], ""
    for _ in range(10):
        page = client.get(f"/v1/alerts?limit=2{after}").json()
        found += [alert["key"] for alert in page["alerts"]]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert found == keys(client)


def test_one_alert_is_acknowledged_snoozed_labelled_and_closed(client: TestClient, desk: MemoryDesk) -> None:
    ids = [alert["id"] for alert in client.get("/v1/alerts?key=web").json()["alerts"]]
    assert client.post(f"/v1/alerts/{ids[0]}/acknowledge").json()["acknowledged_by"] == "ann"
    assert client.post(f"/v1/alerts/{ids[1]}/snooze", json={"seconds": 60}).json()["status"] == "snoozed"
    assert client.post(f"/v1/alerts/{ids[2]}/close").json()["why_closed"] == "hand"
    word = client.post(f"/v1/alerts/{ids[3]}/label", json={"label": "false", "note": "test"}).json()
    assert (word["status"], word["word"]["note"]) == ("closed", "test")
    assert [action for _, action, _ in desk.audit] == [
        "alert.acknowledge",
        "alert.snooze",
        "alert.close",
        "alert.label",
    ]
    assert client.get(f"/v1/alerts/{ids[2]}").json()["status"] == "closed"
    assert client.post(f"/v1/alerts/{ids[2]}/close").status_code == 409


def test_expected_says_by_how_much() -> None:
    desk = MemoryDesk()
    desk.feed("a", np.append(np.random.default_rng(2).normal(size=6000), 9.0))
    client = site(desk)
    (alert,) = client.get("/v1/alerts?status=open&kind=anomaly").json()["alerts"]
    word = client.post(f"/v1/alerts/{alert['id']}/label", json={"label": "expected"}).json()["word"]
    assert word["after"] > word["before"] > 0
    assert f"{word['before']:.3g} -> {word['after']:.3g}" in word["effect"]


def test_many_are_done_at_once_and_the_others_named(client: TestClient) -> None:
    ids = [alert["id"] for alert in client.get("/v1/alerts").json()["alerts"]]
    client.post(f"/v1/alerts/{ids[0]}/close")
    answer = client.post("/v1/alerts/bulk", json={"ids": [*ids, "nothing"], "action": "close"}).json()
    assert {alert["id"] for alert in answer["done"]} == set(ids[1:])
    assert set(answer["left"]) == {ids[0], "nothing"}


def test_a_silence_is_begun_listed_and_ended(client: TestClient, desk: MemoryDesk) -> None:
    begun = client.post("/v1/silences", json={"match": {"key": "x-*"}, "seconds": 60, "comment": "c"}).json()
    desk.scene.follow(told("A", key="x-1"), told("A", key="x-2"))
    (listed,) = client.get("/v1/silences").json()
    assert (listed["id"], listed["muted"], listed["active"]) == (begun["id"], 2, True)
    assert len(client.get(f"/v1/silences/{begun['id']}/muted").json()) == 2
    assert client.delete(f"/v1/silences/{begun['id']}").json()["active"] is False
    assert client.delete(f"/v1/silences/{begun['id']}").status_code == 409
    assert client.delete("/v1/silences/s99").status_code == 404


@pytest.mark.parametrize(
    ("form", "media"),
    [("csv", "text/csv"), ("jsonl", "application/x-ndjson"), ("parquet", "application/vnd")],
)
def test_labels_are_exported(client: TestClient, form: str, media: str) -> None:
    (first, *_) = client.get("/v1/alerts").json()["alerts"]
    client.post(f"/v1/alerts/{first['id']}/label", json={"label": "true"})
    answer = client.get(f"/v1/labels?format={form}")
    assert answer.headers["content-type"].startswith(media)
    assert answer.headers["content-disposition"] == f'attachment; filename="labels.{form}"'
    assert b"db-1" in answer.content


def test_an_alert_goes_out_as_one_page_that_asks_for_nothing() -> None:
    desk = MemoryDesk()
    desk.feed(EVIL, np.append(np.random.default_rng(2).normal(size=600), 30.0))
    client = site(desk)
    (alert, *_) = client.get("/v1/alerts?kind=anomaly").json()["alerts"]
    answer = client.get(f"/v1/alerts/{alert['id']}/page")
    text = answer.text
    assert "attachment" in answer.headers["content-disposition"]
    assert "<img" not in text
    assert "onerror=alert(1)&gt;" in text
    assert "<svg" in text
    assert "would be normal" in text
    assert not [word for word in ("http://", "https://", "<script", "<link", "@import") if word in text.replace(
        "http://www.w3.org/2000/svg", "")]  # fmt: skip


def test_the_outbox_is_listed_and_dead_letters_are_revived(client: TestClient, desk: MemoryDesk) -> None:
    desk.scene.connection.execute(
        "UPDATE alert_outbox SET state = 'dead', envelope = id, reason = 'answered 500'"
    )
    dead = client.get("/v1/outbox?state=dead").json()
    assert dead[0]["reason"] == "answered 500"
    assert client.post(f"/v1/outbox/{dead[0]['id']}/retry").status_code == 204
    assert client.post(f"/v1/outbox/{dead[0]['id']}/retry").status_code == 404
    assert len(client.get("/v1/outbox?state=waiting").json()) == 1


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/v1/alerts/nothing", None, 404),
        ("GET", "/v1/alerts/nothing/page", None, 404),
        ("POST", "/v1/alerts/nothing/acknowledge", None, 404),
        ("POST", "/v1/alerts/nothing/label", b'{"label":"maybe"}', 422),
        ("POST", "/v1/alerts/nothing/snooze", b'{"seconds":-1}', 422),
        ("POST", "/v1/alerts/nothing/snooze", b'{"seconds":1e999}', 422),
        ("POST", "/v1/alerts/nothing/snooze", b'{"seconds":NaN}', 422),
        ("POST", "/v1/alerts/bulk", b"", 422),
        ("POST", "/v1/alerts/bulk", b"\xff", 422),
        ("POST", "/v1/alerts/bulk", b'{"ids":[],"action":"close"}', 422),
        ("POST", "/v1/alerts/bulk", b'{"ids":["\\ud800"],"action":"close"}', 422),
        ("POST", "/v1/alerts/bulk", b"[" * 100_000, 422),
        ("POST", "/v1/alerts/bulk", b" " * ((1 << 20) + 1), 413),
        ("POST", "/v1/silences", b'{"match":{},"seconds":60}', 422),
        ("POST", "/v1/silences", b'{"match":{"a":"*"},"seconds":1e9}', 422),
        ("POST", "/v1/silences", b'{"match":{"a":"*"},"seconds":60,"extra":1}', 422),
        ("GET", "/v1/alerts?limit=0", None, 422),
        ("GET", "/v1/alerts?min_severity=nan", None, 422),
        ("GET", "/v1/alerts?after=x", None, 422),
        ("GET", "/v1/alerts?after=99999999999999999999.a", None, 422),
        ("GET", "/v1/alerts?since=9999-12-31T23:59:59Z", None, 200),
        ("GET", "/v1/alerts?since=0001-01-01T00:00:00Z", None, 200),
        ("GET", "/v1/alerts?key=%00%ff%F0%9F", None, 200),
        ("GET", "/v1/labels?format=xls", None, 422),
    ],
)
def test_nonsense_is_answered(
    client: TestClient, method: str, path: str, body: bytes | None, status: int
) -> None:
    assert client.request(method, path, content=body).status_code == status


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "ids": st.lists(st.sampled_from(["", "x", "\0"]) | st.text(max_size=70), max_size=4),
        "action": st.sampled_from(["acknowledge", "snooze", "label", "close"]),
        "label": st.sampled_from(["true", "false", "expected", "maybe"]),
        "seconds": st.floats(),
        "delay": st.floats(),
        "note": st.text(max_size=30),
        "match": st.dictionaries(st.text(max_size=8), st.text("[]*?!-a\\", max_size=12), max_size=3),
        "comment": st.text(max_size=30),
    },
)
PLACES = ["bulk", "{}/acknowledge", "{}/snooze", "{}/label", "{}/close"]


@given(st.sampled_from(PLACES), JSON | FIELDS | st.binary(max_size=40), st.integers(0, 5))
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_body_breaks_a_route(client: TestClient, place: str, body: object, which: int) -> None:
    known = client.get("/v1/alerts").json()["alerts"]
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    for path in (f"/v1/alerts/{place.format(known[which]['id'])}", "/v1/silences"):
        assert client.post(path, content=content).status_code in (200, 404, 409, 422)
    assert len(client.get("/v1/alerts").json()["alerts"]) == len(known)


def test_openapi_has_every_route_with_its_schema(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert len(paths) == 14
    text = json.dumps(paths)
    assert "$defs" not in text
    for path, methods in paths.items():
        for method, told_ in methods.items():
            assert told_["summary"], (path, method)
            answer = told_["responses"].get("200") or told_["responses"]["204"]
            assert "content" in answer or "204" in told_["responses"]
