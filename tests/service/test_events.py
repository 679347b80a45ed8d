"""`POST /v1/events`: every line is accepted, duplicate or rejected, whatever is sent."""

import gzip
import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from starlette.testclient import TestClient
from tests.service.alerts.scenes import HOOK

from marigram.service.alerts import AlertRules
from marigram.service.limits import Limits

Serving = Callable[..., TestClient]
LINES = "application/x-ndjson"


def rows(count: int, start: int = 0) -> list[dict[str, Any]]:
    rng = np.random.default_rng(start)
    return [
        {"time": f"2026-05-01T{i // 60:02d}:{i % 60:02d}:00Z", "host": f"web-{i % 3}", "load": float(x)}
        for i, x in zip(range(start, start + count), rng.normal(size=count), strict=True)
    ]


def lines(events: list[dict[str, Any]]) -> bytes:
    return "\n".join(map(json.dumps, events)).encode()


def post(client: TestClient, body: bytes, kind: str = LINES, **headers: str) -> Any:
    told = {"Content-Type": kind, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return client.post("/v1/events", content=body, headers=told)


def test_lines_an_array_and_arrow_are_the_same_events(serving: Serving, tmp_path: Any) -> None:
    events = rows(300)
    table = pa.Table.from_pylist(events)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    bodies = {
        LINES: lines(events),
        "application/json": json.dumps(events, indent=1).encode(),
        "application/vnd.apache.arrow.stream": sink.getvalue().to_pybytes(),
    }
    answers = []
    for number, (kind, body) in enumerate(bodies.items()):
        client = serving(tmp_path / str(number))
        assert post(client, body, kind).json() == {"accepted": 300, "duplicate": 0, "rejected": []}
        answers.append(client.get("/v1/keys/web-1").json())
    assert answers[0] == answers[1] == answers[2]
    assert answers[0]["n"] == 100
    assert answers[0]["lower"] < answers[0]["expected"] < answers[0]["upper"]


@pytest.mark.parametrize("packing", ["gzip", "zstd"])
def test_packed_bodies(serving: Serving, packing: str) -> None:
    client, body = serving(), lines(rows(50))
    packed = gzip.compress(body) if packing == "gzip" else pa.compress(body, "zstd", asbytes=True)
    assert post(client, packed, Content_Encoding=packing).json()["accepted"] == 50
    assert post(client, packed[:-9], Content_Encoding=packing).status_code == 400
    assert post(client, body, Content_Encoding="br").status_code == 415


def test_a_bomb_is_refused(serving: Serving) -> None:
    client = serving(limits=Limits(body=1 << 20))
    for body, packing in (
        (gzip.compress(bytes(1 << 26)), "gzip"),
        (pa.compress(bytes(1 << 26), "zstd", asbytes=True), "zstd"),
    ):
        assert len(body) < 1 << 20
        assert post(client, body, Content_Encoding=packing).status_code == 413
    assert post(client, bytes((1 << 20) + 1)).status_code == 413
    table = pa.table({"load": np.zeros(1 << 16)})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(table)
    assert (
        post(client, sink.getvalue().to_pybytes(), "application/vnd.apache.arrow.stream").status_code == 415
    )


def test_each_line_that_cannot_be_used_is_told(serving: Serving) -> None:
    client, good = serving(), rows(4)
    body = b"\n".join(
        [
            lines(good[:2]),
            b"",
            b"{broken",
            b'{"time": "2026-05-01T09:00:00Z", "host": "web-1", "load": "much"}',
            b"\xff\xfe",
            lines(good[2:]),
            b'{"time": "2026-05-01T09:00:00Z", "load": 1}',
            b"[" * 100_000,
        ]
    )
    answer = post(client, body).json()
    assert answer["accepted"] == 4
    assert [one["line"] for one in answer["rejected"]] == [4, 5, 6, 9, 10]
    assert all(one["reason"] for one in answer["rejected"])
    stats = client.get("/v1/stats").json()
    assert (stats["accepted"], stats["rejected"]) == (4, 5)


def test_a_batch_is_counted_once_under_its_name(serving: Serving) -> None:
    client = serving()
    body = lines(rows(10)) + b"\n{broken"
    first = post(client, body, Idempotency_Key="a").json()
    again = post(client, body, Idempotency_Key="a").json()
    assert (first["accepted"], first["duplicate"]) == (10, 0)
    assert (again["accepted"], again["duplicate"]) == (0, 10)
    assert again["rejected"] == first["rejected"]
    assert post(client, lines(rows(10, 10)), Idempotency_Key="a").status_code == 409
    assert post(client, body, Idempotency_Key="x" * 256).status_code == 422
    assert client.get("/v1/stats").json()["accepted"] == 10


def test_too_many_lines_are_refused_and_too_fast_ones_put_off(serving: Serving) -> None:
    client = serving(limits=Limits(lines=100, rate=10.0, burst=1.0))
    assert post(client, lines(rows(101))).status_code == 413
    assert post(client, lines(rows(60))).status_code == 200
    late = post(client, lines(rows(60, 60)))
    assert late.status_code == 429
    assert int(late.headers["retry-after"]) >= 5


def test_nothing_shows_the_columns(serving: Serving) -> None:
    client = serving()
    answer = post(client, b"one\ntwo\n").json()
    assert [one["line"] for one in answer["rejected"]] == [1, 2]
    assert post(client, b"").json() == {"accepted": 0, "duplicate": 0, "rejected": []}
    assert post(client, lines(rows(5))).json()["accepted"] == 5
    other = post(client, b'{"time": "2026-05-01T09:00:00Z", "host": "a", "lead": 1}').json()
    assert (other["accepted"], other["rejected"]) == (1, [])  # an absent value is a missing one


def test_the_schema_outlives_a_restart(serving: Serving, tmp_path: Any) -> None:
    client = serving(tmp_path / "s")
    post(client, lines(rows(20)))
    schema = client.get("/v1/configuration").json()["schema"]
    client.__exit__()
    again = serving(tmp_path / "s")
    assert again.get("/v1/configuration").json()["schema"] == schema
    assert post(again, lines(rows(20, 20))).json()["accepted"] == 20
    assert again.get("/v1/stats").json()["accepted"] == 40


def test_verdicts_keys_and_metrics(serving: Serving) -> None:
    client = serving()
    post(client, lines(rows(300)))
    found = client.get("/v1/verdicts", params={"key": "web-2", "last": 7}).json()
    assert [one["seq"] for one in found] == list(range(93, 100))
    assert {one["key"] for one in client.get("/v1/keys").json()} == {"web-0", "web-1", "web-2"}
    assert client.get("/v1/keys/nobody").status_code == 404
    text = client.get("/metrics").text
    assert 'marigram_events_accepted_total{tenant="default"} 300.0' in text
    assert 'marigram_false_alarm_promised{tenant="default"} 0.001' in text


def test_metrics_say_what_stands_open_and_what_is_on_its_way(serving: Serving) -> None:
    rules = AlertRules(channels=(HOOK,))
    client = serving(alerts=rules, channels=())  # nobody carries what is written down
    noise = np.random.default_rng(3).normal(50.0, 3.0, 1500).tolist()
    assert post(client, lines([{"host": "a", "load": value} for value in [*noise, 500.0]])).status_code == 200
    text = client.get("/metrics").text
    open_alerts = re.findall(
        r'marigram_alerts_open{kind="anomaly",severity="([^"]*)",tenant="default"} 1.0', text
    )
    assert len(open_alerts) == 1
    waiting = len(client.get("/v1/outbox", params={"state": "waiting"}).json())
    assert waiting > 0
    assert f'marigram_outbox{{state="waiting",tenant="default"}} {waiting}.0' in text
    assert 'marigram_outbox{state="retried",tenant="default"} 0.0' in text
    assert 'marigram_outbox{state="dead",tenant="default"} 0.0' in text


def test_a_replay_under_the_same_settings_finds_the_same(serving: Serving) -> None:
    client, events = serving(), rows(900)
    for event in events[700:720]:
        event["load"] += 40.0
    for start in range(0, 900, 100):
        post(client, lines(events[start : start + 100]))
    told = client.post("/v1/replay", json={}).json()
    assert told["now"] == told["then"]
    assert told["events"] == 900
    assert not told["only_now"]
    stats = client.get("/v1/stats").json()
    assert told["now"]["notices"] == stats["notices"] > 0
    stricter = client.post("/v1/replay", json={"detector": {"alpha": 0.05}}).json()
    assert stricter["then"] != told["now"]
    assert client.post("/v1/replay", json={"detector": {"alfa": 0.05}}).status_code == 422


def test_a_rollback_is_done_and_written_down(serving: Serving) -> None:
    client = serving()
    post(client, lines(rows(300)))
    window = {"since": "2026-05-01T01:00:00Z", "until": "2026-05-01T02:00:00Z"}
    assert client.post("/v1/rollback", json=window).json()["key"] is None
    assert client.get("/v1/keys/web-1").json()["n"] == 80
    assert client.get("/v1/audit").json()[0]["action"] == "rollback"
    assert client.get("/v1/audit/head").json()["wrong"] is None
    assert client.post("/v1/rollback", json={**window, "until": "soon"}).status_code == 422


def test_late_events_are_sorted_in_however_they_are_cut(serving: Serving, tmp_path: Any) -> None:
    """In one body or in many, in the order of time or out of it within the lateness: the same verdicts."""
    events = rows(600)
    chance = np.random.default_rng(1)
    late = [events[i] for i in np.argsort(np.arange(600) + 20 * chance.random(600)).tolist()]
    states = []
    for number, (order, size) in enumerate(((events, 600), (late, 600), (late, 7), (late, 50))):
        client = serving(tmp_path / str(number), lateness=20 * 60 * 10**9)
        for start in range(0, 600, size):
            answer = post(client, lines(order[start : start + size])).json()
            assert answer["accepted"] == len(order[start : start + size])
        stats = client.get("/v1/stats").json()
        assert stats["accepted"] == 600
        assert 0 < stats["held"] <= 21
        assert sum(stats["kinds"].values()) + stats["held"] == 600
        assert f'marigram_held_events{{tenant="default"}} {stats["held"]}' in client.get("/metrics").text
        states.append(client.get("/v1/verdicts", params={"key": "web-1", "last": 190}).json()[:180])
        assert client.get("/v1/configuration").json()["lateness"] == 1200.0
    assert states[0] == states[1] == states[2] == states[3]
    assert not any(verdict["late"] for verdict in states[0])


def test_events_without_times_cannot_be_held_back(serving: Serving) -> None:
    client = serving(lateness=10**9)
    answer = post(client, b'{"host": "a", "load": 1.0}')
    assert answer.status_code == 422
    assert "these have none" in answer.json()["detail"]
    assert client.get("/v1/stats").json()["accepted"] == 0


def test_a_replay_waits_as_the_service_did(serving: Serving) -> None:
    events = rows(600)
    late = [events[i ^ 3] for i in range(600)]
    client = serving(lateness=5 * 60 * 10**9)
    for start in range(0, 600, 50):
        post(client, lines(late[start : start + 50]))
    told = client.post("/v1/replay", json={}).json()
    assert told["events"] == 600
    assert told["now"] == told["then"]
    assert told["only_now"] == told["only_then"] == []
    kinds = client.get("/v1/stats").json()["kinds"]
    assert told["now"]["anomaly"] == kinds["anomaly"]
