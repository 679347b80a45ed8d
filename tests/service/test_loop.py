"""The loop beside a service: its events become a graph, what people said of its alerts labels of events."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
from starlette.testclient import TestClient

from marigram.bridge.loop.loop import Loop
from marigram.bridge.loop.servicelog import labels_of_service, schema_of_service

START = 1_700_000_000


def body(rows: range) -> bytes:
    rng = np.random.default_rng(rows.start)
    noise = rng.normal(size=(len(rows), 2))
    lines = []
    for i in rows:
        for host in (0, 1):
            value = 90.0 if i == 400 and host == 0 else 20 + float(noise[i - rows.start, host])
            lines.append(
                {"time": START + 60 * i, "host": f"web-{host}", "metric": "cpu|load", "value": value}
            )
    return b"\n".join(map(msgspec.json.encode, lines))


def test_a_loop_takes_what_a_service_judged_and_what_people_said(
    serving: Callable[..., TestClient], tmp_path: Path
) -> None:
    client = serving()
    sent = client.post(
        "/v1/events", content=body(range(420)), headers={"Content-Type": "application/x-ndjson"}
    )
    assert sent.status_code == 200, sent.text
    alert = next(one for one in client.get("/v1/alerts").json()["alerts"] if one["key"].startswith("web-0"))
    assert client.post(f"/v1/alerts/{alert['id']}/label", json={"label": "true"}).status_code == 200
    schema = schema_of_service(tmp_path / "state")
    assert list(schema.entities) == ["host", "metric"]
    loop = Loop.begin(tmp_path / "loop", schema)
    assert loop.take_service(tmp_path / "state") == (840, 1)
    assert loop.take_service(tmp_path / "state") == (0, 0)
    moment = loop.moment()
    (label,) = labels_of_service(tmp_path / "state")
    row = loop.row_of(label.subject)
    assert row is not None
    assert moment.table["value"][row].as_py() == 90.0
    assert moment.table["metric"][row].as_py() == "cpu|load"
    assert loop.refit().malicious == 1


def test_alerts_carry_what_the_loop_knows_as_of_their_time(
    serving: Callable[..., TestClient], tmp_path: Path
) -> None:
    client = serving()
    client.post("/v1/events", content=body(range(420)), headers={"Content-Type": "application/x-ndjson"})
    whole = client.get("/v1/alerts").json()["alerts"]
    alert = next(one for one in whole if one["key"].startswith("web-0"))
    assert {one["context"] for one in whole} == {None}  # no loop runs yet
    state = tmp_path / "state"
    loop = Loop.begin(state / "loop", schema_of_service(state))
    loop.take_service(state)
    first = client.get(f"/v1/alerts/{alert['id']}").json()["context"]
    assert (first["model_version"], first["label"], first["of"]) == (0, "", 840)
    assert 0 <= first["score"] <= 1
    row = loop.row_of(first["event"])
    assert row is not None
    assert loop.moment().table["value"][row].as_py() == 90.0
    assert first["entities"][0] == {"type": "host", "name": "web-0", "events_before": 400}  # of 419 by now
    assert first["neighbourhood"] == loop.context(row).neighbourhood
    asked = [one.event for one, _ in loop.queue()]
    assert first["asked"] == (asked.index(row) + 1 if row in asked else None)
    assert "context" not in client.post(f"/v1/alerts/{alert['id']}/label", json={"label": "true"}).json()
    loop.take_service(state)
    assert loop.refit().promoted
    again = client.get("/v1/alerts").json()["alerts"]
    told = next(one["context"] for one in again if one["id"] == alert["id"])
    assert (told["model_version"], told["label"], told["asked"]) == (1, "malicious", None)
    assert told["score"] != first["score"]
    assert told["neighbourhood"] == first["neighbourhood"]
    assert all("context" not in one for one in client.get("/v1/alerts?context=false").json()["alerts"])
    answers = client.get("/v1/openapi.json").json()["paths"]["/v1/alerts"]["get"]["responses"]["200"][
        "content"
    ]
    properties = answers["application/json"]["schema"]["properties"]["alerts"]["items"]["properties"]
    described = next(one for one in properties["context"]["anyOf"] if one["type"] == "object")
    assert described["properties"].keys() == first.keys()
