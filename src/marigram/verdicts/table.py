"""Verdicts: the answers for n events, column by column, and their ways out.

Nothing is computed that nobody asked for: a batch is wrapped in microseconds, ``score`` and the columns of rare
fields come to be when they are read.  Columns are read-only: a verdict is never rewritten.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, Self, TypeAlias, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from marigram.kinds import Kind
from marigram.verdicts.fields import COLUMNS, FIELDS, NO_TIME, Array, Column
from marigram.verdicts.row import Verdict

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from marigram.pictures import Picture

__all__ = ["Verdicts"]

Rows: TypeAlias = slice | NDArray[np.bool_] | NDArray[np.integer[Any]]

_COLUMN = {column.name: column for column in COLUMNS}
_MAX_SCORE = 300.0
_FEW = 64
"""Rows that are written one by one, the same bytes without waiting for the compiled loop."""


class Verdicts:
    """The answers for n events, as columns.

    ``v["score"]`` is a NumPy array, ``v[3]`` one :class:`Verdict`, ``v[mask]`` fewer verdicts.

    Parameters
    ----------
    value
        (n,) numbers, or (n, d) when an event has d > 1 coordinates.
    kind
        (n,) codes of :class:`~marigram.kinds.Kind`.
    p_value, severity, n, episode, notice, late
        (n,) columns; not given they are NaN, NaN, 0, 0, False, False.
    seq
        (n,) numbers within the key; not given they count the rows.
    expected, lower, upper
        The band, shaped like ``value``; not given NaN.
    key, id
        (n,) texts or integers; not given None.
    time
        (n,) nanoseconds since 1970 UTC; the smallest int64 (NaT) means none, as does no column.
    changed_at, before, after, resolves
        What drift verdicts carry: -1 and NaN in other rows, or only the m rows that ``drift_rows`` names.
    drift_rows
        (m,) sorted row numbers of the four columns above when they hold m rows.
    why
        (n, d) shares; not given all ones when d = 1, NaN when d > 1.

    Examples
    --------
    >>> v = Verdicts(value=[1.0, 9.0], kind=[0, 1], p_value=[0.5, 1e-6])
    >>> len(v), v["score"].round(2).tolist(), v[1].kind
    (2, [0.3, 6.0], <Kind.ANOMALY: 1>)
    >>> v[v["kind"] == Kind.ANOMALY]["value"].tolist()
    [9.0]
    """

    __slots__ = ("_columns", "_d", "_drift", "_drift_rows", "_n")

    def __init__(
        self,
        *,
        value: ArrayLike,
        kind: ArrayLike,
        key: ArrayLike | None = None,
        id: ArrayLike | None = None,  # noqa: A002 - the field is called so everywhere
        seq: ArrayLike | None = None,
        n: ArrayLike | None = None,
        time: ArrayLike | None = None,
        p_value: ArrayLike | None = None,
        expected: ArrayLike | None = None,
        lower: ArrayLike | None = None,
        upper: ArrayLike | None = None,
        severity: ArrayLike | None = None,
        episode: ArrayLike | None = None,
        notice: ArrayLike | None = None,
        late: ArrayLike | None = None,
        changed_at: ArrayLike | None = None,
        before: ArrayLike | None = None,
        after: ArrayLike | None = None,
        resolves: ArrayLike | None = None,
        why: ArrayLike | None = None,
        drift_rows: ArrayLike | None = None,
    ) -> None:
        values = np.asarray(value, np.float64)
        if values.ndim == 2 and values.shape[1] == 1:
            values = values[:, 0]
        if values.ndim not in (1, 2):
            raise ValueError(f"value must be (n,) or (n, d), not of {values.ndim} dimensions")
        self._n = len(values)
        self._d = 1 if values.ndim == 1 else values.shape[1]
        given = {
            "kind": kind,
            "key": key,
            "id": id,
            "seq": np.arange(self._n) if seq is None else seq,
            "n": n,
            "time": time,
            "p_value": p_value,
            "expected": expected,
            "lower": lower,
            "upper": upper,
            "severity": severity,
            "episode": episode,
            "notice": notice,
            "late": late,
            "why": why,
        }
        drift = {"changed_at": changed_at, "before": before, "after": after, "resolves": resolves}
        self._drift_rows = None if drift_rows is None else np.asarray(drift_rows, np.int64)
        rows = self._n if self._drift_rows is None else len(self._drift_rows)
        self._columns = {"value": values} | self._checked(given, self._n)
        checked = self._checked(drift, rows)
        self._drift: dict[str, Array] = {} if self._drift_rows is None else checked
        if self._drift_rows is None:
            self._columns |= checked

    def _checked(self, given: Mapping[str, ArrayLike | None], rows: int) -> dict[str, Array]:
        return {
            name: self._fitting(_COLUMN[name], data, rows) for name, data in given.items() if data is not None
        }

    def _fitting(self, column: Column, data: ArrayLike, rows: int) -> Array:
        """Return ``data`` as an array of the column's dtype, refusing a wrong shape."""
        array = np.asarray(data)
        if column.dtype != "object":
            array = array.astype(column.dtype, copy=False)
        elif array.dtype.kind not in "iO":
            array = array.astype(object)
        wide = column.name == "why" or (column.per_coordinate and self._d > 1)
        shape = (rows, self._d) if wide else (rows,)
        if array.shape == (rows, 1) and not wide:
            array = array[:, 0]
        if array.shape != shape:
            raise ValueError(f"{column.name} must be of shape {shape}, not {array.shape}")
        return array

    @classmethod
    def _of(
        cls, n: int, d: int, columns: dict[str, Array], drift_rows: Array | None, drift: dict[str, Array]
    ) -> Self:
        """Wrap columns that are known to fit."""
        self = cls.__new__(cls)
        self._n, self._d, self._columns, self._drift_rows, self._drift = n, d, columns, drift_rows, drift
        return self

    @property
    def d(self) -> int:
        """Number of coordinates of an event."""
        return self._d

    def __len__(self) -> int:
        return self._n

    def __iter__(self) -> Iterator[Verdict]:
        return (self._row(i) for i in range(self._n))

    def __repr__(self) -> str:
        counts = ", ".join(f"{count} {name}" for name, count in self.summary()["kinds"].items() if count)
        return f"Verdicts({self._n} rows: {counts})" if self._n else "Verdicts(0 rows)"

    @overload
    def __getitem__(self, index: str) -> Array: ...
    @overload
    def __getitem__(self, index: int | np.integer[Any]) -> Verdict: ...
    @overload
    def __getitem__(self, index: Rows | list[int] | list[bool]) -> Self: ...
    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, str):
            return self._column(index)
        if isinstance(index, slice):
            return self._sliced(*index.indices(self._n))
        if isinstance(index, (int, np.integer)) and not isinstance(index, bool):
            row = int(index) + (self._n if index < 0 else 0)
            if not 0 <= row < self._n:
                raise IndexError(f"row {index} of {self._n}")
            return self._row(row)
        return self._taken(np.asarray(index))

    def _column(self, name: str) -> Array:
        if name not in self._columns:
            if name not in _COLUMN:
                raise KeyError(f"{name!r} is no field of a verdict; the fields are {', '.join(FIELDS)}")
            self._columns[name] = self._made(_COLUMN[name])
        view = self._columns[name].view()
        view.flags.writeable = False
        return view

    def _made(self, column: Column) -> Array:
        """Return a column that was not given: derived, spread from its sparse rows, or all null."""
        if column.name == "score":
            return scores(self._column("p_value"))
        if column.name == "why":
            return np.full((self._n, self._d), 1.0 if self._d == 1 else np.nan, np.float32)
        if column.dtype == "object":
            return np.broadcast_to(np.array(None, object), self._n)
        wide = column.per_coordinate and self._d > 1
        dense = np.full((self._n, self._d) if wide else self._n, column.null, column.dtype)
        if column.name in self._drift:
            dense[self._drift_rows] = self._drift[column.name]
        return dense

    def _row(self, i: int) -> Verdict:
        fields: dict[str, Any] = {}
        for name in FIELDS:
            array = self._columns.get(name)
            cell = (self._column(name) if array is None else array)[i]
            fields[name] = cell.tolist() if isinstance(cell, (np.generic, np.ndarray)) else cell
        fields["kind"] = Kind(fields["kind"])
        if fields["time"] == NO_TIME:
            fields["time"] = None
        for name in ("changed_at", "resolves"):
            if fields[name] == -1:
                fields[name] = None
        for name in ("before", "after"):
            if np.isnan(fields[name]).all():
                fields[name] = None
        return Verdict(**fields)

    def _sliced(self, start: int, stop: int, step: int) -> Self:
        if step != 1:
            return self._taken(np.arange(start, stop, step))
        rows = slice(start, max(start, stop))
        columns = {name: column[rows] for name, column in self._columns.items()}
        if self._drift_rows is None:
            return self._of(rows.stop - start, self._d, columns, None, {})
        inside = slice(*np.searchsorted(self._drift_rows, (start, rows.stop)))
        drift = {name: column[inside] for name, column in self._drift.items()}
        return self._of(rows.stop - start, self._d, columns, self._drift_rows[inside] - start, drift)

    def _taken(self, index: Array) -> Self:
        if index.dtype == np.bool_:
            if index.shape != (self._n,):
                raise IndexError(f"a mask over {self._n} rows must be of that length, not {index.shape}")
            index = np.flatnonzero(index)
        if index.size == 0:
            index = index.astype(np.int64)
        rows = np.arange(self._n)[index]
        columns = {name: column[rows] for name, column in self._columns.items()}
        if self._drift_rows is None or not len(self._drift_rows):
            return self._of(len(rows), self._d, columns, None, {})
        at = np.searchsorted(self._drift_rows, rows).clip(max=len(self._drift_rows) - 1)
        hits = np.flatnonzero(self._drift_rows[at] == rows)
        drift = {name: column[at[hits]] for name, column in self._drift.items()}
        return self._of(len(rows), self._d, columns, hits, drift)

    @classmethod
    def concat(cls, tables: Iterable["Verdicts"]) -> Self:
        """Return the rows of all tables, one after the other; they must agree in d."""
        parts = list(tables)
        if not parts:
            return cls(value=np.empty(0), kind=np.empty(0, np.uint8))
        if len({part.d for part in parts}) != 1:
            raise ValueError(f"tables of different d cannot be joined: {sorted({part.d for part in parts})}")
        names = {name for part in parts for name in (*part._columns, *part._drift)}
        columns = {name: np.concatenate([part._column(name) for part in parts]) for name in names}
        return cls._of(sum(map(len, parts)), parts[0].d, columns, None, {})

    def summary(self) -> dict[str, Any]:
        """Return ``rows``, ``keys``, ``kinds`` (count by name), ``notices`` and ``late``.

        Examples
        --------
        >>> Verdicts(value=[1.0, 2.0], kind=[4, 4]).summary()["kinds"]["learning"]
        2
        """
        counts = np.bincount(self._columns["kind"], minlength=len(Kind))
        return {
            "rows": self._n,
            "keys": len(set(self._column("key").tolist())),
            "kinds": {kind.label: int(counts[kind]) for kind in Kind},
            "notices": int(np.count_nonzero(self._column("notice"))),
            "late": int(np.count_nonzero(self._column("late"))),
        }

    def to_arrow(self) -> "pa.Table":
        """Return an Arrow table: kinds by name, times as ``timestamp[ns, UTC]``, lists when d > 1."""
        from marigram.verdicts.arrow import arrow_table

        return arrow_table(self._column, self._d)

    @classmethod
    def from_arrow(cls, table: "pa.Table") -> Self:
        """Return the verdicts that an Arrow table or a Parquet file holds."""
        from marigram.verdicts.arrow import arrow_columns

        columns = dict(arrow_columns(table))
        columns.pop("score")
        return cls(**columns)

    def to_pandas(self) -> "pd.DataFrame":
        """Return a pandas frame (pandas must be installed)."""
        return self.to_arrow().to_pandas()

    def to_polars(self) -> "pl.DataFrame":
        """Return a polars frame (polars must be installed)."""
        import polars as pl

        frame = pl.from_arrow(self.to_arrow())
        if not isinstance(frame, pl.DataFrame):
            raise TypeError(f"polars made a {type(frame).__name__} of a table")
        return frame

    def plot(
        self,
        path: str | PathLike[str] | None = None,
        title: str | None = None,
        names: Sequence[str] | None = None,
    ) -> "Picture":
        """Draw the series with its band, anomalies and drifts, and return what a notebook shows.

        With a ``path`` it is written too: ``.html``, ``.svg``, or ``.png`` with the extra ``plot``.
        """
        from marigram.pictures import Picture

        picture = Picture(self, title, names)
        if path is not None:
            picture.save(path)
        return picture

    def _repr_html_(self) -> str:
        from marigram.verdicts.notebook import html_table

        return html_table(self)

    def json_lines(self) -> bytes:
        """Return one JSON object a row, each ended by a newline; NaN and infinities are null."""
        return b"".join(self.json_blocks())

    def json_blocks(self) -> Iterator[bytes]:
        """Yield what :meth:`json_lines` returns in blocks of whole lines, which is faster when they go to a file."""
        from marigram.verdicts.json_lines import MOST_ROWS, json_lines

        if self._n <= _FEW:
            yield b"".join(row.to_json() + b"\n" for row in self)
            return
        for start in range(0, self._n, MOST_ROWS):
            yield from json_lines(self[start : start + MOST_ROWS]._column, self._d)


def scores(p: Array) -> Array:
    """min(-log10 p, 300) of p-values, NaN of none."""
    with np.errstate(divide="ignore"):
        return np.minimum(np.abs(np.log10(p)), _MAX_SCORE)
