"""Kafka, by the mock cluster of its own library: every message once, whatever stops in between."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.store.streams import told

from marigram import ParameterError
from marigram.service.sources import KafkaTopic, Sources, sources_of
from marigram.store.books import Books

kafka = pytest.importorskip("confluent_kafka", reason="this machine lacks the client of Kafka")
Serving = Callable[..., TestClient]
COUNT = 1500


@pytest.fixture
def cluster() -> Iterator[tuple[Any, str]]:
    """A producer, and where its brokers are."""
    producer = kafka.Producer({"bootstrap.servers": "none", "test.mock.num.brokers": 1, "log_level": 0})
    broker = next(iter(producer.list_topics(timeout=30).brokers.values()))
    yield producer, f"{broker.host}:{broker.port}"
    producer.flush(10)


def produce(producer: Any, start: int, stop: int) -> None:
    for i in range(start, stop):
        event = {"host": f"web-{i % 4}", "load": (i * 37 % 101) / 10.0}
        producer.produce("load", json.dumps(event).encode(), partition=i % 4)
    assert producer.flush(30) == 0


def accepted(client: TestClient, count: int) -> dict[str, Any]:
    until = time.monotonic() + 60
    stats: dict[str, Any] = {}
    while time.monotonic() < until and stats.get("accepted", 0) + stats.get("rejected", 0) < count:
        time.sleep(0.05)
        stats = client.get("/v1/stats").json()
    return stats


def test_every_message_is_an_event_once_over_restarts(
    serving: Serving, cluster: tuple[Any, str], tmp_path: Path
) -> None:
    producer, servers = cluster
    topic = KafkaTopic(servers=servers, topic="load", options={"log_level": 0})
    produce(producer, 0, COUNT)
    producer.produce("load", b"{broken", partition=0)
    client = serving(tmp_path / "s", sources=Sources(kafka=(topic,)))
    stats = accepted(client, COUNT + 1)
    assert (stats["accepted"], stats["rejected"]) == (COUNT, 1)
    client.__exit__()
    produce(producer, COUNT, 2 * COUNT)
    again = serving(tmp_path / "s", sources=Sources(kafka=(topic,)))
    assert accepted(again, 2 * COUNT + 1)["accepted"] == 2 * COUNT
    time.sleep(0.5)
    stats = again.get("/v1/stats").json()
    assert (stats["accepted"], stats["duplicate"], stats["rejected"]) == (2 * COUNT, 0, 1)
    again.__exit__()
    plain = serving(tmp_path / "plain")
    lines = [json.dumps({"host": f"web-{i % 4}", "load": (i * 37 % 101) / 10.0}) for i in range(2 * COUNT)]
    plain.post("/v1/events", content="\n".join(lines).encode())
    plain.__exit__()
    states = [told(Books(tmp_path / name).fleet) for name in ("s", "plain")]
    assert states[0] == states[1]


def test_messages_that_come_late_are_sorted_in_over_restarts(
    serving: Serving, cluster: tuple[Any, str], tmp_path: Path
) -> None:
    producer, servers = cluster
    sources = Sources(kafka=(KafkaTopic(servers=servers, topic="late", options={"log_level": 0}),))
    events = [
        {"time": 1_700_000_000 + i, "host": f"web-{i % 4}", "load": (i * 37 % 101) / 10.0} for i in range(400)
    ]
    messages = [json.dumps(events[i ^ 7]).encode() for i in range(400)]  # eight at a time, the last first
    for stop in (200, 400):
        for message in messages[stop - 200 : stop]:
            producer.produce("late", message, partition=0)
        assert producer.flush(30) == 0
        client = serving(tmp_path / "s", sources=sources, lateness=10 * 10**9)
        assert accepted(client, stop)["held"] == 10
        client.__exit__()
    plain = serving(tmp_path / "plain")
    plain.post("/v1/events", content="\n".join(map(json.dumps, events[:390])).encode())
    plain.__exit__()
    states = [told(Books(tmp_path / name).fleet) for name in ("s", "plain")]
    assert states[0] == states[1]


def test_a_wrong_setting_is_refused_before_anything_is_read() -> None:
    with pytest.raises(ParameterError, match="servers"):
        sources_of({"kafka": [{"topic": "load"}]})
    with pytest.raises(ParameterError, match="unknown field"):
        sources_of({"kafka": [{"topic": "load", "servers": "x:1", "group": "y"}]})
