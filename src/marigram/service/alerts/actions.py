"""What people do to alerts; each is called inside one transaction, with one row of the audit beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from marigram.errors import ParameterError
from marigram.fleet.feedback import Effect, Label
from marigram.service.alerts import life, silences
from marigram.service.alerts.alert import Alert, Told
from marigram.service.alerts.book import Alerts
from marigram.service.alerts.desk import ConflictError, UnknownError
from marigram.service.alerts.silences import Silence
from marigram.service.delivery import outbox
from marigram.service.delivery.outbox import Connection

Feedback: TypeAlias = Callable[[str, int, Label], Effect]

SECOND: Final = 1_000_000_000
LONGEST_SNOOZE: Final = 31 * 86_400
"""Seconds."""
MOST_NOTE: Final = 2000


def found(alerts: Alerts, connection: Connection, id_: str) -> Alert:
    """Return an alert, or raise :class:`UnknownError`."""
    alert = alerts.find(connection, id_)
    if alert is None:
        raise UnknownError(f"no alert {id_!r}")
    return alert


def acknowledge(alerts: Alerts, connection: Connection, id_: str, by: str) -> Alert:
    """Somebody looks after an alert; again is as once."""
    alert = _open(found(alerts, connection, id_))
    return _put(alerts, connection, life.acknowledged(alert, by))


def snooze(alerts: Alerts, connection: Connection, id_: str, seconds: float, now: int) -> Alert:
    """Nothing is sent of an alert for some time; then it is told again, if it is still open."""
    if not 0 < seconds <= LONGEST_SNOOZE:
        raise ParameterError(f"a snooze is above 0, at most {LONGEST_SNOOZE} seconds, not {seconds:g}")
    alert = _open(found(alerts, connection, id_))
    return _put(alerts, connection, life.snoozed(alert, now + int(seconds * SECOND)))


def close(alerts: Alerts, connection: Connection, id_: str, now: int) -> Alert:
    """An alert is over, by hand."""
    alert = _open(found(alerts, connection, id_))
    told = alerts.tell(connection, life.closed(alert, now, "hand"), "closed", now, now)
    return _put(alerts, connection, told)


def label(
    alerts: Alerts,
    connection: Connection,
    id_: str,
    said: Label,
    by: str,
    now: int,
    feedback: Feedback,
    note: str = "",
) -> Alert:
    """A person's word on an alert: it is kept for good, may close the alert, and recalibrates its key.

    ``feedback`` is asked about the most severe event that the fleet can still speak of; what it changed, or why it
    changed nothing, stands in ``word.effect``.
    """
    if len(note) > MOST_NOTE:
        raise ParameterError(f"a note has at most {MOST_NOTE} characters")
    alert = found(alerts, connection, id_)
    effect, before, after = _effect(alert, said, feedback)
    word = Told(said, by, now, note, effect, before, after)
    spoken = life.labelled(alert, word)
    if alert.is_open and not spoken.is_open:
        spoken = alerts.tell(connection, spoken, "closed", now, now)
    return _put(alerts, connection, spoken)


def silence(alerts: Alerts, connection: Connection, wanted: Silence) -> Silence:
    """Begin a silence."""
    alerts.silence(connection, wanted)
    return wanted


def end_silence(alerts: Alerts, connection: Connection, id_: str, now: int) -> Silence:
    """End a silence at once; what it muted and is still open is told."""
    known = silences.found(connection, id_)
    if known is None:
        raise UnknownError(f"no silence {id_!r}")
    if known.ends <= now:
        raise ConflictError("this silence is over")
    ended = Silence(known.id, known.match, min(known.starts, now - 1), now, known.by, known.comment)
    alerts.silence(connection, ended)
    alerts.tick(connection, now)
    return ended


def retry(connection: Connection, id_: str, now: int) -> None:
    """Let a dead letter be tried again."""
    if not outbox.revive(connection, id_, now):
        raise UnknownError(f"no dead letter {id_!r}")


def _effect(alert: Alert, said: Label, feedback: Feedback) -> tuple[str, float | None, float | None]:
    if alert.flagged_seq is None:
        what = "no data came" if alert.kind == "missing" else "the events were within the band"
        return f"noted; {what}, so there is no threshold to change", None, None
    try:
        effect = feedback(alert.key, alert.flagged_seq, said)
    except ParameterError as error:
        return f"noted, but nothing was learned: {error}", None, None
    return str(effect), effect.before, effect.after


def _open(alert: Alert) -> Alert:
    if not alert.is_open:
        raise ConflictError(f"alert {alert.id} is closed")
    return alert


def _put(alerts: Alerts, connection: Connection, alert: Alert) -> Alert:
    alerts.put(connection, alert)
    return alert


def silence_of(match: Mapping[str, str], starts: int, ends: int, by: str, comment: str, id_: str) -> Silence:
    """Return a silence, checked; ``ParameterError`` for one that makes no sense."""
    if len(comment) > MOST_NOTE:
        raise ParameterError(f"a comment has at most {MOST_NOTE} characters")
    return Silence(id_, dict(match), starts, ends, by, comment)


__all__ = [
    "acknowledge",
    "close",
    "end_silence",
    "found",
    "label",
    "retry",
    "silence",
    "silence_of",
    "snooze",
]
