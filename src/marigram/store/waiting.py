"""Events that are on the disk and wait for earlier ones: the reorder buffer of every host, as a value.

:mod:`marigram.events.lateness` decides what is due and in which order.  Here its state, the rows held and the
watermark, is kept with a fleet: it follows from the log alone, so the same log gives the same order whenever it is
gone through, however its events were cut into batches.  Nothing is changed in place: who takes events in gets what is
due and the buffer behind it, and keeps the latter once the former is judged.

A service has no end of its stream, so time alone brings the last events out: :meth:`Waiting.until`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
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
    held
        The events held, in the order of their arrival.

    Raises
    ------
    ParameterError
        ``lateness`` is out of range.
    """

    lateness: int
    watermark: int = FIRST
    held: Batch = field(default_factory=no_events)

    def __post_init__(self) -> None:
        if not 0 <= self.lateness <= LONGEST:
            raise ParameterError(f"lateness must be 0 to 366 days, not {self.lateness / 86_400e9:,.6g} days")

    def __len__(self) -> int:
        return len(self.held)

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
        if len(self) and batch.values.shape[1:] != self.held.values.shape[1:]:
            raise ParameterError("these events have another number of values than those that wait")
        rows = _joined(self.held, batch)
        due, watermark = self._due(len(self), batch.times)
        return self._parted(rows, due, watermark)

    def until(self, present: int) -> tuple[Batch, Waiting]:
        """Return the events that are due at a present, ns of event time, without a new one, and what waits then."""
        if not len(self) or present - self.lateness <= self.watermark:
            return no_events(), self
        due, watermark = self._due(len(self), np.array([present]))
        return self._parted(self.held, due[due < len(self)], watermark)

    def all(self) -> Batch:
        """Return all events that wait, in the order of their times."""
        return self.held if not len(self) else _rows(self.held, np.argsort(_times(self.held), kind="stable"))

    def _due(self, known: int, new: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
        """Return which rows are due, those that come counted behind the ``known`` ones, and the watermark then."""
        numbers = np.arange(known + len(new))
        batches = [_numbers(_times(self.held), numbers[:known]), _numbers(new, numbers[known:])]
        start = {"ahead": {"watermark": self.watermark}}
        most = MOST_HELD // max(1, self.held.values[:1].size)
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

    def _parted(self, rows: Batch, due: NDArray[np.int64], watermark: int) -> tuple[Batch, Waiting]:
        waits = np.ones(len(rows), bool)
        waits[due] = False
        held = _rows(rows, np.flatnonzero(waits))
        return _rows(rows, due), replace(self, watermark=watermark, held=held)


def _joined(held: Batch, batch: Batch) -> Batch:
    """Return the rows of both, their keys in a list of names of our own: a batch's belongs to another thread."""
    names = held.key_names if len(held.key_names) < _MOST_NAMES else KeyNames()
    join, parts = np.concatenate, [part for part in (held, batch) if len(part)]
    codes = [_codes(part, names) for part in parts]
    return Batch(
        values=join([part.values for part in parts]),
        times=join([_times(part) for part in parts]),
        key_codes=None if batch.key_codes is None else join(codes),
        key_names=names,
        ids=None if batch.ids is None else join([_ids(part) for part in parts]),
        rejects=[],
        lines=0,
        offset={},
    )


def _codes(batch: Batch, names: KeyNames) -> NDArray[np.int64]:
    if batch.key_codes is None or batch.key_names is names:
        return np.zeros(len(batch), np.int64) if batch.key_codes is None else batch.key_codes
    distinct, places = np.unique(batch.key_codes, return_inverse=True)
    return names.codes_of(batch.key_names.take(distinct))[places]


def _ids(batch: Batch) -> NDArray[Any]:
    return np.full(len(batch), None, object) if batch.ids is None else batch.ids


def _times(batch: Batch) -> NDArray[np.int64]:
    return np.empty(0, np.int64) if batch.times is None else batch.times


def _rows(batch: Batch, rows: NDArray[np.int64]) -> Batch:
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


__all__ = ["LONGEST", "Waiting", "no_events"]
