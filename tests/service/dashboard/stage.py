"""The pages over a book in memory, with enough in it to be looked at; ``python -m tests.service.dashboard.stage``
serves it."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import uvicorn
from fastapi import FastAPI
from starlette.requests import HTTPConnection
from tests.service.alerts.scenes import HOOK, SECOND, START
from tests.service.alerts.site import MemoryDesk

from marigram.service.alerts import Team, Visit, actions, alerts_router
from marigram.service.alerts.actions import silence_of
from marigram.service.dashboard import mount

EVIL = '<img src=x onerror="document.title=1">'
WORD = "a token for tests"
HOUR = 3600 * SECOND


@dataclass
class Row:
    key: str
    n: int
    time: int | None


@dataclass
class AuditRow:
    id: int
    at: int
    actor: str
    action: str
    detail: str


class MemoryPanel:
    """A panel over a desk in memory."""

    def __init__(
        self, desk: MemoryDesk, actor: str = "ann", may_operate: bool = True, state: Path | None = None
    ) -> None:
        self.desk, self.actor, self.may_operate = desk, actor, may_operate
        self.state = state

    async def stats(self) -> Mapping[str, Any]:
        events = sum(len(table) for table in self.desk.stored)
        newest = max((int(table["time"].max()) for table in self.desk.stored), default=None)
        return {
            "accepted": events,
            "rejected": 3,
            "dropped": 0,
            "keys": len(self.desk.fleet),
            "lag_seconds": 0.04,
        } | ({} if newest is None else {"newest": newest})

    async def keys(self, limit: int = 200, search: str = "") -> Sequence[Row]:
        names = [key for key in self.desk.fleet.keys().tolist() if search in key]
        states = [self.desk.fleet.state(key) for key in names[:limit]]
        return [Row(name, state["n"], state["time"]) for name, state in zip(names, states, strict=False)]

    async def configuration(self) -> Mapping[str, Any]:
        toml = 'key = "host"\ntime = "ts"\nvalue = "latency_ms"\n'
        reasons = [
            "host has 5 different texts in 2,410 rows: the key",
            "latency_ms is the only column of numbers",
        ]
        return {"detector": {"alpha": 0.001, "season": "auto"}, "schema_toml": toml, "reasons": reasons}

    async def what_if(
        self, alpha: float, since: int | None, until: int | None
    ) -> Mapping[str, Mapping[str, Any]]:
        return {
            "now": {"alerts": 12, "notices": 15, "drifts": 1},
            "then": {"alerts": 7, "notices": 8, "drifts": 1},
        }

    async def audit(self, limit: int = 200) -> Sequence[AuditRow]:
        rows = list(enumerate(self.desk.audit, 1))[-limit:]
        return [
            AuditRow(number, START, actor, action, msgspec.json.encode(detail).decode())
            for number, (actor, action, detail) in reversed(rows)
        ]


def filled() -> MemoryDesk:
    """Return a desk with keys that were calm, shifted, burst, fell silent, or have an evil name."""
    teams = (
        Team(name="web", match={"key": "web-*"}, budget=5, per="day"),
        Team(name="rest", budget=20, per="day"),
    )
    desk = MemoryDesk(teams=teams, channels=(HOOK,))
    rng = np.random.default_rng(3)
    calm = rng.normal(50, 4, 1600)
    desk.feed("db-1", calm)
    shifted = rng.normal(120, 6, 1500)
    shifted[1200:] += 60
    desk.feed("web-1", shifted)
    burst = rng.normal(20, 2, 1590)
    burst[[700, 701, 1580]] = [61, 55, 44]
    desk.feed("web-2", burst)
    evil = rng.normal(5, 1, 1500)
    evil[1499] = 21
    desk.feed(EVIL, evil)
    wide = rng.normal(8, 1, (1400,))
    wide[1398:] = 17
    desk.feed('up{job="api",instance="10.2.0.7:9100"}', wide)
    desk.scene.now = START + 1700 * 60 * SECOND
    desk.scene.follow(desk.fleet.silent(desk.scene.now))
    return desk


class Lock:
    """Whether the pages ask for :data:`WORD`; a process has one NiceGUI, so tests turn this, not the server."""

    def __init__(self, closed: bool = False) -> None:
        self.closed = closed


def app_over(desk: MemoryDesk, lock: Lock | None = None, state: Path | None = None) -> FastAPI:
    """Return an application with the pages and the routes of alerts."""
    sessions: set[str] = set()
    door = lock or Lock()

    def enter(connection: HTTPConnection) -> MemoryPanel | None:
        if not door.closed:
            return MemoryPanel(desk, "local", state=state)
        return (
            MemoryPanel(desk, state=state) if connection.cookies.get("marigram_session") in sessions else None
        )

    def login(token: str) -> str | None:
        if token != WORD:
            return None
        sessions.add("session-1")
        return "session-1"

    def visit() -> Visit:
        return Visit(desk, "ann")

    app = FastAPI()
    app.include_router(alerts_router(visit, visit))
    mount(app, enter, login, sessions.discard)
    return app


class Serving:
    """An application on a port of this machine, in a thread of its own."""

    def __init__(self, app: FastAPI, port: int = 0) -> None:
        config = uvicorn.Config(app, port=port, log_level="warning", timeout_graceful_shutdown=2)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def __enter__(self) -> str:
        self._thread.start()
        while not self._server.started:
            time.sleep(0.02)
        return f"http://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(10)
        if self._thread.is_alive():
            raise RuntimeError("the server did not stop within 10 seconds")


__all__ = ["EVIL", "WORD", "Lock", "MemoryPanel", "Serving", "app_over", "filled"]

if __name__ == "__main__":
    crowd = filled()
    actions.silence(
        crowd.alerts,
        crowd.scene.connection,
        silence_of({"key": "db-*"}, START, START + 40 * HOUR, "ann", "move", "s1"),
    )
    with Serving(app_over(crowd), int(sys.argv[1]) if len(sys.argv) > 1 else 0) as home:
        print(home, flush=True)  # noqa: T201
        threading.Event().wait()
