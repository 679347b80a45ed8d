"""Open tables that grow up to a cap: keys in one array, what is kept of each in others beside it.

Past the cap the keys that were touched longest ago are dropped, a quarter of the cap at once, and counted.  What comes
again after that is new.  Tables are looked at between stretches of rows, whose places do not depend on the cut of the
events into batches, and so neither does what is dropped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from marigram.bridge.kernels.rates import HISTORY
from marigram.bridge.kernels.tables import FREE, move
from marigram.errors import ParameterError

__all__ = ["LEAST_KEPT", "STRETCH", "OpenTable", "grown", "histories", "stretches"]

Array = NDArray[Any]
LEAST_KEPT = 1000
"""Smallest cap."""
STRETCH = 8192
"""Rows of the streams of entities between two times that their tables are looked at."""


class OpenTable:
    """Keys from 0 to 2^63 - 1, each with a row in every column.

    Parameters
    ----------
    columns
        Name -> dtype and shape of a row.

    Attributes
    ----------
    forgotten
        Keys that were dropped so far.
    """

    def __init__(self, **columns: tuple[DTypeLike, tuple[int, ...]]) -> None:
        self.forgotten = 0
        self.keys = np.full(1024, FREE, np.int64)
        self.columns = {name: np.zeros((1024, *shape), dtype) for name, (dtype, shape) in columns.items()}

    def __getitem__(self, name: str) -> Array:
        return self.columns[name]

    def __len__(self) -> int:
        return int((self.keys != FREE).sum())

    def room(self, more: int) -> None:
        """Grow until at most half of the cells are taken after so many more keys."""
        wanted, size = 2 * (len(self) + more), len(self.keys)
        if wanted <= size:
            return
        while size < wanted:
            size *= 2
        self._move(np.flatnonzero(self.keys != FREE), size)

    def places(self, keys: Array) -> Array:
        """Return the rows of keys, those that are new included; there must be room for them."""
        places = np.empty(len(keys), np.int64)
        move(keys, self.keys, places)
        return places

    def forget(self, most: int, touched: Array) -> None:
        """Drop the keys that were touched longest ago where there are more than `most`, the smaller key first.

        ``touched``: for each cell when, in any unit.
        """
        held = np.flatnonzero(self.keys != FREE)
        if len(held) <= most:
            return
        kept = most - most // 4
        order = np.lexsort((self.keys[held], touched[held]))
        self.forgotten += len(held) - kept
        self._move(held[order[-kept:]], len(self.keys))

    def _move(self, rows: Array, size: int) -> None:
        """Keep some rows, in a table of so many cells."""
        keys, places = np.full(size, FREE, np.int64), np.empty(len(rows), np.int64)
        move(self.keys[rows], keys, places)
        for name, old in self.columns.items():
            new = np.zeros((size, *old.shape[1:]), old.dtype)
            new[places] = old[rows]
            self.columns[name] = new
        self.keys = keys

    def arrays(self, prefix: str) -> dict[str, Array]:
        """Return everything by name, the cells that are taken only, in the order of their keys."""
        order = np.argsort(self.keys, kind="stable")[len(self.keys) - len(self) :]
        kept = {f"{prefix}.keys": self.keys[order], f"{prefix}.forgotten": np.array([self.forgotten])}
        return kept | {f"{prefix}.{name}": column[order] for name, column in self.columns.items()}

    def put(self, prefix: str, arrays: Mapping[str, Array]) -> None:
        """Take up what :meth:`arrays` gave."""
        keys = np.ascontiguousarray(arrays[f"{prefix}.keys"])
        self.forgotten = int(arrays[f"{prefix}.forgotten"][0])
        self.room(len(keys))
        places = self.places(keys)
        for name, column in self.columns.items():
            given = arrays[f"{prefix}.{name}"]
            if given.dtype != column.dtype or given.shape[1:] != column.shape[1:]:
                raise ParameterError(f"state array {prefix}.{name} has another layout than this version's")
            column[places] = given


def grown(array: Array, length: int) -> Array:
    """Return the array, or a longer one that begins with it, with room for `length` rows."""
    if length <= len(array):
        return array
    longer = np.zeros((max(length, 2 * len(array)), *array.shape[1:]), array.dtype)
    longer[: len(array)] = array
    return longer


def histories(array: Array) -> Array:
    """Return a saved array of histories; ParameterError where it has another layout."""
    if array.dtype != HISTORY or array.ndim != 1:
        raise ParameterError(f"an array of histories has another layout than this version's: {array.dtype}")
    return array


def stretches(seen: int, count: int, length: int) -> Iterator[tuple[slice, bool]]:
    """Yield the parts of `count` rows after `seen` others, cut at multiples of `length` rows from the very first.

    Beside each stands whether it begins at such a place: only there may anything be forgotten.

    Examples
    --------
    >>> [(part.start, part.stop, begins) for part, begins in stretches(7, 9, 5)]
    [(0, 3, False), (3, 8, True), (8, 9, True)]
    """
    start = 0
    while start < count:
        passed = (seen + start) % length
        end = min(count, start + length - passed)
        yield slice(start, end), not passed
        start = end
