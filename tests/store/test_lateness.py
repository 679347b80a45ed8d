"""Events that come late: held back on the disk, judged in the order of their times, whatever happens meanwhile."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.store.streams import SECOND, START, batch_of, batches, told

from marigram import Detector, Fleet, ParameterError
from marigram.events.batch import Batch
from marigram.events.keys import KeyNames
from marigram.events.lateness import reordered
from marigram.kinds import Kind
from marigram.store import chunks, waiting
from marigram.store.books import Books
from marigram.store.course import Course, judge
from marigram.store.examining import examine_service
from marigram.store.jobs import Job
from marigram.store.log import Window
from marigram.store.waiting import Waiting, waiting_with

LATE = 30 * SECOND
ROWS = 600


def stream(rows: int = ROWS, seed: int = 0) -> Batch:
    """Return events of seven keys that come up to 30 seconds late, some still later."""
    rng = np.random.default_rng(seed)
    delay = rng.integers(0, 30, rows) + 200 * (rng.random(rows) < 0.01)
    times = START + (np.arange(rows) - delay) * SECOND
    names = KeyNames()
    codes = names.codes_of([f"key-{i}" for i in range(7)])[rng.integers(0, 7, rows)]
    values = rng.normal(size=rows) + 30.0 * (rng.random(rows) < 0.01)
    return replace(
        batch_of(values, times, codes, names), ids=np.array([f"e{i}" for i in range(rows)], object)
    )


def pieces(batch: Batch, cuts: list[int]) -> list[Batch]:
    """Cut a batch, each piece with keys numbered in its own way, as bodies of several senders are."""
    bounds, made = sorted({0, len(batch), *cuts}), []
    for start, stop in pairwise(bounds):
        names = KeyNames()
        codes = names.codes_of(batch.keys[start:stop].tolist())  # type: ignore[index]
        rows = slice(start, stop)
        made.append(
            replace(
                batch_of(batch.values[rows], batch.times[rows], codes, names),  # type: ignore[index]
                ids=batch.ids[rows],  # type: ignore[index]
            )
        )
    return made


def in_order(batch: Batch, lateness: int) -> list[str]:
    """Return the ids as the buffer of every host releases them, with those held at the end."""
    return [one for part in reordered([batch], lateness, {}) for one in part.ids.tolist()]  # type: ignore[union-attr]


def opened(folder: Path, **options: Any) -> Books:
    return Books(folder, silence=False, **{"lateness": LATE, **options})


def accept(books: Books, batch: Batch, name: str | None = None) -> Any:
    job: Job[Any] = Job(lambda b: b.events(batch, "test", name))
    books.do([job])
    return job.future.result(0)


def stored(books: Books) -> bytes:
    """Return the verdicts of a key as they are kept."""
    return chunks.history(books.connection, "key-3", 10_000).json_lines()


@given(st.lists(st.integers(0, ROWS), max_size=12), st.sampled_from([1, 7 * SECOND, LATE, 10**18]))
def test_any_cut_gives_the_order_of_every_host(cuts: list[int], lateness: int) -> None:
    whole, left = stream(), Waiting(min(lateness, 366 * 86_400 * SECOND))
    released: list[str] = []
    for piece in pieces(whole, cuts):
        due, left = left.take(piece)
        released += [] if due.ids is None else due.ids.tolist()
    assert released + left.all().ids.tolist() == in_order(whole, left.lateness)  # type: ignore[union-attr]
    assert len(released) == ROWS - len(left)


@given(
    st.lists(st.integers(0, 25), min_size=1, max_size=80),
    st.lists(st.tuples(st.integers(0, 80), st.booleans()), max_size=10),
    st.integers(0, 12),
    st.sampled_from([1, 3, 8, 1000]),
)
def test_ties_a_full_buffer_and_what_was_kept_change_nothing(
    times: list[int], cuts: list[tuple[int, bool]], lateness: int, most: int
) -> None:
    """Against the buffer of every host, which reads it all at once; some cuts are restarts from a snapshot."""
    n, names = len(times), KeyNames()
    whole = replace(
        batch_of(np.arange(n, dtype=float), np.array(times), names.codes_of(["a"] * n), names),
        ids=np.array([str(i) for i in range(n)], object),
    )
    restarts, released, left = dict(cuts), list[str](), Waiting(lateness)
    with mock.patch.object(waiting, "MOST_HELD", most):
        for piece in pieces(whole, [cut for cut, _ in cuts if cut < n]):
            due, left = left.take(piece)
            released += [] if due.ids is None else due.ids.tolist()
            assert len(left) <= most
            if restarts.get(len(released) + len(left)):
                left = waiting_with(left.lateness, left.watermark, left.held)
    parts = reordered([whole], lateness, {}, most_held=most)
    expected = [one for part in parts for one in part.ids.tolist()]  # type: ignore[union-attr]
    assert released + ([] if not len(left) else left.all().ids.tolist()) == expected  # type: ignore[union-attr]


@given(st.lists(st.integers(0, 40), min_size=1, max_size=40), st.integers(0, 60))
def test_a_present_releases_what_an_event_of_that_time_would(times: list[int], present: int) -> None:
    names = KeyNames()
    ids = np.array([str(i) for i in range(len(times))], object)
    batch = batch_of(np.zeros(len(times)), np.array(times), names.codes_of(["a"] * len(times)), names)
    _, before = Waiting(10).take(replace(batch, ids=ids))
    due, after = before.until(present)
    one = batch_of(np.zeros(1), np.array([present]), names.codes_of(["a"]), names)
    same, left = before.take(replace(one, ids=np.array(["present"], object)))
    shown = [] if same.ids is None else [own for own in same.ids.tolist() if own != "present"]
    assert ([] if due.ids is None else due.ids.tolist()) == shown
    assert after.watermark == left.watermark
    assert len(after) == sum(own != "present" for own in ([] if not len(left) else left.held.ids.tolist()))  # type: ignore[union-attr]


@pytest.mark.parametrize("count", [1, 5, 60])
def test_any_split_into_batches_gives_the_same_verdicts(tmp_path: Path, count: int) -> None:
    books, whole = opened(tmp_path), stream()
    for piece in pieces(whole, np.linspace(0, ROWS, count + 1).astype(int).tolist()):
        assert accept(books, piece).accepted == len(piece)
    course = Course(Fleet(Detector()), Waiting(LATE))
    expected = course.take(whole)
    assert 0 < books.course.held == course.held < 60
    assert told(books.fleet) == told(course.fleet)
    mine = expected[expected["key"] == "key-3"]
    assert stored(books) == mine.json_lines()
    assert books.counts.accepted == ROWS
    books.close()


@pytest.mark.parametrize("every", [0, 1, 4])
def test_a_crash_between_any_two_batches_changes_nothing(tmp_path: Path, every: int) -> None:
    """With a snapshot after every so many batches, or none; what was acknowledged and waits is there again."""
    whole = stream()
    cut = pieces(whole, list(range(0, ROWS, 25)))
    books = opened(tmp_path)
    for number, piece in enumerate(cut):
        accept(books, piece, f"b{number}")
        if every and number % every == 0:
            books.save()
        if number % 3 == 0:
            books.connection.close()  # as a crash leaves it
            books = opened(tmp_path, lateness=None)
        again = accept(books, piece, f"b{number}")
        assert (again.accepted, again.duplicate) == (0, len(piece))
    course = Course(Fleet(Detector()), Waiting(LATE))
    course.take(whole)
    assert (told(books.fleet), books.course.held) == (told(course.fleet), course.held)
    books.close()
    assert len(books.past.snapshots("held")) <= 2
    assert all(whole for _, whole, _ in examine_service(tmp_path))


def test_events_that_waited_and_were_damaged_come_from_the_log(tmp_path: Path) -> None:
    books, cut = opened(tmp_path), pieces(stream(), list(range(0, ROWS, 50)))
    for number, piece in enumerate(cut):
        accept(books, piece)
        if number in (4, 8):
            books.save()
    state, held = told(books.fleet), books.course.held
    books.connection.close()
    path = tmp_path / f"held-{books.past.snapshots()[0][0]}.mg"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert [name for name, whole, _ in examine_service(tmp_path) if not whole] == [path.name]
    for _ in range(2):
        again = opened(tmp_path)
        assert (told(again.fleet), again.course.held) == (state, held)
        assert again.notices
        again.connection.close()
        path.unlink(missing_ok=True)


def test_time_alone_brings_the_last_events_out(tmp_path: Path) -> None:
    now = [START]
    books = opened(tmp_path, clock=lambda: now[0])
    accept(books, stream())
    held = books.course.held
    for seconds in (1, 10, 31):
        now[0] = START + seconds * SECOND
        books.tick()
        assert books.course.held < held
        held = books.course.held
    assert held == 0
    entries = books.counts.seq
    now[0] += 100 * SECOND
    books.tick()
    assert books.counts.seq == entries  # nothing is written down when nothing waits
    state = told(books.fleet)
    books.connection.close()
    again = opened(tmp_path)
    assert (told(again.fleet), again.course.held) == (state, 0)
    assert sum(again.counts.kinds) == ROWS
    again.close()


def test_who_waits_is_not_taken_for_silent(tmp_path: Path) -> None:
    now = [START]
    books = Books(tmp_path, lateness=600 * SECOND, clock=lambda: now[0])
    for number, batch in enumerate(batches(60, rows=70)):
        accept(books, batch)
        now[0] = START + 70 * number * SECOND
        books.tick()
    assert books.counts.kinds[Kind.MISSING] == 0
    now[0] += 6000 * SECOND
    books.tick()
    now[0] += 2 * SECOND
    books.tick()
    assert books.course.held == 0
    assert sum(books.counts.kinds) == 4200 + 7  # each key fell silent once
    books.close()


def test_another_lateness_holds_from_the_next_event_on(tmp_path: Path) -> None:
    cut = pieces(stream(), [200, 400])
    books = opened(tmp_path, lateness=None)
    accept(books, cut[0])
    assert books.course.held == 0
    books.close()
    books = opened(tmp_path)
    accept(books, cut[1])
    assert books.course.held > 0
    books.close()
    books = opened(tmp_path, lateness=0)
    assert books.course.held == 0
    accept(books, cut[2])
    state = told(books.fleet)
    assert sum(books.counts.kinds) == ROWS
    for _, path in books.past.snapshots():
        path.unlink()
    books.connection.close()
    again = opened(tmp_path, lateness=None)  # all of it from the log
    assert told(again.fleet) == state
    again.close()


def test_a_rolled_back_window_takes_what_waits_along(tmp_path: Path) -> None:
    books, cut = opened(tmp_path), pieces(stream(), [300, 590])
    window = Window(START + 250 * SECOND, START + 10_000 * SECOND)
    for piece in cut[:2]:
        accept(books, piece)
    job: Job[Any] = Job(lambda b: b.roll_back(window))
    books.do([job])
    assert job.future.result(0) is not books.fleet
    assert books.course.waiting is not None
    assert books.course.waiting.all().times.max() < window.since  # type: ignore[union-attr]
    accept(books, cut[2])
    state, held = told(books.fleet), books.course.held
    assert held > 0
    books.connection.close()
    again = opened(tmp_path)
    assert (told(again.fleet), again.course.held) == (state, held)
    again.close()


def test_what_cannot_be_held_back_is_refused_and_nothing_else(tmp_path: Path) -> None:
    books, cut = opened(tmp_path), pieces(stream(), [300])
    accept(books, cut[0])
    with pytest.raises(ParameterError, match="these have none"):
        accept(books, replace(cut[1], times=None))
    with pytest.raises(ParameterError, match="coordinates"):
        accept(books, replace(cut[1], values=np.zeros((300, 2))))
    accept(books, cut[1])
    course = Course(Fleet(Detector()), Waiting(LATE))
    course.take(stream())
    assert told(books.fleet) == told(course.fleet)
    books.close()
    with pytest.raises(ParameterError, match="366 days"):
        opened(tmp_path, lateness=-1)


def test_a_job_that_fails_gives_back_what_it_released(tmp_path: Path) -> None:
    books, cut = opened(tmp_path), pieces(stream(), [300])
    accept(books, cut[0])

    def half(b: Books) -> None:
        b.events(cut[1], "test")
        raise RuntimeError("after the fleet moved")

    job: Job[Any] = Job(half)
    books.do([job])
    assert isinstance(job.future.exception(0), RuntimeError)
    accept(books, cut[1])
    fleet = Fleet(Detector())
    for part in reordered([stream()], LATE, {}, ended=lambda: False):
        judge(fleet, part)
    assert told(books.fleet) == told(fleet)
    books.close()
