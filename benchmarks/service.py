"""The service measured as its users meet it: over HTTP, in a process of its own, every answer after its commit.

``python -m benchmarks.service [--seconds S] [--keys K]`` prints a table:

* durable: events a second in batches of 1,000, from one client and from four, each waiting for its answer;
* latency: at 5,000 events a second in batches of 50, from before a batch is sent until its answer, which comes after
  the alert is on the disk;
* restart: seconds from exec to ``/readyz`` with 10,000 and 100,000 keys, after SIGTERM and after SIGKILL.
"""

from __future__ import annotations

import argparse
import http.client
import json
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from tests.recovery.server import Server


def bodies(count: int, rows: int, keys: int, seed: int = 0) -> list[bytes]:
    """Return batches as JSON lines: time, key, value."""
    rng = np.random.default_rng(seed)
    start = 1_700_000_000_000
    made = []
    for number in range(count):
        names, values = rng.integers(0, keys, rows), rng.normal(size=rows)
        stamps = start + np.arange(number * rows, (number + 1) * rows) * 10
        made.append(
            b"\n".join(
                b'{"time": %d, "host": "host-%d", "load": %.6f}' % (stamp, name, value)
                for stamp, name, value in zip(stamps.tolist(), names.tolist(), values.tolist(), strict=True)
            )
        )
    return made


def post(connection: http.client.HTTPConnection, body: bytes, name: str) -> None:
    """Send a batch and wait for its answer."""
    headers = {"Content-Type": "application/x-ndjson", "Idempotency-Key": name}
    connection.request("POST", "/v1/events", body, headers)
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{answer.status}: {content[:300]!r}")


def durable(server: Server, batches: list[bytes], clients: int, rows: int) -> float:
    """Return events a second."""

    def sender(which: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        for number in range(which, len(batches), clients):
            post(connection, batches[number], f"{clients}-{number}")
        connection.close()

    began = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(sender, range(clients)))
    return len(batches) * rows / (time.perf_counter() - began)


def latencies(server: Server, batches: list[bytes], rows: int, rate: float) -> np.ndarray:
    """Return the seconds of each batch, sent at a steady rate whatever the answers take."""
    found = np.zeros(len(batches))
    began = time.perf_counter() + 0.1

    def sender(which: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        for number in range(which, len(batches), 4):
            due = began + number * rows / rate
            time.sleep(max(0.0, due - time.perf_counter()))
            post(connection, batches[number], f"latency-{number}")
            found[number] = time.perf_counter() - due
        connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(sender, range(4)))
    return found


def restarts(folder: Path, keys: int) -> tuple[float, float, float]:
    """Return seconds to be ready after SIGTERM and after SIGKILL, and seconds to stop, with so many keys."""
    with Server(
        folder / "state", "--no-silence", "--time", "time", "--key", "host", "--value", "load"
    ) as server:
        server.start()
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        for start in range(0, keys, 10_000):
            body = b"\n".join(
                b'{"time": %d, "host": "host-%d", "load": %d}' % (1_700_000_000_000 + i, k, i % 7)
                for i in range(5)
                for k in range(start, start + 10_000)
            )
            post(connection, body, f"fill-{start}")
        stopping = server.stop()
        after_stop = server.start()
        for number, body in enumerate(bodies(200, 1000, keys, 9)):
            post(http.client.HTTPConnection("127.0.0.1", server.port), body, f"more-{number}")
        server.kill()
        return after_stop, server.start(), stopping


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--keys", type=int, default=1000)
    parser.add_argument("--restart", type=int, nargs="*", default=[10_000, 100_000])
    asked = parser.parse_args()
    count = int(asked.seconds * 60)
    with tempfile.TemporaryDirectory() as place:
        with Server(Path(place) / "state") as server:
            server.start()
            connection = http.client.HTTPConnection("127.0.0.1", server.port)
            for number, body in enumerate(bodies(20, 1000, asked.keys)):
                post(connection, body, f"warm-{number}")
            for clients in (1, 4):
                before = server.seconds()
                rate = durable(server, bodies(count, 1000, asked.keys, clients), clients, 1000)
                print(f"durable, batches of 1,000, {clients} client(s): {rate:,.0f} events/s", end="; ")
                print(f"{1e3 * (server.seconds() - before) / count:.2f} ms of processor a batch")
            before = server.seconds()
            found = latencies(server, bodies(int(asked.seconds * 100), 50, asked.keys, 7), 50, 5000.0)
            told = {f"p{q}": round(1e3 * float(np.percentile(found, q)), 1) for q in (50, 99)}
            print(f"latency at 5,000 events/s, ms: {json.dumps(told)}, worst {1e3 * found.max():.0f}")
            print(f"{1e3 * (server.seconds() - before) / len(found):.2f} ms of processor a batch of 50")
            print(f"memory {server.memory() / 1e6:.0f} MB; stopped in {server.stop():.2f} s")
        for keys in asked.restart:
            after, killed, stopping = restarts(Path(place) / str(keys), keys)
            print(
                f"{keys:,} keys: ready {after:.2f} s after a stop ({stopping:.2f} s), {killed:.2f} s after a kill"
            )


if __name__ == "__main__":
    main()
