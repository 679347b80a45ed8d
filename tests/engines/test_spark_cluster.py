"""Verdicts from Spark are those of a fleet, field by field; a state moves there and back; Kafka without jars."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import marigram as mg
from marigram.verdicts import Verdicts

pytest.importorskip("pyspark", reason="this machine lacks Spark")

from pyspark.errors import StreamingQueryException
from pyspark.sql import functions as sf

from marigram.engines.spark import detect, export_fleet, read_topic
from marigram.engines.spark.running import as_ours
from marigram.engines.spark.schema import table_schema

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]  # warnings there are Spark's own

SECOND = 1_000_000_000
EVENTS, KEYS, EACH = 9000, 100, 3000
SCHEMA = "host string, ts timestamp, load double, uid string"
COLUMNS: dict[str, Any] = {"key": "host", "value": "load", "time": "ts", "id": "uid", "buckets": 4}
FIRST_TRIES = 3
EMPTY_BATCHES = "spark.sql.streaming.noDataMicroBatches.enabled"


@pytest.fixture(scope="module")
def events() -> pa.Table:
    """Events of many keys in the order of their times, some of them outliers, one without a value.

    In the second part few of the keys speak, so that their records go into patches.
    """
    rng = np.random.default_rng(1)
    keys = rng.integers(0, KEYS, EVENTS)
    keys[EACH : 2 * EACH] %= 5
    load = rng.normal(size=EVENTS)
    load[rng.integers(0, EVENTS, 30)] += 20
    load[7] = np.nan
    times = (1_700_000_000 + np.arange(EVENTS)) * SECOND
    return pa.table(
        {
            "host": pa.array([f"h{i}" for i in keys]),
            "ts": pa.array(times // 1000, pa.timestamp("us", "UTC")),
            "load": load,
            "uid": [f"{i:05d}" for i in range(EVENTS)],
        }
    )


def judged(fleet: mg.Fleet, events: pa.Table, start: int = 0) -> pa.Table:
    some = events.slice(start)
    return _as_spark(fleet.update(some["host"], some["load"], some["ts"], ids=some["uid"]))


def _as_spark(verdicts: Verdicts) -> pa.Table:
    return verdicts.to_arrow().cast(table_schema(verdicts.d, integer_keys=False), safe=False)


def rows(table: pa.Table) -> list[dict[str, Any]]:
    return sorted(table.to_pylist(), key=lambda row: str(row["id"]))


def put(folder: Path, events: pa.Table, parts: Sequence[int]) -> None:
    folder.mkdir(exist_ok=True)
    for part in parts:
        pq.write_table(events.slice(part * EACH, EACH), folder / f"{part}.parquet")


def run(verdicts: DataFrame, checkpoint: Path, out: Path) -> pa.Table:
    """Run a query until it has judged what there is; return all that its sink holds.

    A driver's worker that does not start within Spark's ten seconds, as on a busy machine, is started again.
    """
    for left in reversed(range(FIRST_TRIES)):
        writer = verdicts.writeStream.format("parquet").option("checkpointLocation", str(checkpoint))
        try:
            writer.trigger(availableNow=True).start(str(out)).awaitTermination()
            break
        except StreamingQueryException as error:
            if not left or "failed to connect back" not in str(error):
                raise
    return verdicts.sparkSession.read.parquet(str(out)).toArrow()


def test_a_stream_gives_the_verdicts_of_a_fleet_and_its_state_moves(
    spark: SparkSession, events: pa.Table, tmp_path: Path
) -> None:
    want = rows(judged(mg.Fleet(), events))
    source = tmp_path / "in"
    put(source, events, [0, 1])
    stream = spark.readStream.schema(SCHEMA).option("maxFilesPerTrigger", 1).parquet(str(source))
    got = rows(run(detect(stream, **COLUMNS), tmp_path / "a", tmp_path / "out"))
    assert got == want[: 2 * EACH]

    saved = tmp_path / "fleet.mg"
    assert export_fleet(spark, tmp_path / "a", saved) == KEYS
    assert rows(judged(mg.Fleet.load(saved), events, 2 * EACH)) == want[2 * EACH :]

    put(source, events, [2])
    assert rows(run(detect(stream, **COLUMNS), tmp_path / "a", tmp_path / "out")) == want

    (tmp_path / "rest").mkdir()
    put(tmp_path / "rest", events, [2])
    rest = spark.readStream.schema(SCHEMA).parquet(str(tmp_path / "rest"))
    begun = detect(rest, **COLUMNS, initial=saved)
    assert rows(run(begun, tmp_path / "b", tmp_path / "out-b")) == want[2 * EACH :]

    put(tmp_path / "rest", events.slice(0, 0), [0])
    pq.write_table(events.slice(0, 5), tmp_path / "rest" / "more.parquet")
    with pytest.raises(StreamingQueryException) as failed:
        run(detect(rest, mg.Detector(alpha=0.01), **COLUMNS), tmp_path / "b", tmp_path / "out-b")
    assert isinstance(as_ours(failed.value), mg.ParameterError)


def test_what_is_older_than_its_time_to_live_is_forgotten(
    spark: SparkSession, events: pa.Table, tmp_path: Path
) -> None:
    """A millisecond has gone by when the second batch begins: every key is new again."""
    some = events.slice(0, 2 * EACH)
    source = tmp_path / "in"
    put(source, some, [0])
    spark.conf.set(EMPTY_BATCHES, "false")  # else Spark makes batches of nothing for ever
    stream = spark.readStream.schema(SCHEMA).parquet(str(source))
    first = rows(run(detect(stream, **COLUMNS, ttl=1), tmp_path / "a", tmp_path / "out"))
    assert first == rows(judged(mg.Fleet(), some))[:EACH]
    put(source, some, [1])
    both = rows(run(detect(stream, **COLUMNS, ttl=1), tmp_path / "a", tmp_path / "out"))
    spark.conf.unset(EMPTY_BATCHES)
    assert both[EACH:] == rows(judged(mg.Fleet(), some, EACH))


def test_a_table_of_vectors_and_late_events_gives_the_verdicts_of_a_fleet(spark: SparkSession) -> None:
    rng = np.random.default_rng(2)
    n = 1500
    times = (1_700_000_000 + np.arange(n) + rng.integers(-5, 5, n)) * SECOND
    values = rng.normal(size=(n, 2))
    site, unit = rng.integers(0, 3, n).astype(str), np.array(["a|b", "c"])[rng.integers(0, 2, n)]
    names = ["site", "unit", "x", "y", "ns", "uid"]
    columns = [site, unit, values[:, 0], values[:, 1], times, [f"{i:05d}" for i in range(n)]]
    table = spark.createDataFrame(pa.table(dict(zip(names, columns, strict=True))))
    told = detect(
        table, key=["site", "unit"], value=["x", "y"], time="ns", id="uid", lateness=3 * SECOND, buckets=2
    )
    order = np.argsort(times, kind="stable")
    keys = [f"{site[i]}|{unit[i].replace('|', chr(92) + '|')}" for i in order]
    fleet = mg.Fleet()
    want = fleet.update(keys, values[order], times[order], ids=[f"{i:05d}" for i in order])
    assert rows(told.toArrow()) == rows(_as_spark(want))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"key": "hots"}, "did you mean 'host'"),
        ({"value": "host"}, "must be numbers"),
        ({"time": "load"}, "must be a timestamp"),
        ({"buckets": 5}, "power of two"),
        ({"ttl": 0}, "at least 1"),
        ({"detector": mg.Detector(joint=True)}, "joint"),
    ],
)
def test_a_column_or_setting_that_does_not_fit_is_refused(
    spark: SparkSession, changes: dict[str, Any], told: str
) -> None:
    table = spark.createDataFrame([], SCHEMA)
    with pytest.raises(mg.ParameterError, match=told):
        detect(table, **{**COLUMNS, **changes})


def test_a_topic_gives_each_message_once(spark: SparkSession, tmp_path: Path) -> None:
    """Two runs over a growing topic, against librdkafka's mock cluster."""
    kafka = pytest.importorskip("confluent_kafka", reason="this machine lacks the client of Kafka")
    producer = kafka.Producer({"bootstrap.servers": "none", "test.mock.num.brokers": 1, "log_level": 0})
    broker = next(iter(producer.list_topics(timeout=30).brokers.values()))
    sent = [{"host": f"h{i % 5}", "load": i * 37 % 101 / 10, "uid": f"{i:05d}"} for i in range(1000)]

    def produce(start: int, stop: int) -> None:
        for i in range(start, stop):
            producer.produce("load", json.dumps(sent[i]).encode(), partition=i % 5 % 4)
        assert producer.flush(30) == 0

    messages = read_topic(spark, f"kafka://{broker.host}:{broker.port}/load", rows_per_batch=400)
    parsed = sf.from_json(messages["value"].cast("string"), "host string, load double, uid string")
    stream = messages.select(parsed.alias("event"), "partition", "offset").select(
        "event.*", "partition", "offset"
    )
    verdicts = detect(stream, key="host", value="load", id="uid", order=["partition", "offset"], buckets=2)
    produce(0, 600)
    run(verdicts, tmp_path / "state", tmp_path / "out")
    produce(600, 1000)
    got = run(verdicts, tmp_path / "state", tmp_path / "out")
    want = mg.Fleet().update(
        [event["host"] for event in sent],
        [event["load"] for event in sent],
        ids=[event["uid"] for event in sent],
    )
    assert rows(got) == rows(_as_spark(want))
