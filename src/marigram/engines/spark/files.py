"""A Python data source of Spark: slices of files, some of them in each micro-batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pyarrow as pa
from pyspark.sql.datasource import DataSource, DataSourceStreamReader, InputPartition
from pyspark.sql.streaming.datasource import (
    ReadAllAvailable,
    ReadLimit,
    ReadMaxFiles,
    SupportsTriggerAvailableNow,
)

from marigram.engines.spark.slices import Slice, control, event_schema, events_in
from marigram.events.schema import Schema

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import StructType


class Plan(msgspec.Struct, frozen=True):
    """What is to be read, as the checkpoint's owner keeps it."""

    slices: list[Slice]
    schema: dict[str, Any]
    strict: bool = False


@dataclass
class _Task(InputPartition):
    number: int


class EventFiles(DataSource):
    """Slices of a `Plan`, which is the option ``plan``, and then the end."""

    @classmethod
    def name(cls) -> str:
        """What the format is called."""
        return "marigram_files"

    def schema(self) -> StructType:
        """Columns of events."""
        from pyspark.sql.pandas.types import from_arrow_schema

        return from_arrow_schema(event_schema(Schema.from_mapping(_plan(self.options).schema)))

    def streamReader(self, schema: StructType) -> DataSourceStreamReader:  # noqa: ARG002, N802 - Spark calls it so
        """Return the reader."""
        return _Reader(_plan(self.options), int(self.options["slices_per_batch"]))


class _Reader(DataSourceStreamReader, SupportsTriggerAvailableNow):
    """Offset ``at`` counts the slices read; the end is one more."""

    def __init__(self, plan: Plan, most: int) -> None:
        self._plan, self._most = plan, most

    def initialOffset(self) -> dict[str, int]:  # noqa: N802
        return {"at": 0}

    def getDefaultReadLimit(self) -> ReadLimit:  # noqa: N802
        return ReadMaxFiles(self._most)

    def prepareForTriggerAvailableNow(self) -> None:  # noqa: N802
        """Nothing to do: the plan is the target."""

    def latestOffset(self, start: dict[str, int], limit: ReadLimit) -> dict[str, int]:  # noqa: N802
        last = len(self._plan.slices) + 1
        most = last if isinstance(limit, ReadAllAvailable) else self._most
        return {"at": min(start["at"] + most, last)}

    def partitions(self, start: dict[str, int], end: dict[str, int]) -> Sequence[InputPartition]:
        return [_Task(number) for number in range(start["at"], end["at"])]

    def read(self, partition: InputPartition) -> Iterator[pa.RecordBatch]:
        schema = Schema.from_mapping(self._plan.schema)
        number = partition.number  # type: ignore[attr-defined]
        if number == len(self._plan.slices):
            yield control(schema, ended=True)
            return
        for batch in events_in(self._plan.slices[number], schema, self._plan.strict):
            place = batch.schema.get_field_index("slice")
            yield batch.set_column(place, "slice", pa.array(np.full(len(batch), number, np.int32)))


def _plan(options: Any) -> Plan:
    return msgspec.json.decode(options["plan"], type=Plan)


def read_files(spark: SparkSession, plan: Plan, slices_per_batch: int) -> DataFrame:
    """Return the stream of a plan's events."""
    spark.dataSource.register(EventFiles)
    reader = spark.readStream.format(EventFiles.name())
    reader = reader.option("plan", msgspec.json.encode(plan).decode())
    return reader.option("slices_per_batch", slices_per_batch).load()


__all__ = ["EventFiles", "Plan", "read_files"]
