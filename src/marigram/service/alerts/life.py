"""The life of an alert, as pure steps: an alert and an event in, an alert out; no clock, no database.

::

    notice -> open -> (acknowledged | snoozed) -> closed
                ^            more severe            |
                +-----------------------------------+

* An episode is one alert, however many notices it has: the first opens it, later ones raise it, and reopen it.
* A drift that takes back the alert's events turns it into a drift: one alert, one more notice.  A drift is told once;
  what is unusual after it, in the same episode, is another alert.
* It is closed when the key has been calm for some events, by a label, or by hand; no data when a value comes.
* What a person called false or expected stays closed for the rest of its episode, unless the norm moves.
"""

from __future__ import annotations

import re
from math import isnan
from typing import Final

import msgspec
from msgspec.structs import replace

from marigram.kinds import Kind
from marigram.service.alerts.alert import Alert, AlertKind, Status, Told, Why
from marigram.service.alerts.rules import AlertRules
from marigram.verdicts.row import Verdict, alert_line

FLAGGED: Final = (Kind.ANOMALY, Kind.DRIFT, Kind.UNDECIDED)
"""Kinds of events that a label can speak of."""
CALM: Final = (Kind.NORMAL, Kind.LEARNING)
_GAP: Final = re.compile(r"\s{2,}")
"""What stands between the parts of a line that is made for a terminal."""
NO_DATA_SEVERITY: Final = 4.0
"""What a silence weighs before a budget: as much as a drift."""


def kind_of(verdict: Verdict) -> AlertKind:
    """Return what an alert about this verdict is called."""
    if verdict.kind is Kind.DRIFT:
        return "drift"
    if verdict.kind is Kind.ANOMALY:
        return "anomaly"
    if verdict.kind is Kind.UNDECIDED:
        return "undecided"
    return "missing" if verdict.kind is Kind.MISSING else "unusual"


def is_silence(verdict: Verdict) -> bool:
    """Is this no event, but a key that fell silent?"""
    return verdict.kind is Kind.MISSING and verdict.seq < 0


def key_text(key: object) -> str:
    """Return a key as text; a stream without keys has the empty one."""
    return "" if key is None else str(key)


def opened(id_: str, verdict: Verdict, rules: AlertRules, now: int) -> Alert:
    """Return the alert that a notice opens."""
    key, kind = key_text(verdict.key), kind_of(verdict)
    labels, at = rules.labels_of(key), _time(verdict, now)
    context = labels | {"key": key, "kind": kind}
    team = rules.team_of(context)
    told = "" if team is None else team.name
    return Alert(
        id=id_,
        key=key,
        kind=kind,
        status="open",
        severity=_severity(verdict),
        episode=verdict.episode,
        opened=at,
        updated=at,
        first_seq=verdict.seq,
        last_seq=verdict.seq,
        peak_seq=verdict.seq,
        flagged_seq=verdict.seq if verdict.kind in FLAGGED else None,
        flagged_severity=_order(verdict) if verdict.kind in FLAGGED else -1.0,
        events=1,
        notices=1,
        granted=0,
        told=0,
        calm=0,
        team=told,
        group=rules.group_of(context | {"team": told}),
        labels=labels,
        text=_line(verdict),
        verdict=msgspec.Raw(verdict.to_json()),
    )


def disturbed(alert: Alert, verdict: Verdict, now: int) -> Alert:
    """Return the alert after an event that was not calm: one more, and perhaps the most severe so far."""
    flagged = verdict.kind in FLAGGED and _order(verdict) > alert.flagged_severity
    grown = replace(
        alert,
        events=alert.events + 1,
        calm=0,
        updated=max(alert.updated, _time(verdict, now)),
        last_seq=max(alert.last_seq, verdict.seq),
        flagged_seq=verdict.seq if flagged else alert.flagged_seq,
        flagged_severity=_order(verdict) if flagged else alert.flagged_severity,
    )
    if _order(verdict) <= (-1.0 if alert.severity is None else alert.severity) or alert.kind == "drift":
        return grown
    return _about(replace(grown, peak_seq=verdict.seq, severity=_severity(verdict)), verdict)


def raised(alert: Alert, verdict: Verdict, now: int) -> Alert:
    """Return the alert after another notice of its episode; a closed one is open again, unless a word forbids it."""
    grown = disturbed(alert, verdict, now)
    grown = replace(grown, notices=grown.notices + 1)
    if grown.is_open or (grown.word is not None and grown.word.label != "true"):
        return grown
    return replace(grown, status="open", closed=None, why_closed=None)


def takes_back(alert: Alert, verdict: Verdict) -> bool:
    """Does this drift say that the alert's events were its beginning?"""
    if verdict.kind is not Kind.DRIFT or alert.kind == "missing":
        return False
    return verdict.resolves is not None and alert.first_seq >= verdict.resolves


def turned(alert: Alert, verdict: Verdict, now: int) -> Alert:
    """Return the alert after the drift that takes its events back."""
    grown = disturbed(alert, verdict, now)
    status: Status = "open" if grown.status == "closed" else grown.status
    grown = replace(
        grown,
        kind="drift",
        status=status,
        closed=None,
        why_closed=None,
        notices=grown.notices + 1,
        peak_seq=verdict.seq,
        flagged_seq=verdict.seq,
        severity=max(_order(verdict), grown.severity or 0.0),
    )
    return _about(grown, verdict)


def calmed(alert: Alert, at: int, enough: int) -> Alert:
    """Return the alert after a calm event at a time, ns; after ``enough`` it is closed."""
    calm = alert.calm + 1
    if calm < enough:
        return replace(alert, calm=calm)
    return closed(replace(alert, calm=calm), max(at, alert.opened), "normal")


def closed(alert: Alert, at: int, why: Why) -> Alert:
    """Return the alert, closed."""
    return replace(
        alert, status="closed", closed=at, updated=max(at, alert.updated), why_closed=why, snoozed_until=None
    )


def acknowledged(alert: Alert, by: str) -> Alert:
    """Return the alert that somebody looks after: nothing more is sent of it but its end, or that it is a drift."""
    return replace(alert, status="acknowledged", acknowledged_by=by, snoozed_until=None)


def snoozed(alert: Alert, until: int) -> Alert:
    """Return the alert that keeps still until a time, ns."""
    return replace(alert, status="snoozed", snoozed_until=until)


def woken(alert: Alert) -> Alert:
    """Return the alert whose snooze is over."""
    return replace(alert, status="open", snoozed_until=None, notices=alert.notices + 1)


def labelled(alert: Alert, word: Told) -> Alert:
    """Return the alert with a person's word; false and expected close it."""
    spoken = replace(alert, word=word)
    return spoken if word.label == "true" or not alert.is_open else closed(spoken, word.at, "label")


def _about(alert: Alert, verdict: Verdict) -> Alert:
    """Return the alert telling of another verdict."""
    kind = alert.kind if alert.kind == "drift" else kind_of(verdict)
    return replace(alert, kind=kind, text=_line(verdict), verdict=msgspec.Raw(verdict.to_json()))


def _line(verdict: Verdict) -> str:
    """Return a verdict in one line, without when and who, which stand beside it wherever it is told."""
    if is_silence(verdict):
        return f"fell silent after {verdict.n:,} events"
    _, kind, *parts = _GAP.split(alert_line(replace(verdict, time=None, key=None)))
    return f"{kind} {', '.join(parts)}"


def _time(verdict: Verdict, now: int) -> int:
    return now if verdict.time is None else verdict.time


def _severity(verdict: Verdict) -> float | None:
    return None if isnan(verdict.severity) else verdict.severity


def _order(verdict: Verdict) -> float:
    return -1.0 if isnan(verdict.severity) else verdict.severity


__all__ = [
    "CALM",
    "FLAGGED",
    "NO_DATA_SEVERITY",
    "acknowledged",
    "calmed",
    "closed",
    "disturbed",
    "is_silence",
    "key_text",
    "labelled",
    "opened",
    "raised",
    "snoozed",
    "takes_back",
    "turned",
    "woken",
]
