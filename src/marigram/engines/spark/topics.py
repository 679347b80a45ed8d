"""A topic of Kafka as a Python data source of Spark, by the client that the embedded engine uses.

Spark's own connector is a jar that cannot be fetched everywhere.  Each micro-batch is a range of offsets of every
partition, which Spark's checkpoint holds: a batch that is done again reads the same messages.  Nothing is committed
to the brokers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from pyspark.sql.datasource import DataSource, DataSourceStreamReader, InputPartition
from pyspark.sql.streaming.datasource import (
    ReadAllAvailable,
    ReadLimit,
    ReadMaxRows,
    SupportsTriggerAvailableNow,
)

from marigram.engines.kafka.reader import Address, TopicReader
from marigram.errors import InputError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import StructType

SCHEMA = "value binary, topic string, partition int, offset bigint"
_ROWS = 1 << 16
_SECONDS = 1.0
_PATIENCE = 30
"""Waits without any message after which a range that should be there is given up."""
Offsets = dict[str, int]


@dataclass
class _Range(InputPartition):
    number: int
    start: int
    end: int


class Topic(DataSource):
    """Messages of one topic; options ``address`` and ``rows_per_batch``."""

    @classmethod
    def name(cls) -> str:
        """What the format is called."""
        return "marigram_kafka"

    def schema(self) -> StructType | str:
        """Columns of messages."""
        return SCHEMA

    def streamReader(self, schema: StructType) -> DataSourceStreamReader:  # noqa: ARG002, N802 - Spark calls it so
        """Return the reader."""
        return _Reader(self.options["address"], int(self.options["rows_per_batch"]))


class _Reader(DataSourceStreamReader, SupportsTriggerAvailableNow):
    """Offsets are the next message of each partition, by its number as text."""

    def __init__(self, address: str, most: int) -> None:
        self._address, self._most = address, most
        self._target: Offsets | None = None

    def initialOffset(self) -> Offsets:  # noqa: N802
        return self._marks(0)

    def getDefaultReadLimit(self) -> ReadLimit:  # noqa: N802
        return ReadMaxRows(self._most)

    def prepareForTriggerAvailableNow(self) -> None:  # noqa: N802
        self._target = self._marks(1)

    def latestOffset(self, start: Offsets, limit: ReadLimit) -> Offsets:  # noqa: N802
        """Return where the next batch ends: its rows are shared out evenly among the partitions."""
        latest = self._target or self._marks(1)
        first = self._marks(0)
        begin = {number: start.get(number, first[number]) for number in latest}
        if isinstance(limit, ReadAllAvailable):
            return {number: max(begin[number], end) for number, end in latest.items()}
        share = max(1, self._most // max(1, len(latest)))
        return {number: max(begin[number], min(end, begin[number] + share)) for number, end in latest.items()}

    def partitions(self, start: Offsets, end: Offsets) -> Sequence[InputPartition]:
        first = self._marks(0) if set(end) - set(start) else {}
        begins = {number: start.get(number, first.get(number, 0)) for number in end}
        return [
            _Range(int(number), begins[number], end[number]) for number in end if begins[number] < end[number]
        ]

    def read(self, partition: InputPartition) -> Iterator[pa.RecordBatch]:
        if not isinstance(partition, _Range):
            raise TypeError(f"a range of offsets is read, not {partition!r}")
        reader = TopicReader(Address.parse(self._address))
        try:
            reader.begin([partition.number], {partition.number: partition.start})
            yield from _messages(reader, partition, Address.parse(self._address).topic)
        finally:
            reader.close()

    def _marks(self, which: int) -> Offsets:
        """Return the first (0) or the next (1) offset of each partition."""
        reader = TopicReader(Address.parse(self._address))
        try:
            found = reader.partitions()
            if not found:
                raise InputError(0, f"{self._address}: there is no such topic")
            return {str(number): reader.marks(number)[which] for number in found}
        finally:
            reader.close()


def _messages(reader: TopicReader, wanted: _Range, topic: str) -> Iterator[pa.RecordBatch]:
    at, waits = wanted.start, 0
    while at < wanted.end:
        pieces = reader.take(_ROWS, _SECONDS)
        waits = 0 if pieces else waits + 1
        if not pieces and (wanted.number in reader.ended or waits >= _PATIENCE):
            if wanted.number in reader.ended:
                return  # what is left of the range are marks of transactions, or was compacted
            raise InputError(0, f"{topic}/{wanted.number}: offset {at} does not come, up to {wanted.end}")
        for piece in pieces:
            offsets = np.array(piece.offsets, np.int64)
            inside = int(np.searchsorted(offsets, wanted.end))
            at = piece.next_offset
            columns: dict[str, Any] = {
                "value": pa.array(piece.values[:inside], pa.binary()),
                "topic": pa.array([topic] * inside, pa.string()),
                "partition": pa.array(np.full(inside, wanted.number, np.int32)),
                "offset": pa.array(offsets[:inside]),
            }
            yield pa.RecordBatch.from_pydict(columns)


def read_topic(spark: SparkSession, address: str, *, rows_per_batch: int = 1 << 18) -> DataFrame:
    """Return a topic as a stream of messages: ``value`` (binary), ``topic``, ``partition``, ``offset``.

    Parameters
    ----------
    spark
        The session.
    address
        ``kafka://host:port/topic``, with settings of the client behind a question mark.
    rows_per_batch
        Most messages of a micro-batch.

    Raises
    ------
    ParameterError
        The address is none.
    """
    Address.parse(address)
    spark.dataSource.register(Topic)
    reader = spark.readStream.format(Topic.name()).option("address", address)
    return reader.option("rows_per_batch", rows_per_batch).load()


__all__ = ["Topic", "read_topic"]
