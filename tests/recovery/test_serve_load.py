"""What strangers send, and too much of it: garbage is told line by line, haste is put off, memory stays what it was."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.recovery.server import COMMAND, Server
from tests.store.streams import told

from marigram import Client
from marigram.store.books import Books

SOAK = bool(os.environ.get("MARIGRAM_SOAK"))
GARBAGE = 1 << 30 if SOAK else 1 << 25
SECONDS = 60.0 if SOAK else 5.0
MOST = 64 << 20
CAUGHT_UP = 30.0
"""Seconds after a rush by which nothing waits any more."""
RATE, ROWS = 4000, 500
HASTE = b"\n".join(b'{"host": "h%d", "load": %d}' % (i % 50, i % 7) for i in range(ROWS))
SLOW = f"""
import time
from marigram.cli import main
from marigram.store.books import Books
from marigram.store.ledger import Ledger
events = Books.events
def slowly(books, batch, *others):
    time.sleep(len(batch) / {RATE})
    return events(books, batch, *others)
Books.events = slowly
Ledger.__init__.__kwdefaults__["waiting"] = 3 * {ROWS}
main()
"""
"""The service with a disk as slow as the quota, and a short queue before it."""


def post(connection: http.client.HTTPConnection, body: bytes, **headers: str) -> tuple[int, dict[str, Any]]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request("POST", "/v1/events", body, {"Content-Type": "application/x-ndjson", **named})
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


def garbage(total: int) -> Iterator[tuple[bytes, dict[str, str]]]:
    """Yield bodies of all sorts of garbage, and how they are packed."""
    rng, made = np.random.default_rng(3), 0
    good = b'{"host": "a", "load": 1.0}'
    while made < total:
        sort = int(rng.integers(0, 6))
        if sort == 0:
            body = rng.bytes(1 << 20)
        elif sort == 1:
            body = b"\n".join(
                [good, b'{"host": "\xff\xfe", "load": 1}', b'{"host": "a", "load": 1e999}'] * 5000
            )
        elif sort == 2:
            body = b"[" * 100_000 + b"\n" + good + b"\n" + b'{"a":' * 100_000
        elif sort == 3:
            body = good + b"\n" + b"x" * (1 << 21) + b"\n" + good
        elif sort == 4:
            body = b"\n".join(b'{"host": "a", "load": %d' % i for i in range(40_000))
        else:
            body = b"".join(rng.permutation(np.frombuffer(good * 1000 + b"\n" * 300, "S1")).tolist())
        made += len(body)
        packed = bool(rng.integers(0, 2))
        yield (gzip.compress(body, 1) if packed else body), ({"Content_Encoding": "gzip"} if packed else {})


def lines_of(body: bytes, headers: dict[str, str]) -> int:
    """Return how many lines a body has that are not blank."""
    text = gzip.decompress(body) if headers else body
    return sum(1 for line in text.split(b"\n") if line.strip(b" \t\r"))


@pytest.mark.recovery
def test_garbage_is_told_line_by_line_and_takes_no_memory(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    bomb = gzip.compress(bytes(1 << 28))
    with Server(tmp_path / "state", "--key", "host", "--value", "load", "--no-silence") as server:
        server.start()
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        for body, headers in garbage(1 << 24):  # what the first of each sort takes is taken once
            post(connection, body, **headers)
        before, sent, answered, worst, curve = server.memory(), 0, 0, 0, list[int]()
        size = 0
        for number, (body, headers) in enumerate(garbage(GARBAGE)):
            status, told_lines = post(connection, body, **headers)
            assert status == 200
            sent += lines_of(body, headers)
            answered += told_lines["accepted"] + len(told_lines["rejected"])
            size += len(gzip.decompress(body)) if headers else len(body)
            while size >= (len(curve) + 1) * GARBAGE // 16:
                curve.append((server.memory() - before) >> 20)
            if number % 20 == 0:
                assert post(connection, bomb, Content_Encoding="gzip")[0] == 413
                worst = max(worst, server.memory() - before)
        assert answered == sent
        worst = max(worst, server.memory() - before)
        assert worst < MOST
        record_property("lines", sent)
        record_property("grown, MiB", worst / (1 << 20))
        record_property("grown after each sixteenth, MiB", curve)
        connection.close()
        assert server.process is not None
        server.stop()


@pytest.mark.recovery
@pytest.mark.parametrize("bound", ["quota", "queue"])
def test_too_much_is_put_off_and_nothing_else(
    tmp_path: Path, bound: str, record_property: Callable[[str, object], None]
) -> None:
    options = ("--key", "host", "--value", "load", "--no-silence")
    quota = ("--rate", str(RATE)) if bound == "quota" else ()
    with Server(tmp_path / "state", *quota, *options, code=COMMAND if quota else SLOW) as server:
        server.start()
        with closing(http.client.HTTPConnection("127.0.0.1", server.port)) as connection:
            for _ in range(3):
                assert post(connection, HASTE)[0] == 200
        before = server.memory()
        rush = Rush(server.port)
        grown = server.memory() - before
        assert grown < MOST
        assert set(rush.statuses) == {200, 429}
        with Client(server.url) as client:
            ended, stats = time.monotonic(), client.stats()
            while stats["waiting"]:
                assert time.monotonic() - ended < CAUGHT_UP
                time.sleep(0.05)
                stats = client.stats()
        assert stats["lag_seconds"] == 0.0
        assert stats["accepted"] == ROWS * (rush.statuses[200] + 3)
        record_property("answers", rush.statuses)
        record_property("grown, MiB", grown / (1 << 20))
        record_property("caught up after, s", time.monotonic() - ended)


class Rush:
    """Ten times what is taken, from several at once; the statuses of the answers, counted."""

    def __init__(self, port: int, senders: int = 4) -> None:
        self.statuses: dict[int, int] = {}
        self._port, self._pause = port, senders * ROWS / (10 * RATE)
        self._until, self._lock = time.monotonic() + SECONDS, threading.Lock()
        threads = [threading.Thread(target=self._hurry) for _ in range(senders)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _hurry(self) -> None:
        with closing(http.client.HTTPConnection("127.0.0.1", self._port)) as connection:
            while time.monotonic() < self._until:
                began = time.monotonic()
                status, _ = post(connection, HASTE)
                with self._lock:
                    self.statuses[status] = self.statuses.get(status, 0) + 1
                time.sleep(max(0.0, self._pause - (time.monotonic() - began)))


@pytest.mark.recovery
def test_batches_sent_again_and_again_in_any_order_count_once(tmp_path: Path) -> None:
    chance, senders, count = random.Random(4), 4, 25
    streams = [
        [
            [{"host": f"s{sender}-{i % 3}", "load": chance.gauss(0, 1)} for i in range(60)]
            for _ in range(count)
        ]
        for sender in range(senders)
    ]
    states = []
    for again in (1, 5):
        folder = tmp_path / str(again) / "state"
        with Server(folder, "--key", "host", "--value", "load", "--no-silence") as server:
            server.start()
            clients = [Client(server.url) for _ in range(senders)]
            order = [sender for sender in range(senders) for _ in range(count)]
            chance.shuffle(order)
            sent = [0] * senders
            for sender in order:
                number = sent[sender]
                sent[sender] += 1
                clients[sender].post(streams[sender][number], f"{sender}-{number}")
                for _ in range(chance.randrange(again)):
                    one = chance.randrange(senders)
                    if sent[one]:
                        old = chance.randrange(sent[one])
                        answer = clients[one].post(streams[one][old], f"{one}-{old}")
                        assert (answer.accepted, answer.duplicate) == (0, 60)
            assert clients[0].stats()["accepted"] == senders * count * 60
            for client in clients:
                client.close()
            server.stop()
        books = Books(folder)
        states.append(told(books.fleet))
        books.close()
    assert states[0] == states[1]
