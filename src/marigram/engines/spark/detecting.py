"""`detect`: a DataFrame of events to a DataFrame of verdicts, by the embedded engine's kernel."""

from __future__ import annotations

import os
from collections.abc import Sequence

from pyspark.sql import DataFrame

from marigram.detectors.default import Detector
from marigram.engines.spark import buckets as spread
from marigram.engines.spark.columns import Columns, events_of
from marigram.engines.spark.design import Design
from marigram.engines.spark.moving import initial_state
from marigram.engines.spark.packing import BUCKET, PACKED_SCHEMA, packer
from marigram.engines.spark.processor import OUTPUT_SCHEMA, BucketProcessor
from marigram.engines.spark.schema import opener, table_schema, verdict_schema
from marigram.errors import ParameterError

PAGE = 128
"""Records of a page: 180 KB of state, 50 KB when packed."""


def detect(
    df: DataFrame,
    detector: Detector | None = None,
    *,
    key: str | Sequence[str],
    value: str | Sequence[str],
    time: str | None = None,
    id: str | None = None,  # noqa: A002 - the field is called so everywhere
    order: Sequence[str] | None = None,
    lateness: int | None = None,
    buckets: int = spread.DEFAULT,
    page: int = PAGE,
    ttl: int | None = None,
    initial: str | os.PathLike[str] | None = None,
) -> DataFrame:
    """Return the verdict of every event: what :class:`marigram.Fleet` would say, in the same fields.

    Parameters
    ----------
    df
        Events, streaming or not.  A stream is written with output mode ``append``; its checkpoint holds the state.
    detector
        Whose parameters every key takes; None: the default.
    key
        Column or columns that name the entity.  Integers stay integers, several are joined as texts.
    value
        Column of the number, or columns of the coordinates; null is a missing value.
    time
        Column of the time: a timestamp, or int64 ns since 1970 UTC.
    id
        Column of the event's own id.
    order
        Columns that put the events of a micro-batch in order; None: ``time``.  With those that number the events in
        their source (a file and its row, a partition and its offset) verdicts do not depend on the cut into batches.
    lateness
        Nanoseconds: hold events back and release them in the order of their times.
    buckets
        Groups that keys are hashed into, a power of two up to 4096: at least as many as there will ever be tasks.
    page
        Records that are read and written together, 16 to 1024.
    ttl
        Milliseconds after which a page none of whose keys spoke is forgotten, by the cluster's clock; None: never.
    initial
        A fleet's file: keys begin as it has them.  Executors read it, so it lies where they can; it counts only when
        the checkpoint is new.

    Returns
    -------
    DataFrame
        The fields of a verdict, ``time`` cut to microseconds.

    Raises
    ------
    ParameterError
        A parameter outside its range, a column that is not there or of a wrong type, a detector that has no table of
        keys.  Within the query: an event without key, or a checkpoint begun with other parameters.
    """
    columns = Columns.of(df, key=key, value=value, time=time, id=id, order=order)
    design = design_of(detector, columns, lateness, buckets, page)
    cells = judged(events_of(df, columns, buckets), design, columns, ttl, initial)
    integers = design.keys == "int"
    schema = verdict_schema(design.d, integer_keys=integers)
    return cells.mapInArrow(opener(table_schema(design.d, integers)), schema)


def design_of(
    detector: Detector | None, columns: Columns, lateness: int | None, buckets: int, page: int
) -> Design:
    """Return what the verdicts of a query depend on."""
    if detector is not None and detector.joint:
        raise ParameterError("an engine runs default detectors: a joint detector has no table of keys")
    return Design(
        parameters=(detector or Detector()).parameters,
        keys="int" if columns.integer_keys else "str",
        d=columns.d,
        timed=columns.time is not None,
        buckets=spread.check_buckets(buckets),
        page=page,
        lateness=lateness,
    )


def judged(
    events: DataFrame,
    design: Design,
    columns: Columns,
    ttl: int | None = None,
    initial: str | os.PathLike[str] | None = None,
) -> DataFrame:
    """Return cells of verdicts (and of rejects, if the source has any) for prepared events."""
    if ttl is not None and (type(ttl) is not int or ttl < 1):
        raise ParameterError(f"ttl must be a number of milliseconds, at least 1, got {ttl!r}")
    names = spread.labels(design.buckets)
    pack = packer(names, marked=design.lateness is not None, in_source_order=columns.in_source_order)
    begun = None if initial is None else initial_state(events.sparkSession, initial, design)
    return (
        events.mapInArrow(pack, PACKED_SCHEMA)
        .groupBy(BUCKET)
        .transformWithStateInPandas(
            statefulProcessor=BucketProcessor(design, ttl, final=not events.isStreaming),
            outputStructType=OUTPUT_SCHEMA,
            outputMode="append",
            timeMode="none" if ttl is None else "processingTime",
            initialState=begun,
        )
    )


__all__ = ["PAGE", "design_of", "detect", "judged"]
