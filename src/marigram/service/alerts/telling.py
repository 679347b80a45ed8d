"""Whether a notice is sent, and to whom; every answer is written into the outbox, also that nothing is sent."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from marigram.service.alerts.alert import Alert
from marigram.service.alerts.life import NO_DATA_SEVERITY
from marigram.service.alerts.rules import AlertRules
from marigram.service.alerts.silences import Silence
from marigram.service.delivery import outbox
from marigram.service.delivery.messages import Notice, What
from marigram.service.delivery.outbox import Connection, State
from marigram.thresholds.budget import AlertBudget

_SECOND = 1_000_000_000


def told(
    connection: Connection,
    alert: Alert,
    what: What,
    *,
    rules: AlertRules,
    silences: Iterable[Silence],
    budgets: dict[str, AlertBudget],
    made: int,
    now: int,
) -> Alert:
    """Write one notice of an alert for every channel that takes it; returns the alert as it then is.

    Parameters
    ----------
    alert, what
        What happened to whom.
    silences, budgets
        Those in force; a budget is spent by an alert's first notice that it grants.
    made, now
        When it happened, and when it is known, ns.
    """
    context = alert.context | {"team": alert.team}
    state, reason = _verdict(alert, what, context, silences, budgets, made, now)
    if what == "closed" and (not alert.granted or (state == "waiting" and not alert.told)):
        return alert  # who was never told of it need not hear that it is over
    heard = {"waiting": alert.told, "muted": alert.granted, "held": 1}[state]
    if what in ("raised", "reminder") and not heard:
        what = "opened"
    notice = Notice(
        id=f"{alert.id}-{alert.notices}{'c' if what == 'closed' else ''}",
        alert=alert.id,
        what=what,
        made=made,
        key=alert.key,
        kind=alert.kind,
        severity=alert.severity,
        opened=alert.opened,
        closed=alert.closed,
        team=alert.team,
        group=alert.group,
        labels=alert.labels,
        text=alert.text,
        verdict=alert.verdict,
    )
    for channel in rules.channels:
        if channel.takes(what, context):
            outbox.put(connection, notice, channel.name, now + int(channel.wait * _SECOND), state, reason)
    return replace(
        alert,
        granted=alert.granted + (state != "held"),
        told=alert.told + (state == "waiting"),
        muted_by=reason if state == "muted" else None,
    )


def _verdict(
    alert: Alert,
    what: What,
    context: dict[str, str],
    silences: Iterable[Silence],
    budgets: dict[str, AlertBudget],
    made: int,
    now: int,
) -> tuple[State, str]:
    """Return the state that a notice has in the outbox, and why.

    The budget is asked before the silences are, so that a silence does not change what is sent after it.
    """
    if alert.status == "acknowledged" and what == "raised":
        return "held", "acknowledged"
    if alert.status == "snoozed" and what == "raised":
        return "held", "snoozed"
    budget = budgets.get(alert.team)
    if what != "closed" and not alert.granted and budget is not None:
        severity = NO_DATA_SEVERITY if alert.severity is None else alert.severity
        if not budget.update(severity, made):
            return "held", "budget"
    for silence in silences:
        if silence.mutes(context, now):
            return "muted", silence.id
    return "waiting", ""


__all__ = ["told"]
