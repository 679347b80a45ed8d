"""What one writer does: jobs in groups, each group one transaction, each answer after its commit.

The order within a group: a job changes the fleet in memory and the tables in the transaction; the verdicts of all
jobs are written; the transaction is committed, one wait for the disk for all; then the jobs are answered.  A fleet
that went ahead of a transaction which failed is made again from the last snapshot and the log, before anything else.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import apsw
import msgspec
import numpy as np

from marigram.detectors.default import Detector
from marigram.detectors.parameters import Parameters
from marigram.errors import MarigramError, ParameterError
from marigram.events.batch import Batch
from marigram.fleet import Fleet
from marigram.fleet.feedback import Effect, Label
from marigram.kinds import Kind
from marigram.store import audit, log
from marigram.store.chunks import write_chunk
from marigram.store.database import FILE, DamageError, FullError, open_writer, plainly
from marigram.store.pages import NAME
from marigram.store.past import Past
from marigram.store.silence import SilenceWatch
from marigram.verdicts import Verdicts
from marigram.verdicts.fields import NO_TIME

T = TypeVar("T")
_PROBE = 1 << 16
"""Bytes that must fit on a disk that was full before anything else is tried."""


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


class Receipt(msgspec.Struct, frozen=True):
    """What became of a batch."""

    seq: int
    accepted: int
    duplicate: int
    rejected: list[tuple[int, str]]
    """Line and reason of each line that cannot be used."""


class ReusedError(ParameterError):
    """The name of a batch was used before, for other events."""


@dataclass
class Job(Generic[T]):
    """Something to be done inside a transaction; ``future`` is answered once it is on the disk."""

    work: Callable[[Books], T]
    weight: int = 1
    asks: bool = False
    """Whether it only looks, and so is answered on a full disk, too."""
    future: Future[T] = field(default_factory=Future)
    since: float = field(default_factory=time.monotonic)


class Books:
    """The fleet and the database of one tenant; used by one thread at a time.

    Parameters
    ----------
    folder
        Where the database and the snapshots are; held by the caller.
    detector
        What judges, when the folder is new; a folder of another detector is refused.
    ddl, follower
        Tables that somebody else keeps in the database, and who keeps them.
    memory, threads
        As for :class:`~marigram.fleet.Fleet`.
    silence
        Whether keys are asked now and then if they fell silent.
    clock
        Nanoseconds since 1970 UTC.
    vfs
        Name of the layer below SQLite, for tests.

    Raises
    ------
    SnapshotError
        What is there is damaged.
    FullError
        The disk cannot be written to.
    """

    def __init__(
        self,
        folder: Path,
        detector: Detector | None = None,
        *,
        ddl: Iterable[str] = (),
        follower: Callable[[apsw.Connection], Follower] | None = None,
        memory: int | str | None = None,
        threads: int = 1,
        silence: bool = True,
        clock: Callable[[], int] = time.time_ns,
        vfs: str = NAME,
    ) -> None:
        self.folder = folder
        self.clock = clock
        self.connection = open_writer(folder / FILE, ddl, vfs)
        self._detector = self._agreed(detector)
        self.past = Past(
            folder,
            self.connection,
            fresh=lambda: Fleet(self._detector, memory=memory, threads=threads),
            load=lambda path: Fleet.load(path, memory=memory, threads=threads),
        )
        with plainly(folder / FILE):
            self.counts = self._remembered()
            self.committed = msgspec.structs.replace(self.counts)
            """What was committed, never behind an answer."""
            restored = self.past.restore(self.counts.seq)
            self.follower = None if follower is None else follower(self.connection)
        self.fleet, self.notices = restored.fleet, restored.notices
        self.unsaved = restored.replayed
        """Entries since the last snapshot."""
        self.unsaved_rows = 0
        self.now = clock()
        """The moment of the transaction, ns."""
        self._watch = SilenceWatch(clock) if silence else None
        if self._watch is not None:
            self._watch.newest, self._watch.arrived = self.counts.newest, self.counts.arrived
        self._told: list[Verdicts] = []
        self._touched = self._spoiled = False
        self.full = False
        """Whether the last attempt to write found no room."""

    # --- what jobs do -------------------------------------------------------------------------------------------

    def events(
        self,
        batch: Batch,
        source: str,
        batch_id: str | None = None,
        digest: bytes = b"",
        position: str | None = None,
    ) -> Receipt:
        """Accept and judge a batch, once: one of the same name was accepted before and is a duplicate.

        ``position`` says where the source stands behind the batch, and is kept with it.

        Raises
        ------
        ReusedError
            The name is that of another batch.
        ParameterError
            The events do not fit those before.
        """
        if batch_id is not None:
            known = log.accepted(self.connection, source, batch_id)
            if known is not None:
                return self._again(known, digest)
        if position is not None:
            self.set_position(source, position)
        verdicts = self._change(lambda: log.judge(self.fleet, batch))
        seq = self._next()
        log.append_events(self.connection, seq, self.now, batch, source, batch_id, digest)
        self.counts.accepted += len(batch)
        self.counts.rejected += len(batch.rejects)
        self.unsaved_rows += len(batch)
        self._follow(verdicts)
        if self._watch is not None and len(batch):
            self._watch.saw(batch.times)
            self.counts.newest, self.counts.arrived = self._watch.newest, self._watch.arrived
        return Receipt(seq, len(batch), 0, [(reject.line, reject.reason) for reject in batch.rejects])

    def feedback(self, key: str, seq: int, label: Label) -> Effect:
        """Tell the fleet a person's word on a verdict; see :meth:`marigram.fleet.Fleet.feedback`."""
        effect = self._change(lambda: self.fleet.feedback(key, seq, label))
        log.append_said(self.connection, self._next(), self.now, "feedback", log.Word(key, seq, label))
        return effect

    def silent(self, now: int) -> Verdicts:
        """Ask which keys fell silent before ``now``, ns of event time; the rows are judged like events."""
        verdicts = self._change(lambda: self.fleet.silent(now))
        if len(verdicts):
            log.append_said(self.connection, self._next(), self.now, "silent", log.Present(now))
            self._follow(verdicts)
        return verdicts

    def roll_back(self, window: log.Window) -> Fleet:
        """Make the fleet anew as if the events of a window had never come; returns what it was."""
        before, seq = self.fleet, self.counts.seq
        windows = [*self.past.windows(seq), window]
        self.fleet = self._change(lambda: self.past.build(seq, windows))
        log.append_said(self.connection, self._next(), self.now, "rollback", window)
        return before

    def audit(self, actor: str, action: str, detail: Mapping[str, Any]) -> None:
        """Write down who did what."""
        audit.record(self.connection, self.now, actor, action, detail)

    def meta(self, name: str) -> Any:
        """Return a setting that is kept with the data; None when there is none."""
        row = self.connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return None if row is None else msgspec.json.decode(str(row[0]))

    def set_meta(self, name: str, value: Any) -> None:
        """Keep a setting with the data."""
        text = msgspec.json.encode(value, order="deterministic").decode()
        self.connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, text))

    def set_position(self, source: str, value: str) -> None:
        """Keep where a source stands."""
        self.connection.execute("INSERT OR REPLACE INTO position VALUES (?, ?)", (source, value))

    # --- groups -------------------------------------------------------------------------------------------------

    def do(self, jobs: Iterable[Job[Any]]) -> None:
        """Do the jobs, in as few transactions as can be, and answer each after its commit."""
        waiting = deque(job for job in jobs if job.future.set_running_or_notify_cancel())
        while waiting:
            try:
                self.heal()
            except MarigramError as error:
                for job in waiting:
                    self._do_without_disk(job, error)
                return
            self._transaction(waiting)

    def tick(self) -> None:
        """Do what time alone brings."""
        self.do([Job(lambda _: self._tick())])

    def heal(self) -> None:
        """Make the fleet again if it went ahead of a transaction that failed, and try a disk that was full.

        Raises
        ------
        FullError
            The disk is still full; the fleet is as it was after the last commit.
        """
        with plainly(self.folder / FILE):
            if self._spoiled:
                self.counts = self._remembered()
                restored = self.past.restore(self.counts.seq)
                self.fleet, self.unsaved = restored.fleet, restored.replayed
                self._spoiled = False
            if self.full:
                with self.connection:
                    self.connection.execute(
                        "INSERT OR REPLACE INTO meta VALUES ('probe', ?)", ("x" * _PROBE,)
                    )
                self.connection.execute("DELETE FROM meta WHERE name = 'probe'")
                self.full = False

    def save(self) -> None:
        """Write a snapshot of the fleet."""
        self.heal()
        self.past.save(self.fleet, self.counts.seq)
        self.unsaved = self.unsaved_rows = 0

    def close(self) -> None:
        """Close the database; a snapshot is written first if anything happened since the last."""
        try:
            if self.unsaved and not self._spoiled:
                self.save()
        finally:
            self.connection.close()

    def _transaction(self, waiting: deque[Job[Any]]) -> None:
        """Do jobs until there are no more, or one leaves the fleet ahead of the tables."""
        before, done = (
            msgspec.structs.replace(self.counts),
            list[tuple[Job[Any], Any, BaseException | None]](),
        )
        self._told, self._touched = [], False
        try:
            with plainly(self.folder / FILE):
                self.connection.execute("BEGIN IMMEDIATE")
                self.now = self.clock()
                while waiting and not self._spoiled:
                    job = waiting.popleft()
                    done.append((job, None, None))
                    done[-1] = self._attempt(job)
                if self._told:
                    told = self._told[0] if len(self._told) == 1 else Verdicts.concat(self._told)
                    write_chunk(self.connection, self.counts.seq, self.now, told)
                if self.counts != before:
                    self.set_meta("counts", msgspec.to_builtins(self.counts))
                self.connection.execute("COMMIT")
                self.committed = msgspec.structs.replace(self.counts)
        except BaseException as error:
            self._undo(before)
            self.full = isinstance(error, FullError)
            for job, _, _ in done:
                job.future.set_exception(error)
            if not isinstance(error, (MarigramError, apsw.Error)):
                raise
            return
        for job, value, failure in done:
            if failure is None:
                job.future.set_result(value)
            else:
                job.future.set_exception(failure)

    def _do_without_disk(self, job: Job[T], trouble: MarigramError) -> None:
        """Answer what only looks; refuse the rest."""
        if not job.asks or self._spoiled:
            job.future.set_exception(trouble)
            return
        try:
            job.future.set_result(job.work(self))
        except BaseException as error:  # noqa: BLE001 - it is given to whoever asked for the job
            job.future.set_exception(error)

    def _attempt(self, job: Job[T]) -> tuple[Job[T], T | None, BaseException | None]:
        """Do one job; what it did to the tables is undone when it fails."""
        before, told = msgspec.structs.replace(self.counts), len(self._told)
        self._touched = False
        self.connection.execute("SAVEPOINT job")
        try:
            value = job.work(self)
        except (apsw.FullError, apsw.IOError, apsw.CorruptError):
            raise
        except BaseException as error:  # noqa: BLE001 - it is given to whoever asked for the job
            self.connection.execute("ROLLBACK TO job")
            self.connection.execute("RELEASE job")
            self.counts, self._spoiled = before, self._touched
            del self._told[told:]
            if self.follower is not None:
                self.follower.reload(self.connection)
            return job, None, error
        self.connection.execute("RELEASE job")
        return job, value, None

    def _undo(self, before: Counts) -> None:
        """Return to what was committed; the fleet is made again later."""
        self._spoiled = self._spoiled or self.counts.seq != before.seq or self._touched
        self.counts = before
        if self.connection.in_transaction:
            self.connection.execute("ROLLBACK")
        if self.follower is not None:
            self.follower.reload(self.connection)

    def _change(self, work: Callable[[], T]) -> T:
        """Let something change the fleet; what it refuses beforehand has changed nothing."""
        try:
            value = work()
        except ParameterError:
            raise
        except BaseException:
            self._touched = True
            raise
        self._touched = True
        return value

    def _follow(self, verdicts: Verdicts) -> None:
        if not len(verdicts):
            return
        self._told.append(verdicts)
        self.counts.kinds = [
            total + new
            for total, new in zip(
                self.counts.kinds, np.bincount(verdicts["kind"], minlength=len(Kind)).tolist(), strict=True
            )
        ]
        self.counts.notices += int(np.count_nonzero(verdicts["notice"]))
        if self.follower is not None:
            self.follower.follow(self.connection, verdicts, self.now)

    def _tick(self) -> None:
        if self._watch is not None:
            start, present = self.clock(), self._watch.due_at()
            if present is not None:
                self.silent(present)
                self._watch.asked(start)
        if self.follower is not None:
            self.follower.tick(self.connection, self.now)

    def _again(self, known: log.Accepted, digest: bytes) -> Receipt:
        if known.digest != digest:
            raise ReusedError(f"this name was given to other events before (entry {known.seq} of the log)")
        self.counts.duplicate += known.rows
        return Receipt(known.seq, 0, known.rows, known.rejects)

    def _next(self) -> int:
        self.counts.seq += 1
        self.unsaved += 1
        return self.counts.seq

    def _agreed(self, detector: Detector | None) -> Detector:
        """Return the detector of the folder; a new folder takes the given one."""
        with plainly(self.folder / FILE):
            known = self.meta("detector")
            given = Detector() if detector is None else detector
            told = msgspec.to_builtins(given.parameters)
            if known is None:
                self.set_meta("detector", told)
                return given
        if detector is not None and known != told:
            names = sorted(name for name in known.keys() | told.keys() if known.get(name) != told.get(name))
            changed = "; ".join(f"{name} was {known.get(name)!r}, is {told.get(name)!r}" for name in names)
            raise ParameterError(f"{self.folder} belongs to a detector with other parameters: {changed}")
        return Detector.from_parameters(msgspec.convert(known, Parameters))

    def _remembered(self) -> Counts:
        """Return the counts of the last commit, which the log must bear out."""
        told = self.meta("counts")
        counts = Counts() if told is None else msgspec.convert(told, Counts)
        row = self.connection.execute("SELECT max(seq) FROM log").fetchone()
        last = row[0] if row else None
        if last is not None and last != counts.seq:
            raise DamageError(f"the log ends with entry {last}, and {counts.seq} were committed")
        return counts


__all__ = ["Books", "Counts", "Follower", "FullError", "Job", "Receipt", "ReusedError"]
