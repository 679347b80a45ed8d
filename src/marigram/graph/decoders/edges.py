"""What an edge says besides its ends: its attributes, its time, and, within one node type, its direction.

Times are decoded as how much later than its younger end an edge is, where nodes have times; otherwise as they are.
An edge type within one node type is walked both ways; when it was stored one way, which end is the source is one more
column.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from marigram.graph.data import Columns, EdgeTable, EdgeType
from marigram.graph.decoders.columns import MixedColumns
from marigram.graph.decoders.nodes import stacked, unstacked

Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]

EDGES = 200_000
"""Edges of a type that are learned from."""


@final
@dataclass(frozen=True, eq=False)
class EdgeColumns:
    """The columns of one edge type, told apart.

    Attributes
    ----------
    kind
        Which.
    mixed
        Attributes, then the time when edges have times, then the direction when it is told.
    timed, directed
        Whether the last two are there.
    mirrored
        Whether the table holds every edge both ways.
    like
        Attributes of no row, for names and vocabularies.
    """

    kind: EdgeType
    mixed: MixedColumns
    timed: bool
    directed: bool
    mirrored: bool
    like: Columns

    @classmethod
    def fit(
        cls, table: EdgeTable, kind: EdgeType, rows: Ints, base: Ints, *, mirrored: bool
    ) -> tuple[EdgeColumns, Doubles]:
        """Look at some edges, whose times count from ``base``; returns what they hold beside."""
        values, named = stacked(table.attributes)
        parts: list[NDArray[Any]] = [values[rows]]
        timed, directed = table.time is not None, kind[0] == kind[2] and not mirrored
        if table.time is not None:
            parts.append((table.time[rows] - base)[:, None])
        if directed:
            parts.append(np.arange(len(rows))[:, None] % 2)  # both ends are asked in turn
        matrix = np.concatenate(parts, axis=1, dtype=np.float64)
        mixed = MixedColumns.fit(matrix, named) if len(rows) else MixedColumns((), (), matrix.shape[1])
        like = table.attributes.take(np.empty(0, np.int64))
        return cls(kind, mixed, timed, directed, mirrored, like), matrix

    def table(self, near: Ints, far: Ints, values: Doubles, base: Ints, *, backwards: bool) -> EdgeTable:
        """Return edges between receivers (near) and senders (far) of a relation, in this edge type.

        Parameters
        ----------
        near, far
            Both ends, (E,).
        values
            (E, columns) as decoded.
        base
            int64 (E,): the times that decoded times count from.
        backwards
            Whether the near end is the source.
        """
        src, dst = (near, far) if backwards else (far, near)
        width = self.like.width
        if self.directed and len(values):
            out = values[:, -1] > 0.5  # the near end is the source
            src, dst = np.where(out, near, far), np.where(out, far, near)
        time = None
        if self.timed:
            time = base + np.rint(values[:, width]).astype(np.int64)
        attributes = unstacked(values[:, :width], self.like)
        table = EdgeTable(src=src, dst=dst, attributes=attributes, time=time)
        return both_ways(table) if self.mirrored else table


def later(times: Ints, ends: Ints, others: Ints, other_ends: Ints) -> Ints:
    """Return the time of the younger of two ends, of that which has times (else of length 0), or 0: int64 (E,)."""
    known = [time[end] for time, end in ((times, ends), (others, other_ends)) if len(time)]
    if not known:
        return np.zeros(len(ends), np.int64)
    return known[0] if len(known) == 1 else np.maximum(*known)


def both_ways(table: EdgeTable) -> EdgeTable:
    """Return every edge and its mirror image behind it, a loop once."""
    back = np.flatnonzero(table.src != table.dst)
    rows = np.concatenate([np.arange(table.count), back])
    turned = table.take(rows)
    src, dst = turned.src.copy(), turned.dst.copy()
    src[table.count :], dst[table.count :] = table.dst[back], table.src[back]
    return EdgeTable(src=src, dst=dst, attributes=turned.attributes, time=turned.time)


def packed_edges(columns: EdgeColumns) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return a header and arrays, for saving."""
    meta, arrays = columns.mixed.packed()
    like = columns.like
    names = [like.numeric_names, like.text_names, like.code_names, like.vocabularies]
    about = {"kind": list(columns.kind), "timed": columns.timed, "directed": columns.directed}
    return {"mixed": meta, "names": names, "mirrored": columns.mirrored, **about}, arrays


def unpacked_edges(meta: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> EdgeColumns:
    """Return what :func:`packed_edges` came from."""
    mixed = MixedColumns.unpacked(meta["mixed"], arrays)
    source, relation, target = meta["kind"]
    flags = meta["timed"], meta["directed"], meta["mirrored"]
    return EdgeColumns((source, relation, target), mixed, *flags, no_rows(meta["names"]))


def no_rows(names: list[Any]) -> Columns:
    """Return attributes of these names without rows."""
    numeric, text, codes, vocabularies = names
    return Columns(
        numeric=np.empty((0, len(numeric)), np.float32), numeric_names=tuple(numeric),
        text=np.empty((0, len(text)), np.float32), text_names=tuple(text),
        codes=np.empty((0, len(codes)), np.int32), code_names=tuple(codes),
        vocabularies=tuple(tuple(values) for values in vocabularies),
    )  # fmt: skip


__all__ = [
    "EDGES", "EdgeColumns", "both_ways", "later", "no_rows", "packed_edges", "unpacked_edges",
]  # fmt: skip
