"""Routes of one alert: what it is, as a file, and what people do with it; and of many by their ids."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request, Response

from marigram.service.alerts import schemas, tables
from marigram.service.alerts.alert import Alert
from marigram.service.alerts.answers import SAFE, answer, body_of, gives, refuses, takes
from marigram.service.alerts.context import with_context
from marigram.service.alerts.deeds import bulk_of
from marigram.service.alerts.desk import Desk, Visit
from marigram.service.alerts.page import alert_page

_PAGE: dict[int | str, dict[str, Any]] = {200: {"content": {"text/html": {}}}}

AlertId = Annotated[str, "id of an alert"]


def add_one(router: APIRouter, read: Callable[..., Any], operate: Callable[..., Any]) -> None:
    """Add what is done with one alert, and with many by their ids."""

    @router.post("/alerts/bulk", responses=gives(schemas.BulkOut, 422), openapi_extra=takes(schemas.Bulk))
    async def bulk(visit: Annotated[Visit, Depends(operate)], request: Request) -> Response:
        """Do one thing to many alerts; those to which it cannot be done are left alone and named."""
        wanted = await body_of(request, schemas.Bulk)
        return answer(await bulk_of(visit, wanted))

    @router.get("/alerts/{alert}", responses=gives(schemas.AlertOut, 404))
    async def one_alert(visit: Annotated[Visit, Depends(read)], alert: AlertId) -> Response:
        """One alert."""
        return answer((await with_context(visit.desk, [await _found(visit.desk, alert)]))[0])

    @router.get("/alerts/{alert}/page", responses=_PAGE | refuses(404))
    async def page(visit: Annotated[Visit, Depends(read)], alert: AlertId) -> Response:
        """One alert as a single HTML file, with the series around it."""
        found = await _found(visit.desk, alert)
        text = alert_page(found, await visit.desk.history(found.key))
        name = f'attachment; filename="alert-{found.id}.html"'
        return Response(text, media_type="text/html", headers=SAFE | {"Content-Disposition": name})

    @router.post("/alerts/{alert}/acknowledge", responses=gives(schemas.AlertOut, 404, 409))
    async def acknowledge(visit: Annotated[Visit, Depends(operate)], alert: AlertId) -> Response:
        """Somebody looks after it: only its end, and that it is a drift, are still sent."""
        return await _acted(visit, schemas.Bulk((alert,), "acknowledge"))

    @router.post(
        "/alerts/{alert}/snooze",
        responses=gives(schemas.AlertOut, 404, 409, 422),
        openapi_extra=takes(schemas.Snooze),
    )
    async def snooze(visit: Annotated[Visit, Depends(operate)], alert: AlertId, request: Request) -> Response:
        """Keep still about it for some time; then it is told again, if it is still open."""
        wanted = await body_of(request, schemas.Snooze)
        return await _acted(visit, schemas.Bulk((alert,), "snooze", seconds=wanted.seconds))

    @router.post(
        "/alerts/{alert}/label",
        responses=gives(schemas.AlertOut, 404, 422),
        openapi_extra=takes(schemas.Word),
    )
    async def label(visit: Annotated[Visit, Depends(operate)], alert: AlertId, request: Request) -> Response:
        """Say what it was; `false` and `expected` close it and recalibrate its key, `word.effect` says by how much."""
        wanted = await body_of(request, schemas.Word)
        return await _acted(visit, schemas.Bulk((alert,), "label", label=wanted.label, note=wanted.note))

    @router.post("/alerts/{alert}/close", responses=gives(schemas.AlertOut, 404, 409))
    async def close(visit: Annotated[Visit, Depends(operate)], alert: AlertId) -> Response:
        """It is over."""
        return await _acted(visit, schemas.Bulk((alert,), "close"))


async def _acted(visit: Visit, wanted: schemas.Bulk) -> Response:
    """Do one thing to one alert."""
    (id_,) = wanted.ids
    await _found(visit.desk, id_)
    outcome = await bulk_of(visit, wanted)
    if outcome.left:
        raise HTTPException(409, outcome.left[id_])
    return answer(outcome.done[0])


async def _found(desk: Desk, id_: str) -> Alert:
    alert = await desk.read(lambda db: tables.found(db, id_))
    if alert is None:
        raise HTTPException(404, "no alert of this id")
    return alert


__all__ = ["add_one"]
