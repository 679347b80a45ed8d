"""What people do, as one request or one click: to many alerts at once, or a silence; shared by routes and pages."""

from __future__ import annotations

from marigram.service.alerts import actions, schemas, silences
from marigram.service.alerts.alert import Alert
from marigram.service.alerts.answers import change
from marigram.service.alerts.book import Alerts
from marigram.service.alerts.desk import ConflictError, Desk, UnknownError, Visit
from marigram.service.delivery.outbox import Connection


async def bulk_of(visit: Visit, wanted: schemas.Bulk) -> schemas.BulkOut:
    """Do one thing to many alerts, in one transaction."""
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
    """Begin a silence."""
    now = visit.desk.now()
    starts = now + int(wanted.delay * actions.SECOND)
    ends = starts + int(wanted.seconds * actions.SECOND)
    detail: dict[str, object] = {"match": wanted.match, "seconds": wanted.seconds, "comment": wanted.comment}

    def work(db: Connection) -> silences.Silence:
        id_ = silences.next_id(db)
        made = actions.silence_of(wanted.match, starts, ends, visit.actor, wanted.comment, id_)
        return actions.silence(visit.desk.alerts, db, made)

    return schemas.silence_out(await change(visit, "silence.begin", detail, work), 0, now)


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


__all__ = ["bulk_of", "silence_by"]
