"""`serve` killed with SIGKILL at random under load, while clients try again: nothing acknowledged is lost or twice.

Each sender has keys of its own, so that what an uninterrupted run would know of them is known exactly.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.recovery.server import Server
from tests.store.streams import told

from marigram import Client, Detector, Fleet
from marigram.events.keys import KeyNames
from marigram.store import log
from marigram.store.books import Books
from marigram.store.course import Course
from marigram.store.database import FILE, check, open_reader
from marigram.store.examining import examine_service

SOAK = bool(os.environ.get("MARIGRAM_SOAK"))
KILLS, KILLS_WHILE_HELD = (200, 50) if SOAK else (30, 2)
LATENESS = 60
SENDERS = 3
ROWS = 200
QUICK = """
import marigram.store.ledger as ledger
from marigram.cli import main
ledger.SNAPSHOT_ROWS, ledger.SNAPSHOT_SHARE = 4000, 1.0
main()
"""


def events(sender: int, number: int) -> list[dict[str, Any]]:
    """Return a batch: the same whenever it is asked for."""
    rng = np.random.default_rng((sender, number))
    values = rng.normal(size=ROWS) + (6.0 if number > 40 else 0.0)
    keys = rng.integers(0, 5, ROWS)
    return [
        {"host": f"s{sender}-{key}", "load": value}
        for key, value in zip(keys.tolist(), values.tolist(), strict=True)
    ]


def late_events(sender: int, number: int) -> list[dict[str, Any]]:
    """Return the same events with times, most of them not in order."""
    delay = np.random.default_rng((sender, number, 1)).integers(0, LATENESS, ROWS).tolist()
    return [
        {"time": 1_700_000_000 + number * ROWS + row - delay[row], **event}
        for row, event in enumerate(events(sender, number))
    ]


class Sender(threading.Thread):
    """Sends batches in order, each until it is acknowledged."""

    def __init__(
        self,
        number: int,
        url: str,
        stop: threading.Event,
        make: Callable[[int, int], list[dict[str, Any]]] = events,
    ) -> None:
        super().__init__(daemon=True)
        self._make = make
        self.number, self.sent, self.acknowledged, self.counted = number, 0, 0, 0
        self._client = Client(url, attempts=100_000, timeout=10, sleep=lambda s: time.sleep(min(s, 0.05)))
        self._stop_asked = stop

    def run(self) -> None:
        while not self._stop_asked.is_set():
            answer = self._client.post(self._make(self.number, self.sent), f"s{self.number}-{self.sent}")
            assert answer.accepted + answer.duplicate == ROWS
            self.acknowledged += ROWS
            self.sent += 1
        self._client.close()


@pytest.mark.recovery
def test_what_is_acknowledged_is_there_once_after_every_kill(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    with Server(tmp_path / "state", "--no-silence", "--key", "host", "--value", "load", code=QUICK) as server:
        sent = killed_under_load(server, KILLS, events)
    assert_all_there(tmp_path / "state", sent)
    record_property("kills", KILLS)
    record_property("events", ROWS * sum(sent))


@pytest.mark.recovery
def test_what_waits_for_earlier_events_outlives_every_kill(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """The same arrivals, gone through without an interruption, leave the same state and the same events waiting."""
    options = ("--no-silence", "--key", "host", "--value", "load", "--time", "time")
    folder = tmp_path / "state"
    with Server(folder, *options, "--lateness", f"{LATENESS}s", code=QUICK) as server:
        sent = killed_under_load(server, KILLS_WHILE_HELD, late_events)
    assert_accepted_once(folder, sent)
    books, names, course = Books(folder, silence=False), KeyNames(), Course(Fleet(Detector()))
    for entry in log.entries(books.connection, 0):
        course.follow(entry, names)
    assert books.counts.accepted == ROWS * sum(sent)
    assert books.course.held == course.held > 0
    assert told(books.fleet) == told(course.fleet)
    assert sum(books.counts.kinds) + books.course.held == ROWS * sum(sent)
    books.close()
    record_property("kills", KILLS_WHILE_HELD)
    record_property("events", ROWS * sum(sent))


def killed_under_load(
    server: Server, kills: int, make: Callable[[int, int], list[dict[str, Any]]]
) -> list[int]:
    """Kill a service at random while senders try again; returns how many batches of each it took."""
    chance, stop = random.Random(5), threading.Event()
    server.start()
    senders = [Sender(number, server.url, stop, make) for number in range(SENDERS)]
    for sender in senders:
        sender.start()
    for _ in range(kills):
        if chance.random() < 0.8:  # else the kill comes while it starts
            goal = sum(sender.sent for sender in senders) + chance.randint(1, 12)
            while sum(sender.sent for sender in senders) < goal:
                time.sleep(0.01)
        time.sleep(chance.expovariate(1 / 0.1))
        server.kill()
        server.start(wait=False)
    while not server.ready():
        time.sleep(0.02)
    stop.set()
    for sender in senders:
        sender.join(60)
        assert not sender.is_alive()
    server.stop()
    assert min(sender.sent for sender in senders) > kills // 10
    assert sum(sender.sent for sender in senders) > 2 * kills
    return [sender.sent for sender in senders]


def assert_accepted_once(folder: Path, sent: list[int]) -> None:
    connection = open_reader(folder / FILE)
    assert check(connection) == []
    question = "SELECT batch_id FROM log WHERE kind = 'events' ORDER BY seq"
    names = [name for (name,) in connection.execute(question)]
    connection.close()
    expected = {f"s{sender}-{number}" for sender, count in enumerate(sent) for number in range(count)}
    assert len(names) == len(set(names))
    assert set(names) == expected
    assert all(whole for _, whole, _ in examine_service(folder))


def assert_all_there(folder: Path, sent: list[int]) -> None:
    assert_accepted_once(folder, sent)
    fleet = Fleet(Detector())
    for sender, count in enumerate(sent):
        for number in range(count):
            batch = events(sender, number)
            fleet.update([event["host"] for event in batch], [event["load"] for event in batch])
    books = Books(folder)
    assert books.counts.accepted == ROWS * sum(sent)
    assert told(books.fleet) == told(fleet)
    books.close()
