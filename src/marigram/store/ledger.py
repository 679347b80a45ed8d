"""The books of one tenant on a thread of their own: others hand in work and get a future.

One thread writes; what waits is done in one group, so that a slow disk makes groups longer and not the queue.  The
queue is bounded by rows: beyond it work is refused, and whoever sent it comes again later.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Self, TypeVar

import apsw

from marigram.detectors.default import Detector
from marigram.detectors.parameters import Parameters
from marigram.errors import MarigramError
from marigram.events.batch import Batch
from marigram.fleet.feedback import Effect, Label
from marigram.kinds import Kind
from marigram.store import chunks
from marigram.store.books import Books, Receipt
from marigram.store.database import FILE, FullError, open_reader, plainly
from marigram.store.holding import hold, refuse_foreign
from marigram.store.jobs import Job
from marigram.store.pages import NAME
from marigram.store.past import Past
from marigram.store.retention import Keep, Retention, used_bytes
from marigram.store.standing import Counts, Follower
from marigram.verdicts import Verdicts

T = TypeVar("T")

GROUP: Final = 1 << 16
"""Rows that are committed at once."""
WAITING: Final = 1 << 20
"""Rows that may wait."""
SNAPSHOT_ROWS: Final = 1 << 18
"""Rows after which a snapshot is due: what a restart has to go through again."""
SNAPSHOT_SECONDS: Final = 300.0
SNAPSHOT_SHARE: Final = 20.0
"""A snapshot is written at most once in so many times what writing it took."""
RESERVE: Final = 1 << 25
"""Bytes that must be free on the disk before anything is accepted."""
_TICK: Final = 1.0
_log = logging.getLogger("marigram.store")


class BusyError(MarigramError):
    """Too much waits already; come again after ``retry_after`` seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"too much is waiting; come again in {retry_after} s")
        self.retry_after = retry_after


class Ledger:
    """Accepts work for the books of one folder.

    Parameters
    ----------
    folder
        Made when it does not exist, held as long as the ledger is open.
    detector
        What judges.
    keep
        What is kept and for how long.
    waiting
        Rows that may wait.
    options
        Those of :class:`~marigram.store.books.Books`: lateness, ddl, follower, memory, threads, silence, clock, vfs.

    Raises
    ------
    ParameterError
        Another process holds the folder, or it belongs to another detector.
    SnapshotError, FullError
        It is damaged, or the disk cannot be written to.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        detector: Detector | None = None,
        *,
        keep: Keep | None = None,
        waiting: int = WAITING,
        vfs: str = NAME,
        **options: Any,
    ) -> None:
        self.folder = Path(folder)
        self._vfs = vfs
        refuse_foreign(self.folder, "state-*.mg", "marigram watch")
        self._lock = hold(self.folder)
        try:
            self._books = Books(self.folder, detector, vfs=vfs, **options)
        except BaseException:
            os.close(self._lock)
            raise
        self._retention = Retention(keep or Keep(), self._books.past)
        self._most, self._rows = waiting, 0
        self._jobs: deque[Job[Any]] = deque()
        self._wake = threading.Condition()
        self._closing = False
        self._readers: list[apsw.Connection] = []
        self._refused = 0
        self._saved, self._took = time.monotonic(), 0.0
        self._failure: str | None = None
        self._thread = threading.Thread(target=self._run, name=f"ledger {self.folder.name}", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- work ---------------------------------------------------------------------------------------------------

    def submit(
        self,
        batch: Batch,
        source: str,
        batch_id: str | None = None,
        digest: bytes = b"",
        position: str | None = None,
    ) -> Future[Receipt]:
        """Hand in a batch; see :meth:`~marigram.store.books.Books.events`.

        Raises
        ------
        BusyError
            Too much waits already.
        FullError
            The disk has hardly any room left.
        """
        if self.free_bytes() < RESERVE:
            raise FullError(f"the disk of {self.folder} is full")
        weight = max(1, len(batch))
        return self._add(Job(lambda books: books.events(batch, source, batch_id, digest, position), weight))

    def change(
        self,
        actor: str,
        action: str,
        detail: Mapping[str, Any],
        work: Callable[[apsw.Connection], T],
    ) -> Future[T]:
        """Hand in a change of the tables, which is written into the audit together with it."""

        def audited(books: Books) -> T:
            result = work(books.connection)
            books.audit(actor, action, detail)
            return result

        return self._add(Job(audited))

    def quietly(self, work: Callable[[apsw.Connection], T]) -> Future[T]:
        """Hand in a change of the tables that nobody has to know of."""
        return self._add(Job(lambda books: work(books.connection)))

    def call(self, work: Callable[[Books], T], weight: int = 1) -> Future[T]:
        """Hand in anything that the books can do."""
        return self._add(Job(work, weight))

    def ask(self, question: Callable[[Books], T]) -> Future[T]:
        """Hand in what only looks at the books, and is answered on a full disk, too."""
        return self._add(Job(question, asks=True))

    def feedback(self, key: str, seq: int, label: Label) -> Effect:
        """Tell the fleet a person's word; only inside the work of :meth:`change` or :meth:`quietly`."""
        return self._books.feedback(key, seq, label)

    def now(self) -> int:
        """Return the time by the ledger's clock, ns since 1970 UTC."""
        return self._books.clock()

    @property
    def follower(self) -> Follower | None:
        """Who keeps tables of its own here."""
        return self._books.follower

    # --- questions ----------------------------------------------------------------------------------------------

    def read(self, question: Callable[[apsw.Connection], T]) -> T:
        """Ask the database on a connection that cannot write; one moment for the whole question."""
        with self._reader() as connection:
            return question(connection)

    def history(self, key: str | None, last: int = 2000, before: int | None = None) -> Verdicts:
        """Return the last stored verdicts of a key, oldest first."""
        return self.read(lambda connection: chunks.history(connection, key, last, before))

    def latest(self, limit: int = 100) -> Verdicts:
        """Return the newest verdict of each of the keys that spoke last, newest first."""
        return self.read(lambda connection: chunks.latest(connection, limit))

    def stats(self) -> dict[str, Any]:
        """Return counts: since ever, of the present, of the disk."""
        counts, first = self._books.standing.committed, next(iter(self._jobs), None)
        return {
            "accepted": counts.accepted,
            "duplicate": counts.duplicate,
            "rejected": counts.rejected,
            "refused": self._refused,
            "notices": counts.notices,
            "kinds": {kind.label: counts.kinds[kind] for kind in Kind},
            "entries": counts.seq,
            "keys": len(self._books.fleet),
            "newest": None if counts.newest < 0 else counts.newest,
            "waiting": self._rows,
            "held": self._books.course.held,
            "lag_seconds": 0.0 if first is None else time.monotonic() - first.since,
            "bytes": self.read(used_bytes),
            "free_bytes": self.free_bytes(),
            "warnings": list(self._books.notices),
        }

    @property
    def lateness(self) -> int:
        """Nanoseconds for which events are held back."""
        return self._books.course.lateness

    @property
    def parameters(self) -> Parameters:
        """Those of the detector."""
        return self._books.fleet.parameters

    def past(self, connection: apsw.Connection) -> Past:
        """Return the snapshots and the log, as a question's connection sees them."""
        return replace(self._books.past, connection=connection)

    @property
    def counts(self) -> Counts:
        """What was committed."""
        return self._books.standing.committed

    @property
    def healthy(self) -> bool:
        """Whether the thread that writes is alive."""
        return self._thread.is_alive() and self._failure is None

    @property
    def has_room(self) -> bool:
        """Whether the disk takes what comes, as far as is known."""
        return not self._books.full and self.free_bytes() >= RESERVE

    @contextmanager
    def _reader(self) -> Iterator[apsw.Connection]:
        with plainly(self.folder / FILE):
            try:
                connection = self._readers.pop()
            except IndexError:
                connection = open_reader(self.folder / FILE, self._vfs)
            try:
                with connection:
                    yield connection
            finally:
                self._readers.append(connection)

    def free_bytes(self) -> int:
        """Return the bytes that are free on the disk."""
        state = os.statvfs(self.folder)
        return state.f_bavail * state.f_frsize

    # --- the thread ---------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Finish what was handed in, write a snapshot, and let the folder go."""
        with self._wake:
            if self._closing:
                return
            self._closing = True
            self._wake.notify()
        self._thread.join()
        for connection in self._readers:
            connection.close()
        self._readers.clear()
        try:
            self._books.close()
        finally:
            os.close(self._lock)

    def _add(self, job: Job[T]) -> Future[T]:
        with self._wake:
            if self._closing or self._failure is not None:
                raise FullError(self._failure or "the service is stopping")
            if self._rows + job.weight > self._most and self._rows:
                self._refused += job.weight
                raise BusyError(1)
            self._rows += job.weight
            self._jobs.append(job)
            self._wake.notify()
        return job.future

    def _run(self) -> None:
        next_tick = time.monotonic() + _TICK
        try:
            while True:
                group = self._taken(next_tick - time.monotonic())
                if group:
                    self._books.do(group)
                    with self._wake:
                        self._rows -= sum(job.weight for job in group)
                if time.monotonic() >= next_tick:
                    self._tick()
                    next_tick = time.monotonic() + _TICK
                if not group and self._closing:
                    return
        except BaseException as error:
            self._failure = f"the writer stopped: {type(error).__name__}: {error}"
            _log.exception("the writer stopped")
            for job in self._jobs:
                job.future.set_exception(FullError(self._failure))
            raise

    def _taken(self, seconds: float) -> list[Job[Any]]:
        """Wait for work; returns a group of it, nothing when the time is over."""
        with self._wake:
            if not self._jobs and not self._closing and seconds > 0:
                self._wake.wait(seconds)
            group: list[Job[Any]] = []
            weight = 0
            while self._jobs and weight < GROUP:
                group.append(self._jobs.popleft())
                weight += group[-1].weight
            return group

    def _tick(self) -> None:
        """Do what time alone brings; a full disk is said, and asked again at the next tick."""
        try:
            self._books.tick()
            self._retain()
            if self._snapshot_due():
                self._snapshot()
        except MarigramError as error:
            _log.warning("%s", error)

    def _snapshot_due(self) -> bool:
        passed = time.monotonic() - self._saved
        wanted = self._books.standing.unsaved_rows >= SNAPSHOT_ROWS or (
            self._books.standing.unsaved > 0 and passed >= SNAPSHOT_SECONDS
        )
        return wanted and passed >= SNAPSHOT_SHARE * self._took

    def _snapshot(self) -> None:
        start = time.monotonic()
        self._books.save()
        self._retention.archive(self._books.counts.seq, self._books.connection, self._books.clock())
        self._saved = time.monotonic()
        self._took = self._saved - start

    def _retain(self) -> None:
        now = self._books.clock()
        job: Job[int] = Job(lambda books: self._retention.apply(books.connection, now))
        self._books.do([job])
        if job.future.result():
            self._retention.forget(self._books.connection)


def ledgers_closed(ledgers: Iterable[Ledger]) -> None:
    """Close several at the same time."""
    threads = [threading.Thread(target=ledger.close) for ledger in ledgers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


__all__ = ["BusyError", "Ledger", "ledgers_closed"]
