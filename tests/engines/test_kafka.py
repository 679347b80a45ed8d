"""Kafka as source and sink of `watch`, by the mock cluster of its own library: each message and verdict once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from marigram import InputError, ParameterError
from marigram.cli.app import app
from marigram.engines.kafka.reader import Address, TopicReader
from marigram.engines.kafka.sink import KafkaSink
from marigram.engines.kafka.source import KafkaSource
from marigram.events import Batch, Schema

kafka = pytest.importorskip("confluent_kafka", reason="this machine lacks the client of Kafka")
COUNT = 1200
SCHEMA = Schema(time="", key=("host",), values=("load",), id="")
Produce = Callable[[int, int], None]


@pytest.fixture
def servers() -> Iterator[str]:
    """Where the brokers are, whose topics have four partitions."""
    producer = kafka.Producer({"bootstrap.servers": "none", "test.mock.num.brokers": 1, "log_level": 0})
    broker = next(iter(producer.list_topics(timeout=30).brokers.values()))
    yield f"{broker.host}:{broker.port}"
    producer.flush(10)


def event(i: int) -> dict[str, Any]:
    return {"host": f"web-{i % 7}", "load": (i * 37 % 101) / 10.0 + (90 if i == 1000 else 0)}


@pytest.fixture
def produce(servers: str) -> Produce:
    producer = kafka.Producer({"bootstrap.servers": servers, "log_level": 0})

    def these(start: int, stop: int) -> None:
        for i in range(start, stop):
            told = event(i)
            producer.produce("load", json.dumps(told).encode(), told["host"].encode(), partition=i % 7 % 4)
        assert producer.flush(30) == 0

    return these


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """The same events in a file."""
    path = tmp_path / "load.jsonl"
    path.write_text("".join(json.dumps(event(i)) + "\n" for i in range(2 * COUNT)))
    return path


def watch(*arguments: object) -> Result:
    columns = ("--key", "host", "--value", "load", "--json")
    result = CliRunner().invoke(app, ["watch", *map(str, arguments), *columns])
    assert "Traceback" not in result.stderr, result.stderr
    return result


def verdicts(lines: Iterable[str]) -> Counter[str]:
    return Counter(lines)


def messages(servers: str, topic: str) -> list[str]:
    reader = TopicReader(Address(servers, topic, {"log_level": 0}))
    partitions = reader.partitions()
    reader.begin(partitions, {})
    found: list[str] = []
    while not reader.ended >= set(partitions):
        found += [value.decode() for piece in reader.take(1000, 0.2) for value in piece.values]
    reader.close()
    return found


def test_a_topic_gives_the_verdicts_of_a_file_and_goes_on_where_it_stopped(
    servers: str, produce: Produce, plain: Path, tmp_path: Path
) -> None:
    watch(plain, "--out", tmp_path / "file.jsonl")
    options = (
        f"kafka://{servers}/load?log_level=0",
        "--state",
        tmp_path / "s",
        "--out",
        tmp_path / "v.jsonl",
    )
    produce(0, COUNT)
    assert json.loads(watch(*options).stderr.splitlines()[-1])["rows"] == COUNT
    produce(COUNT, 2 * COUNT)
    last = json.loads(watch(*options).stderr.splitlines()[-1])
    assert (last["rows"], last["lines"], last["rejects"]) == (2 * COUNT, 2 * COUNT, 0)
    found = [verdicts((tmp_path / name).read_text().splitlines()) for name in ("v.jsonl", "file.jsonl")]
    assert found[0] == found[1]


def test_brokers_that_do_not_answer_are_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a process of its own: the client's library would write to the descriptor behind Python's back."""
    command = "import marigram.engines.kafka.reader as r; r._SECONDS = r.TopicReader.partitions.__defaults__ = (1.0,)"
    command += "; from marigram.cli import main; main()"
    arguments = ["watch", "kafka://127.0.0.1:9/load", "--key", "host", "--value", "load"]
    done = subprocess.run(
        [sys.executable, "-c", command, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1, done.stderr
    assert "no broker answers" in done.stderr
    assert "Connection refused" in done.stderr


def test_shards_read_partitions_of_their_own(
    servers: str, produce: Produce, plain: Path, tmp_path: Path
) -> None:
    produce(0, 2 * COUNT)
    watch(plain, "--out", tmp_path / "file.jsonl")
    source = f"kafka://{servers}/load?log_level=0"
    read = []
    for i in (1, 2, 3):
        told = watch(source, "--out", tmp_path / "v.jsonl", "--shard", f"{i}/3")
        read.append(json.loads(told.stderr.splitlines()[-1])["lines"])
    assert sum(read) == 2 * COUNT  # nothing was read twice
    parts = [(tmp_path / f"v.{i}-of-3.jsonl").read_text().splitlines() for i in (1, 2, 3)]
    assert verdicts(chain(*parts)) == verdicts((tmp_path / "file.jsonl").read_text().splitlines())


def test_verdicts_go_to_a_topic_under_their_keys(servers: str, plain: Path, tmp_path: Path) -> None:
    watch(plain, "--out", tmp_path / "file.jsonl")
    watch(plain, "--out", f"kafka://{servers}/verdicts?log_level=0")
    assert verdicts(messages(servers, "verdicts")) == verdicts(
        (tmp_path / "file.jsonl").read_text().splitlines()
    )


def test_what_a_crash_left_behind_the_state_is_not_written_again(
    servers: str, plain: Path, tmp_path: Path
) -> None:
    address = f"kafka://{servers}/verdicts?log_level=0"
    watch(plain, "--out", tmp_path / "file.jsonl")
    lines = (tmp_path / "file.jsonl").read_text().splitlines()
    from marigram import Fleet

    fleet = Fleet()
    load = [event(i)["load"] for i in range(300)]
    keys = [event(i)["host"] for i in range(300)]
    sink = KafkaSink(address)
    sink.write(fleet.update(keys[:100], load[:100]))
    position = sink.flush()
    more = fleet.update(keys[100:], load[100:])
    sink.write(more[:120])
    sink.close()  # and the process dies before its state says so
    resumed = KafkaSink(address, start=position)
    resumed.write(more[:50])
    resumed.write(more[50:])
    resumed.close()
    assert verdicts(messages(servers, "verdicts")) == verdicts(lines[:300])


@pytest.mark.recovery
def test_killed_in_the_middle_nothing_is_lost_or_told_twice(
    servers: str, produce: Produce, plain: Path, tmp_path: Path
) -> None:
    watch(plain, "--out", tmp_path / "file.jsonl")
    command = [
        sys.executable, "-m", "marigram", "watch", f"kafka://{servers}/load?log_level=0", "--follow",
        "--key", "host", "--value", "load", "--state", str(tmp_path / "s"),
        "--out", f"kafka://{servers}/verdicts?log_level=0", "--json",
    ]  # fmt: skip
    produce(0, COUNT)
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 300
    while time.monotonic() < until and len(messages(servers, "verdicts")) < COUNT:
        time.sleep(0.2)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    produce(COUNT, 2 * COUNT)
    once = [part for part in command if part != "--follow"]
    subprocess.run(once, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=300)
    assert verdicts(messages(servers, "verdicts")) == verdicts(
        (tmp_path / "file.jsonl").read_text().splitlines()
    )


def test_broken_messages_are_rejects_with_their_number(servers: str, produce: Produce) -> None:
    produce(0, 8)
    producer = kafka.Producer({"bootstrap.servers": servers, "log_level": 0})
    for value in (b"{broken", None, b'{"host": "web-0",\n"load": 1}'):
        producer.produce("load", value, partition=0)
    assert producer.flush(30) == 0
    source = KafkaSource(f"kafka://{servers}/load?log_level=0", SCHEMA)
    batches: list[Batch] = list(source)
    rejects = [reject for batch in batches for reject in batch.rejects]
    before = sum(1 for i in range(8) if i % 7 % 4 == 0)
    assert [(one.file, one.line) for one in rejects] == [(f"kafka://{servers}/load/0", before + 1)]
    assert (source.lines, source.rejects, source.blank) == (8 + 2, 1, 1)
    assert sum(map(len, batches)) == 8 + 1


def test_a_schema_is_inferred_and_lateness_needs_one_partition(servers: str, tmp_path: Path) -> None:
    producer = kafka.Producer({"bootstrap.servers": servers, "log_level": 0})
    for i in range(300):
        when = 1_700_000_000 + 60 * (i ^ 3)  # every fourth is late
        producer.produce("late", json.dumps({"ts": when, "load": i % 9 / 2}).encode(), partition=1)
    assert producer.flush(30) == 0
    address = f"kafka://{servers}/late?log_level=0"
    with pytest.raises(ParameterError, match="partitions"):
        KafkaSource(address, lateness=10**12)
    source = KafkaSource(address, lateness=300 * 10**9, choose=lambda _: [1], batch_rows=40)
    assert (source.schema.time, source.schema.values) == ("ts", ("load",))
    batches = list(source)
    times = [int(t) for batch in batches for t in batch.times.tolist()]  # type: ignore[union-attr]
    assert times == sorted(times)
    assert len(times) == 300
    place = batches[3].offset
    rest = KafkaSource(
        address, source.schema, lateness=300 * 10**9, choose=lambda _: [1], batch_rows=64, start=place
    )
    again = [int(t) for batch in rest for t in batch.times.tolist()]  # type: ignore[union-attr]
    assert again == times[sum(len(batch) for batch in batches[:4]) :]


def test_what_cannot_be_read_or_resumed_is_refused(servers: str, produce: Produce) -> None:
    produce(0, 40)
    address = f"kafka://{servers}/load?log_level=0"
    place = list(KafkaSource(address, SCHEMA))[-1].offset
    with pytest.raises(ParameterError, match="cannot resume"):
        KafkaSource(f"kafka://{servers}/other?log_level=0", SCHEMA, start=place)
    gone = {**place, "partitions": {**place["partitions"], "0": 10**6}}
    with pytest.raises(InputError, match="is gone"):
        KafkaSource(address, SCHEMA, start=gone)
    for text in ("kafka://", "kafka://host:1", "kafka://host:1/a b", "kafka:///topic"):
        with pytest.raises(ParameterError, match="write kafka://"):
            Address.parse(text)
    with pytest.raises(ParameterError, match="not for the caller"):
        Address.parse("kafka://h:1/t?group.id=x")
    with pytest.raises(ParameterError, match="No such configuration property"):
        TopicReader(Address("h:1", "t", {"no.such.setting": "1"}))
    result = watch(address, address)
    assert result.exit_code == 2
    assert "read alone" in result.stderr
