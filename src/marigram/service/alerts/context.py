"""What a loop beside the service knows of alerts, as their routes give it out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from marigram.errors import MarigramError
from marigram.service.alerts import schemas
from marigram.service.alerts.alert import Alert
from marigram.service.alerts.desk import Desk

_log = logging.getLogger("marigram.alerts")


class _Named(msgspec.Struct):
    id: str | int | None = None


async def with_context(desk: Desk, alerts: Sequence[Alert]) -> list[schemas.AlertOut]:
    """Return alerts as they are given out, each with its context; None of those that no loop has taken yet."""
    given = [schemas.alert_out(alert) for alert in alerts]
    found = await asyncio.to_thread(_found, desk.state, alerts) if alerts else []
    return [msgspec.structs.replace(one, context=told) for one, told in zip(given, found, strict=True)]


def event_of(alert: Alert) -> str:
    """Return what the loop calls the event that an alert is about."""
    from marigram.bridge.loop.servicelog import event_id

    own = msgspec.json.decode(alert.verdict, type=_Named).id
    return event_id(alert.key, alert.peak_seq, own)


def _found(state: Path | None, alerts: Sequence[Alert]) -> Sequence[Any]:
    if state is None or not (state / "loop" / "loop.json").is_file():
        return [None] * len(alerts)
    from marigram.service.loops import contexts_of  # imports the graph half, which most services never need

    try:
        return contexts_of(state, [event_of(alert) for alert in alerts])
    except MarigramError as error:  # alerts are told whatever became of the loop
        _log.warning("no context of alerts: %s", error)
        return [None] * len(alerts)


__all__ = ["event_of", "with_context"]
