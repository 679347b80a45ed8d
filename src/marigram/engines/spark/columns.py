"""Which columns of a table are what, checked, and the columns that travel to the buckets."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyspark.sql import DataFrame
from pyspark.sql import functions as sf
from pyspark.sql import types as st

from marigram.engines.spark.buckets import bucket_of
from marigram.engines.spark.ordering import ORDER
from marigram.engines.spark.packing import BUCKET, ENDED, REJECT
from marigram.errors import ParameterError
from marigram.events.keys import SEPARATOR

if TYPE_CHECKING:
    from pyspark.sql import Column

_NANOSECONDS = 1000


@dataclass(frozen=True)
class Columns:
    """Names of columns; made by :meth:`of`."""

    keys: tuple[str, ...]
    values: tuple[str, ...]
    time: str | None
    id: str | None
    order: tuple[str, ...]
    integer_keys: bool
    d: int
    """Coordinates of an event: one for each value column, or the length of the lists in the one there is."""
    in_source_order: bool
    """Whether events are judged in the order of their source rather than of their times."""

    @classmethod
    def of(
        cls,
        df: DataFrame,
        *,
        key: str | Sequence[str],
        value: str | Sequence[str],
        time: str | None = None,
        id: str | None = None,  # noqa: A002
        order: Sequence[str] | None = None,
        d: int | None = None,
    ) -> Columns:
        """Return the columns, if the table has them and their types fit; else raise ``ParameterError``.

        With ``d`` greater than 1 the one value column holds lists of so many numbers.
        """
        keys, values = _names("key", key), _names("value", value)
        by = ((time,) if time else ()) if order is None else tuple(order)
        for name in (*keys, *values, *by, *([time] if time else []), *([id] if id else [])):
            _check_there(df, name)
        for name in values if d in (None, 1) else ():
            if not isinstance(df.schema[name].dataType, (st.NumericType, st.NullType)):
                raise ParameterError(f"value {name!r} must be numbers, not {_type(df, name)}")
        if time and not isinstance(
            df.schema[time].dataType, (st.TimestampType, st.TimestampNTZType, st.DateType, st.LongType)
        ):
            raise ParameterError(f"time {time!r} must be a timestamp or int64 ns, not {_type(df, time)}")
        whole = len(keys) == 1 and isinstance(df.schema[keys[0]].dataType, st.IntegralType)
        return cls(keys, values, time, id, by, whole, d or len(values), not time or by[:1] != (time,))


def events_of(df: DataFrame, columns: Columns, buckets: int) -> DataFrame:
    """Return the columns that travel: key, time, value, id, what orders them, and the bucket."""
    key = _key(columns)
    told = [key.alias("key")]
    if columns.time:
        told.append(_nanoseconds(df, columns.time).alias("time"))
    told.append(_value(columns).alias("value"))
    if columns.id:
        told.append(sf.col(columns.id).cast("string").alias("id"))
    told += [sf.col(name).alias(f"{ORDER}{place:02d}") for place, name in enumerate(columns.order)]
    told.append(sf.when(key.isNotNull(), bucket_of(key, buckets)).alias(BUCKET))
    return df.select(*told, *(name for name in (REJECT, ENDED) if name in df.columns))


def _value(columns: Columns) -> Column:
    if columns.d > len(columns.values):
        return sf.col(columns.values[0])
    numbers = [sf.col(name).cast("double") for name in columns.values]
    return numbers[0] if len(numbers) == 1 else sf.array(*numbers)


def _key(columns: Columns) -> Column:
    if columns.integer_keys:
        return sf.col(columns.keys[0]).cast("bigint")
    texts = [sf.col(name).cast("string") for name in columns.keys]
    if len(texts) == 1:
        return texts[0]
    slash, bar = sf.lit("\\"), sf.lit(SEPARATOR)
    escaped = [
        sf.replace(sf.replace(text, slash, sf.lit("\\\\")), bar, sf.lit("\\" + SEPARATOR)) for text in texts
    ]
    parts = [part for text in escaped for part in (bar, text)]
    return sf.concat(*parts[1:])


def _nanoseconds(df: DataFrame, time: str) -> Column:
    if isinstance(df.schema[time].dataType, st.LongType):
        return sf.col(time)
    return sf.unix_micros(sf.col(time).cast("timestamp")) * _NANOSECONDS


def _names(what: str, told: str | Sequence[str]) -> tuple[str, ...]:
    names = (told,) if isinstance(told, str) else tuple(told)
    if not names or len(set(names)) < len(names):
        raise ParameterError(f"{what} must name one column or several different ones, got {told!r}")
    return names


def _check_there(df: DataFrame, name: str) -> None:
    if name not in df.columns:
        near = difflib.get_close_matches(name, df.columns, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(df.columns[:20])}"
        raise ParameterError(f"the table has no column {name!r} ({hint})")


def _type(df: DataFrame, name: str) -> str:
    return df.schema[name].dataType.simpleString()


__all__ = ["Columns", "events_of"]
