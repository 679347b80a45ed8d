"""Who lies in the table: all keys, or those used last when memory is capped.

Without a cap a key's number is its row.  With one, the table stops growing at the cap; when a key needs a row and
none is free, the eighth of the keys that were used longest ago goes to the shelf at once, and a key that speaks again
is fetched back bit by bit as it was.  No verdict depends on where a key lies.

What has to be known of every key (its number, where it lies) stays in memory while all keys fit under the cap, and
moves to files with the first eviction; from then on the process's memory does not grow with the number of keys.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from marigram.detectors.state import StateTable
from marigram.errors import ParameterError
from marigram.fleet import records
from marigram.fleet._placing import place
from marigram.fleet.keys import KeyIndex
from marigram.fleet.records import Words
from marigram.fleet.silence import due
from marigram.fleet.spill import FileArrays, Shelf

Array: TypeAlias = NDArray[Any]
Ints: TypeAlias = NDArray[np.int64]

BESIDE = 96
"""Bytes a key in memory costs beside its state: its number, its name, when it was used."""
FEWEST = 8
"""Keys that must fit under a cap."""
SHARE = 8
"""One key in so many is evicted at a time."""


class Residents:
    """Places keys in a table.

    Parameters
    ----------
    table
        The table, whose rows it owns.
    index
        The keys' numbers; it is moved to files with the first eviction.
    memory
        Bytes that the keys may take, or None for no cap.
    folder
        Where shelved keys go, None for the system's temporary folder.
    """

    def __init__(self, table: StateTable, index: KeyIndex, memory: int | None, folder: Path | None) -> None:
        self.table = table
        self.evicted = 0
        self.restored = 0
        self._index = index
        self._memory = memory
        self._folder = folder
        self._files = FileArrays(folder)
        self._form = records.layout(table)
        self._shelf: Shelf | None = None
        self._now = 0
        self.limit = self._rows_under_cap(table)
        self._location = np.zeros(0 if memory is None else 1024, np.int64)
        self._due = np.zeros(0)
        self._n_free = 0
        self._own_nothing()

    @property
    def shelved(self) -> int:
        """Number of keys on disk."""
        return 0 if self._shelf is None else len(self._shelf)

    @property
    def shelf_bytes(self) -> int:
        """Bytes of the file of shelved keys."""
        return 0 if self._shelf is None else self._shelf.nbytes

    @property
    def form(self) -> np.dtype[Any]:
        """Layout of one key's record."""
        return self._form

    def place(self, numbers: Ints) -> Ints:
        """Return the rows of the first keys of ``numbers``: as many as fit at once, at least one."""
        if self.limit is None:
            if len(self._index) > self.table.capacity:
                self.table.grow(max(len(self._index), 2 * self.table.capacity))
            return numbers
        self._know(len(self._index))
        if not self._n_free:
            self._make_room()
        rows = np.empty(len(numbers), np.int64)
        back_rows, back_places = np.empty(self._n_free, np.int64), np.empty(self._n_free, np.int64)
        self._now += 1
        placed, self._n_free, listed = place(
            numbers, self._location, self._owner, self._used, self._now, self._free, self._n_free,
            rows, back_rows, back_places,
        )  # fmt: skip
        self._fetch(back_rows[:listed], back_places[:listed])
        return rows[:placed]

    def with_seasons(self) -> None:
        """Give the table season tables.  Under a cap fewer keys fit from then on, and all of them move."""
        wider = StateTable(self.table.parameters, self.table.d)
        wider.make_seasonal()
        limit = self._rows_under_cap(wider)
        if limit is None or not self.table.capacity:
            self.table.make_seasonal()
            self.limit, self._form = limit, records.layout(wider)
            return
        self._evict(np.flatnonzero(self._owner >= 0))
        wider.pool[:] = self.table.pool
        narrow, self._form = self._form, records.layout(wider)
        self.table, self.limit = wider, limit
        self._own_nothing()
        if self._shelf is not None:
            self._widen_shelf(self._shelf, narrow)

    def _widen_shelf(self, old: Shelf, narrow: np.dtype[Any]) -> None:
        """Move all shelved keys to a shelf of wider records; the new fields are fresh."""
        self._shelf = Shelf(self._folder, self._form.itemsize // 8)
        for numbers in self._stretches(np.flatnonzero(self._location < 0)):
            found = old.get(-self._location[numbers] - 1, numbers)
            wider = records.widened(found, narrow, self._form)
            self._location[numbers] = -self._shelf.put(numbers, wider) - 1
        old.close()

    def records_of(self, numbers: Ints) -> Words:
        """Return copies of the (k, words) records of these keys, wherever they lie."""
        if self.limit is None:
            return records.from_table(self.table, numbers, self._form)
        at = self._location[numbers]
        found = np.empty((len(numbers), self._form.itemsize // 8), np.uint64)
        here, away = np.flatnonzero(at > 0), np.flatnonzero(at < 0)
        found[here] = records.from_table(self.table, at[here] - 1, self._form)
        if self._shelf is not None and len(away):
            found[away] = self._shelf.get(-at[away] - 1, numbers[away])
        return found

    def fields_of(self, numbers: Ints) -> Array:
        """Return copies of the records as structures: a field for each array of the table."""
        return records.fields(self.records_of(numbers), self._form)

    def adopt(self, numbers: Ints, found: Words) -> None:
        """Take in the records of keys that were just numbered, as a snapshot holds them."""
        while len(numbers):
            rows = self.place(numbers)
            records.to_table(self.table, rows, found[: len(rows)])
            numbers, found = numbers[len(rows) :], found[len(rows) :]

    def silent(self, now: int) -> Ints:
        """Return, sorted, the keys that should have spoken before ``now`` and were not told silent yet; mark them."""
        rows = np.flatnonzero(due(self.table.heads) < now)
        self.table.heads["silent"][rows] = 1
        if self.limit is None:
            return rows
        away = np.flatnonzero(self._due < now)
        away = away[self._location[away] < 0]
        for numbers in self._stretches(away):
            self._mark_silent(numbers)
        return np.sort(np.concatenate([self._owner[rows], away]))

    def _rows_under_cap(self, table: StateTable) -> int | None:
        if self._memory is None:
            return None
        each = table.bytes_per_key + BESIDE
        if self._memory < FEWEST * each:
            raise ParameterError(
                f"memory={self._memory} bytes holds {self._memory // each} keys of {each} bytes each; at least "
                f"{FEWEST} must fit"
            )
        return self._memory // each

    def _own_nothing(self) -> None:
        """Begin with a table that has no rows."""
        self._owner = np.empty(0, np.int64)
        self._used = np.empty(0, np.int64)
        self._free = np.empty(0, np.int64)
        self._n_free = 0

    def _release(self, rows: Ints) -> None:
        """Note rows that nobody owns; the last one is given away first."""
        self._owner[rows] = -1
        self._free = np.concatenate([self._free[: self._n_free], rows])
        self._n_free = len(self._free)

    def _know(self, keys: int) -> None:
        """Make room to know where ``keys`` keys lie."""
        if keys > len(self._location):
            allocate = np.zeros if self._shelf is None else self._files
            self._location = _longer(self._location, max(keys, 2 * len(self._location)), allocate)
            if self._shelf is not None:
                self._due = _longer(self._due, len(self._location), allocate)

    def _make_room(self) -> None:
        """Free at least one row: by growing the table while it is below the cap, then by eviction."""
        old, limit = self.table.capacity, self.limit or 0
        if old < limit:
            self.table.grow(min(limit, max(2 * old, FEWEST)))
            new = self.table.capacity
            self._owner = _longer(self._owner, new)
            self._used = _longer(self._used, new)
            self._release(np.arange(new - 1, old - 1, -1))
            return
        count = max(1, limit // SHARE)
        self._evict(np.argpartition(self._used, count - 1)[:count])
        self._files.release()

    def _evict(self, rows: Ints) -> None:
        """Move the keys in these rows to the shelf."""
        if self._shelf is None:
            self._shelf = Shelf(self._folder, self._form.itemsize // 8)
            self._index.move(self._files)
            self._location = _longer(self._location, len(self._location), self._files)
            self._due = self._files((len(self._location),), np.float64)
        for part in self._stretches(np.sort(rows)[::-1]):
            numbers = self._owner[part]
            self._due[numbers] = due(self.table.heads[part])
            found = records.from_table(self.table, part, self._form)
            self._location[numbers] = -self._shelf.put(numbers, found) - 1
            records.to_table(self.table, part, np.zeros_like(found))
            self._release(part)
        self.evicted += len(rows)

    def _fetch(self, rows: Ints, places: Ints) -> None:
        """Bring keys back from the shelf into rows they already own."""
        if self._shelf is None or not len(rows):
            return
        for start in range(0, len(rows), records.step(self._form)):
            part = slice(start, start + records.step(self._form))
            found = self._shelf.get(places[part], self._owner[rows[part]])
            records.to_table(self.table, rows[part], found)
        self._shelf.free(places)
        self.restored += len(rows)

    def _mark_silent(self, numbers: Ints) -> None:
        if self._shelf is None:
            return
        places = -self._location[numbers] - 1
        found = self._shelf.get(places, numbers)
        records.fields(found, self._form)["heads"]["silent"] = 1
        self._shelf.replace(places, numbers, found)
        self._due[numbers] = np.inf

    def _stretches(self, items: Ints) -> Iterator[Ints]:
        step = records.step(self._form)
        return (items[start : start + step] for start in range(0, len(items), step))


def _longer(array: Array, length: int, allocate: Any = np.zeros) -> Array:
    longer: Array = allocate((length,), array.dtype)
    longer[: len(array)] = array
    return longer


__all__ = ["BESIDE", "FEWEST", "Residents"]
