"""Edges grouped by the node that receives them: compressed sparse rows, the one form all of ``graph`` computes on.

Row i holds the neighbours that send to node i: ``indices[indptr[i]:indptr[i + 1]]``. Within a row the order is by
time, where edges have times, so that the edges no later than t are a prefix that a binary search finds; else by
neighbour. ``edge`` leads back to the edge's place in the list it came from. The arrays are read-only, and may
be mapped from a file: then only the rows that are asked for are read from disk.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from marigram import snapshots
from marigram.errors import ParameterError, SnapshotError
from marigram.graph.kernels.csr import (
    count_rows,
    first_backward,
    first_outside,
    place,
    place_ordered,
    transpose_slots,
)

Ids = NDArray[np.int32]
Ints = NDArray[np.int64]
Chunk = tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None]

MOST_NODES = 2**31 - 1
_KIND = "csr"
_NO_TIMES: Ints = np.empty(0, np.int64)


@dataclass(frozen=True, eq=False)
class CSR:
    """A relation between ``columns`` sending and ``rows`` receiving nodes; made by :meth:`build` or :meth:`load`.

    Attributes
    ----------
    indptr
        int64 (rows + 1): where each row begins.
    indices
        int32 (E): the sending node of each slot.
    edge
        int64 (E): the place of the slot's edge in the list that :meth:`build` was given.
    times
        int64 (E), ascending within a row; of length 0 when edges have no times.
    columns
        How many nodes may send.

    Examples
    --------
    >>> graph = CSR.build(rows=[1, 0, 1], columns=[2, 1, 0], shape=(2, 3))
    >>> graph.indptr.tolist(), graph.indices.tolist(), graph.edge.tolist()
    ([0, 1, 3], [1, 0, 2], [1, 2, 0])
    """

    indptr: Ints
    indices: Ids
    edge: Ints
    times: Ints
    columns: int

    @classmethod
    def build(
        cls, rows: ArrayLike, columns: ArrayLike, shape: tuple[int, int], times: ArrayLike | None = None
    ) -> CSR:
        """Group E edges from ``columns`` to ``rows`` (both integers of length E), with int64 ``times`` or without.

        Parallel edges stay. Raises ``ParameterError`` when lengths differ or a node lies outside ``shape``.
        """
        receiving, sending = _nodes(rows, "rows"), _nodes(columns, "columns")
        known = None if times is None else np.ascontiguousarray(times, np.int64)
        _same_length(receiving, sending, known)
        _refuse_outside(sending, "columns", shape[1])
        indptr = _starts(_counts([receiving], shape[0]))
        order = _by_column(sending, shape[1]) if known is None else np.argsort(known, kind="stable")
        indices, edge = np.empty(len(receiving), np.int32), np.empty(len(receiving), np.int64)
        place_ordered(receiving, sending, order, indptr[:-1].copy(), indices, edge)
        return cls._frozen(indptr, indices, edge, _NO_TIMES if known is None else known[edge], shape[1])

    @classmethod
    def build_file(
        cls, path: str | os.PathLike[str], chunks: Callable[[], Iterable[Chunk]], shape: tuple[int, int]
    ) -> CSR:
        """Group edges that do not fit into memory, and return them mapped from the file they are written to.

        ``chunks()`` is called twice and yields ``(rows, columns, times or None)`` in the order of time; within
        a row edges keep that order. Memory: 16 bytes a row and what a chunk takes. Raises ``ParameterError`` for nodes
        outside ``shape``, times that go back, or chunks of which only some have times.
        """
        counts = _counts((_nodes(rows, "rows") for rows, _, _ in chunks()), shape[0])
        indptr = _starts(counts)
        with _Scratch(path, int(indptr[-1])) as scratch:
            timed = _place_chunks(chunks(), indptr, scratch, shape[1])
            times = scratch.times if timed else _NO_TIMES
            _save(path, cls(indptr, scratch.indices, scratch.edge, times, shape[1]))
        return cls.load(path)

    @classmethod
    def _frozen(cls, indptr: Ints, indices: Ids, edge: Ints, times: Ints, columns: int) -> CSR:
        for array in (indptr, indices, edge, times):
            array.flags.writeable = False
        return cls(indptr, indices, edge, times, columns)

    @property
    def rows(self) -> int:
        """How many nodes may receive."""
        return len(self.indptr) - 1

    @property
    def degrees(self) -> Ints:
        """int64 (rows): how many edges each node receives."""
        return np.diff(self.indptr)

    def __len__(self) -> int:
        return len(self.indices)

    @cached_property
    def transposed(self) -> CSR:
        """The edges grouped by the node that sends, kept from the first use; ``edge`` names slots of this one."""
        indptr = _starts(_counts([self.indices], self.columns))
        sources, slots = np.empty(len(self), np.int32), np.empty(len(self), np.int64)
        transpose_slots(self.indptr, self.indices, indptr[:-1].copy(), sources, slots)
        return CSR._frozen(indptr, sources, slots, _NO_TIMES, self.rows)

    @cached_property
    def receivers(self) -> Ids:
        """int32 (E): the receiving node of each slot."""
        return np.repeat(np.arange(self.rows, dtype=np.int32), self.degrees)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the arrays to one file with a checksum."""
        _save(path, self)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> CSR:
        """Map what :meth:`save` wrote; ``SnapshotError`` when it is damaged or not a relation at all."""
        meta, arrays, let_go = snapshots.load_mapped(path, _KIND)
        try:
            graph = cls(arrays["indptr"], arrays["indices"], arrays["edge"], arrays["times"], meta["columns"])
            sound = graph._is_sound()
            let_go()  # the pages read for that
        except KeyError as error:
            raise SnapshotError(f"{os.fspath(path)} holds other arrays than those of a relation") from error
        if not sound:
            raise SnapshotError(f"{os.fspath(path)} holds edges that contradict each other")
        return graph

    def _is_sound(self) -> bool:
        """Whether no kernel could leave these arrays; one pass over them."""
        kinds = [array.dtype for array in (self.indptr, self.indices, self.edge, self.times)]
        return (
            kinds == [np.int64, np.int32, np.int64, np.int64]
            and all(array.ndim == 1 for array in (self.indptr, self.indices, self.edge, self.times))
            and type(self.columns) is int
            and len(self.indptr) > 0
            and int(self.indptr[0]) == 0
            and int(self.indptr[-1]) == len(self.indices) == len(self.edge)
            and len(self.times) in (0, len(self.indices))
            and first_backward(self.indptr, 0) < 0
            and first_outside(self.indices, self.columns) < 0
        )


def _save(path: str | os.PathLike[str], csr: CSR) -> None:
    arrays: dict[str, Any] = {
        "indptr": csr.indptr,
        "indices": csr.indices,
        "edge": csr.edge,
        "times": csr.times,
    }
    snapshots.save(path, _KIND, {"columns": csr.columns}, arrays)


class _Scratch:
    """Arrays of the size of all edges in files beside ``path``, removed when the work is done."""

    def __init__(self, path: str | os.PathLike[str], edges: int) -> None:
        self._names = [f"{os.fspath(path)}.{name}.tmp" for name in ("indices", "edge", "times")]
        self.indices: Ids = np.lib.format.open_memmap(self._names[0], "w+", np.int32, (edges,))
        self.edge: Ints = np.lib.format.open_memmap(self._names[1], "w+", np.int64, (edges,))
        self.times: Ints = np.lib.format.open_memmap(self._names[2], "w+", np.int64, (edges,))

    def __enter__(self) -> _Scratch:
        return self

    def __exit__(self, *failure: object) -> None:
        del self.indices, self.edge, self.times
        for name in self._names:
            os.unlink(name)


def _place_chunks(chunks: Iterable[Chunk], indptr: Ints, scratch: _Scratch, columns: int) -> bool:
    """Write the chunks to their slots; return whether they have times."""
    free, first, since = indptr[:-1].copy(), 0, np.iinfo(np.int64).min
    timed: bool | None = None
    for rows, sources, times in chunks:
        receiving, sending = _nodes(rows, "rows"), _nodes(sources, "columns")
        known = None if times is None else np.ascontiguousarray(times, np.int64)
        _same_length(receiving, sending, known)
        _refuse_outside(sending, "columns", columns)
        if timed is not None and timed is not (known is not None):
            raise ParameterError("either all chunks have times or none")
        timed = known is not None
        if known is not None and len(known):
            if (back := first_backward(known, since)) >= 0:
                raise ParameterError(f"edge {first + back} is earlier than the one before it: sort by time")
            since = int(known[-1])
            place(receiving, known, first, free.copy(), scratch.times, scratch.edge)
        place(receiving, sending, first, free, scratch.indices, scratch.edge)
        first += len(receiving)
    if first != indptr[-1]:
        raise ParameterError(f"the second pass had {first} edges, the first {indptr[-1]}")
    return bool(timed)


def _nodes(values: ArrayLike, name: str) -> NDArray[Any]:
    array = np.asarray(values)
    if array.size == 0:
        array = array.astype(np.int32)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise ParameterError(f"{name} must be a vector of integers, got {array.dtype} of shape {array.shape}")
    return np.ascontiguousarray(array, np.int32 if array.dtype == np.int32 else np.int64)


def _same_length(rows: NDArray[Any], columns: NDArray[Any], times: Ints | None) -> None:
    if len(rows) != len(columns) or (times is not None and times.shape != rows.shape):
        shown = "" if times is None else f", {times.shape} times"
        raise ParameterError(f"edges need equally many ends: {len(rows)} rows, {len(columns)} columns{shown}")


def _counts(parts: Iterable[NDArray[Any]], rows: int) -> Ints:
    if not 0 <= rows <= MOST_NODES:
        raise ParameterError(f"a relation has from 0 to {MOST_NODES} nodes, got {rows}")
    counts = np.zeros(rows, np.int64)
    for part in parts:
        if (bad := count_rows(part, counts)) >= 0:
            raise ParameterError(f"edge {bad} has row {part[bad]}, legal are 0 to {rows - 1}")
    return counts


def _refuse_outside(nodes: NDArray[Any], name: str, bound: int) -> None:
    if not 0 <= bound <= MOST_NODES:
        raise ParameterError(f"a relation has from 0 to {MOST_NODES} nodes, got {bound}")
    if (bad := first_outside(nodes, bound)) >= 0:
        raise ParameterError(f"edge {bad} has {name} {nodes[bad]}, legal are 0 to {bound - 1}")


def _starts(counts: Ints) -> Ints:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])


def _by_column(columns: NDArray[Any], bound: int) -> Ints:
    """The edges in the order of their column, parallel ones as they came."""
    free = _starts(_counts([columns], bound))[:-1].copy()
    unused, order = np.empty(len(columns), np.int32), np.empty(len(columns), np.int64)
    place(columns, columns, 0, free, unused, order)
    return order


__all__ = ["CSR", "MOST_NODES"]
