"""A full disk: batches are refused and say so, questions are answered, and with room again it goes on by itself.

Three ways to be full: hardly any room left (what the service keeps free), no room at all in the middle of a write, and
a limit to the size of a file, which needs no rights to set up.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from tests.recovery.server import COMMAND, Server
from tests.store.streams import told

from marigram import Client, Detector, Fleet
from marigram.service.client import ServiceError
from marigram.store.books import Books
from marigram.store.database import FILE, check, open_reader

ROWS, BEFORE, AFTER = 500, 8, 6
HEADROOM = 200_000
"""Bytes that are left before it is full: some batches, so that a write ends in the middle."""
RECKLESS = "import marigram.store.ledger as ledger\nledger.RESERVE = 0\n" + COMMAND
"""Writes without looking at what room there is."""


def events(number: int) -> list[dict[str, object]]:
    """Return a batch: the same whenever it is asked for."""
    values = np.random.default_rng(number).normal(size=ROWS)
    return [{"host": f"web-{i % 7}", "load": value} for i, value in enumerate(values.tolist())]


@contextmanager
def disk(folder: Path, mebibytes: int) -> Iterator[Path]:
    """A small disk of its own in memory."""
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "marigram", str(folder)],  # noqa: S607 - wherever it is
        check=False,
        capture_output=True,
    )
    if made.returncode:
        pytest.skip("only those who may mount can make a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)  # noqa: S607 - wherever it is


def free(folder: Path) -> int:
    """Return the bytes that are free."""
    state = os.statvfs(folder)
    return state.f_bavail * state.f_frsize


def fill(folder: Path, left: int) -> Callable[[], None]:
    """Fill a disk but for some bytes; returns what makes room again."""
    ballast = folder / "ballast"
    with open(ballast, "wb") as file:
        os.posix_fallocate(file.fileno(), 0, free(folder) - left)
    return ballast.unlink


def test_hardly_any_room(tmp_path: Path) -> None:
    with disk(tmp_path / "disk", 64) as place, Server(place / "state", *OPTIONS) as server:
        goes_on(server, lambda: fill(place, 20 << 20), at_once=True)


def test_no_room_in_the_middle_of_a_write(tmp_path: Path) -> None:
    with disk(tmp_path / "disk", 64) as place, Server(place / "state", *OPTIONS, code=RECKLESS) as server:
        goes_on(server, lambda: fill(place, HEADROOM))


def test_a_limit_to_the_size_of_a_file(tmp_path: Path) -> None:
    with Server(tmp_path / "state", *OPTIONS) as server:
        goes_on(server, lambda: limit(server))


def limit(server: Server) -> Callable[[], None]:
    """Let no file grow much longer than the longest is; returns what takes that back."""
    assert server.process is not None
    number, unbounded = server.process.pid, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    longest = max(path.stat().st_size for path in server.folder.iterdir())
    resource.prlimit(number, resource.RLIMIT_FSIZE, (longest + HEADROOM, resource.RLIM_INFINITY))
    return lambda: resource.prlimit(number, resource.RLIMIT_FSIZE, unbounded) and None


OPTIONS = ("--key", "host", "--value", "load", "--no-silence")


def goes_on(server: Server, full: Callable[[], Callable[[], None]], *, at_once: bool = False) -> None:
    """Send until it is full, ask, make room, send the same again: nothing is lost, nothing counts twice."""
    server.start()
    with Client(server.url, attempts=1) as once, Client(server.url, attempts=100, sleep=nap) as patient:
        for number in range(BEFORE):
            once.post(events(number), f"b{number}")
        make_room = full()
        sent, refused = BEFORE, 0
        for _ in range(200):
            try:
                once.post(events(sent), f"b{sent}")
            except ServiceError as error:
                refused += error.status in (503, 507)
                if refused == 5:
                    break
            else:
                assert not refused, "what was refused was accepted without room"
                sent += 1
        assert refused == 5
        assert sent == BEFORE or not at_once
        assert once.stats()["accepted"] == ROWS * sent  # questions are answered
        assert once.key("web-3")["n"] == sum(i % 7 == 3 for i in range(ROWS)) * sent
        assert len(once.verdicts("web-3", 10)) == 10
        assert (server.ready(), server.healthy()) == (False, True)
        with pytest.raises(ServiceError, match=r"50[37]"):
            once.post(events(sent), f"b{sent}")
        make_room()
        while not server.ready():
            time.sleep(0.1)
        for number in range(sent + AFTER):  # all over again, as one who does not know what arrived
            patient.post(events(number), f"b{number}")
        stats = once.stats()
        assert (stats["accepted"], stats["duplicate"]) == (ROWS * (sent + AFTER), ROWS * sent)
    server.stop()
    assert_whole(server.folder, sent + AFTER)


def nap(seconds: float) -> None:
    """Wait, not as long as one would."""
    time.sleep(min(seconds, 0.1))


def assert_whole(folder: Path, batches: int) -> None:
    connection = open_reader(folder / FILE)
    assert check(connection) == []
    connection.close()
    fleet = Fleet(Detector())
    for number in range(batches):
        batch = json.loads(json.dumps(events(number)))
        fleet.update([event["host"] for event in batch], [event["load"] for event in batch])
    books = Books(folder)
    assert told(books.fleet) == told(fleet)
    books.close()


pytestmark = pytest.mark.recovery
