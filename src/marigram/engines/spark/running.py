"""A query over files from its first batch to its end, with what each batch had to tell handed to the caller once."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pyspark.errors import PySparkException

from marigram.detectors.default import Detector
from marigram.engines.spark.columns import Columns, events_of
from marigram.engines.spark.detecting import PAGE, design_of, judged
from marigram.engines.spark.files import Plan, read_files
from marigram.engines.spark.packing import Batches
from marigram.errors import InputError, MarigramError, ParameterError, SnapshotError
from marigram.events.schema import Schema

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.streaming.query import StreamingQuery

_RAISED = re.compile(r"marigram\.errors\.(ParameterError|InputError|SnapshotError): (.*)")
_TOO_LATE = "Python worker failed to connect back"
_TRIES = 4
_LOOK = 0.2
"""Seconds between two looks whether the query has ended."""
_CLASSES: dict[str, Callable[[str], MarigramError]] = {
    "ParameterError": ParameterError,
    "InputError": lambda reason: InputError(0, reason),
    "SnapshotError": SnapshotError,
}


class FileQuery:
    """Judges the files of a plan.

    Parameters
    ----------
    spark
        The session.
    plan
        What is read.
    detector, lateness, buckets
        As in :func:`~marigram.engines.spark.detect`.
    checkpoint
        Folder that survives; a query goes on where its checkpoint stands.
    finish
        Called in the tasks with a micro-batch's number: returns the function that writes down the cells of verdicts
        and rejects that a task has, and gives one row of what is to be told of them.
    told
        Columns of these rows, as Spark writes a schema.
    tell
        Called in this process with the number of a micro-batch and the rows of its tasks; after a crash perhaps
        again with the same number and the same rows.
    """

    def __init__(
        self,
        spark: SparkSession,
        plan: Plan,
        detector: Detector,
        lateness: int | None,
        *,
        buckets: int,
        checkpoint: Path,
        finish: Callable[[int], Callable[[Batches], Batches]],
        told: str,
        tell: Callable[[int, pa.Table], None],
    ) -> None:
        schema = Schema.from_mapping(plan.schema)
        tasks = int(spark.conf.get("spark.sql.shuffle.partitions") or 1)
        events = read_files(spark, plan, slices_per_batch=2 * tasks)
        columns = Columns.of(
            events,
            key="key",
            value="value",
            time="time" if schema.time else None,
            id="id" if schema.id else None,
            order=("slice", "row"),
            d=schema.d,
        )
        design = design_of(detector, columns, lateness, buckets, PAGE)
        self._cells = judged(events_of(events, columns, buckets), design, columns)
        self._checkpoint, self._finish, self._told, self._tell = checkpoint, finish, told, tell
        self._failure: BaseException | None = None

    def run(self, stopped: Callable[[], bool]) -> None:
        """Judge until everything is judged, or until ``stopped()``; what was not finished then is done again later.

        Spark gives up a query whose driver's worker does not answer within ten seconds of its start, which happens on
        a machine that is busy: the query is then started again, some times.

        Raises
        ------
        MarigramError
            What a person can do something about, as the error it was before it went through Spark.
        StreamingQueryException
            Anything else.
        """
        for left in reversed(range(_TRIES)):
            query = self._started()
            while query.isActive and not stopped():
                time.sleep(_LOOK)
            query.stop()
            error = query.exception()
            if stopped() or (error is None and self._failure is None):
                return
            if self._failure is not None:
                raise self._failure
            if error is not None and (not left or _TOO_LATE not in str(error)):
                raise as_ours(error)

    def _started(self) -> StreamingQuery:
        writer = self._cells.writeStream.outputMode("append").foreachBatch(self._deal_with)
        return writer.option("checkpointLocation", str(self._checkpoint)).trigger(availableNow=True).start()

    def _deal_with(self, cells: DataFrame, number: int) -> None:
        rows = cells.mapInArrow(self._finish(number), self._told).toArrow()
        try:
            self._tell(number, rows)
        except BaseException as error:
            self._failure = error
            raise


def as_ours(error: PySparkException) -> BaseException:
    """Return the error of marigram that Spark passed on as text, or else Spark's own."""
    found = _RAISED.search(str(error))
    return error if found is None else _CLASSES[found[1]](found[2].strip())


__all__ = ["FileQuery", "as_ours"]
