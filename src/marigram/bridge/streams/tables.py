"""Open tables that grow: keys in one array, what is kept of each in others beside it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from marigram.bridge.kernels.tables import FREE, move
from marigram.errors import ParameterError

__all__ = ["OpenTable", "grown"]

Array = NDArray[Any]


class OpenTable:
    """Keys from 0 to 2^63 - 1, each with a row in every column.

    Parameters
    ----------
    columns
        Name -> dtype and shape of a row.
    """

    def __init__(self, **columns: tuple[DTypeLike, tuple[int, ...]]) -> None:
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
        keys, places = np.full(size, FREE, np.int64), np.empty(len(self.keys), np.int64)
        move(self.keys, keys, places)
        held = places >= 0
        for name, old in self.columns.items():
            new = np.zeros((size, *old.shape[1:]), old.dtype)
            new[places[held]] = old[held]
            self.columns[name] = new
        self.keys = keys

    def arrays(self, prefix: str) -> dict[str, Array]:
        """Return everything by name, the cells that are taken only, in the order of their keys."""
        order = np.argsort(self.keys, kind="stable")[len(self.keys) - len(self) :]
        return {f"{prefix}.keys": self.keys[order]} | {
            f"{prefix}.{name}": column[order] for name, column in self.columns.items()
        }

    def put(self, prefix: str, arrays: dict[str, Array]) -> None:
        """Take up what :meth:`arrays` gave."""
        keys = np.ascontiguousarray(arrays[f"{prefix}.keys"])
        self.room(len(keys))
        places = np.empty(len(keys), np.int64)
        move(keys, self.keys, places)
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
