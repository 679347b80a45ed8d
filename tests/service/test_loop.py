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
