"""Alerts in the database: a row each, the whole alert as JSON beside the columns that lists are filtered by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from marigram.service.alerts import silences
from marigram.service.alerts.alert import Alert
from marigram.service.delivery import outbox
from marigram.service.delivery.outbox import Connection
from marigram.service.rows import row_of

DDL: Final = (
    """CREATE TABLE IF NOT EXISTS alert (
        id TEXT PRIMARY KEY, key TEXT NOT NULL, status TEXT NOT NULL, kind TEXT NOT NULL, severity REAL NOT NULL,
        opened INTEGER NOT NULL, updated INTEGER NOT NULL, team TEXT NOT NULL, label TEXT NOT NULL,
        body BLOB NOT NULL) STRICT""",
    "CREATE INDEX IF NOT EXISTS alert_opened ON alert (opened, id)",
    "CREATE INDEX IF NOT EXISTS alert_live ON alert (severity) WHERE status <> 'closed'",
    "CREATE INDEX IF NOT EXISTS alert_key ON alert (key, opened)",
    "CREATE INDEX IF NOT EXISTS alert_label ON alert (label) WHERE label <> ''",
    "CREATE TABLE IF NOT EXISTS alert_budget (team TEXT PRIMARY KEY, state BLOB NOT NULL) STRICT",
    *silences.DDL,
    *outbox.DDL,
)
_SAVE = """INSERT INTO alert VALUES (?,?,?,?,?,?,?,?,?,?) ON CONFLICT (id) DO UPDATE SET
    status = excluded.status, kind = excluded.kind, severity = excluded.severity, opened = excluded.opened,
    updated = excluded.updated, team = excluded.team, label = excluded.label, body = excluded.body"""


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Which alerts are meant; None is any."""

    status: tuple[str, ...] = ()
    kind: str | None = None
    key: str | None = None
    """Part of the key."""
    team: str | None = None
    label: str | None = None
    """``none`` is without one."""
    min_severity: float | None = None
    since: int | None = None
    until: int | None = None


def save(connection: Connection, alert: Alert) -> None:
    """Write an alert, new or changed."""
    connection.execute(
        _SAVE,
        (
            alert.id,
            alert.key,
            alert.status,
            alert.kind,
            -1.0 if alert.severity is None else alert.severity,
            alert.opened,
            alert.updated,
            alert.team,
            "" if alert.word is None else alert.word.label,
            msgspec.json.encode(alert),
        ),
    )


def found(connection: Connection, id_: str) -> Alert | None:
    """Return an alert by its id."""
    return next(_alerts(connection.execute("SELECT body FROM alert WHERE id = ?", (id_,))), None)


def live(connection: Connection) -> Iterator[Alert]:
    """Yield the alerts that are not closed."""
    return _alerts(connection.execute("SELECT body FROM alert WHERE status <> 'closed' ORDER BY opened, id"))


def listed(
    connection: Connection, chosen: Filter, limit: int = 100, after: tuple[int, str] | None = None
) -> list[Alert]:
    """Return alerts, the newest first, from below a place (``opened``, ``id``) in that order."""
    where, bindings = _where(chosen)
    if after is not None:
        where += " AND (opened, id) < (?, ?)"
        bindings += after
    sql = f"SELECT body FROM alert WHERE {where} ORDER BY opened DESC, id DESC LIMIT ?"  # noqa: S608 - names of columns
    return list(_alerts(connection.execute(sql, (*bindings, limit))))


def labelled(connection: Connection) -> Iterator[Alert]:
    """Yield the alerts that somebody labelled, the oldest first."""
    return _alerts(connection.execute("SELECT body FROM alert WHERE label <> '' ORDER BY opened, id"))


def count(connection: Connection, chosen: Filter) -> int:
    """Return how many alerts are meant."""
    where, bindings = _where(chosen)
    ((number,),) = connection.execute(f"SELECT count(*) FROM alert WHERE {where}", bindings)  # noqa: S608
    return int(number)


def gravest(connection: Connection, limit: int) -> list[Alert]:
    """Return the alerts that are not closed, the most severe first."""
    sql = "SELECT body FROM alert WHERE status <> 'closed' ORDER BY severity DESC, opened DESC, id LIMIT ?"
    return list(_alerts(connection.execute(sql, (limit,))))


def severest_keys(connection: Connection, since: int, limit: int) -> list[tuple[str, float, int, int, int]]:
    """Return keys by their most severe alert that was opened from a time on.

    Each is its name, that severity (-1 of no data), how many alerts it had, how many are not closed, and the time of
    the last.
    """
    sql = """SELECT key, max(severity), count(*), sum(status <> 'closed'), max(opened) FROM alert WHERE opened >= ?
        GROUP BY key ORDER BY 2 DESC, 3 DESC, 1 LIMIT ?"""
    return list(connection.execute(sql, (since, limit)))


def of_key(connection: Connection, key: str, limit: int) -> list[Alert]:
    """Return the alerts of one key, the newest first."""
    sql = "SELECT body FROM alert WHERE key = ? ORDER BY opened DESC, id DESC LIMIT ?"
    return list(_alerts(connection.execute(sql, (key, limit))))


def open_by_severity(connection: Connection) -> dict[tuple[str, str], int]:
    """Return how many alerts of each kind are not closed, by a band of severity (-log10 p); no data has none."""
    sql = """SELECT kind, CASE WHEN severity < 0 THEN 'none' WHEN severity < 3 THEN 'below 3'
        WHEN severity < 6 THEN '3 to 6' WHEN severity < 9 THEN '6 to 9' ELSE '9 and more' END, count(*)
        FROM alert WHERE status <> 'closed' GROUP BY 1, 2"""
    return {(kind, band): number for kind, band, number in connection.execute(sql)}


def by_hour(connection: Connection, since: int) -> dict[int, dict[str, int]]:
    """Return how many alerts of each kind were opened in each hour since 1970, from a time on."""
    sql = "SELECT opened / 3600000000000, kind, count(*) FROM alert WHERE opened >= ? GROUP BY 1, 2"
    found: dict[int, dict[str, int]] = {}
    for hour, kind, number in connection.execute(sql, (since,)):
        found.setdefault(hour, {})[kind] = number
    return found


def told_since(connection: Connection, team: str, since: int) -> int:
    """Return how many alerts of a team were told that were opened from a time on."""
    sql = "SELECT count(*) FROM alert WHERE team = ? AND opened >= ? AND json_extract(body, '$.told') > 0"
    ((number,),) = connection.execute(sql, (team, since))
    return int(number)


def forget(connection: Connection, now: int, keep: int) -> None:
    """Delete closed alerts without a label that are older than ``keep``, ns, by the time of their events.

    Events may be years old when they come: the present is that of the newest alert, unless it lies ahead of ``now``.
    """
    connection.execute(
        "DELETE FROM alert WHERE status = 'closed' AND label = ''"
        " AND updated < min(?, (SELECT max(updated) FROM alert)) - ?",
        (now, keep),
    )


def save_budget(connection: Connection, team: str, state: bytes) -> None:
    """Write the state of a team's budget."""
    connection.execute(
        "INSERT INTO alert_budget VALUES (?,?) ON CONFLICT (team) DO UPDATE SET state = excluded.state",
        (team, state),
    )


def budgets(connection: Connection) -> dict[str, bytes]:
    """Return the saved budgets by team."""
    return dict(connection.execute("SELECT team, state FROM alert_budget"))


def _where(chosen: Filter) -> tuple[str, tuple[Any, ...]]:
    terms: list[str] = ["1"]
    bindings: list[Any] = []
    if chosen.status:
        terms.append(f"status IN ({','.join('?' * len(chosen.status))})")
        bindings += chosen.status
    label = "" if chosen.label == "none" else chosen.label
    for term, value in (
        ("kind = ?", chosen.kind),
        ("instr(key, ?) > 0", chosen.key or None),
        ("team = ?", chosen.team),
        ("label = ?", label),
        ("severity >= ?", chosen.min_severity),
        ("opened >= ?", chosen.since),
        ("opened < ?", chosen.until),
    ):
        if value is not None:
            terms.append(term)
            bindings.append(value)
    return " AND ".join(terms), tuple(bindings)


def _alerts(rows: Iterable[tuple[bytes]]) -> Iterator[Alert]:
    return (row_of(body, Alert, "an alert") for (body,) in rows)


__all__ = [
    "DDL",
    "Filter",
    "budgets",
    "by_hour",
    "count",
    "forget",
    "found",
    "gravest",
    "labelled",
    "listed",
    "live",
    "of_key",
    "open_by_severity",
    "save",
    "save_budget",
    "severest_keys",
    "told_since",
]
