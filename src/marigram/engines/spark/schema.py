"""Verdicts as a Spark table: the fields of :data:`marigram.verdicts.FIELDS`, times cut to Spark's microseconds."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pyarrow as pa

from marigram.engines.spark.packing import PACKED, Batches, unpacked
from marigram.verdicts import arrow_schema

if TYPE_CHECKING:
    from pyspark.sql.types import StructType


def table_schema(d: int, integer_keys: bool) -> pa.Schema:
    """Return the Arrow schema that verdicts have within Spark."""
    return pa.schema(
        [(field.name, _spark_type(field.type)) for field in arrow_schema(d, integer_keys=integer_keys)]
    )


def verdict_schema(d: int = 1, *, integer_keys: bool = False) -> StructType:
    """Return the columns of the table that :func:`~marigram.engines.spark.detect` gives."""
    from pyspark.sql.pandas.types import from_arrow_schema

    return from_arrow_schema(table_schema(d, integer_keys), prefer_timestamp_ntz=False)


def opener(schema: pa.Schema) -> Callable[[Batches], Batches]:
    """Return the function that turns cells of verdicts into rows."""

    def opened(batches: Batches) -> Batches:
        for batch in batches:
            for cell in batch.column(PACKED):
                yield from unpacked(cell.as_buffer()).cast(schema, safe=False).to_batches()

    return opened


def _spark_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", tz="UTC")
    return kind.value_type if pa.types.is_dictionary(kind) else kind


__all__ = ["opener", "table_schema", "verdict_schema"]
