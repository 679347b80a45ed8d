"""The verdicts of a joint detector: those of its distance, with the coordinates that made it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from marigram.detectors.joint.rows import NAMED, TOLD
from marigram.verdicts import Verdict, Verdicts
from marigram.verdicts.fields import Array

if TYPE_CHECKING:
    import pyarrow as pa

Names = Callable[[int], tuple[str, ...]]
_LISTS = ("coordinates", "why", "names")
_MOVED = {"moved": (-1, np.int64), "moved_before": (np.nan, np.float64), "moved_after": (np.nan, np.float64)}


class Shift(NamedTuple):
    """What a drift of the level moved: at most 64 coordinates, those that moved farthest in their own scales first."""

    seq: int
    """Number of the event that told it."""
    coordinates: NDArray[np.int64]
    before: NDArray[np.float64]
    """Levels of these coordinates before the shift."""
    after: NDArray[np.float64]
    """Their levels after it: means of the events since it began."""


class JointVerdict(Verdict, frozen=True, kw_only=True):
    """The answer for one vector; ``value``, the band and the levels of a drift are distances."""

    coordinates: list[int]
    """The coordinates whose shares ``why`` holds, largest first: at most 8."""
    names: list[str]
    """What the coordinates stand for: hashed fields with their values, where known, else the number."""


class JointVerdicts(Verdicts):
    """The answers for n vectors, as columns; ``value``, ``expected``, ``lower`` and ``upper`` are distances.

    Beyond the fields of every verdict there are ``coordinates``, (n, 8): the coordinates with the largest shares of
    the squared distance, -1 where fewer are named; ``why`` holds the shares, (n, 8).  When values have more than 8
    coordinates, only events of p-value 0.01 or less are explained.  :attr:`shifts` has the levels of the drifts.
    """

    __slots__ = ("_names",)
    _names: Names

    @classmethod
    def made(
        cls, columns: dict[str, Array], drift_rows: Array | None, drift: dict[str, Array], names: Names
    ) -> Self:
        """Wrap columns that are known to fit."""
        table = cls._of(len(columns["kind"]), 1, columns, drift_rows, drift)
        table._names = names
        return table

    @property
    def shifts(self) -> list[Shift]:
        """Of each drift whose level moved: which coordinates, from where to where."""
        rows = np.flatnonzero(np.asarray(self["changed_at"]) >= 0)
        told = []
        for row, moved, before, after in zip(
            rows, *(self._column(name)[rows] for name in _MOVED), strict=True
        ):
            held = moved >= 0
            if held.any():
                told.append(Shift(int(self["seq"][row]), moved[held], before[held], after[held]))
        return told

    def row(self, i: int) -> JointVerdict:
        """The i-th verdict."""
        return self._row(i)

    def named(self, row: int) -> list[str]:
        """What the coordinates of a row stand for, largest share first."""
        coordinates = self._columns["coordinates"][row]
        return [self._called(j) for j in coordinates[coordinates >= 0].tolist()]

    def _called(self, coordinate: int) -> str:
        return " or ".join(self._names(coordinate)) or str(coordinate)

    def _column(self, name: str) -> Array:
        if name in _MOVED and name not in self._columns:
            null, dtype = _MOVED[name]
            dense = np.full((self._n, TOLD), null, dtype)
            if self._drift:
                dense[self._drift_rows] = self._drift[name]
            return dense
        return super()._column(name)

    def _row(self, i: int) -> JointVerdict:
        plain = super()._row(i)
        fields: dict[str, Any] = {name: getattr(plain, name) for name in plain.__struct_fields__}
        coordinates = self._columns["coordinates"][i]
        held = coordinates >= 0
        fields["why"] = self._columns["why"][i][held].tolist()
        return JointVerdict(**fields, coordinates=coordinates[held].tolist(), names=self.named(i))

    def _sliced(self, start: int, stop: int, step: int) -> Self:
        return self._keeping(super()._sliced(start, stop, step))

    def _taken(self, index: Array) -> Self:
        return self._keeping(super()._taken(index))

    def _keeping(self, table: Self) -> Self:
        table._names = self._names
        return table

    @classmethod
    def concat(cls, tables: Iterable[Verdicts]) -> Self:
        """Return the rows of all tables; a coordinate is called what any of them calls it."""
        parts = list(tables)
        table = super().concat(parts)
        for name, dtype in (("coordinates", np.int64), ("why", np.float32)):
            table._columns.setdefault(name, np.empty((0, NAMED), dtype))  # where there is no part
        calls = [part._names for part in parts if isinstance(part, JointVerdicts)]
        table._names = lambda j: tuple(dict.fromkeys(name for names in calls for name in names(j)))
        return table

    def to_arrow(self) -> pa.Table:
        """Return an Arrow table of the fields of every verdict, with lists of ``coordinates`` and their ``names``.

        These and ``why`` are of one length in each row, 0 where an event is not explained.  There are no shifts in it.
        """
        import pyarrow as pa

        coordinates = self._columns["coordinates"]
        held = coordinates >= 0
        ends = pa.array(np.concatenate([[0], held.sum(axis=1).cumsum()]).astype(np.int32))
        called = {j: self._called(j) for j in np.unique(coordinates[held]).tolist()}
        names = pa.array([called[j] for j in coordinates[held].tolist()], pa.string())
        table = super().to_arrow()
        shares = pa.ListArray.from_arrays(ends, pa.array(self._columns["why"][held]))
        table = table.set_column(table.column_names.index("why"), "why", shares)
        table = table.append_column(
            "coordinates", pa.ListArray.from_arrays(ends, pa.array(coordinates[held]))
        )
        return table.append_column("names", pa.ListArray.from_arrays(ends, names))

    @classmethod
    def from_arrow(cls, table: pa.Table) -> Self:
        """Return the verdicts that :meth:`to_arrow` put into a table, also after Parquet; without their shifts.

        Raises ``ValueError`` when a field of a joint verdict is absent.
        """
        import pyarrow as pa

        from marigram.verdicts.arrow import arrow_columns

        absent = [name for name in _LISTS if name not in table.column_names]
        if absent:
            raise ValueError(f"not a table of joint verdicts: it has no column {', '.join(absent)}")
        lists = {name: table.column(name).to_pylist() for name in _LISTS}
        n = len(table)
        coordinates, shares = np.full((n, NAMED), -1, np.int64), np.zeros((n, NAMED), np.float32)
        called: dict[int, tuple[str, ...]] = {}
        for i, (held, why, names) in enumerate(zip(*lists.values(), strict=True)):
            coordinates[i, : len(held)] = held
            shares[i, : len(held)] = why
            called.update((j, (name,)) for j, name in zip(held, names, strict=True))
        unexplained = pa.nulls(n, pa.list_(pa.float32()))
        columns = dict(arrow_columns(table.set_column(table.column_names.index("why"), "why", unexplained)))
        columns.pop("score")
        columns |= {"coordinates": coordinates, "why": shares}
        return cls.made(columns, None, {}, lambda j: called.get(j, ()))

    def json_blocks(self) -> Iterator[bytes]:
        """Yield one JSON object a row, in blocks of whole lines; with ``coordinates`` and ``names``."""
        import json

        for i in range(len(self)):
            row = self._row(i)
            fields = json.loads(row.to_json())
            fields |= {"coordinates": row.coordinates, "names": row.names}
            yield json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


__all__ = ["NAMED", "JointVerdict", "JointVerdicts", "Shift"]
