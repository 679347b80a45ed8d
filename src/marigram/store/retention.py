"""What is kept and for how long: the oldest verdicts and batches go when they are too old, or take too much room.

Batches go up to a snapshot only, the oldest that a replay can then begin at; so the log, from there on, always leads
to the present.  Rows go a few at a time, so that nobody waits for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import apsw

from marigram.errors import ParameterError
from marigram.store.pages import PAGE
from marigram.store.past import Past

DAY: Final = 86_400 * 10**9
_SLICE: Final = 200
"""Rows that go at a time."""
_SHARE: Final = 0.9
"""Of the room that there is, what is taken again after something went."""


@dataclass(frozen=True)
class Keep:
    """How much is kept.

    Parameters
    ----------
    events, verdicts
        Nanoseconds for which batches (what a replay needs) and verdicts stay, by the clock of their receipt.
    room
        Bytes that the database may take.
    """

    events: int = 14 * DAY
    verdicts: int = 30 * DAY
    room: int = 20 * 10**9

    def __post_init__(self) -> None:
        if self.events < 0 or self.verdicts < 0:
            raise ParameterError("nothing can be kept for less than no time")
        if self.room < 1 << 24:
            raise ParameterError(f"the database needs 16 MiB of room at least, not {self.room:,} bytes")


class Retention:
    """Lets go of what need not be kept any more.

    Parameters
    ----------
    keep
        How much is kept.
    past
        The snapshots, and the database of the log.
    """

    def __init__(self, keep: Keep, past: Past) -> None:
        self._keep = keep
        self._past = past
        self._archived = max((seq for seq, _ in past.snapshots("past")), default=0)

    def archive(self, seq: int, connection: apsw.Connection, now: int) -> None:
        """Keep the snapshot of entry ``seq``, just written, if the last one that was kept is a day old."""
        row = connection.execute(
            "SELECT at FROM log WHERE seq > ? ORDER BY seq LIMIT 1", (self._archived,)
        ).fetchone()
        if row is not None and now - int(str(row[0])) >= min(DAY, max(1, self._keep.events // 4)):
            self._past.archive(seq)
            self._archived = seq

    def apply(self, connection: apsw.Connection, now: int) -> int:
        """Remove at most a few rows, inside a transaction; returns how many, 0 when all is as it should be."""
        crowded = used_bytes(connection) > self._keep.room
        verdicts = now - self._keep.verdicts
        gone = self._remove(connection, "chunk", "at < ?", verdicts)
        if not gone and crowded:
            gone = self._remove(connection, "chunk", "seq < ?", 1 << 62)
        limit = self._boundary(connection, now, crowded and not gone)
        return gone + self._remove(connection, "log", "seq <= ?", limit)

    def forget(self, connection: apsw.Connection) -> None:
        """Remove snapshots from which no log leads on, but the one where a replay begins."""
        row = connection.execute("SELECT min(seq) FROM log").fetchone()
        first = 0 if row is None or row[0] is None else int(str(row[0]))
        self._past.forget(first - 1)

    def _boundary(self, connection: apsw.Connection, now: int, crowded: bool) -> int:
        """Return the entry up to which the log may go: that of an archived snapshot, 0 for none."""
        oldest = min((seq for seq, _ in self._past.snapshots()), default=0)
        archived = [seq for seq, _ in self._past.snapshots("past") if seq <= oldest]
        for seq in archived:
            row = connection.execute("SELECT at FROM log WHERE seq = ?", (seq,)).fetchone()
            old = row is not None and int(str(row[0])) < now - self._keep.events
            if old or (crowded and seq == min(archived)):
                return seq
        return max((seq for seq in archived if self._begun(connection, seq)), default=0)

    def _begun(self, connection: apsw.Connection, seq: int) -> bool:
        """Whether rows up to that entry are being removed already, slice by slice."""
        row = connection.execute("SELECT min(seq) FROM log").fetchone()
        first = 1 if row is None or row[0] is None else int(str(row[0]))
        return 1 < first <= seq and not any(first == other + 1 for other, _ in self._past.snapshots("past"))

    def _remove(self, connection: apsw.Connection, table: str, which: str, bound: int) -> int:
        before = connection.total_changes()
        connection.execute(
            f"DELETE FROM {table} WHERE seq IN (SELECT seq FROM {table} WHERE {which} ORDER BY seq LIMIT ?)",  # noqa: S608
            (bound, _SLICE),
        )
        return connection.total_changes() - before


def used_bytes(connection: apsw.Connection) -> int:
    """Return the bytes that rows take in the database; pages that were freed are used again."""
    pages, free = (connection.pragma(name) for name in ("page_count", "freelist_count"))
    return (int(str(pages)) - int(str(free))) * PAGE


__all__ = ["DAY", "Keep", "Retention", "used_bytes"]
