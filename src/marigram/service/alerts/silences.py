"""Silences: for a while, nothing is sent about some alerts.  Scoring, alerts and their pages go on.

What a silence kept back stays in the outbox as ``muted`` under its id, so that it can say what it would have sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from marigram.errors import ParameterError
from marigram.service.delivery.channels import fits
from marigram.service.delivery.outbox import Connection
from marigram.service.rows import row_of

DDL: Final = (
    """CREATE TABLE IF NOT EXISTS alert_silence (
        id TEXT PRIMARY KEY, starts INTEGER NOT NULL, ends INTEGER NOT NULL, over INTEGER NOT NULL,
        body BLOB NOT NULL) STRICT""",
)
LONGEST: Final = 366 * 86_400 * 1_000_000_000


class Silence(msgspec.Struct, frozen=True):
    """One silence; times are nanoseconds since 1970 UTC."""

    id: str
    match: dict[str, str]
    """Patterns of labels, of ``key``, ``kind`` and ``team``; all must fit."""
    starts: int
    ends: int
    by: str
    comment: str

    def __post_init__(self) -> None:
        if not self.match:
            raise ParameterError("a silence matches something: give at least one pattern, such as key = *")
        if not 0 < self.ends - self.starts <= LONGEST:
            raise ParameterError("a silence ends after it starts, within 366 days")

    def mutes(self, context: Mapping[str, str], now: int) -> bool:
        """Does it keep back a notice at this time?"""
        return self.starts <= now < self.ends and fits(self.match, context)


def save(connection: Connection, silence: Silence) -> None:
    """Write a silence, new or changed."""
    connection.execute(
        "INSERT INTO alert_silence VALUES (?,?,?,0,?) ON CONFLICT (id) DO UPDATE"
        " SET starts = excluded.starts, ends = excluded.ends, body = excluded.body",
        (silence.id, silence.starts, silence.ends, msgspec.json.encode(silence)),
    )


def current(connection: Connection) -> dict[str, Silence]:
    """Return the silences that are not over, by id."""
    rows = connection.execute("SELECT body FROM alert_silence WHERE over = 0 ORDER BY starts, id")
    found = [row_of(body, Silence, "a silence") for (body,) in rows]
    return {silence.id: silence for silence in found}


def end(connection: Connection, id_: str) -> None:
    """Write down that a silence is over, and that what it muted has been seen to."""
    connection.execute("UPDATE alert_silence SET over = 1 WHERE id = ?", (id_,))


def listed(connection: Connection, limit: int = 100) -> list[tuple[Silence, int]]:
    """Return silences, the latest end first, each with the number of notices that it muted."""
    rows = connection.execute(
        "SELECT body, (SELECT count(*) FROM alert_outbox WHERE state = 'muted' AND reason = alert_silence.id)"
        " FROM alert_silence ORDER BY ends DESC, id LIMIT ?",
        (limit,),
    )
    return [(row_of(body, Silence, "a silence"), muted) for body, muted in rows]


def next_id(connection: Connection) -> str:
    """Return an id that no silence has."""
    ((number,),) = connection.execute("SELECT count(*) FROM alert_silence")
    return f"s{int(number) + 1}"


def found(connection: Connection, id_: str) -> Silence | None:
    """Return a silence by its id."""
    rows = list(connection.execute("SELECT body FROM alert_silence WHERE id = ?", (id_,)))
    return row_of(rows[0][0], Silence, "a silence") if rows else None


__all__ = ["DDL", "Silence", "current", "end", "found", "listed", "next_id", "save"]
