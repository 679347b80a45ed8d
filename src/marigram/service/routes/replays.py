"""`POST /v1/replay` and `POST /v1/rollback`: what would have been, and what shall not have been."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from marigram.errors import ParameterError
from marigram.events import parse_time
from marigram.service.access import operate
from marigram.service.replay import compare
from marigram.service.routes.answers import REFUSALS, answer
from marigram.service.tenants import Tenant
from marigram.service.tokens import Access
from marigram.store.books import Books
from marigram.store.ledger import BusyError
from marigram.store.log import Window

router = APIRouter(tags=["replay"], responses=REFUSALS)
Admitted = Annotated[tuple[Access, Tenant], Depends(operate)]
_RETRY: Final = 5
_ONE = asyncio.Semaphore(1)


class Replay(BaseModel):
    """A period, and another configuration."""

    since: str | None = Field(default=None, description="Received at or after; ISO-8601.")
    until: str | None = Field(default=None, description="Received before; ISO-8601.")
    detector: dict[str, Any] = Field(
        default_factory=dict, description="Parameters that are changed, as alpha."
    )


class Rollback(BaseModel):
    """Events that shall not have been."""

    since: str = Field(description="Time of the event, at or after; ISO-8601.")
    until: str = Field(description="Time of the event, before; ISO-8601.")
    key: str | None = Field(default=None, description="Of this key; of all if null.")


@router.post("/v1/replay", summary="Judge a stored period again, under another configuration.")
async def post_replay(asked: Replay, admitted: Admitted) -> Response:
    """Counts under both, and notices that only one of them gives; nothing of the service changes."""
    if _ONE.locked():
        raise BusyError(_RETRY)
    async with _ONE:
        since, until = (_moment(text) for text in (asked.since, asked.until))
        return answer(await asyncio.to_thread(compare, admitted[1], asked.detector, since, until))


@router.post("/v1/rollback", summary="Make the state anew without the events of a window.")
async def post_rollback(asked: Rollback, admitted: Admitted) -> Response:
    """The log is judged again from its beginning without them; their alerts and verdicts stay, as a record."""
    access, tenant = admitted
    since, until = _moment(asked.since), _moment(asked.until)
    if since is None or until is None or since >= until:
        raise ParameterError("since must be before until")
    window = Window(since, until, asked.key)

    def roll_back(books: Books) -> None:
        books.roll_back(window)
        books.audit(access.name, "rollback", {"since": asked.since, "until": asked.until, "key": asked.key})

    await asyncio.wrap_future(tenant.ledger.call(roll_back))
    return answer({"since": asked.since, "until": asked.until, "key": asked.key})


def _moment(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return parse_time(text, "iso")
    except ValueError as error:
        raise ParameterError(f"{text!r} is no ISO-8601 time: {error}") from error


__all__ = ["router"]
