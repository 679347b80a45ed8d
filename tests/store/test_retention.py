"""What is too old goes, from the oldest end, and what stays still gives the state."""

from pathlib import Path
from typing import Any

import pytest
from tests.store.streams import SECOND, START, batches, told

from marigram import ParameterError
from marigram.events.keys import KeyNames
from marigram.store.books import Books
from marigram.store.jobs import Job
from marigram.store.log import Window, entries
from marigram.store.retention import DAY, Keep, Retention, used_bytes


def days(folder: Path, keep: Keep, count: int, **options: Any) -> tuple[Books, Retention]:
    """Return the books after a batch a day, each saved, and what need not be kept removed."""
    now = [1_000 * DAY]
    books = Books(folder, silence=False, clock=lambda: now[0], **options)
    retention = Retention(keep, books.past)
    for batch in batches(count):
        now[0] += DAY
        books.do([Job(lambda b, batch=batch: b.events(batch, "t"))])
        books.save()
        retention.archive(books.counts.seq, books.connection, now[0])
        while True:
            job: Job[Any] = Job(lambda b: retention.apply(b.connection, now[0]))
            books.do([job])
            if not job.future.result(0):
                break
            retention.forget(books.connection)
    return books, retention


def seqs(books: Books, table: str) -> list[int]:
    return [seq for (seq,) in books.connection.execute(f"SELECT seq FROM {table} ORDER BY seq")]  # noqa: S608


def test_old_batches_and_verdicts_go_and_the_state_stays(tmp_path: Path) -> None:
    books, _ = days(tmp_path, Keep(events=5 * DAY, verdicts=9 * DAY), 40)
    assert seqs(books, "log")[-1] == 40
    assert 5 <= len(seqs(books, "log")) <= 8
    assert seqs(books, "chunk") == list(range(31, 41))
    assert len(books.past.snapshots("past")) <= 8
    state = told(books.fleet)
    course, start = books.past.beginning([])
    names = KeyNames()
    for entry in entries(books.connection, start):
        course.follow(entry, names)
    assert told(course.fleet) == state
    books.connection.close()
    again = Books(tmp_path, silence=False)
    assert told(again.fleet) == state
    assert again.counts.accepted == 1600
    again.close()


def test_what_waited_when_a_replay_begins_is_kept_as_long(tmp_path: Path) -> None:
    books, _ = days(tmp_path, Keep(events=5 * DAY, verdicts=9 * DAY), 30, lateness=100 * SECOND)
    assert seqs(books, "log")[0] > 1
    kept = {seq for name in ("fleet", "past") for seq, _ in books.past.snapshots(name)}
    assert {seq for seq, _ in books.past.snapshots("held")} == kept
    course, start = books.past.beginning([])
    assert course.held == 100
    names = KeyNames()
    for entry in entries(books.connection, start):
        course.follow(entry, names)
    assert (told(course.fleet), course.held) == (told(books.fleet), books.course.held)
    earlier, _ = books.past.beginning([Window(0, START + 10**7 * SECOND)])
    assert earlier.held == 0
    books.close()


def test_what_takes_too_much_room_goes_first_from_the_verdicts(tmp_path: Path) -> None:
    books, _ = days(tmp_path, Keep(), 12)
    assert len(seqs(books, "log")) == len(seqs(books, "chunk")) == 12
    crowded = Retention(Keep(room=1 << 24), books.past)
    object.__setattr__(crowded._keep, "room", used_bytes(books.connection) - 1)
    job: Job[Any] = Job(lambda b: crowded.apply(b.connection, b.now))
    books.do([job])
    assert job.future.result(0) > 0
    assert seqs(books, "chunk") == []
    assert len(seqs(books, "log")) == 12
    state = told(books.fleet)
    books.connection.close()
    assert told(Books(tmp_path, silence=False).fleet) == state


@pytest.mark.parametrize("wrong", [{"events": -1}, {"verdicts": -1}, {"room": 1000}])
def test_what_cannot_be_kept_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ParameterError):
        Keep(**wrong)
