"""The books: accepted once, judged, committed together, and the same again after whatever happens."""

import sqlite3
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import apsw
import numpy as np
import pytest
from tests.store.streams import SECOND, START, batches, told

from marigram import Detector, Fleet, ParameterError, SnapshotError
from marigram.store import audit, chunks, log
from marigram.store.books import Books, ReusedError
from marigram.store.course import judge
from marigram.store.database import FILE, DamageError, FullError, open_writer
from marigram.store.jobs import Job
from marigram.store.log import Window
from marigram.store.pages import PageFile, PageFiles


def done(books: Books, *works: Any) -> list[Any]:
    jobs: list[Job[Any]] = [Job(work) for work in works]
    books.do(jobs)
    return [job.future.result(0) for job in jobs]


def accept(books: Books, batch: Any, name: str | None = None, digest: bytes = b"") -> Any:
    return done(books, lambda b: b.events(batch, "test", name, digest))[0]


def opened(folder: Path, **options: Any) -> Books:
    return Books(folder, silence=False, **options)


def judged(stream: list[Any]) -> Fleet:
    fleet = Fleet(Detector())
    for batch in stream:
        judge(fleet, batch)
    return fleet


def test_a_batch_is_judged_counted_and_kept(tmp_path: Path) -> None:
    books, stream = opened(tmp_path), batches(30, rejects=2)
    receipts = [accept(books, batch, f"b{i}") for i, batch in enumerate(stream)]
    assert [receipt.seq for receipt in receipts] == list(range(1, 31))
    assert {(receipt.accepted, receipt.duplicate, len(receipt.rejected)) for receipt in receipts} == {
        (40, 0, 2)
    }
    assert (books.counts.accepted, books.counts.rejected) == (1200, 60)
    assert told(books.fleet) == told(judged(stream))
    books.close()


def test_a_name_is_accepted_once_and_answers_as_before(tmp_path: Path) -> None:
    books, (first, other) = opened(tmp_path), batches(2, rejects=1)
    receipt = accept(books, first, "a", b"1")
    state = told(books.fleet)
    again = accept(books, first, "a", b"1")
    assert (again.seq, again.accepted, again.duplicate) == (receipt.seq, 0, 40)
    assert again.rejected == receipt.rejected
    with pytest.raises(ReusedError):
        accept(books, other, "a", b"2")
    assert told(books.fleet) == state
    assert books.counts.accepted == 40
    books.close()


@pytest.mark.parametrize("saved", [False, True])
def test_a_restart_gives_the_state_bit_for_bit(tmp_path: Path, saved: bool) -> None:
    books, stream = opened(tmp_path), batches(20)
    for number, batch in enumerate(stream[:15]):
        accept(books, batch)
        if saved and number == 7:
            books.save()
    books.connection.close()  # as a crash leaves it: no snapshot of the end
    again = opened(tmp_path)
    for batch in stream[15:]:
        accept(again, batch)
    assert told(again.fleet) == told(judged(stream))
    again.close()


def test_any_grouping_into_transactions_gives_the_same(tmp_path: Path) -> None:
    stream, states, stored = batches(24), [], []
    for group in (1, 5, 24):
        (tmp_path / str(group)).mkdir()
        books = opened(tmp_path / str(group))
        for start in range(0, 24, group):
            done(
                books,
                *(lambda b, batch=batch: b.events(batch, "t") for batch in stream[start : start + group]),
            )
        states.append(told(books.fleet))
        stored.append(chunks.history(books.connection, "key-3", 10_000).json_lines())
        books.close()
    assert states[0] == states[1] == states[2]
    assert stored[0] == stored[1] == stored[2] != b""


def test_a_job_that_fails_leaves_no_trace_and_the_others_stand(tmp_path: Path) -> None:
    books, (one, two, three) = opened(tmp_path), batches(3)

    def half(b: Books) -> None:
        b.events(two, "t")
        raise RuntimeError("after the fleet moved")

    jobs: list[Job[Any]] = [Job(lambda b: b.events(one, "t")), Job(half), Job(lambda b: b.events(three, "t"))]
    books.do(jobs)
    assert jobs[0].future.result(0).seq == 1
    assert isinstance(jobs[1].future.exception(0), RuntimeError)
    assert jobs[2].future.result(0).seq == 2
    assert told(books.fleet) == told(judged([one, three]))
    assert books.counts.accepted == 80
    books.close()


def test_events_that_do_not_fit_are_refused_and_nothing_else(tmp_path: Path) -> None:
    books, (one, two) = opened(tmp_path), batches(2)
    accept(books, one)
    wide = type(two)(**{**two.__dict__, "values": np.zeros((40, 2))})
    with pytest.raises(ParameterError, match="coordinates"):
        accept(books, wide)
    accept(books, two)
    assert told(books.fleet) == told(judged([one, two]))
    books.close()


class Follower:
    """Keeps the number of verdicts in a table and in memory."""

    def __init__(self, connection: apsw.Connection) -> None:
        self.reload(connection)

    def follow(self, connection: apsw.Connection, verdicts: Any, now: int) -> None:
        self.rows += len(verdicts)
        connection.execute("UPDATE followed SET rows = ?", (self.rows,))

    def tick(self, connection: apsw.Connection, now: int) -> None:
        pass

    def reload(self, connection: apsw.Connection) -> None:
        (self.rows,) = connection.execute("SELECT rows FROM followed").fetchone()


DDL = (
    "CREATE TABLE IF NOT EXISTS followed (rows INTEGER)",
    "INSERT INTO followed SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM followed)",
)


class Disk(PageFiles):
    """A disk that is full at will."""

    full = False

    def __init__(self) -> None:
        super().__init__("full", "")

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - SQLite calls it so
        disk = self

        class File(PageFile):
            def xWrite(self, data: Any, offset: int) -> None:  # noqa: N802 - the same
                if disk.full:
                    raise apsw.FullError("no room")
                super().xWrite(data, offset)

        return File("", name, flags)


def test_a_full_disk_refuses_loses_nothing_and_recovers_by_itself(tmp_path: Path) -> None:
    disk = Disk()
    books = opened(tmp_path, vfs="full", ddl=DDL, follower=Follower)
    stream = batches(9)
    for number, batch in enumerate(stream):
        disk.full = number in (3, 4, 7)
        if disk.full:
            with pytest.raises(FullError):
                accept(books, batch, f"b{number}")
            assert chunks.history(books.connection, "key-1", 10)  # who reads goes on
            disk.full = False
        accept(books, batch, f"b{number}")
    assert told(books.fleet) == told(judged(stream))
    assert books.counts.accepted == 360
    assert books.follower is not None
    assert books.follower.rows == 360  # type: ignore[attr-defined]
    books.close()


def test_a_word_and_a_silence_are_repeated_at_the_same_place(tmp_path: Path) -> None:
    books, stream = opened(tmp_path), batches(60)
    for batch in stream[:40]:
        accept(books, batch)
    flagged = chunks.history(books.connection, "key-2", 10_000)
    seq = int(flagged["seq"][np.flatnonzero((flagged["kind"] >= 1) & (flagged["kind"] <= 3))[-1]])
    effect = done(books, lambda b: b.feedback("key-2", seq, "expected"))[0]
    assert (effect.key, effect.seq) == ("key-2", seq)
    silent = done(books, lambda b: b.silent(START + 10**7 * SECOND))[0]
    assert len(silent) == 7
    for batch in stream[40:]:
        accept(books, batch)
    state = told(books.fleet)
    books.connection.close()
    assert told(opened(tmp_path).fleet) == state


@pytest.mark.parametrize("key", [None, "key-1"])
def test_a_rolled_back_window_has_never_been(tmp_path: Path, key: str | None) -> None:
    books, stream = opened(tmp_path), batches(12)
    window = Window(START + 100 * SECOND, START + 300 * SECOND, key)
    for batch in stream[:10]:
        accept(books, batch)
    books.save()
    done(books, lambda b: b.roll_back(window))
    for batch in stream[10:]:
        accept(books, batch)
    expected = told(judged([log.without(batch, [window]) for batch in stream]))
    assert told(books.fleet) == expected
    books.connection.close()
    assert told(opened(tmp_path).fleet) == expected


def test_a_damaged_snapshot_costs_time_and_no_data(tmp_path: Path) -> None:
    books, stream = opened(tmp_path), batches(9)
    for number, batch in enumerate(stream):
        accept(books, batch)
        if number in (3, 6):
            books.save()
    state = told(books.fleet)
    books.connection.close()
    newest = tmp_path / "fleet-7.mg"
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(content)
    again = opened(tmp_path)
    assert told(again.fleet) == state
    assert any("fleet-7.mg" in notice for notice in again.notices)


def test_a_database_that_lost_commits_is_refused(tmp_path: Path) -> None:
    books, stream = opened(tmp_path), batches(6)
    for batch in stream[:3]:
        accept(books, batch)
    books.connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    old = (tmp_path / FILE).read_bytes()
    for batch in stream[3:]:
        accept(books, batch)
    books.close()
    (tmp_path / FILE).write_bytes(old)
    with pytest.raises(SnapshotError, match="lost what was committed"):
        opened(tmp_path)


def test_another_detector_is_refused(tmp_path: Path) -> None:
    Books(tmp_path, Detector(alpha=0.01)).close()
    with pytest.raises(ParameterError, match=r"alpha was 0\.01, is 0\.001"):
        Books(tmp_path, Detector())
    books = Books(tmp_path)
    assert books.fleet.parameters.alpha == 0.01
    books.close()


def test_a_cancelled_job_is_not_done(tmp_path: Path) -> None:
    books, (batch,) = opened(tmp_path), batches(1)
    job: Job[Any] = Job(lambda b: b.events(batch, "t"))
    assert isinstance(job.future, Future)
    job.future.cancel()
    books.do([job])
    assert books.counts.accepted == 0
    books.close()


def test_a_newer_version_is_refused_and_another_database_too(tmp_path: Path) -> None:
    opened(tmp_path).close()
    connection = open_writer(tmp_path / FILE)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(DamageError, match="newer marigram"):
        opened(tmp_path)
    (tmp_path / "other").mkdir()
    with sqlite3.connect(tmp_path / "other" / FILE) as other:
        other.execute("CREATE TABLE x (y)")
        other.execute("PRAGMA user_version = 1")
    other.close()
    with pytest.raises(DamageError, match="none of marigram"):
        opened(tmp_path / "other")


def test_an_older_version_is_copied_before_it_is_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    books, (batch,) = opened(tmp_path), batches(1)
    accept(books, batch)
    books.close()
    scripts = ("", "CREATE TABLE later (x)")
    monkeypatch.setattr("marigram.store.database.MIGRATIONS", scripts)
    again = opened(tmp_path)
    assert again.connection.pragma("user_version") == 2
    assert again.counts.accepted == 40
    again.close()
    monkeypatch.undo()
    (tmp_path / "copy").mkdir()
    (tmp_path / f"{FILE}.version-1").rename(tmp_path / "copy" / FILE)
    copied = opened(tmp_path / "copy")
    assert copied.counts.accepted == 40


def test_the_audit_chain_finds_every_change(tmp_path: Path) -> None:
    books = opened(tmp_path)
    for number in range(5):
        done(books, lambda b, number=number: b.audit("ann", "label", {"seq": number}))
    head, wrong = audit.verify(books.connection)
    assert (head.rows, wrong) == (5, None)
    assert audit.verify(books.connection, str(head))[1] is None
    for harm in (
        "UPDATE audit SET actor = 'bob' WHERE id = 3",
        "UPDATE audit SET detail = '{}' WHERE id = 5",
        "UPDATE audit SET at = at + 1 WHERE id = 1",
        "DELETE FROM audit WHERE id = 2",
        "DELETE FROM audit WHERE id = 1",
    ):
        books.connection.execute("SAVEPOINT harm")
        books.connection.execute(harm)
        assert audit.verify(books.connection)[1] is not None, harm
        books.connection.execute("ROLLBACK TO harm")
    books.connection.execute("DELETE FROM audit WHERE id = 5")
    assert audit.verify(books.connection)[1] is None  # the end alone cannot be seen
    assert "removed at its end" in str(audit.verify(books.connection, str(head))[1])
    books.close()
