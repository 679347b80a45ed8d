"""Edges in the order in which a graph is walked: compressed sparse rows.

Row v lists the edges that enter v (or, reversed, that leave it), oldest first. So "the edges of v no later than t"
is a prefix of its row, and summing over neighbours is one pass over memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

Int = NDArray[np.integer[Any]]


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class Csr:
    """One edge type, sorted by the node at one end and then by time.

    Parameters
    ----------
    indptr
        int64 ``(rows + 1,)``: row v is ``indptr[v]:indptr[v + 1]``.
    indices
        The node at the other end, ``(E,)``; int32 where node numbers fit, else int64.
    edges
        The place of each entry in its :class:`~marigram.graph.data.EdgeTable`, ``(E,)``; int32 or int64.
    time
        int64 ``(E,)``, not decreasing within a row; None when the edges have no times.
    columns
        The number of nodes at the other end.
    """

    indptr: NDArray[np.int64]
    indices: Int
    edges: Int
    time: NDArray[np.int64] | None
    columns: int

    @property
    def rows(self) -> int:
        """The number of rows: of nodes at this end."""
        return len(self.indptr) - 1

    @property
    def degree(self) -> NDArray[np.int64]:
        """The number of entries of each row."""
        return np.diff(self.indptr)


def build_csr(
    near: NDArray[np.int64],
    far: NDArray[np.int64],
    time: NDArray[np.int64] | None,
    *,
    rows: int,
    columns: int,
) -> Csr:
    """Sort edges by their `near` end and by time; edges of one moment keep their order.

    Two stable sorts: by time, unless the edges come in order, and then by node.
    """
    narrow = np.int32 if max(rows, columns, len(near)) < 2**31 else np.int64
    order: Int | None = None
    if time is not None and not (time[1:] >= time[:-1]).all():
        order = np.argsort(time, kind="stable").astype(narrow)
        near = near[order]
    by_node = np.argsort(near.astype(narrow), kind="stable").astype(narrow)
    edges: Int = by_node if order is None else order[by_node]
    indptr = np.zeros(rows + 1, np.int64)
    np.cumsum(np.bincount(near, minlength=rows), out=indptr[1:])
    return Csr(
        indptr=indptr,
        indices=far[edges].astype(narrow),
        edges=edges,
        time=None if time is None else time[edges],
        columns=columns,
    )


__all__ = ["Csr", "build_csr"]
