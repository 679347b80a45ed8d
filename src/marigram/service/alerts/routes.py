"""Alerts over HTTP.  Who may come in is decided by the two dependencies that the app hands over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter

from marigram.service.alerts.lists import add_lists
from marigram.service.alerts.sending import add_outbox, add_silences
from marigram.service.alerts.single import add_one


def alerts_router(read: Callable[..., Any], operate: Callable[..., Any]) -> APIRouter:
    """Return the routes of alerts, silences, labels and the outbox.

    Parameters
    ----------
    read, operate
        FastAPI dependencies that let a request in, or refuse it, and give a :class:`Visit`: to look, and to change.
    """
    router = APIRouter(prefix="/v1", tags=["alerts"])
    add_lists(router, read)
    add_one(router, read, operate)
    add_silences(router, read, operate)
    add_outbox(router, read, operate)
    return router


__all__ = ["alerts_router"]
