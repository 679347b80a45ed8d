"""The outbox: what is to be sent stands in the same transaction as what it is about.

So a crash can neither lose a notice nor send one of something that did not happen.  Delivery is at least once: an
envelope is fixed before its first attempt and keeps its id, by which a receiver knows a repetition.
"""

from __future__ import annotations

from typing import Any, Final, Literal, Protocol, TypeAlias

import msgspec

from marigram.service.delivery.messages import Envelope, Notice
from marigram.service.rows import row_of

State: TypeAlias = Literal["waiting", "sent", "dead", "muted", "held"]

STATES: Final[tuple[State, ...]] = ("waiting", "sent", "dead", "muted", "held")
DDL: Final = (
    """CREATE TABLE IF NOT EXISTS alert_outbox (
        id TEXT PRIMARY KEY, notice TEXT NOT NULL, alert TEXT NOT NULL, channel TEXT NOT NULL, grouped TEXT NOT NULL,
        what TEXT NOT NULL, made INTEGER NOT NULL, due INTEGER NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL,
        envelope TEXT, attempts INTEGER NOT NULL, finished INTEGER, body BLOB NOT NULL) STRICT""",
    "CREATE INDEX IF NOT EXISTS alert_outbox_due ON alert_outbox (channel, due) WHERE state = 'waiting'",
    "CREATE INDEX IF NOT EXISTS alert_outbox_state ON alert_outbox (state, reason)",
    "CREATE INDEX IF NOT EXISTS alert_outbox_alert ON alert_outbox (alert)",
)
"""``muted`` by a silence, ``held`` back because the alert is snoozed, acknowledged or over budget: never sent."""
_TOGETHER = 50
"""Notices of an envelope."""


class Connection(Protocol):
    """What is needed of a connection to the database; whoever calls opens and commits the transaction."""

    def execute(self, sql: str, bindings: Any = ..., /) -> Any:
        """Run one statement; its rows are tuples."""


class Entry(msgspec.Struct, frozen=True):
    """One notice on its way to one channel, as it is listed."""

    id: str
    alert: str
    channel: str
    what: str
    made: int
    due: int
    state: str
    reason: str
    attempts: int
    finished: int | None
    envelope: str | None


_COLUMNS = ", ".join(Entry.__struct_fields__)


def put(connection: Connection, notice: Notice, channel: str, due: int, state: State, reason: str) -> None:
    """Write one notice for one channel; again is as once."""
    connection.execute(
        "INSERT OR IGNORE INTO alert_outbox VALUES (?,?,?,?,?,?,?,?,?,?,NULL,0,NULL,?)",
        (
            f"{notice.id}-{channel}",
            notice.id,
            notice.alert,
            channel,
            notice.group,
            notice.what,
            notice.made,
            due,
            state,
            reason,
            msgspec.json.encode(notice),
        ),
    )


def is_due(connection: Connection, channel: str, now: int) -> bool:
    """Is there something to send?"""
    sql = "SELECT 1 FROM alert_outbox WHERE state = 'waiting' AND channel = ? AND due <= ? LIMIT 1"
    return any(connection.execute(sql, (channel, now)))


def claim(connection: Connection, channel: str, now: int) -> Envelope | None:
    """Return what is to be sent next, its envelope written down; None when nothing is due."""
    first = list(
        connection.execute(
            "SELECT id, grouped, envelope FROM alert_outbox WHERE state = 'waiting' AND channel = ? AND due <= ?"
            " ORDER BY due, made, id LIMIT 1",
            (channel, now),
        )
    )
    if not first:
        return None
    id_, group, envelope = first[0]
    if envelope is None:
        envelope = id_
        connection.execute(
            "UPDATE alert_outbox SET envelope = ? WHERE id IN (SELECT id FROM alert_outbox WHERE state = 'waiting'"
            " AND channel = ? AND due <= ? AND grouped = ? AND envelope IS NULL ORDER BY made, id LIMIT ?)",
            (envelope, channel, now, group, _TOGETHER),
        )
    rows = list(
        connection.execute(
            "SELECT body, attempts FROM alert_outbox WHERE envelope = ? AND state = 'waiting' ORDER BY made, id",
            (envelope,),
        )
    )
    notices = tuple(row_of(body, Notice, "a notice") for body, _ in rows)
    return Envelope(envelope, channel, notices, max(attempts for _, attempts in rows))


def settle_sent(connection: Connection, envelope: str, now: int) -> None:
    """Write down that an envelope was taken."""
    connection.execute(
        "UPDATE alert_outbox SET state = 'sent', reason = '', attempts = attempts + 1, finished = ?"
        " WHERE envelope = ? AND state = 'waiting'",
        (now, envelope),
    )


def settle_failed(connection: Connection, envelope: str, now: int, due: int | None, reason: str) -> None:
    """Write down a failure: it is tried again when ``due``, or never when that is None."""
    state, at = ("dead", now) if due is None else ("waiting", due)
    connection.execute(
        "UPDATE alert_outbox SET state = ?, reason = ?, attempts = attempts + 1, due = ?, finished = ?"
        " WHERE envelope = ? AND state = 'waiting'",
        (state, reason[:500], at, now if due is None else None, envelope),
    )


def withdraw(connection: Connection, alert: str, reason: str) -> None:
    """Hold back what was not attempted yet of an alert."""
    connection.execute(
        "UPDATE alert_outbox SET state = 'held', reason = ? WHERE alert = ? AND state = 'waiting' AND envelope IS NULL",
        (reason, alert),
    )


def revive(connection: Connection, id_: str, now: int) -> bool:
    """Let a dead letter be tried again, under its old id; False when there is none of that id."""
    found = list(
        connection.execute("SELECT envelope FROM alert_outbox WHERE id = ? AND state = 'dead'", (id_,))
    )
    if not found:
        return False
    connection.execute(
        "UPDATE alert_outbox SET state = 'waiting', due = ?, attempts = 0, finished = NULL"
        " WHERE envelope = ? AND state = 'dead'",
        (now, found[0][0]),
    )
    return True


def listed(
    connection: Connection,
    *,
    state: str | None = None,
    alert: str | None = None,
    reason: str | None = None,
    limit: int = 100,
) -> list[Entry]:
    """Return entries, the newest first."""
    sql, bindings = f"SELECT {_COLUMNS} FROM alert_outbox WHERE 1", []  # noqa: S608 - names of columns
    for name, value in (("state", state), ("alert", alert), ("reason", reason)):
        if value is not None:
            sql += f" AND {name} = ?"
            bindings.append(value)
    rows = connection.execute(f"{sql} ORDER BY made DESC, id DESC LIMIT ?", (*bindings, limit))
    return [Entry(*row) for row in rows]


def counts(connection: Connection) -> dict[str, int]:
    """Return how many entries are in each state."""
    found = dict(connection.execute("SELECT state, count(*) FROM alert_outbox GROUP BY state", ()))
    return {state: int(found.get(state, 0)) for state in STATES}


def retried(connection: Connection) -> int:
    """Return how many entries wait after an attempt that failed."""
    sql = "SELECT count(*) FROM alert_outbox WHERE state = 'waiting' AND attempts > 0"
    ((number,),) = connection.execute(sql, ())
    return int(number)


def forget(connection: Connection, before: int) -> None:
    """Delete what was finished, muted or held back before a moment."""
    connection.execute(
        "DELETE FROM alert_outbox WHERE (state = 'sent' OR state = 'dead') AND finished < ?", (before,)
    )
    connection.execute(
        "DELETE FROM alert_outbox WHERE (state = 'muted' OR state = 'held') AND made < ?", (before,)
    )


__all__ = [
    "DDL",
    "STATES",
    "Connection",
    "Entry",
    "State",
    "claim",
    "counts",
    "forget",
    "is_due",
    "listed",
    "put",
    "retried",
    "revive",
    "settle_failed",
    "settle_sent",
    "withdraw",
]
