"""Where large intermediate arrays lie: in memory, or, from a size on, in a file that the system maps into it.

What is looked at is read, what is not may leave memory again, so that a pass over a graph needs room for the part it
is at. The file has no name: it goes with the array, also when the process is killed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import DTypeLike, NDArray

LARGE: Final = 1 << 28
"""Bytes from which an array lies in a file."""
BLOCK: Final = 1 << 17
"""Rows of such an array that are filled at a time."""


def empty(shape: tuple[int, ...], dtype: DTypeLike, *, large: int = LARGE) -> NDArray[Any]:
    """Return an array without content, of at least ``large`` bytes in a file of the system's temporary folder."""
    size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    if size < max(large, 1):
        return np.empty(shape, dtype)
    with tempfile.TemporaryFile(prefix="marigram-") as file:
        file.truncate(size)
        return np.memmap(file, dtype, "r+", shape=shape)


def stretches(count: int, rows: int = BLOCK) -> Iterator[tuple[int, int]]:
    """Yield where each of ``count`` rows' blocks begins and ends."""
    for start in range(0, count, rows):
        yield start, min(start + rows, count)


__all__ = ["BLOCK", "LARGE", "empty", "stretches"]
