"""What the routes take and give, as msgspec types from which OpenAPI is written: one definition of each field."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from marigram.bridge.loop.context import AlertContext
from marigram.fleet.feedback import Label
from marigram.service.alerts.alert import Alert, AlertKind, Status, Told, Why
from marigram.service.alerts.silences import Silence
from marigram.service.delivery.messages import time_text
from marigram.service.delivery.outbox import Entry

MOST_BULK = 500

Seconds = Annotated[float, Meta(gt=0, le=366 * 86_400)]
Text = Annotated[str, Meta(max_length=2000)]
Patterns = Annotated[
    dict[Annotated[str, Meta(max_length=200)], Annotated[str, Meta(max_length=500)]],
    Meta(min_length=1, max_length=20),
]


class Snooze(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long to keep still about an alert."""

    seconds: Annotated[float, Meta(gt=0, le=31 * 86_400)]


class Word(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What became of an alert."""

    label: Label
    note: Text = ""


class Bulk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One action on many alerts."""

    ids: Annotated[tuple[Annotated[str, Meta(max_length=64)], ...], Meta(min_length=1, max_length=MOST_BULK)]
    action: Literal["acknowledge", "snooze", "label", "close"]
    seconds: Annotated[float, Meta(gt=0, le=31 * 86_400)] = 3600.0
    label: Label = "true"
    note: Text = ""


class NewSilence(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A silence to begin now, or ``delay`` seconds from now."""

    match: Patterns
    seconds: Seconds
    delay: Annotated[float, Meta(ge=0, le=366 * 86_400)] = 0.0
    comment: Text = ""


class WordOut(msgspec.Struct, frozen=True):
    """A label, and what it changed."""

    label: Label
    by: str
    at: str | None
    note: str
    effect: str
    before: float | None
    after: float | None


class AlertOut(msgspec.Struct, frozen=True):
    """An alert; times are ISO-8601.  ``context`` is what a loop knows of it, null before it has taken its event."""

    id: str
    key: str
    kind: AlertKind
    status: Status
    severity: float | None
    episode: int
    opened: str | None
    updated: str | None
    closed: str | None
    why_closed: Why | None
    first_seq: int
    last_seq: int
    peak_seq: int
    events: int
    notices: int
    told: int
    team: str
    group: str
    labels: dict[str, str]
    text: str
    acknowledged_by: str | None
    snoozed_until: str | None
    muted_by: str | None
    word: WordOut | None
    verdict: dict[str, Any]
    context: AlertContext | UnsetType | None = UNSET
    """Only where single alerts and lists are read, as what people do does not wait for it."""


class AlertPage(msgspec.Struct, frozen=True):
    """Some alerts, the newest first; ``next`` goes into ``after`` for those that follow."""

    alerts: list[AlertOut]
    next: str | None


class BulkOut(msgspec.Struct, frozen=True):
    """What a bulk action did: the alerts as they are now, and why others were left alone, by id."""

    done: list[AlertOut]
    left: dict[str, str]


class SilenceOut(msgspec.Struct, frozen=True):
    """A silence, and how many notices it kept back."""

    id: str
    match: dict[str, str]
    starts: str | None
    ends: str | None
    by: str
    comment: str
    active: bool
    muted: int


class EntryOut(msgspec.Struct, frozen=True):
    """A notice on its way to one channel."""

    id: str
    alert: str
    channel: str
    what: str
    made: str | None
    due: str | None
    state: str
    reason: str
    attempts: int
    finished: str | None


class Problem(msgspec.Struct, frozen=True):
    """Why something was refused."""

    detail: str


_GIVEN = tuple(name for name in AlertOut.__struct_fields__ if name != "context")


def alert_out(alert: Alert) -> AlertOut:
    """Return an alert as it is given out."""
    times = ("opened", "updated", "closed", "snoozed_until")
    given: dict[str, Any] = {name: getattr(alert, name) for name in _GIVEN}
    given |= {name: time_text(given[name]) for name in times}
    given["word"] = None if alert.word is None else _word_out(alert.word)
    given["verdict"] = msgspec.json.decode(alert.verdict)
    return AlertOut(**given)


def silence_out(silence: Silence, muted: int, now: int) -> SilenceOut:
    """Return a silence as it is given out."""
    return SilenceOut(
        id=silence.id,
        match=silence.match,
        starts=time_text(silence.starts),
        ends=time_text(silence.ends),
        by=silence.by,
        comment=silence.comment,
        active=silence.starts <= now < silence.ends,
        muted=muted,
    )


def entry_out(entry: Entry) -> EntryOut:
    """Return an entry of the outbox as it is given out."""
    given: dict[str, Any] = {name: getattr(entry, name) for name in EntryOut.__struct_fields__}
    return EntryOut(**given | {name: time_text(given[name]) for name in ("made", "due", "finished")})


def schema_of(kind: Any) -> dict[str, Any]:
    """Return the JSON schema of a type with every part in its place, as OpenAPI wants it inside a route.

    Examples
    --------
    >>> schema_of(Snooze)["required"]
    ['seconds']
    """
    whole = msgspec.json.schema(kind)
    parts = whole.pop("$defs", {})
    placed = _placed(whole, parts)
    if not isinstance(placed, dict):
        raise TypeError(f"no schema of {kind}")
    return placed


def _placed(schema: Any, parts: dict[str, Any]) -> Any:
    if isinstance(schema, dict):
        reference = schema.get("$ref")
        if reference is not None:
            return _placed(parts[reference.rsplit("/", 1)[-1]], parts)
        return {name: _placed(inner, parts) for name, inner in schema.items()}
    return [_placed(inner, parts) for inner in schema] if isinstance(schema, list) else schema


def _word_out(word: Told) -> WordOut:
    return WordOut(word.label, word.by, time_text(word.at), word.note, word.effect, word.before, word.after)


__all__ = [
    "MOST_BULK",
    "AlertOut",
    "AlertPage",
    "Bulk",
    "BulkOut",
    "EntryOut",
    "NewSilence",
    "Problem",
    "SilenceOut",
    "Snooze",
    "Word",
    "alert_out",
    "entry_out",
    "schema_of",
    "silence_out",
]
