"""Counting sorts that group edges by the node that receives them, and check what a file claims about itself."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from marigram.numerics.jit import kernel

Ids = NDArray[np.int32]
Ints = NDArray[np.int64]


@kernel
def count_rows(rows: Any, counts: Ints) -> int:
    """Add the number of edges of each row to ``counts``; return the first edge whose row is out of range, or -1."""
    for edge in range(len(rows)):
        row = rows[edge]
        if row < 0 or row >= len(counts):
            return edge
        counts[row] += 1
    return -1


@kernel
def first_outside(columns: Any, bound: int) -> int:
    """Return the first edge whose column is not in [0, bound), or -1."""
    for edge in range(len(columns)):
        if columns[edge] < 0 or columns[edge] >= bound:
            return edge
    return -1


@kernel
def first_backward(times: Ints, since: int) -> int:
    """Return the first edge whose time is before the one of its predecessor (before ``since`` for the first), or -1."""
    for edge in range(len(times)):
        if times[edge] < since:
            return edge
        since = times[edge]
    return -1


@kernel
def place(rows: Any, values: Any, first: int, free: Ints, into: Any, edge: Ints) -> None:
    """Write what edges ``first``, ``first + 1``, … have into the free slots of their rows, in their order."""
    for i in range(len(rows)):
        slot = free[rows[i]]
        free[rows[i]] = slot + 1
        into[slot] = values[i]
        edge[slot] = first + i


@kernel
def place_ordered(rows: Any, columns: Any, order: Ints, free: Ints, indices: Ids, edge: Ints) -> None:
    """The same for all edges at once, in the given order."""
    for i in order:
        slot = free[rows[i]]
        free[rows[i]] = slot + 1
        indices[slot] = columns[i]
        edge[slot] = i


@kernel
def transpose_slots(indptr: Ints, indices: Ids, free: Ints, sources: Ids, slots: Ints) -> None:
    """Write each slot of the matrix to its place in the transpose; rows ascend within each column."""
    for row in range(len(indptr) - 1):
        for slot in range(indptr[row], indptr[row + 1]):
            at = free[indices[slot]]
            free[indices[slot]] = at + 1
            sources[at] = row
            slots[at] = slot


__all__ = ["count_rows", "first_backward", "first_outside", "place", "place_ordered", "transpose_slots"]
