"""Open tables of whole-number keys: where a key lies, and how a table moves into a larger one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from marigram.numerics.jit import kernel, piece

__all__ = ["FREE", "find", "move"]

Array = NDArray[Any]
FREE = -1
"""What a free cell holds; keys are at least 0."""


@piece
def find(keys: Any, key: Any) -> Any:
    """Place of a key, or of the free cell where it belongs; the length is a power of two, and some cells are free."""
    mask = np.uint64(len(keys) - 1)
    place = ((np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(20)) & mask
    while keys[place] != key and keys[place] != FREE:
        place = (place + np.uint64(1)) & mask
    return np.int64(place)


@kernel
def move(old: Array, new: Array, places: Array) -> None:
    """Put the keys of a table into a larger, free one; ``places``: where each old cell went, -1 for free ones."""
    for i in range(len(old)):
        places[i] = -1
        if old[i] != FREE:
            place = find(new, old[i])
            new[place] = old[i]
            places[i] = place
