"""Events that are on the disk and wait for earlier ones: the reorder buffer of every host, as a value.

:mod:`marigram.events.lateness` decides what is due and in which order.  Here its state, the rows held and the
watermark, is kept with a fleet: it follows from the log alone, so the same log gives the same order whenever it is
gone through, however its events were cut into batches.  Nothing is changed in place: who takes events in gets what is
due and the buffer behind it, and keeps the latter once the former is judged.

A service has no end of its stream, so time alone brings the last events out: :meth:`Waiting.until`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from marigram.errors import ParameterError
from marigram.events.batch import Batch
from marigram.events.keys import KeyNames
from marigram.events.lateness import MOST_HELD, reordered
from marigram.events.times import FIRST

LONGEST: Final = 366 * 86_400 * 10**9
"""Nanoseconds for which events can be held back."""
_MOST_NAMES: Final = 1 << 20


def no_events(names: KeyNames | None = None) -> Batch:
    """Return a batch without rows."""
    return Batch(
        values=np.empty(0),
        times=np.empty(0, np.int64),
        key_codes=None,
        key_names=names or KeyNames(),
        ids=None,
        rejects=[],
        lines=0,
        offset={},
    )


@dataclass(frozen=True)
class Waiting:
    """A reorder buffer.

    Parameters
    ----------
    lateness
        Nanoseconds that an event may come later than one of a later time; 0 to a year.
    watermark
        Nothing earlier is waited for.
    parts
        The events held.  Each part is in the order of times, and came after those before it; the last ones are short,
        so that a batch costs what it brings and what it releases, however many wait.

    Raises
    ------
    ParameterError
        ``lateness`` is out of range.
    """

    lateness: int
    watermark: int = FIRST
    parts: tuple[Batch, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.lateness <= LONGEST:
            raise ParameterError(f"lateness must be 0 to 366 days, not {self.lateness / 86_400e9:,.6g} days")

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    @property
    def held(self) -> Batch:
        """The events held; of those of equal times the first that came stands first."""
        return _joined(self.parts) if self.parts else no_events()

    @property
    def earliest(self) -> int | None:
        """The earliest time held; None when nothing is."""
        return min((int(_times(part)[0]) for part in self.parts), default=None)

    def take(self, batch: Batch) -> tuple[Batch, Waiting]:
        """Return the events that are due once a batch came, in the order of their release, and what waits then.

        Raises
        ------
        ParameterError
            The events have no times, or do not fit those that wait.
        """
        if not len(batch):
            return batch, self
        if batch.times is None:
            raise ParameterError("events are held back by their times (lateness), and these have none")
        if self.parts and batch.values.shape[1:] != self.parts[0].values.shape[1:]:
            raise ParameterError("these events have another number of values than those that wait")
        parts, new = _alike(self.parts, batch)
        most = MOST_HELD // max(1, batch.values[:1].size)
        ends = self._touched(batch.times, most)
        early = [_rows(part, slice(0, end)) for part, end in zip(parts, ends, strict=True)]
        rows = _joined([*early, new])
        due, watermark = self._due(_times(rows), len(new), most - len(self) + sum(ends))
        waits = np.ones(len(rows), bool)
        waits[due] = False
        left = [_rows(part, slice(end, None)) for part, end in zip(parts, ends, strict=True)]
        left.append(_sorted(_rows(rows, np.flatnonzero(waits))))
        return _rows(rows, due), replace(self, watermark=watermark, parts=_merged(left))

    def until(self, present: int) -> tuple[Batch, Waiting]:
        """Return the events that are due at a present, ns of event time, without a new one, and what waits then."""
        mark = present - self.lateness
        if not self.parts or mark <= self.watermark:
            return no_events(), self
        ends = self._ends(mark)
        due = _sorted(
            _joined([_rows(part, slice(0, end)) for part, end in zip(self.parts, ends, strict=True)])
        )
        left = [_rows(part, slice(end, None)) for part, end in zip(self.parts, ends, strict=True)]
        return due, replace(self, watermark=mark, parts=_merged(left))

    def all(self) -> Batch:
        """Return all events that wait, in the order of their times."""
        return _sorted(self.held)

    def without(self, forget: Callable[[Batch], Batch]) -> Waiting:
        """Return the same buffer with some events taken out."""
        return replace(self, parts=_merged([forget(part) for part in self.parts]))

    def _ends(self, mark: int) -> list[int]:
        """Return how many rows of each part are not later than a mark."""
        return [int(np.searchsorted(_times(part), mark, "right")) for part in self.parts]

    def _touched(self, new: NDArray[np.int64], most: int) -> list[int]:
        """Return how many rows of each part new ones can release at most, when ``most`` rows may be held."""
        mark = max(self.watermark, int(new.max()) - self.lateness)
        ends = self._ends(mark)
        if len(self) + len(new) <= most:
            return ends
        nearest = np.concatenate(
            [_times(part)[end : end + len(new)] for part, end in zip(self.parts, ends, strict=True)]
            or [np.empty(0, np.int64)]
        )  # each new row makes room by one of these, and by all that are not later
        if len(nearest):
            rank = min(len(new), len(nearest)) - 1
            ends = self._ends(max(mark, int(np.partition(nearest, rank)[rank])))
        return ends

    def _due(self, times: NDArray[np.int64], new: int, most: int) -> tuple[NDArray[np.int64], int]:
        """Return which rows are due, the last ``new`` of them having come now, and the watermark then."""
        numbers, known = np.arange(len(times)), len(times) - new
        batches = [_numbers(times[:known], numbers[:known]), _numbers(times[known:], numbers[known:])]
        start = {"ahead": {"watermark": self.watermark}}
        parts = list(
            reordered(
                batches,
                self.lateness,
                start,
                ended=lambda: False,
                rows=1 + len(numbers),
                most_held=most,
            )
        )
        due = np.concatenate([part.ids for part in parts if part.ids is not None])
        return due, parts[-1].offset["ahead"]["watermark"]


def waiting_with(lateness: int, watermark: int, held: Batch) -> Waiting:
    """Return a buffer that holds some events, given as :attr:`Waiting.held` gave them."""
    return Waiting(lateness, watermark, _merged([_sorted(held)]))


def _alike(parts: tuple[Batch, ...], batch: Batch) -> tuple[tuple[Batch, ...], Batch]:
    """Return both with keys in one list of names of our own: a batch's belongs to another thread."""
    names = parts[0].key_names if parts else KeyNames()
    if len(names) > _MOST_NAMES:
        names = KeyNames()
        parts = tuple(_named(part, names) for part in parts)
    return parts, replace(_named(batch, names), rejects=[], lines=0, offset={}, notices=[])


def _named(batch: Batch, names: KeyNames) -> Batch:
    if batch.key_codes is None:
        return replace(batch, key_names=names)
    distinct, places = np.unique(batch.key_codes, return_inverse=True)
    codes = names.codes_of(batch.key_names.take(distinct))[places]
    return replace(batch, key_codes=codes, key_names=names)


def _merged(parts: list[Batch]) -> tuple[Batch, ...]:
    """Return parts of which each is more than twice as long as the next."""
    made: list[Batch] = []
    for part in parts:
        if not len(part):
            continue
        made.append(part)
        while len(made) > 1 and len(made[-2]) <= 2 * len(made[-1]):
            made[-2:] = [_sorted(_joined(made[-2:]))]
    return tuple(made)


def _joined(parts: Sequence[Batch]) -> Batch:
    """Return the rows of parts that are alike, one part after the other."""
    first = parts[-1]
    if len(parts) == 1:
        return first
    return replace(
        first,
        values=np.concatenate([part.values for part in parts]),
        times=np.concatenate([_times(part) for part in parts]),
        key_codes=None if first.key_codes is None else np.concatenate([_codes(part) for part in parts]),
        ids=None if first.ids is None else np.concatenate([_ids(part) for part in parts]),
    )


def _sorted(batch: Batch) -> Batch:
    return _rows(batch, np.argsort(_times(batch), kind="stable"))


def _codes(batch: Batch) -> NDArray[np.int64]:
    return np.zeros(len(batch), np.int64) if batch.key_codes is None else batch.key_codes


def _ids(batch: Batch) -> NDArray[Any]:
    return np.full(len(batch), None, object) if batch.ids is None else batch.ids


def _times(batch: Batch) -> NDArray[np.int64]:
    return np.empty(0, np.int64) if batch.times is None else batch.times


def _rows(batch: Batch, rows: NDArray[np.int64] | slice) -> Batch:
    """Return some rows of a batch, in that order."""
    return replace(
        batch,
        values=batch.values[rows],
        times=_times(batch)[rows],
        key_codes=None if batch.key_codes is None else batch.key_codes[rows],
        ids=None if batch.ids is None else batch.ids[rows],
    )


def _numbers(times: NDArray[np.int64], numbers: NDArray[np.int64]) -> Batch:
    """Return rows that are nothing but a time and a number, which the buffer is to put in order."""
    return replace(no_events(), values=np.zeros(len(times)), times=times, ids=numbers)


__all__ = ["LONGEST", "Waiting", "no_events", "waiting_with"]
