"""A file that grows: every line once, over restarts and rotations; in the order of time where that is asked for."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.store.streams import told

from marigram import ParameterError
from marigram.service.sources import FileTail, Sources, sources_of
from marigram.store.books import Books

Serving = Callable[..., TestClient]
START = 1_700_000_000


def lines(start: int, stop: int, late: int = 0) -> str:
    """Return events, every tenth of them some places too late."""
    order = sorted(range(start, stop), key=lambda i: i + (late if i % 10 == 0 else 0))
    events = ({"time": START + i, "host": f"web-{i % 3}", "load": (i * 37 % 101) / 10.0} for i in order)
    return "".join(f"{json.dumps(event)}\n" for event in events)


def accepted(client: TestClient, count: int) -> dict[str, Any]:
    until = time.monotonic() + 60
    stats: dict[str, Any] = {}
    while time.monotonic() < until and stats.get("accepted", 0) + stats.get("rejected", 0) < count:
        time.sleep(0.02)
        stats = client.get("/v1/stats").json()
    return stats


def state_of(folder: Path) -> dict[str, str]:
    books = Books(folder, silence=False)
    try:
        return told(books.fleet)
    finally:
        books.close()


def plainly(serving: Serving, folder: Path, text: str) -> dict[str, str]:
    """Return the state of a service that was sent the lines."""
    plain = serving(folder)
    assert plain.post("/v1/events", content=text.encode()).status_code == 200
    plain.__exit__()
    return state_of(folder)


def test_every_line_is_an_event_once_over_restarts_and_rotations(serving: Serving, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    sources = Sources(tail=(FileTail(path=str(path)),))
    client = serving(tmp_path / "s", sources=sources)  # before there is a file
    path.write_text(lines(0, 300))
    assert accepted(client, 300)["accepted"] == 300
    with path.open("a") as file:
        file.write(lines(300, 400) + "{broken\n" + '{"time": ')
    assert accepted(client, 401)["rejected"] == 1
    client.__exit__()
    with path.open("a") as file:
        file.write('1700000400, "host": "web-1", "load": 5.4}\n' + lines(401, 500))
    again = serving(tmp_path / "s", sources=sources)
    accepted(again, 501)
    os.replace(path, tmp_path / "events.jsonl.1")
    path.write_text(lines(500, 700))
    stats = accepted(again, 701)
    assert (stats["accepted"], stats["duplicate"], stats["rejected"]) == (700, 0, 1)
    again.__exit__()
    assert state_of(tmp_path / "s") == plainly(serving, tmp_path / "plain", lines(0, 700))


def test_with_lateness_events_are_judged_in_the_order_of_their_times(
    serving: Serving, tmp_path: Path
) -> None:
    path = tmp_path / "events.jsonl"
    sources = Sources(tail=(FileTail(path=str(path), lateness=20.0),))
    path.write_text(lines(0, 400, late=9))
    client = serving(tmp_path / "s", sources=sources)
    accepted(client, 350)
    client.__exit__()  # some are held back now, and come again
    with path.open("a") as file:
        file.write(lines(400, 800, late=9) + lines(1000, 1001))
    again = serving(tmp_path / "s", sources=sources)
    assert accepted(again, 800)["accepted"] == 800  # the last one waits for what may come before it
    again.__exit__()
    assert state_of(tmp_path / "s") == plainly(serving, tmp_path / "plain", lines(0, 800))


def test_settings_of_a_tail_are_checked() -> None:
    with pytest.raises(ParameterError, match="path"):
        sources_of({"tail": [{"path": ""}]})
    with pytest.raises(ParameterError, match="lateness"):
        sources_of({"tail": [{"path": "x", "lateness": -1.0}]})
    with pytest.raises(ParameterError, match="unknown field"):
        sources_of({"tail": [{"path": "x", "late": 1.0}]})
