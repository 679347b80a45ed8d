"""Alerts over HTTP.  Who may come in is decided by the two dependencies that the app hands over."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response

from marigram.errors import ParameterError
from marigram.service.alerts import actions, export, schemas, silences, tables
from marigram.service.alerts.alert import Alert, AlertKind, Status
from marigram.service.alerts.book import Alerts
from marigram.service.alerts.desk import ConflictError, Desk, UnknownError, Visit
from marigram.service.alerts.page import alert_page
from marigram.service.delivery import outbox
from marigram.service.delivery.outbox import Connection

T = TypeVar("T")

_JSON = "application/json"
_MOST_BODY = 1 << 20
_LONGEST = 2**63 - 1
_FORMS = {
    "csv": ("text/csv; charset=utf-8", export.csv_text),
    "jsonl": ("application/x-ndjson", export.json_lines),
    "parquet": ("application/vnd.apache.parquet", export.parquet),
}
_FILES: dict[int | str, dict[str, Any]] = {
    200: {"content": {media.split(";")[0]: {} for media, _ in _FORMS.values()}}
}
_PAGE: dict[int | str, dict[str, Any]] = {200: {"content": {"text/html": {}}}}
_SAFE = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
}

AlertId = Annotated[str, "id of an alert"]
Limit = Annotated[int, Query(ge=1, le=1000)]
Moment = Annotated[datetime | None, Query()]


def alerts_router(read: Callable[..., Any], operate: Callable[..., Any]) -> APIRouter:
    """Return the routes of alerts, silences, labels and the outbox.

    Parameters
    ----------
    read, operate
        FastAPI dependencies that let a request in, or refuse it, and give a :class:`Visit`: to look, and to change.
    """
    router = APIRouter(prefix="/v1", tags=["alerts"])
    _lists(router, read)
    _one(router, read, operate)
    _silences(router, read, operate)
    _outbox(router, read, operate)
    return router


def _lists(router: APIRouter, read: Callable[..., Any]) -> None:
    """Add the list of alerts, and the labels."""

    @router.get("/alerts", responses=_gives(schemas.AlertPage))
    async def list_alerts(
        visit: Annotated[Visit, Depends(read)],
        status: Annotated[list[Status] | None, Query()] = None,
        kind: AlertKind | None = None,
        key: Annotated[str | None, Query(max_length=4096, description="part of the key")] = None,
        team: Annotated[str | None, Query(max_length=200)] = None,
        label: Annotated[Literal["true", "false", "expected", "none"] | None, Query()] = None,
        min_severity: Annotated[float | None, Query(ge=-1, le=1000, allow_inf_nan=False)] = None,
        since: Moment = None,
        until: Moment = None,
        limit: Limit = 100,
        after: Annotated[str | None, Query(max_length=64, description="`next` of the page before")] = None,
    ) -> Response:
        """Alerts, the newest first."""
        chosen = tables.Filter(
            status=tuple(status or ()),
            kind=kind,
            key=key,
            team=team,
            label=label,
            min_severity=min_severity,
            since=_ns(since),
            until=_ns(until),
        )
        place = _place(after)
        found = await visit.desk.read(lambda db: tables.listed(db, chosen, limit + 1, place))
        page, more = found[:limit], len(found) > limit
        following = f"{page[-1].opened}.{page[-1].id}" if more else None
        return _answer(schemas.AlertPage([schemas.alert_out(alert) for alert in page], following))

    @router.get("/labels", responses=_FILES)
    async def export_labels(
        visit: Annotated[Visit, Depends(read)],
        form: Annotated[Literal["csv", "jsonl", "parquet"], Query(alias="format")] = "jsonl",
    ) -> Response:
        """All labels, as a set for training and evaluation: one row an alert."""
        media, write = _FORMS[form]
        rows = await visit.desk.read(lambda db: export.rows_of(tables.labelled(db)))
        name = f'attachment; filename="labels.{form}"'
        return Response(write(rows), media_type=media, headers=_SAFE | {"Content-Disposition": name})


def _one(router: APIRouter, read: Callable[..., Any], operate: Callable[..., Any]) -> None:
    """Add what is done with one alert, and with many by their ids."""

    @router.post("/alerts/bulk", responses=_gives(schemas.BulkOut, 422), openapi_extra=_takes(schemas.Bulk))
    async def bulk(visit: Annotated[Visit, Depends(operate)], request: Request) -> Response:
        """Do one thing to many alerts; those to which it cannot be done are left alone and named."""
        wanted = await _body(request, schemas.Bulk)
        return _answer(await bulk_of(visit, wanted))

    @router.get("/alerts/{alert}", responses=_gives(schemas.AlertOut, 404))
    async def one_alert(visit: Annotated[Visit, Depends(read)], alert: AlertId) -> Response:
        """One alert."""
        return _answer(schemas.alert_out(await _found(visit.desk, alert)))

    @router.get("/alerts/{alert}/page", responses=_PAGE | _refuses(404))
    async def page(visit: Annotated[Visit, Depends(read)], alert: AlertId) -> Response:
        """One alert as a single HTML file, with the series around it."""
        found = await _found(visit.desk, alert)
        text = alert_page(found, await visit.desk.history(found.key))
        name = f'attachment; filename="alert-{found.id}.html"'
        return Response(text, media_type="text/html", headers=_SAFE | {"Content-Disposition": name})

    @router.post("/alerts/{alert}/acknowledge", responses=_gives(schemas.AlertOut, 404, 409))
    async def acknowledge(visit: Annotated[Visit, Depends(operate)], alert: AlertId) -> Response:
        """Somebody looks after it: only its end, and that it is a drift, are still sent."""
        return await _acted(visit, schemas.Bulk((alert,), "acknowledge"))

    @router.post(
        "/alerts/{alert}/snooze",
        responses=_gives(schemas.AlertOut, 404, 409, 422),
        openapi_extra=_takes(schemas.Snooze),
    )
    async def snooze(visit: Annotated[Visit, Depends(operate)], alert: AlertId, request: Request) -> Response:
        """Keep still about it for some time; then it is told again, if it is still open."""
        wanted = await _body(request, schemas.Snooze)
        return await _acted(visit, schemas.Bulk((alert,), "snooze", seconds=wanted.seconds))

    @router.post(
        "/alerts/{alert}/label",
        responses=_gives(schemas.AlertOut, 404, 422),
        openapi_extra=_takes(schemas.Word),
    )
    async def label(visit: Annotated[Visit, Depends(operate)], alert: AlertId, request: Request) -> Response:
        """Say what it was; `false` and `expected` close it and recalibrate its key, `word.effect` says by how much."""
        wanted = await _body(request, schemas.Word)
        return await _acted(visit, schemas.Bulk((alert,), "label", label=wanted.label, note=wanted.note))

    @router.post("/alerts/{alert}/close", responses=_gives(schemas.AlertOut, 404, 409))
    async def close(visit: Annotated[Visit, Depends(operate)], alert: AlertId) -> Response:
        """It is over."""
        return await _acted(visit, schemas.Bulk((alert,), "close"))


def _silences(router: APIRouter, read: Callable[..., Any], operate: Callable[..., Any]) -> None:
    """Add silences."""

    @router.get("/silences", responses=_gives(list[schemas.SilenceOut]))
    async def list_silences(visit: Annotated[Visit, Depends(read)], limit: Limit = 100) -> Response:
        """Silences, the latest end first, each with the number of notices it kept back."""
        found = await visit.desk.read(lambda db: silences.listed(db, limit))
        return _answer([schemas.silence_out(one, muted, visit.desk.now()) for one, muted in found])

    @router.post(
        "/silences", responses=_gives(schemas.SilenceOut, 422), openapi_extra=_takes(schemas.NewSilence)
    )
    async def begin_silence(visit: Annotated[Visit, Depends(operate)], request: Request) -> Response:
        """Send nothing about some alerts for a while; everything else goes on."""
        wanted = await _body(request, schemas.NewSilence)
        return _answer(await silence_by(visit, wanted))

    @router.delete("/silences/{silence}", responses=_gives(schemas.SilenceOut, 404, 409))
    async def end_silence(visit: Annotated[Visit, Depends(operate)], silence: str) -> Response:
        """End a silence at once; what it kept back and is still open is told."""
        desk, now = visit.desk, visit.desk.now()
        ended = await _change(
            visit,
            "silence.end",
            {"silence": silence},
            lambda db: actions.end_silence(desk.alerts, db, silence, now),
        )
        return _answer(schemas.silence_out(ended, 0, now))

    @router.get("/silences/{silence}/muted", responses=_gives(list[schemas.EntryOut]))
    async def muted(visit: Annotated[Visit, Depends(read)], silence: str, limit: Limit = 100) -> Response:
        """What a silence would have sent."""
        found = await visit.desk.read(
            lambda db: outbox.listed(db, state="muted", reason=silence, limit=limit)
        )
        return _answer([schemas.entry_out(entry) for entry in found])


def _outbox(router: APIRouter, read: Callable[..., Any], operate: Callable[..., Any]) -> None:
    """Add what is on its way, and what was given up."""

    @router.get("/outbox", responses=_gives(list[schemas.EntryOut]))
    async def list_outbox(
        visit: Annotated[Visit, Depends(read)],
        state: Literal["waiting", "sent", "dead", "muted", "held"] | None = None,
        alert: Annotated[str | None, Query(max_length=64)] = None,
        limit: Limit = 100,
    ) -> Response:
        """Notices by what became of them, the newest first; `dead` were given up."""
        found = await visit.desk.read(lambda db: outbox.listed(db, state=state, alert=alert, limit=limit))
        return _answer([schemas.entry_out(entry) for entry in found])

    @router.post("/outbox/{entry}/retry", status_code=204, responses=_refuses(404))
    async def retry(visit: Annotated[Visit, Depends(operate)], entry: str) -> Response:
        """Try a dead letter again, under its old id."""
        now = visit.desk.now()
        await _change(visit, "outbox.retry", {"entry": entry}, lambda db: actions.retry(db, entry, now))
        return Response(status_code=204)


async def bulk_of(visit: Visit, wanted: schemas.Bulk) -> schemas.BulkOut:
    """Do one thing to many alerts, in one transaction; shared by the routes and the pages."""
    desk, now = visit.desk, visit.desk.now()

    def work(db: Connection) -> schemas.BulkOut:
        done, left = [], {}
        for id_ in dict.fromkeys(wanted.ids):
            try:
                done.append(schemas.alert_out(_act(desk, desk.alerts, db, id_, wanted, visit.actor, now)))
            except (UnknownError, ConflictError) as error:
                left[id_] = str(error)
        return schemas.BulkOut(done, left)

    detail: dict[str, object] = {"alerts": list(wanted.ids)}
    if wanted.action == "snooze":
        detail["seconds"] = wanted.seconds
    if wanted.action == "label":
        detail |= {"label": wanted.label, "note": wanted.note}
    return await desk.change(visit.actor, f"alert.{wanted.action}", detail, work)


async def silence_by(visit: Visit, wanted: schemas.NewSilence) -> schemas.SilenceOut:
    """Begin a silence; shared by the routes and the pages."""
    now = visit.desk.now()
    starts = now + int(wanted.delay * actions.SECOND)
    ends = starts + int(wanted.seconds * actions.SECOND)
    detail: dict[str, object] = {"match": wanted.match, "seconds": wanted.seconds, "comment": wanted.comment}

    def work(db: Connection) -> silences.Silence:
        id_ = silences.next_id(db)
        made = actions.silence_of(wanted.match, starts, ends, visit.actor, wanted.comment, id_)
        return actions.silence(visit.desk.alerts, db, made)

    return schemas.silence_out(await _change(visit, "silence.begin", detail, work), 0, now)


def _act(
    desk: Desk, alerts: Alerts, db: Connection, id_: str, wanted: schemas.Bulk, by: str, now: int
) -> Alert:
    if wanted.action == "acknowledge":
        return actions.acknowledge(alerts, db, id_, by)
    if wanted.action == "snooze":
        return actions.snooze(alerts, db, id_, wanted.seconds, now)
    if wanted.action == "close":
        return actions.close(alerts, db, id_, now)
    return actions.label(alerts, db, id_, wanted.label, by, now, desk.feedback, wanted.note)


async def _acted(visit: Visit, wanted: schemas.Bulk) -> Response:
    """Do one thing to one alert."""
    (id_,) = wanted.ids
    await _found(visit.desk, id_)
    outcome = await bulk_of(visit, wanted)
    if outcome.left:
        raise HTTPException(409, outcome.left[id_])
    return _answer(outcome.done[0])


async def _found(desk: Desk, id_: str) -> Alert:
    alert = await desk.read(lambda db: tables.found(db, id_))
    if alert is None:
        raise HTTPException(404, "no alert of this id")
    return alert


async def _change(visit: Visit, action: str, detail: dict[str, object], work: Callable[[Connection], T]) -> T:
    """Change something; what is unknown is 404, what cannot be 409, what makes no sense 422."""
    try:
        return await visit.desk.change(visit.actor, action, detail, work)
    except UnknownError as error:
        raise HTTPException(404, str(error)) from error
    except ConflictError as error:
        raise HTTPException(409, str(error)) from error
    except ParameterError as error:
        raise HTTPException(422, str(error)) from error


async def _body(request: Request, kind: type[T]) -> T:
    """Return the body as what it is to be; 422 says what is wrong with it."""
    body = await request.body()
    if len(body) > _MOST_BODY:
        raise HTTPException(413, f"a body has at most {_MOST_BODY} bytes here")
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise HTTPException(422, str(error)) from error


def _answer(value: Any) -> Response:
    return Response(
        msgspec.json.encode(value), media_type=_JSON, headers={"X-Content-Type-Options": "nosniff"}
    )


def _gives(kind: Any, *refusals: int) -> dict[int | str, dict[str, Any]]:
    """Return the part of OpenAPI that tells of answers."""
    return {200: {"content": {_JSON: {"schema": schemas.schema_of(kind)}}}} | _refuses(*refusals)


def _refuses(*codes: int) -> dict[int | str, dict[str, Any]]:
    told = {404: "nothing of this id", 409: "not as things are", 422: "not a request that makes sense"}
    problem = {_JSON: {"schema": schemas.schema_of(schemas.Problem)}}
    return {code: {"description": told[code], "content": problem} for code in codes}


def _takes(kind: Any) -> dict[str, Any]:
    """Return the part of OpenAPI that tells of a body."""
    return {"requestBody": {"required": True, "content": {_JSON: {"schema": schemas.schema_of(kind)}}}}


def _ns(when: datetime | None) -> int | None:
    """Return a time as ns since 1970; one without a zone is UTC."""
    if when is None:
        return None
    seconds = (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    return max(-_LONGEST, min(_LONGEST, int(seconds * 1_000_000) * 1000))


def _place(after: str | None) -> tuple[int, str] | None:
    """Return the place in the list that a page ended at."""
    if after is None:
        return None
    opened, _, id_ = after.partition(".")
    digits = opened.removeprefix("-")
    if not digits.isascii() or not digits.isdigit() or abs(int(opened)) > _LONGEST or not id_:
        raise HTTPException(422, "after is what `next` of the page before says")
    return int(opened), id_


__all__ = ["alerts_router", "bulk_of", "silence_by"]
