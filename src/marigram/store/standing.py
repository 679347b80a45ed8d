"""What the books of a tenant hold in memory: the course of its events, counts, and whoever follows.

Within a transaction memory goes ahead of the tables.  A job that fails, or a transaction, takes it back: counts and
followers at once; a fleet that moved cannot go back, so it is made again from the last snapshot and the log, before
anything else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeVar

import apsw
import msgspec
import numpy as np

from marigram.errors import ParameterError
from marigram.events.batch import Batch
from marigram.kinds import Kind
from marigram.store.chunks import write_chunk
from marigram.store.database import DamageError
from marigram.store.meta import meta, set_meta
from marigram.store.past import Past
from marigram.store.silence import SilenceWatch
from marigram.verdicts import Verdicts
from marigram.verdicts.fields import NO_TIME

T = TypeVar("T")


class Follower(Protocol):
    """Who keeps tables of its own in the same database, and in the same transactions."""

    def follow(self, connection: apsw.Connection, verdicts: Verdicts, now: int) -> object:
        """Take the verdicts of one batch, inside its transaction."""

    def tick(self, connection: apsw.Connection, now: int) -> object:
        """Do what time alone brings, about once a second, inside a transaction."""

    def reload(self, connection: apsw.Connection) -> object:
        """Return to what the tables say: a transaction was rolled back."""


class Counts(msgspec.Struct):
    """What was counted since ever, committed with what it counts."""

    seq: int = 0
    """The last entry of the log."""
    accepted: int = 0
    duplicate: int = 0
    rejected: int = 0
    notices: int = 0
    kinds: list[int] = msgspec.field(default_factory=lambda: [0] * len(Kind))
    """Verdicts of each kind."""
    newest: int = NO_TIME
    """Time of the newest event."""
    arrived: int = 0
    """When it came."""


class Mark(NamedTuple):
    """Where memory stood."""

    counts: Counts
    told: int


class Standing:
    """Memory, and its way back to what the tables say.

    Parameters
    ----------
    connection, past
        The tables, and what the course is made of.
    follower
        Who keeps tables of its own; None for nobody.
    clock
        Nanoseconds since 1970 UTC.

    Attributes
    ----------
    counts, committed
        What was counted, and what of it was committed: never behind an answer.
    course
        The fleet, and what waits before it.
    unsaved, unsaved_rows
        Entries and events since the last snapshot.
    spoiled
        Whether the course went ahead of a transaction that failed.
    """

    def __init__(
        self,
        connection: apsw.Connection,
        past: Past,
        follower: Callable[[apsw.Connection], Follower] | None,
        clock: Callable[[], int],
    ) -> None:
        self._connection, self._past = connection, past
        self.counts = self._remembered()
        self.committed = msgspec.structs.replace(self.counts)
        restored = past.restore(self.counts.seq)
        self.course, self.notices, self.unsaved = restored
        self.unsaved_rows = 0
        self.follower = None if follower is None else follower(connection)
        self.watch = SilenceWatch(clock)
        self.watch.newest, self.watch.arrived = self.counts.newest, self.counts.arrived
        self._told: list[Verdicts] = []
        self._touched = False
        self.spoiled = False

    # --- forward ------------------------------------------------------------------------------------------------

    def change(self, work: Callable[[], T]) -> T:
        """Let something change the course; what it refuses beforehand has changed nothing."""
        try:
            value = work()
        except ParameterError:
            raise
        except BaseException:
            self._touched = True
            raise
        self._touched = True
        return value

    def next(self) -> int:
        """Return the number of a new entry of the log."""
        self.counts.seq += 1
        self.unsaved += 1
        return self.counts.seq

    def count(self, batch: Batch) -> None:
        """Count a batch that was accepted."""
        self.counts.accepted += len(batch)
        self.counts.rejected += len(batch.rejects)
        self.unsaved_rows += len(batch)
        self.watch.saw(batch.times)
        self.counts.newest, self.counts.arrived = self.watch.newest, self.watch.arrived

    def tell(self, verdicts: Verdicts, now: int) -> None:
        """Count verdicts and hand them to whoever follows; they are kept with the transaction."""
        if not len(verdicts):
            return
        self._told.append(verdicts)
        kinds = np.bincount(verdicts["kind"], minlength=len(Kind)).tolist()
        self.counts.kinds = [total + new for total, new in zip(self.counts.kinds, kinds, strict=True)]
        self.counts.notices += int(np.count_nonzero(verdicts["notice"]))
        if self.follower is not None:
            self.follower.follow(self._connection, verdicts, now)

    # --- transactions -------------------------------------------------------------------------------------------

    def begin(self) -> Mark:
        """A transaction begins."""
        self._told, self._touched = [], False
        return self.mark()

    def mark(self) -> Mark:
        """A job begins."""
        self._touched = False
        return Mark(msgspec.structs.replace(self.counts), len(self._told))

    def back(self, mark: Mark) -> None:
        """A job failed, and what it did to the tables was undone."""
        self.counts, self.spoiled = mark.counts, self._touched
        del self._told[mark.told :]
        if self.follower is not None:
            self.follower.reload(self._connection)

    def write(self, mark: Mark, now: int) -> None:
        """Write what came since the transaction began."""
        if self._told:
            told = self._told[0] if len(self._told) == 1 else Verdicts.concat(self._told)
            write_chunk(self._connection, self.counts.seq, now, told)
        if self.counts != mark.counts:
            set_meta(self._connection, "counts", msgspec.to_builtins(self.counts))

    def undo(self, mark: Mark) -> None:
        """The transaction failed, and was rolled back."""
        self.spoiled = self.spoiled or self.counts.seq != mark.counts.seq or self._touched
        self.counts = mark.counts
        if self.follower is not None:
            self.follower.reload(self._connection)

    def heal(self) -> None:
        """Make the course again if it went ahead of what was committed."""
        if self.spoiled:
            self.counts = self._remembered()
            self.course, _, self.unsaved = self._past.restore(self.counts.seq)
            self.spoiled = False

    def _remembered(self) -> Counts:
        """Return the counts of the last commit, which the log must bear out."""
        told = meta(self._connection, "counts")
        counts = Counts() if told is None else msgspec.convert(told, Counts)
        row = self._connection.execute("SELECT max(seq) FROM log").fetchone()
        last = row[0] if row else None
        if last is not None and last != counts.seq:
            raise DamageError(f"the log ends with entry {last}, and {counts.seq} were committed")
        return counts


__all__ = ["Counts", "Follower", "Mark", "Standing"]
