"""The rows of a graph: nodes of one type, and edges of one type.

Both have attributes, times, labels and splits in the same form. A label is 1 (anomalous), 0 (normal) or -1
(unknown): unknown is not normal. A split gives every row one part, so that no row can be trained on and tested
on. Several splits lie side by side; the table shows one of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Self, final

import numpy as np
from numpy.typing import NDArray

from marigram.errors import InputError, ParameterError
from marigram.graph.data.columns import Columns

if TYPE_CHECKING:
    import pyarrow as pa

Mask = NDArray[np.bool_]
Labels = NDArray[np.int8]
Times = NDArray[np.int64]


class Part(IntEnum):
    """The part of a split that a row belongs to."""

    NONE = 0
    TRAIN = 1
    VAL = 2
    TEST = 3


@dataclass(frozen=True, eq=False, kw_only=True)
class _Table:
    """What nodes and edges have in common; see the module."""

    attributes: Columns
    time: Times | None = None
    ids: pa.Array | None = None
    labels: Labels | None = None
    splits: NDArray[np.int8] | None = None
    split: int = 0

    @property
    def count(self) -> int:
        """The number of rows."""
        return self.attributes.count

    @property
    def train_mask(self) -> Mask:
        """The rows to learn from: bool ``(count,)``, of the chosen split; all False when there is none."""
        return self._part(Part.TRAIN)

    @property
    def val_mask(self) -> Mask:
        """The rows to choose and to calibrate by."""
        return self._part(Part.VAL)

    @property
    def test_mask(self) -> Mask:
        """The rows to report on."""
        return self._part(Part.TEST)

    def with_split(self, split: int) -> Self:
        """Return the same rows under another of their splits."""
        return replace(self, split=split)

    def with_splits(self, splits: NDArray[np.int8] | None) -> Self:
        """Return the same rows under other splits, int8 ``(S, count)`` of :class:`Part` or none; shows the first."""
        return replace(self, splits=splits, split=0)

    def with_labels(self, labels: Labels | None) -> Self:
        """Return the same rows with other labels."""
        return replace(self, labels=labels)

    def with_attributes(self, attributes: Columns) -> Self:
        """Return the same rows with other attributes."""
        return replace(self, attributes=attributes)

    def _part(self, part: Part) -> Mask:
        if self.splits is None:
            return np.zeros(self.count, bool)
        return np.asarray(self.splits[self.split] == part)

    def _check(self, what: str) -> None:
        for name, column, dtype in (("time", self.time, np.int64), ("labels", self.labels, np.int8)):
            if column is not None and (column.dtype != dtype or column.shape != (self.count,)):
                raise InputError(
                    0, f"{what}: {name} must be {np.dtype(dtype).name} ({self.count},), one for each row"
                )
        if self.ids is not None and len(self.ids) != self.count:
            raise InputError(0, f"{what}: {len(self.ids)} ids for {self.count} rows")
        if self.labels is not None:
            refuse_first(
                (self.labels < -1) | (self.labels > 1),
                lambda row: f"{what}, row {row}: label {self.labels[row]} is none of 1, 0, -1",
            )
        self._check_splits(what)

    def _check_splits(self, what: str) -> None:
        if self.splits is None:
            if self.split:
                raise ParameterError(f"{what}: there is no split {self.split}, there are none")
            return
        if self.splits.dtype != np.int8 or self.splits.ndim != 2 or self.splits.shape[1] != self.count:
            raise InputError(0, f"{what}: splits must be int8 (S, {self.count})")
        if not 0 <= self.split < len(self.splits):
            raise ParameterError(f"split must lie in 0 .. {len(self.splits) - 1}, not {self.split}")
        for number, parts in enumerate(self.splits):
            refuse_first(
                (parts < 0) | (parts > Part.TEST),
                lambda row, n=number: f"{what}, row {row}: no part {self.splits[n][row]} (split {n})",
            )


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class NodeTable(_Table):
    """The nodes of one type.

    Parameters
    ----------
    attributes
        What is known of each node; its number of rows is the number of nodes.
    time
        int64 ``(count,)``: when the node came into being; None when the type has no times.
    ids
        The names that the source gives, unique; None means 0, 1, 2, …
    labels
        int8 ``(count,)``: 1 anomalous, 0 normal, -1 unknown; None when the type has no labels.
    splits
        int8 ``(S, count)`` of :class:`Part`: S splits side by side; None when there is none.
    split
        Which of them the masks show.

    Raises
    ------
    InputError
        Shapes or types disagree, a label is out of range.
    ParameterError
        There is no such split.
    """

    def __post_init__(self) -> None:
        self._check("nodes")

    @classmethod
    def bare(cls, count: int) -> NodeTable:
        """Return nodes of which nothing is known but their number."""
        return cls(attributes=Columns.empty(count))

    def take(self, rows: NDArray[Any]) -> NodeTable:
        """Return some of the nodes, in the order given."""
        return NodeTable(**_taken(self, rows))


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class EdgeTable(_Table):
    """The edges of one type, each once, from ``src`` to ``dst``.

    Parameters
    ----------
    src
        int64 ``(count,)``: the node of the source type that each edge leaves.
    dst
        int64 ``(count,)``: the node of the target type that it enters.
    attributes, time, ids, labels, splits, split
        As of :class:`NodeTable`.
    """

    src: NDArray[np.int64]
    dst: NDArray[np.int64]
    attributes: Columns = field(default_factory=lambda: Columns.empty(0))

    def __post_init__(self) -> None:
        for name, ends in (("src", self.src), ("dst", self.dst)):
            if ends.dtype != np.int64 or ends.shape != self.src.shape or ends.ndim != 1:
                raise InputError(0, f"edges: {name} must be int64, one for each edge")
        if self.attributes.width == 0 and self.attributes.count != len(self.src):
            object.__setattr__(self, "attributes", Columns.empty(len(self.src)))
        if self.attributes.count != len(self.src):
            raise InputError(
                0, f"edges: {self.attributes.count} rows of attributes for {len(self.src)} edges"
            )
        self._check("edges")

    def take(self, rows: NDArray[Any]) -> EdgeTable:
        """Return some of the edges, in the order given."""
        return EdgeTable(src=self.src[rows], dst=self.dst[rows], **_taken(self, rows))


def _taken(table: _Table, rows: NDArray[Any]) -> dict[str, Any]:
    """The common columns of some rows."""
    import pyarrow as pa

    where = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
    return {
        "attributes": table.attributes.take(where),
        "time": None if table.time is None else table.time[where],
        "ids": None if table.ids is None else table.ids.take(pa.array(where)),
        "labels": None if table.labels is None else table.labels[where],
        "splits": None if table.splits is None else table.splits[:, where],
        "split": table.split,
    }


def refuse_first(wrong: NDArray[np.bool_], reason: Any) -> None:
    """Raise an `InputError` for the first wrong row, in the words that ``reason(row)`` gives."""
    rows = np.flatnonzero(wrong)
    if rows.size:
        more = f" (and {rows.size - 1:,} rows more)" if rows.size > 1 else ""
        raise InputError(0, f"{reason(int(rows[0]))}{more}")


__all__ = ["EdgeTable", "NodeTable", "Part", "refuse_first"]
