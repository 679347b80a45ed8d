"""Compiled loops of the memory cap: which row of the table a key gets, and the seal of a record on disk."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from marigram.numerics.jit import kernel

Ints = NDArray[np.int64]
Words = NDArray[np.uint64]

_C1 = np.uint64(0x9E3779B97F4A7C15)
_C2 = np.uint64(0xBF58476D1CE4E5B9)
_S29, _S32 = np.uint64(29), np.uint64(32)


@kernel
def place(
    numbers: Ints,
    location: Ints,
    owner: Ints,
    used: Ints,
    now: int,
    free: Ints,
    n_free: int,
    rows: Ints,
    back_rows: Ints,
    back_places: Ints,
) -> tuple[int, int, int]:
    """Give each key of ``numbers`` its row of the table, until a new row is needed and none is free.

    ``location`` of a key is row + 1 in the table, -(place + 1) on the shelf, 0 when it was never seen.  The keys to be
    fetched from the shelf are listed in ``back_rows`` and ``back_places``.  Returns how many keys were placed, how many
    rows are still free, how many keys are listed.
    """
    listed = 0
    for i in range(numbers.shape[0]):
        at = location[numbers[i]]
        if at <= 0:
            if n_free == 0:
                return i, n_free, listed
            n_free -= 1
            if at < 0:
                back_rows[listed] = free[n_free]
                back_places[listed] = -at - 1
                listed += 1
            at = free[n_free] + 1
            location[numbers[i]] = at
            owner[at - 1] = numbers[i]
        used[at - 1] = now
        rows[i] = at - 1
    return numbers.shape[0], n_free, listed


@kernel
def seals(records: Words, places: Ints, salt: Any) -> Words:
    """Return a checksum of each record's words from the second on, bound to its place in the file."""
    out = np.empty(records.shape[0], np.uint64)
    for k in range(records.shape[0]):
        h = salt ^ (np.uint64(places[k]) * _C1)
        for j in range(1, records.shape[1]):
            h = (h ^ records[k, j]) * _C2
            h ^= h >> _S29
        out[k] = h ^ (h >> _S32)
    return out


__all__ = ["place", "seals"]
