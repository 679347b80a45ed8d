"""The disk as it is at any moment: every prefix of what was written opens, with what was committed by then."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import apsw
import numpy as np
import pytest
from tests.store.streams import batches, told

from marigram import MarigramError
from marigram.store import chunks
from marigram.store.books import Books
from marigram.store.database import FILE
from marigram.store.jobs import Job
from marigram.store.pages import PageFile, PageFiles

FLIPS = 10_000 if os.environ.get("MARIGRAM_SOAK") else 1000


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: only bytes are cut and flipped here, and no disk is waited for."""
    if not os.access("/dev/shm", os.W_OK):  # noqa: S108 - it is a disk in memory
        yield tmp_path
        return
    with TemporaryDirectory(dir="/dev/shm", prefix="marigram-") as folder:
        yield Path(folder)


class Recorder(PageFiles):
    """Writes down, in order, everything that reaches the files."""

    def __init__(self) -> None:
        super().__init__("recorder", "")
        self.trace: list[tuple[str, str, int, bytes]] = []

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - SQLite calls it so
        trace, path = self.trace, Path(str(name.filename() if hasattr(name, "filename") else name)).name

        class File(PageFile):
            def xWrite(self, data: Any, offset: int) -> None:  # noqa: N802 - the same
                super().xWrite(data, offset)
                trace.append(("write", path, offset, bytes(super().xRead(len(data), offset))))

            def xTruncate(self, size: int) -> None:  # noqa: N802 - the same
                super().xTruncate(size)
                trace.append(("truncate", path, size, b""))

        return File("", name, flags)

    def xDelete(self, name: str, sync: bool) -> None:  # noqa: N802 - the same
        super().xDelete(name, sync)
        self.trace.append(("delete", Path(name).name, 0, b""))


def applied(files: dict[str, bytearray], step: tuple[str, str, int, bytes], part: float) -> None:
    """Do one step to the files, or the first part of a write."""
    what, name, at, data = step
    if what == "delete":
        files.pop(name, None)
        return
    held = files.setdefault(name, bytearray())
    if what == "truncate":
        del held[at:]
        return
    data = data[: int(len(data) * part)]
    if at > len(held):
        held.extend(bytes(at - len(held)))
    held[at : at + len(data)] = data


@pytest.mark.recovery
def test_every_prefix_of_what_is_written_opens_with_what_was_committed(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("marigram.store.database._PAGES_OF_LOG", 40)  # so that many checkpoints are in it
    recorder, stream = Recorder(), batches(90, rows=60)
    (place / "live").mkdir()
    books = Books(place / "live", silence=False, vfs="recorder")
    begun, acknowledged, states = len(recorder.trace), [], [told(books.fleet)]
    for number, batch in enumerate(stream):
        job: Job[Any] = Job(lambda b, batch=batch, number=number: b.events(batch, "t", f"b{number}"))
        books.do([job])
        job.future.result(0)
        acknowledged.append(len(recorder.trace))
        states.append(told(books.fleet))
    books.connection.close()
    assert len(recorder.trace) - begun >= 500
    files: dict[str, bytearray] = {}
    cuts = 0
    for at, step in enumerate(recorder.trace):
        for part in (0.5, 1.0) if step[0] == "write" else (1.0,):
            if part < 1.0:
                torn = {name: bytearray(held) for name, held in files.items()}
                applied(torn, step, part)
            else:
                applied(files, step, 1.0)
                torn = files
            if at < begun or (at * 2 + (part == 1.0)) % 3 == 0:
                continue
            cuts += 1
            kept = sum(end <= at for end in acknowledged)
            assert_opens(place / "cut", torn, kept, states)
    assert cuts >= 1000


def assert_opens(folder: Path, files: dict[str, bytearray], kept: int, states: list[dict[str, str]]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, held in files.items():
        (folder / name).write_bytes(held)
    books = Books(folder, silence=False)
    found = books.counts.seq
    assert kept <= found <= kept + 1
    assert told(books.fleet) == states[found]
    books.connection.close()


@pytest.mark.recovery
def test_a_bit_that_flips_is_found_or_changes_nothing(
    place: Path, record_property: Callable[[str, object], None]
) -> None:
    stream, whole = batches(12, rows=60, keys=3), place / "whole"
    whole.mkdir()
    books = Books(whole, silence=False)
    for number, batch in enumerate(stream):
        books.do([Job(lambda b, batch=batch, number=number: b.events(batch, "t", f"b{number}"))])
        if number in (5, 9):
            books.save()
    books.do([Job(lambda b: b.audit("ann", "label", {"x": 1}))])
    expected = content(books)
    books.connection.close()
    files = [FILE, "fleet-6.mg", "fleet-10.mg"]
    rng = np.random.default_rng(8)
    detected = 0
    for _ in range(FLIPS):
        name = files[rng.integers(0, len(files))]
        folder = place / "flipped"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(whole, folder)
        held = bytearray((folder / name).read_bytes())
        at = int(rng.integers(0, 8 * len(held)))
        held[at // 8] ^= 1 << at % 8
        (folder / name).write_bytes(held)
        try:
            books = Books(folder, silence=False)
        except MarigramError:
            detected += 1
            continue
        try:
            assert content(books) == expected, (name, at)
            detected += bool(books.notices)
        except (MarigramError, apsw.IOError):
            detected += 1
        books.connection.close()
    assert detected > FLIPS // 2
    record_property("detected", f"{detected} of {FLIPS}")


def content(books: Books) -> tuple[Any, ...]:
    """Return everything that a user could be told."""
    rows = [
        books.connection.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall()  # noqa: S608
        for table in ("meta", "log", "chunk", "position", "token", "audit")
    ]
    verdicts = [chunks.history(books.connection, f"key-{i}", 10_000).json_lines() for i in range(3)]
    return told(books.fleet), rows, verdicts


@pytest.mark.recovery
def test_a_day_replayed_in_any_cut_is_the_same(tmp_path: Path) -> None:
    stream = batches(60, rows=50)
    states, verdicts = [], []
    for number, size in enumerate((1, 7, 3000)):
        (tmp_path / str(number)).mkdir()
        books = Books(tmp_path / str(number), silence=False)
        for batch in recut(stream, size):
            books.do([Job(lambda b, batch=batch: b.events(batch, "t"))])
            if number == 1 and books.counts.seq == 200:
                books.connection.close()
                books = Books(tmp_path / str(number), silence=False)
        states.append(told(books.fleet))
        verdicts.append(chunks.history(books.connection, "key-2", 10_000).json_lines())
        books.close()
    assert states[0] == states[1] == states[2]
    assert verdicts[0] == verdicts[1] == verdicts[2]


def recut(stream: list[Any], size: int) -> list[Any]:
    """Return the same events in batches of another size."""
    whole = {
        name: np.concatenate([getattr(batch, name) for batch in stream])
        for name in ("values", "times", "key_codes")
    }
    return [
        type(stream[0])(
            **{
                **stream[0].__dict__,
                **{name: column[start : start + size] for name, column in whole.items()},
                "rejects": [],
            }
        )
        for start in range(0, len(whole["values"]), size)
    ]
