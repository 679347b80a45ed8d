"""The order in which a bucket's events are judged, whatever order Spark delivers them in.

Without lateness they are sorted by the columns that the query names (``order0``, ``order1``, …), and where these are
equal by arrival.

With lateness the reorder buffer of the other hosts decides, :mod:`marigram.events.lateness`; what it holds waits in
the bucket's state.  Its watermark is that of the whole source, and a bucket sees only its own events.  Each task
therefore tells every bucket the largest time it has read (a mark), and each event carries the largest time before it
in its task; the buffer takes these as events that nobody judges.  So an event is late here when it is late there.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from marigram.events.batch import Batch
from marigram.events.keys import KeyNames
from marigram.events.lateness import MOST_HELD, reordered
from marigram.events.times import FIRST
from marigram.fleet.columns import NO_TIME

if TYPE_CHECKING:
    from marigram.engines.spark.design import Design

ORDER = "order"
"""How the columns begin that events are sorted by."""
ARRIVAL, BEFORE, MARK = "arrival", "before", "mark"
"""Columns: number of an event in its batch, by task and row; largest time before it in its task; see `Mark`."""
_WATERMARK = b"watermark"
_NOBODY = -1


class Mark(IntEnum):
    """What a row in a cell is."""

    EVENT = 0
    SEEN = 1
    """So far the task has read, and its time is the largest there."""
    END = 2
    """Nothing follows: what is held is due."""


def control_row(schema: pa.Schema, mark: Mark, rows: pa.Table | None = None) -> pa.Table:
    """Return one row that is no event, in the columns of events; of ``rows`` it tells place and largest time."""
    told: dict[str, Any] = {field.name: pa.nulls(1, field.type) for field in schema if field.name != MARK}
    if rows is not None:
        last = rows.slice(len(rows) - 1)
        told |= {name: last.column(name) for name in told if name.startswith(ORDER) or name == ARRIVAL}
        told["time"] = pa.array([max(_times(rows.column("time")).tolist())], pa.int64())
    return pa.table({**told, MARK: pa.array([mark], pa.int8())})


def seen_before(times: pa.ChunkedArray) -> NDArray[np.int64]:
    """Return the largest time before each event of a task, the smallest number where there is none."""
    seen: NDArray[np.int64] = np.maximum.accumulate(np.concatenate([[NO_TIME], _times(times)]))[:-1]
    return seen


def in_order(events: pa.Table) -> pa.Table:
    """Return a batch's rows in their order; the end comes last."""
    by = [name for name in events.column_names if name.startswith(ORDER)]
    by += [ARRIVAL] + [MARK] * (MARK in events.column_names)
    return events.sort_by([(name, "ascending") for name in by])


def held_back(
    design: Design, held: bytes | None, events: pa.Table, *, final: bool = False
) -> tuple[pa.Table, bytes]:
    """Return the events that are due, in the order of their release, and what waits on.

    Parameters
    ----------
    design
        Says how late events may come.
    held
        What waited, as this function gave it; None at the beginning.
    events
        New rows, marks among them.
    final
        Nothing follows.
    """
    rows = in_order(events)
    marks = rows.column(MARK).to_numpy()
    before = rows.column(BEFORE).fill_null(NO_TIME).to_numpy() if BEFORE in rows.column_names else None
    final = final or bool(np.any(marks == Mark.END))
    rows = rows.drop_columns([name for name in (MARK, BEFORE) if name in rows.column_names])
    waited = rows.slice(0, 0) if held is None else pa.ipc.open_stream(held).read_all()
    watermark = FIRST if held is None else int(waited.schema.metadata[_WATERMARK])
    known = len(waited)
    times, rank = _with_marks(_times(rows.column("time")), marks, before, known)
    first = _batch(_times(waited.column("time")), np.arange(known))
    released, watermark = _released(design, watermark, [first, _batch(times, rank)], final)
    everything = pa.concat_tables([waited.replace_schema_metadata(), rows])
    waiting = np.ones(len(everything), bool)
    waiting[known:][marks != Mark.EVENT] = False
    waiting[released] = False
    left = everything.filter(pa.array(waiting))
    return everything.take(released), _kept(left, watermark)


def _with_marks(
    times: NDArray[np.int64], marks: NDArray[Any], before: NDArray[np.int64] | None, known: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the times that the buffer is to see, and the number of the event each is of, or that of nobody."""
    rank = np.where(marks == Mark.EVENT, known + np.arange(len(times)), _NOBODY)
    if before is not None:
        so_far = np.maximum.accumulate(np.concatenate([[NO_TIME], times]))[:-1]
        rises = np.flatnonzero((before > so_far) & (marks == Mark.EVENT))
        times, rank = np.insert(times, rises, before[rises]), np.insert(rank, rises, _NOBODY)
    return times, rank


def _released(
    design: Design, watermark: int, batches: list[Batch], final: bool
) -> tuple[NDArray[np.int64], int]:
    """Return the numbers of the events that are due, in their order, and the watermark then."""
    whole = 1 + sum(map(len, batches))
    start = {"ahead": {"watermark": watermark}}
    most = MOST_HELD // design.d
    parts = list(
        reordered(batches, design.lateness or 0, start, ended=lambda: final, rows=whole, most_held=most)
    )
    due = np.concatenate([part.ids for part in parts if part.ids is not None])
    return due[due != _NOBODY], parts[-1].offset["ahead"]["watermark"]


def _batch(times: NDArray[np.int64], ids: NDArray[np.int64]) -> Batch:
    return Batch(
        values=np.zeros(len(times)),
        times=times,
        key_codes=None,
        key_names=KeyNames(),
        ids=ids,
        rejects=[],
        lines=0,
        offset={},
        notices=[],
    )


def _times(column: pa.ChunkedArray) -> NDArray[np.int64]:
    times: NDArray[np.int64] = column.fill_null(NO_TIME).to_numpy()
    return times


def _kept(rows: pa.Table, watermark: int) -> bytes:
    sink = pa.BufferOutputStream()
    table = rows.replace_schema_metadata({_WATERMARK: str(watermark).encode()})
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    content: bytes = sink.getvalue().to_pybytes()
    return content


__all__ = [
    "ARRIVAL",
    "BEFORE",
    "MARK",
    "ORDER",
    "Mark",
    "control_row",
    "held_back",
    "in_order",
    "seen_before",
]
