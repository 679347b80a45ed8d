"""Routes of silences and of the outbox: what is kept back, what is on its way, what was given up."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response

from marigram.service.alerts import actions, schemas, silences
from marigram.service.alerts.answers import answer, body_of, change, gives, refuses, takes
from marigram.service.alerts.deeds import silence_by
from marigram.service.alerts.desk import Visit
from marigram.service.alerts.lists import Limit
from marigram.service.delivery import outbox


def add_silences(router: APIRouter, read: Callable[..., Any], operate: Callable[..., Any]) -> None:
    """Add silences."""

    @router.get("/silences", responses=gives(list[schemas.SilenceOut]))
    async def list_silences(visit: Annotated[Visit, Depends(read)], limit: Limit = 100) -> Response:
        """Silences, the latest end first, each with the number of notices it kept back."""
        found = await visit.desk.read(lambda db: silences.listed(db, limit))
        return answer([schemas.silence_out(one, muted, visit.desk.now()) for one, muted in found])

    @router.post(
        "/silences", responses=gives(schemas.SilenceOut, 422), openapi_extra=takes(schemas.NewSilence)
    )
    async def begin_silence(visit: Annotated[Visit, Depends(operate)], request: Request) -> Response:
        """Send nothing about some alerts for a while; everything else goes on."""
        wanted = await body_of(request, schemas.NewSilence)
        return answer(await silence_by(visit, wanted))

    @router.delete("/silences/{silence}", responses=gives(schemas.SilenceOut, 404, 409))
    async def end_silence(visit: Annotated[Visit, Depends(operate)], silence: str) -> Response:
        """End a silence at once; what it kept back and is still open is told."""
        desk, now = visit.desk, visit.desk.now()
        ended = await change(
            visit,
            "silence.end",
            {"silence": silence},
            lambda db: actions.end_silence(desk.alerts, db, silence, now),
        )
        return answer(schemas.silence_out(ended, 0, now))

    @router.get("/silences/{silence}/muted", responses=gives(list[schemas.EntryOut]))
    async def muted(visit: Annotated[Visit, Depends(read)], silence: str, limit: Limit = 100) -> Response:
        """What a silence would have sent."""
        found = await visit.desk.read(
            lambda db: outbox.listed(db, state="muted", reason=silence, limit=limit)
        )
        return answer([schemas.entry_out(entry) for entry in found])


def add_outbox(router: APIRouter, read: Callable[..., Any], operate: Callable[..., Any]) -> None:
    """Add what is on its way, and what was given up."""

    @router.get("/outbox", responses=gives(list[schemas.EntryOut]))
    async def list_outbox(
        visit: Annotated[Visit, Depends(read)],
        state: Literal["waiting", "sent", "dead", "muted", "held"] | None = None,
        alert: Annotated[str | None, Query(max_length=64)] = None,
        limit: Limit = 100,
    ) -> Response:
        """Notices by what became of them, the newest first; `dead` were given up."""
        found = await visit.desk.read(lambda db: outbox.listed(db, state=state, alert=alert, limit=limit))
        return answer([schemas.entry_out(entry) for entry in found])

    @router.post("/outbox/{entry}/retry", status_code=204, responses=refuses(404))
    async def retry(visit: Annotated[Visit, Depends(operate)], entry: str) -> Response:
        """Try a dead letter again, under its old id."""
        now = visit.desk.now()
        await change(visit, "outbox.retry", {"entry": entry}, lambda db: actions.retry(db, entry, now))
        return Response(status_code=204)


__all__ = ["add_outbox", "add_silences"]
