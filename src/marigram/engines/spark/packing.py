"""Rows as they travel through Spark: many events, or many verdicts, in one binary cell.

Spark's shuffle, and its hand-over to Python group by group, cost a fixed time a row.  Before the shuffle the events of
a task are therefore sorted into their buckets and each bucket's are packed into one cell, as Arrow's IPC format has
them; after the judgement the cell of verdicts is opened again.  In between, Spark moves a few large rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from marigram.engines.spark.ordering import ARRIVAL, BEFORE, MARK, Mark, control_row, seen_before
from marigram.errors import ParameterError

Batches: TypeAlias = Iterator[pa.RecordBatch]

BUCKET, PACKED = "bucket", "packed"
PACKED_SCHEMA = "bucket int, packed binary"
REJECT, ENDED = "reject", "ended"
"""Columns of a source that has them: a line that cannot be used, in place of an event; the end of the stream."""
ROWS = 1 << 17
"""Events of a task that are sorted into buckets at once."""
_TASK_BITS = 40


def packed(table: pa.Table) -> bytes:
    """Return a table as one cell."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def unpacked(cell: Any) -> pa.Table:
    """Return the table of a cell: bytes, or a buffer of them."""
    return pa.ipc.open_stream(cell).read_all()


def packer(
    labels: NDArray[np.int32], *, marked: bool = False, in_source_order: bool = False
) -> Callable[[Batches], Batches]:
    """Return the function that turns a task's rows, each with its bucket, into rows of ``PACKED_SCHEMA``.

    Parameters
    ----------
    labels
        What each bucket is called.
    marked
        Tell every bucket how late it is: what a reorder buffer needs.
    in_source_order
        Whether events are judged in the order of their source rather than of their times.
    """

    def pack(batches: Batches) -> Batches:
        task, row = task_number(), 0
        for table in _stretches(batches):
            arrival = np.arange(row, row + len(table)) + (task << _TASK_BITS)
            row += len(table)
            yield from _special(table, labels, marked)
            events = _events(table.append_column(ARRIVAL, pa.array(arrival)))
            if len(events):
                yield _by_bucket(events, labels, marked, in_source_order)

    return pack


def task_number() -> int:
    """Return the number of the task that this is called in, 0 outside of one."""
    from pyspark import TaskContext

    context = TaskContext.get()
    return 0 if context is None else context.partitionId()


def _stretches(batches: Batches) -> Iterator[pa.Table]:
    held: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        held.append(batch)
        rows += len(batch)
        if rows >= ROWS:
            yield _loose(held)
            held, rows = [], 0
    if rows:
        yield _loose(held)


def _loose(batches: list[pa.RecordBatch]) -> pa.Table:
    """Return the rows as a table any of whose columns may be null, as those of a mark are."""
    table = pa.Table.from_batches(batches)
    return pa.table(table.columns, schema=pa.schema([field.with_nullable(True) for field in table.schema]))


def _special(table: pa.Table, labels: NDArray[np.int32], marked: bool) -> Batches:
    """Yield what a source says beside its events: rejects to the first bucket, its end to all that may wait for it."""
    if REJECT in table.column_names:
        rejects = table.select([REJECT]).filter(pa.compute.field(REJECT).is_valid())
        if len(rejects):
            yield _rows(labels[:1], [packed(rejects)])
    if marked and ENDED in table.column_names and pa.compute.any(table.column(ENDED)).as_py():
        end = packed(control_row(_plain(table).schema, Mark.END))
        yield _rows(labels, [end] * len(labels))


def _events(table: pa.Table) -> pa.Table:
    """Return the rows that are events."""
    for name in (REJECT, ENDED):
        if name in table.column_names:
            field = pa.compute.field(name)
            table = table.filter(field.is_null() if name == REJECT else ~field)
    if table.column(BUCKET).null_count:
        raise ParameterError("an event has no key: leave such rows out of the table, or give them a key")
    return table


def _by_bucket(
    table: pa.Table, labels: NDArray[np.int32], marked: bool, in_source_order: bool
) -> pa.RecordBatch:
    """Return one row for each bucket that has events, these in their order; with marks one for every bucket."""
    buckets = table.column(BUCKET).to_numpy()
    rows = _plain(table)
    if marked and in_source_order:
        rows = rows.append_column(BEFORE, pa.array(seen_before(rows.column("time"))))
    order = np.argsort(buckets, kind="stable")
    counts = np.bincount(buckets, minlength=len(labels))
    sorted_rows, ends = rows.take(order).combine_chunks(), np.cumsum(counts)
    present = np.arange(len(labels)) if marked else np.flatnonzero(counts)
    mark = [control_row(rows.schema, Mark.SEEN, rows)] if marked else []
    cells = []
    for bucket in present.tolist():
        own = sorted_rows.slice(ends[bucket] - counts[bucket], counts[bucket])
        cells.append(packed(pa.concat_tables([_with_mark(own), *mark]) if marked else own))
    return _rows(labels[present], cells)


def _plain(table: pa.Table) -> pa.Table:
    """Return the columns that travel."""
    return table.select([name for name in table.column_names if name not in (BUCKET, REJECT, ENDED)])


def _with_mark(rows: pa.Table) -> pa.Table:
    return rows.append_column(MARK, pa.array(np.full(len(rows), Mark.EVENT, np.int8)))


def _rows(labels: NDArray[np.int32], cells: Iterable[bytes]) -> pa.RecordBatch:
    return pa.record_batch([pa.array(labels), pa.array(list(cells), pa.binary())], [BUCKET, PACKED])


__all__ = [
    "BUCKET",
    "ENDED",
    "PACKED",
    "PACKED_SCHEMA",
    "REJECT",
    "Batches",
    "packed",
    "packer",
    "task_number",
    "unpacked",
]
