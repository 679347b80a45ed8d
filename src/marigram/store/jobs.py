"""Jobs in groups, each group one transaction, each answer after its commit.

The order within a group: a job changes the course in memory and the tables in the transaction; the verdicts of all
jobs are written; the transaction is committed, one wait for the disk for all; then the jobs are answered.  What
becomes of memory when a job or a transaction fails is told in :mod:`marigram.store.standing`.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import apsw
import msgspec

from marigram.errors import MarigramError
from marigram.store.database import FullError, plainly
from marigram.store.meta import set_meta
from marigram.store.standing import Standing

T = TypeVar("T")
_PROBE = 1 << 16
"""Bytes that must fit on a disk that was full before anything else is tried."""


@dataclass
class Job(Generic[T]):
    """Something to be done inside a transaction; ``future`` is answered once it is on the disk."""

    work: Callable[[Any], T]
    """It is given the books."""
    weight: int = 1
    asks: bool = False
    """Whether it only looks, and so is answered on a full disk, too."""
    future: Future[T] = field(default_factory=Future)
    since: float = field(default_factory=time.monotonic)


class Jobs:
    """Does jobs for somebody's books.

    Parameters
    ----------
    books
        What each job is given.
    path, connection
        The database.
    standing
        What is in memory.
    clock
        Nanoseconds since 1970 UTC.

    Attributes
    ----------
    now
        The moment of the transaction, ns.
    full
        Whether the last attempt to write found no room.
    """

    def __init__(
        self,
        books: object,
        path: Path,
        connection: apsw.Connection,
        standing: Standing,
        clock: Callable[[], int],
    ) -> None:
        self._books, self._path, self._connection = books, path, connection
        self._standing, self._clock = standing, clock
        self.now = clock()
        self.full = False

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

    def heal(self) -> None:
        """Make the fleet again if it went ahead of a transaction that failed, and try a disk that was full.

        Raises
        ------
        FullError
            The disk is still full; the fleet is as it was after the last commit.
        """
        with plainly(self._path):
            self._standing.heal()
            if self.full:
                with self._connection:
                    set_meta(self._connection, "probe", "x" * _PROBE)
                self._connection.execute("DELETE FROM meta WHERE name = 'probe'")
                self.full = False

    def _transaction(self, waiting: deque[Job[Any]]) -> None:
        """Do jobs until there are no more, or one leaves the fleet ahead of the tables."""
        before, done = self._standing.begin(), list[tuple[Job[Any], Any, BaseException | None]]()
        try:
            with plainly(self._path):
                self._connection.execute("BEGIN IMMEDIATE")
                self.now = self._clock()
                while waiting and not self._standing.spoiled:
                    job = waiting.popleft()
                    done.append((job, None, None))
                    done[-1] = self._attempt(job)
                self._standing.write(before, self.now)
                self._connection.execute("COMMIT")
                self._standing.committed = msgspec.structs.replace(self._standing.counts)
        except BaseException as error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            self._standing.undo(before)
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
        if not job.asks or self._standing.spoiled:
            job.future.set_exception(trouble)
            return
        try:
            job.future.set_result(job.work(self._books))
        except BaseException as error:  # noqa: BLE001 - it is given to whoever asked for the job
            job.future.set_exception(error)

    def _attempt(self, job: Job[T]) -> tuple[Job[T], T | None, BaseException | None]:
        """Do one job; what it did to the tables is undone when it fails."""
        before = self._standing.mark()
        self._connection.execute("SAVEPOINT job")
        try:
            value = job.work(self._books)
        except (apsw.FullError, apsw.IOError, apsw.CorruptError):
            raise
        except BaseException as error:  # noqa: BLE001 - it is given to whoever asked for the job
            self._connection.execute("ROLLBACK TO job")
            self._connection.execute("RELEASE job")
            self._standing.back(before)
            return job, None, error
        self._connection.execute("RELEASE job")
        return job, value, None


__all__ = ["Job", "Jobs"]
