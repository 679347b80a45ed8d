"""An app with nothing but the routes of alerts, over a book in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np
from fastapi import FastAPI
from fastapi.testclient import TestClient
from tests.service.alerts.scenes import SECOND, START, Scene

import marigram as mg
from marigram.errors import ParameterError
from marigram.fleet.feedback import Effect, Label
from marigram.service.alerts import Alerts, Visit, alerts_router
from marigram.verdicts import Verdicts

T = TypeVar("T")


class MemoryDesk:
    """A desk over a scene, with a fleet that remembers, and an audit that is a list."""

    def __init__(self, **rules: Any) -> None:
        self.scene = Scene(**rules)
        self.fleet = mg.Fleet(keys=str)
        self.audit: list[tuple[str, str, Mapping[str, object]]] = []
        self.stored: list[Verdicts] = []

    @property
    def alerts(self) -> Alerts:
        return self.scene.book

    @property
    def state(self) -> None:
        return None

    async def read(self, question: Callable[[Any], T]) -> T:
        return question(self.scene.connection)

    async def change(
        self, actor: str, action: str, detail: Mapping[str, object], work: Callable[[Any], T]
    ) -> T:
        with self.scene.connection:
            done = work(self.scene.connection)
        self.audit.append((actor, action, detail))
        return done

    async def quietly(self, work: Callable[[Any], T]) -> T:
        with self.scene.connection:
            return work(self.scene.connection)

    async def history(self, key: str, last: int = 2000) -> Verdicts:
        whole = Verdicts.concat(self.stored)
        return whole[whole["key"] == key][-last:] if len(whole) else whole

    def feedback(self, key: str, seq: int, label: Label) -> Effect:
        return self.fleet.feedback(key, seq, label)

    def now(self) -> int:
        return self.scene.now

    def feed(self, key: str, values: Any, start: int = 0) -> Verdicts:
        """Send values through the fleet and the book."""
        n = len(values)
        times = START + (start + np.arange(n)) * 60 * SECOND
        table = self.fleet.update([key] * n, values, times)
        self.stored.append(table)
        self.scene.follow(table)
        return table


def site(desk: MemoryDesk) -> TestClient:
    """Return a client of the routes; whoever asks is ann."""

    def visit() -> Visit:
        return Visit(desk, "ann")

    app = FastAPI()
    app.include_router(alerts_router(visit, visit))
    return TestClient(app, raise_server_exceptions=True)


__all__ = ["MemoryDesk", "ParameterError", "site"]
