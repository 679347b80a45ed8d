"""The books of one tenant: what can be done with its events, each deed an entry of the log and a change of the course.

Deeds are done inside jobs (:mod:`marigram.store.jobs`), and answered after their commit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import apsw
import msgspec

from marigram.detectors.default import Detector
from marigram.detectors.parameters import Parameters
from marigram.errors import ParameterError
from marigram.events.batch import Batch
from marigram.fleet import Fleet
from marigram.fleet.feedback import Effect, Label
from marigram.store import audit, log
from marigram.store.course import Course
from marigram.store.database import FILE, open_writer, plainly
from marigram.store.jobs import Job, Jobs
from marigram.store.meta import meta, set_meta
from marigram.store.pages import NAME
from marigram.store.past import Past
from marigram.store.standing import Counts, Follower, Standing
from marigram.verdicts import Verdicts


class Receipt(msgspec.Struct, frozen=True):
    """What became of a batch."""

    seq: int
    accepted: int
    duplicate: int
    rejected: list[tuple[int, str]]
    """Line and reason of each line that cannot be used."""


class ReusedError(ParameterError):
    """The name of a batch was used before, for other events."""


class Books:
    """The course of events and the database of one tenant; used by one thread at a time.

    Parameters
    ----------
    folder
        Where the database and the snapshots are; held by the caller.
    detector
        What judges, when the folder is new; a folder of another detector is refused.
    lateness
        Nanoseconds for which events are held back, to be judged in the order of their times; 0 for not at all, None
        for as it was, at first not at all.
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
    ParameterError
        The folder belongs to another detector, or the lateness is out of range.
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
        lateness: int | None = None,
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
        judge = self._agreed(detector)
        self.past = Past(
            folder,
            self.connection,
            fresh=lambda: Fleet(judge, memory=memory, threads=threads),
            load=lambda path: Fleet.load(path, memory=memory, threads=threads),
        )
        self._silence = silence
        with plainly(folder / FILE):
            self.standing = Standing(self.connection, self.past, follower, clock)
        self._jobs = Jobs(self, folder / FILE, self.connection, self.standing, clock)
        if lateness is not None and lateness != self.course.lateness:
            self._hold_back(lateness)

    @property
    def course(self) -> Course:
        """The fleet, and what waits before it."""
        return self.standing.course

    @property
    def fleet(self) -> Fleet:
        """What judges."""
        return self.standing.course.fleet

    @property
    def counts(self) -> Counts:
        """What was counted since ever, within the transaction."""
        return self.standing.counts

    @property
    def notices(self) -> list[str]:
        """What people should know of the state that was found."""
        return self.standing.notices

    @property
    def now(self) -> int:
        """The moment of the transaction, ns."""
        return self._jobs.now

    @property
    def full(self) -> bool:
        """Whether the last attempt to write found no room."""
        return self._jobs.full

    @property
    def follower(self) -> Follower | None:
        """Who keeps tables of its own here."""
        return self.standing.follower

    # --- what jobs do -------------------------------------------------------------------------------------------

    def events(
        self,
        batch: Batch,
        source: str,
        batch_id: str | None = None,
        digest: bytes = b"",
        position: str | None = None,
    ) -> Receipt:
        """Accept a batch, once, and judge what is due: one of the same name was accepted before and is a duplicate.

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
        verdicts = self.standing.change(lambda: self.course.take(batch))
        seq = self.standing.next()
        log.append_events(self.connection, seq, self.now, batch, source, batch_id, digest)
        self.standing.count(batch)
        self.standing.tell(verdicts, self.now)
        return Receipt(seq, len(batch), 0, [(reject.line, reject.reason) for reject in batch.rejects])

    def feedback(self, key: str, seq: int, label: Label) -> Effect:
        """Tell the fleet a person's word on a verdict; see :meth:`marigram.fleet.Fleet.feedback`."""
        effect = self.standing.change(lambda: self.course.feedback(key, seq, label))
        self._said("feedback", log.Word(key, seq, label))
        return effect

    def silent(self, now: int) -> Verdicts:
        """Ask which keys fell silent before ``now``, ns of event time; the rows are judged like events."""
        verdicts = self.standing.change(lambda: self.course.silent(now))
        if len(verdicts):
            self._said("silent", log.Present(now), verdicts)
        return verdicts

    def release(self, present: int) -> None:
        """Judge what waited for earlier events and is due at a present, ns of event time."""
        if self.course.awaits(present):
            verdicts = self.standing.change(lambda: self.course.until(present))
            self._said("due", log.Present(present), verdicts)

    def roll_back(self, window: log.Window) -> Fleet:
        """Make the fleet anew as if the events of a window had never come; returns what it was."""
        before, seq = self.fleet, self.counts.seq
        windows = [*self.past.windows(seq), window]
        self.standing.course = self.standing.change(lambda: self.past.build(seq, windows))
        self._said("rollback", window)
        return before

    def audit(self, actor: str, action: str, detail: Mapping[str, Any]) -> None:
        """Write down who did what."""
        audit.record(self.connection, self.now, actor, action, detail)

    def meta(self, name: str) -> Any:
        """Return a setting that is kept with the data; None when there is none."""
        return meta(self.connection, name)

    def set_meta(self, name: str, value: Any) -> None:
        """Keep a setting with the data."""
        set_meta(self.connection, name, value)

    def set_position(self, source: str, value: str) -> None:
        """Keep where a source stands."""
        self.connection.execute("INSERT OR REPLACE INTO position VALUES (?, ?)", (source, value))

    # --- groups -------------------------------------------------------------------------------------------------

    def do(self, jobs: Iterable[Job[Any]]) -> None:
        """Do jobs, in as few transactions as can be, and answer each after its commit."""
        self._jobs.do(jobs)

    def tick(self) -> None:
        """Do what time alone brings."""
        self.do([Job(lambda _: self._tick())])

    def save(self) -> None:
        """Write a snapshot of the course."""
        self._jobs.heal()
        self.past.save(self.course, self.counts.seq)
        self.standing.unsaved = self.standing.unsaved_rows = 0

    def close(self) -> None:
        """Close the database; a snapshot is written first if anything happened since the last."""
        try:
            if self.standing.unsaved and not self.standing.spoiled:
                self.save()
        finally:
            self.connection.close()

    # --- parts --------------------------------------------------------------------------------------------------

    def _said(self, kind: log.Kind, said: msgspec.Struct, verdicts: Verdicts | None = None) -> None:
        """Append an entry that is not events, and what it led to."""
        log.append_said(self.connection, self.standing.next(), self.now, kind, said)
        if verdicts is not None:
            self.standing.tell(verdicts, self.now)

    def _tick(self) -> None:
        watch, start = self.standing.watch, self.clock()
        present = watch.due_at()
        if present is not None:
            self.release(present)
            if self._silence:  # of later events nobody knows yet whether they came
                self.silent(present - self.course.lateness)
            watch.asked(start)
        if self.follower is not None:
            self.follower.tick(self.connection, self.now)

    def _hold_back(self, lateness: int) -> None:
        """Judge all that waits, and hold events back for so long from now on."""

        def work(_: Books) -> None:
            verdicts = self.standing.change(lambda: self.course.set_lateness(lateness))
            self._said("lateness", log.Lateness(lateness), verdicts)

        job = Job(work)
        self.do([job])
        job.future.result()

    def _again(self, known: log.Accepted, digest: bytes) -> Receipt:
        if known.digest != digest:
            raise ReusedError(f"this name was given to other events before (entry {known.seq} of the log)")
        self.counts.duplicate += known.rows
        return Receipt(known.seq, 0, known.rows, known.rejects)

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


__all__ = ["Books", "Receipt", "ReusedError"]
