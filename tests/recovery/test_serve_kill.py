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
from marigram.store.books import Books
from marigram.store.database import FILE, check, open_reader
from marigram.store.examining import examine_service

KILLS = 200 if os.environ.get("MARIGRAM_SOAK") else 30
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


class Sender(threading.Thread):
    """Sends batches in order, each until it is acknowledged."""

    def __init__(self, number: int, url: str, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.number, self.sent, self.acknowledged, self.counted = number, 0, 0, 0
        self._client = Client(url, attempts=100_000, timeout=10, sleep=lambda s: time.sleep(min(s, 0.05)))
        self._stop_asked = stop

    def run(self) -> None:
        while not self._stop_asked.is_set():
            answer = self._client.post(events(self.number, self.sent), f"s{self.number}-{self.sent}")
            assert answer.accepted + answer.duplicate == ROWS
            self.acknowledged += ROWS
            self.sent += 1
        self._client.close()


@pytest.mark.recovery
def test_what_is_acknowledged_is_there_once_after_every_kill(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    chance, stop = random.Random(5), threading.Event()
    with Server(tmp_path / "state", "--no-silence", "--key", "host", "--value", "load", code=QUICK) as server:
        server.start()
        senders = [Sender(number, server.url, stop) for number in range(SENDERS)]
        for sender in senders:
            sender.start()
        for _ in range(KILLS):
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
    assert min(sender.sent for sender in senders) > KILLS // 10
    assert sum(sender.sent for sender in senders) > 2 * KILLS
    assert_all_there(tmp_path / "state", [sender.sent for sender in senders])
    record_property("kills", KILLS)
    record_property("events", ROWS * sum(sender.sent for sender in senders))


def assert_all_there(folder: Path, sent: list[int]) -> None:
    connection = open_reader(folder / FILE)
    assert check(connection) == []
    names = [name for (name,) in connection.execute("SELECT batch_id FROM log ORDER BY seq")]
    connection.close()
    expected = {f"s{sender}-{number}" for sender, count in enumerate(sent) for number in range(count)}
    assert len(names) == len(set(names))
    assert set(names) == expected
    assert all(whole for _, whole, _ in examine_service(folder))
    fleet = Fleet(Detector())
    for sender, count in enumerate(sent):
        for number in range(count):
            batch = events(sender, number)
            fleet.update([event["host"] for event in batch], [event["load"] for event in batch])
    books = Books(folder)
    assert books.counts.accepted == ROWS * sum(sent)
    assert told(books.fleet) == told(fleet)
    books.close()
