"""`GET /v1/alerts` and `GET /v1/labels`: alerts by what is asked for, and what people said of them."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, HTTPException, Query, Response

from marigram.service.alerts import export, schemas, tables
from marigram.service.alerts.alert import AlertKind, Status
from marigram.service.alerts.answers import SAFE, answer, gives
from marigram.service.alerts.context import with_context
from marigram.service.alerts.desk import Visit

_LONGEST = 2**63 - 1
_FORMS = {
    "csv": ("text/csv; charset=utf-8", export.csv_text),
    "jsonl": ("application/x-ndjson", export.json_lines),
    "parquet": ("application/vnd.apache.parquet", export.parquet),
}
_FILES: dict[int | str, dict[str, Any]] = {
    200: {"content": {media.split(";")[0]: {} for media, _ in _FORMS.values()}}
}

Limit = Annotated[int, Query(ge=1, le=1000)]
Moment = Annotated[datetime | None, Query()]


def add_lists(router: APIRouter, read: Callable[..., Any]) -> None:
    """Add the list of alerts, and the labels."""

    @router.get("/alerts", responses=gives(schemas.AlertPage))
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
        context: Annotated[
            bool, Query(description="whether to ask a loop, if one runs, for `context`")
        ] = True,
    ) -> Response:
        """Alerts, the newest first; the first answer after a round of the loop waits for its graph."""
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
        told = await with_context(visit.desk, page) if context else [schemas.alert_out(one) for one in page]
        return answer(schemas.AlertPage(told, following))

    @router.get("/labels", responses=_FILES)
    async def export_labels(
        visit: Annotated[Visit, Depends(read)],
        form: Annotated[Literal["csv", "jsonl", "parquet"], Query(alias="format")] = "jsonl",
    ) -> Response:
        """All labels, as a set for training and evaluation: one row an alert."""
        media, write = _FORMS[form]
        rows = await visit.desk.read(lambda db: export.rows_of(tables.labelled(db)))
        name = f'attachment; filename="labels.{form}"'
        return Response(write(rows), media_type=media, headers=SAFE | {"Content-Disposition": name})


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


__all__ = ["Limit", "add_lists"]
