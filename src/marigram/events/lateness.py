"""A reorder buffer: events held back until nothing earlier is expected, then released in the order of their times.

After event i the watermark is W_i = max over j <= i of (t_j - D), for the whole source.  Event i is released at the
first j >= i with W_j >= t_i, together with all others that become due then, in the order of (time, arrival).  An
event that comes when the watermark is already past it passes through at once; the detector will mark it late.  The
rule looks at one event after the other, so neither the order nor the verdicts depend on how events were cut into
batches.

Of the events read so far exactly those with t <= W have been released.  A place to resume at is therefore the offset
before the earliest event still held, how many rows and rejects behind it were read, and W (and, when a batch was too
long to hand out at once, how many of the next rows were released): whoever resumes reads them again and drops these.

At most ``MOST_HELD`` numbers are held; when one more comes, the watermark is raised to the earliest time held.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .batch import Batch
from .keys import KeyNames
from .times import FIRST

__all__ = ["MOST_HELD", "reordered"]

MOST_HELD: Final = 1 << 21
"""Numbers held back at most (rows times their coordinates): 16 MiB, and three times as much for times and keys."""
_MOST_MARKS: Final = 1024


def reordered(
    batches: Iterable[Batch],
    lateness: int,
    start: Mapping[str, Any],
    *,
    ended: Callable[[], bool] = lambda: True,
    rows: int = 65_536,
    most_held: int = MOST_HELD,
) -> Iterator[Batch]:
    """Yield the same events in batches sorted by time as far as ``lateness`` nanoseconds allow.

    Parameters
    ----------
    batches
        With times.
    start
        The offset that the batches start at.
    ended
        Whether, when the batches end, the stream has ended too: then what is held is released.
    rows
        Most events of a batch.
    most_held
        See ``MOST_HELD``.
    """
    buffer = _Buffer(lateness, dict(start), rows, most_held)
    last = None
    for last in batches:
        yield from buffer.push(last)
    if last is not None and ended():
        yield from buffer.flush(last)


@dataclass
class _Rows:
    """Events in order of arrival."""

    times: NDArray[np.int64]
    values: NDArray[np.float64]
    codes: NDArray[np.int64] | None
    ids: NDArray[Any] | None
    arrivals: NDArray[np.int64]
    """Number of each among the rows read in this run."""

    def take(self, rows: NDArray[Any] | slice) -> _Rows:
        return _Rows(
            self.times[rows],
            self.values[rows],
            None if self.codes is None else self.codes[rows],
            None if self.ids is None else self.ids[rows],
            self.arrivals[rows],
        )

    def before(self, other: _Rows) -> _Rows:
        """These rows and then the other ones."""
        join = np.concatenate
        return _Rows(
            join((self.times, other.times)),
            join((self.values, other.values)),
            None if self.codes is None or other.codes is None else join((self.codes, other.codes)),
            None if self.ids is None or other.ids is None else join((self.ids, other.ids)),
            join((self.arrivals, other.arrivals)),
        )


@dataclass(frozen=True)
class _Place:
    """How far the source was read: the offset there, and the rows and rejects before it in this run."""

    offset: dict[str, Any]
    rows: int
    rejects: int


class _Buffer:
    def __init__(self, lateness: int, start: dict[str, Any], rows: int, most_held: int) -> None:
        ahead = start.pop("ahead", None) or {}
        self._lateness = lateness
        self._most_rows = rows
        self._most_held = most_held
        self._watermark: int = ahead.get("watermark", FIRST)
        self._known_rows: int = ahead.get("rows", 0)
        self._known_rejects: int = ahead.get("rejects", 0)
        self._known_due: int = ahead.get("released", 0)
        self._read = _Place(start, 0, 0)
        self._places: list[_Place] = []
        self._held: _Rows | None = None
        self._names: KeyNames | None = None

    def push(self, batch: Batch) -> Iterator[Batch]:
        """Take a batch; yield what is due now, at least one batch."""
        before, known, rejects = self._read, self._known_rejects, len(batch.rejects)
        self._places.append(before)
        if len(self._places) > _MOST_MARKS:
            self._places = self._places[::2]
        self._read = _Place(batch.offset, before.rows + len(batch), before.rejects + rejects)
        self._known_rejects = max(0, known - rejects)
        batch = replace(batch, rejects=batch.rejects[known:])
        came = self._new_rows(batch, before.rows)
        rows = came if self._held is None else self._translated(batch, self._held).before(came)
        due, watermark = self._due(rows, len(came.times))
        yield from self._handed_out(batch, rows, due, watermark, before.rows)

    def flush(self, last: Batch) -> Iterator[Batch]:
        """Yield all that is held."""
        if self._held is not None and len(self._held.times):
            rows, batch = self._held, replace(last, rejects=[], notices=[])
            due = np.argsort(rows.times, kind="stable")
            yield from self._handed_out(batch, rows, due, self._watermark, self._read.rows)

    def _new_rows(self, batch: Batch, first: int) -> _Rows:
        """The rows of a batch without those that were released before this run."""
        if batch.times is None:
            raise ValueError("events without times cannot be put into the order of their times")
        arrivals = np.arange(first, first + len(batch))
        rows = _Rows(batch.times, batch.values, batch.key_codes, batch.ids, arrivals)
        known = min(self._known_rows, len(batch))
        if not known:
            return rows
        self._known_rows -= known
        return rows.take((rows.times > self._watermark) | (np.arange(len(batch)) >= known))

    def _translated(self, batch: Batch, held: _Rows) -> _Rows:
        """The held rows with their keys as codes of the names that the batch uses."""
        names = self._names
        if names is not None and names is not batch.key_names and held.codes is not None:
            return replace(held, codes=batch.key_names.codes_of(names.take(held.codes)))
        return held

    def _due(self, rows: _Rows, came: int) -> tuple[NDArray[np.int64], int]:
        """Which rows are due, in the order of their release, and the watermark after them."""
        times = rows.times
        held = len(times) - came
        new = times[held:]
        low = FIRST + self._lateness
        marks = np.where(new < low, FIRST, np.maximum(new, low) - self._lateness)
        marks = np.maximum.accumulate(np.maximum(marks, self._watermark))
        step = np.searchsorted(marks, times, side="left")
        step[held:] = np.maximum(step[held:], np.arange(came))
        most = max(1, self._most_held // max(1, rows.values[:1].size))
        waiting = held + np.arange(1, came + 1) - np.cumsum(np.bincount(step, minlength=came)[:came])
        if came and waiting.max() > most:
            return self._due_one_by_one(times, held, most)
        due = np.flatnonzero(step < came)
        watermark = int(marks[-1]) if came else self._watermark
        return due[np.lexsort((times[due], step[due]))], watermark

    def _due_one_by_one(
        self, times: NDArray[np.int64], held: int, most: int
    ) -> tuple[NDArray[np.int64], int]:
        """The same, when the buffer would get too full and the watermark is raised to make room."""
        heap = [(time, row) for row, time in enumerate(times[:held].tolist())]
        heapq.heapify(heap)
        due: list[int] = []
        watermark = self._watermark
        for row, time in enumerate(times[held:].tolist(), held):
            heapq.heappush(heap, (time, row))
            watermark = max(watermark, time - self._lateness)
            while heap and (heap[0][0] <= watermark or len(heap) > most):
                watermark = max(watermark, heap[0][0])
                due.append(heapq.heappop(heap)[1])
        return np.array(due, np.int64), watermark

    def _handed_out(
        self, batch: Batch, rows: _Rows, due: NDArray[np.int64], watermark: int, read: int
    ) -> Iterator[Batch]:
        """Yield the due rows in batches, each with the place to resume at behind it.

        ``read`` is how many rows had been read when the present watermark was reached.
        """
        dropped = min(self._known_due, len(due))
        self._known_due -= dropped
        shown, most, first = due[dropped:], self._most_rows, 0
        while len(shown) - first > most:
            offset = self._ahead(read, self._watermark, dropped + first + most)
            yield _batch(batch, rows.take(shown[first : first + most]), offset)
            batch = replace(batch, rejects=[], notices=[])
            first += most
        waiting = np.ones(len(rows.times), bool)
        waiting[due] = False
        self._held, self._names, self._watermark = rows.take(waiting), batch.key_names, watermark
        self._forget(self._held)
        offset = self._ahead(self._read.rows, watermark, self._known_due)
        yield _batch(batch, rows.take(shown[first:]), offset)

    def _forget(self, held: _Rows) -> None:
        """Drop the places that lie before the earliest row held."""
        if not len(held.arrivals):
            self._places = [self._read]
        while len(self._places) > 1 and self._places[1].rows <= held.arrivals[0]:
            del self._places[0]

    def _ahead(self, read: int, watermark: int, released: int) -> dict[str, Any]:
        """The offset to resume at, and what was released of the rows behind it."""
        place = self._places[0]
        ahead = {
            "rows": read - place.rows,
            "rejects": self._read.rejects - place.rejects,
            "watermark": watermark,
            "released": released,
        }
        return {**place.offset, "ahead": ahead}


def _batch(batch: Batch, rows: _Rows, offset: dict[str, Any]) -> Batch:
    return replace(
        batch, values=rows.values, times=rows.times, key_codes=rows.codes, ids=rows.ids, offset=offset
    )
