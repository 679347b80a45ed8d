"""Mixed columns as classes: what each kind of column needs so that a decoder can draw values that exist.

A decoder that predicts a mean gives a worker 0.37 of a degree and a flag of 0.8: any classifier tells such rows from
real ones. So every column becomes a choice among classes, and a value is drawn from the chosen class:

=============  ==========================================  ===================================================
constant       one class                                   its value
values         few numbers, or categories: one class each  the value
one-hot        columns of which each row has exactly one   1 in the chosen column
continuous     frequent values, one class each; the rest   the value; or a draw from the bin's quantile function:
               in bins of equal counts                     interpolated, or among the seen where values repeat
=============  ==========================================  ===================================================

Missing is a class of its own. Columns whose sum is the same in every row (shares of a whole) are scaled to that sum
after a draw. Text and rare categories are columns as all others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]

CLASSES = 4096
"""Classes over all columns, about: wide tables get few classes a column."""
MOST, FEWEST = 64, 4
ROWS = 100_000
"""Rows that are looked at when columns are told apart."""
GRID = 1024
"""Points of a quantile function."""
_NOTHING: Doubles = np.empty(0)


@final
@dataclass(frozen=True, eq=False)
class Coded:
    """One column, or the columns of a one-hot group, as classes.

    Attributes
    ----------
    columns
        int64: which columns of the table.
    values
        float64: values that are a class each, NaN for missing; of a one-hot group unused.
    grid
        float64: the quantile function of all other values; empty when there are none.
    cuts
        int64 (bins + 1,): where in ``grid`` the bins begin and end.
    snap
        Whether draws are points of ``grid`` or lie between them.
    """

    columns: Ints
    values: Doubles
    grid: Doubles
    cuts: Ints
    snap: bool

    @property
    def size(self) -> int:
        """How many classes there are."""
        if len(self.columns) > 1:
            return len(self.columns)
        return len(self.values) + max(len(self.cuts) - 1, 0)

    def encode(self, matrix: Doubles) -> Ints:
        """Return the class of each row; a value never seen takes the class nearest to it."""
        if len(self.columns) > 1:
            return np.asarray(matrix[:, self.columns].argmax(1))
        column = matrix[:, self.columns[0]]
        if not len(self.grid):
            return _nearest(self.values, column)
        inner = self.grid[self.cuts[1:-1]]
        codes = len(self.values) + np.searchsorted(inner, column, side="right")
        for number, value in enumerate(self.values):
            codes[np.isnan(column) if np.isnan(value) else column == value] = number
        return codes

    def decode(self, codes: Ints, out: Doubles, rng: np.random.Generator) -> None:
        """Draw a value for each row into its columns of ``out``."""
        if len(self.columns) > 1:
            out[:, self.columns] = codes[:, None] == np.arange(len(self.columns))
            return
        chosen = np.empty(len(codes))
        single = codes < len(self.values)
        chosen[single] = self.values[codes[single]]
        if not single.all():
            bins = codes[~single] - len(self.values)
            first, last = self.cuts[bins], np.minimum(self.cuts[bins + 1], len(self.grid) - 1)
            places = first + rng.random(len(bins)) * (last - first)
            if self.snap:
                places = np.rint(places)
            chosen[~single] = np.interp(places, np.arange(len(self.grid)), self.grid)
        out[:, self.columns[0]] = chosen


@final
@dataclass(frozen=True, eq=False)
class MixedColumns:
    """All columns of a table as classes.

    Attributes
    ----------
    parts
        The columns and groups, in the order of their first column.
    wholes
        (first column, end, sum): columns that are shares of a whole.
    width
        How many columns there are.

    Examples
    --------
    >>> import numpy as np
    >>> from marigram.graph.decoders import MixedColumns
    >>> rng = np.random.default_rng(0)
    >>> flags = (rng.random(200) < 0.3).astype(float)
    >>> table = np.stack([rng.normal(size=200), flags, 1 - flags, np.full(200, 7.0)], axis=1)
    >>> mixed = MixedColumns.fit(table)
    >>> mixed.sizes
    [6, 2, 1]
    >>> mixed.decode(mixed.encode(table), rng)[:2, 1:]
    array([[0., 1., 7.],
           [1., 0., 7.]])
    """

    parts: tuple[Coded, ...]
    wholes: tuple[tuple[int, int, float], ...]
    width: int

    @classmethod
    def fit(cls, matrix: NDArray[Any], categorical: Sequence[int] = ()) -> MixedColumns:
        """Tell the columns apart.

        Parameters
        ----------
        matrix
            (n, d), n at least 1; NaN is missing.
        categorical
            Columns whose numbers are names, however many there are.
        """
        step = max(1, len(matrix) // ROWS)
        seen = np.asarray(matrix[::step], np.float64)
        most = int(np.clip(CLASSES // max(seen.shape[1], 1), FEWEST, MOST))
        groups = _one_hot_groups(seen, set(categorical))
        within = {column for start, stop in groups for column in range(start, stop)}
        parts = [
            Coded(np.arange(*group), _NOTHING, _NOTHING, np.empty(0, np.int64), True) for group in groups
        ]
        parts += [
            _coded(column, seen[:, column], most, named=column in categorical)
            for column in range(seen.shape[1])
            if column not in within
        ]
        parts.sort(key=lambda part: int(part.columns[0]))
        return cls(tuple(parts), _wholes(seen, within | set(categorical)), seen.shape[1])

    @property
    def sizes(self) -> list[int]:
        """The number of classes of each part."""
        return [part.size for part in self.parts]

    def encode(self, matrix: NDArray[Any]) -> Ints:
        """Return the classes: int64 (n, parts)."""
        whole = np.asarray(matrix, np.float64)
        if not self.parts:
            return np.empty((len(whole), 0), np.int64)
        return np.stack([part.encode(whole) for part in self.parts], axis=1)

    def decode(self, codes: Ints, rng: np.random.Generator) -> Doubles:
        """Draw values for classes: float64 (n, d)."""
        out = np.empty((len(codes), self.width))
        for number, part in enumerate(self.parts):
            part.decode(codes[:, number], out, rng)
        for start, stop, total in self.wholes:
            sums = out[:, start:stop].sum(1, keepdims=True)
            np.divide(out[:, start:stop] * total, sums, out=out[:, start:stop], where=sums != 0)
        return out

    def packed(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return a header and arrays, for saving."""
        arrays = {}
        for number, part in enumerate(self.parts):
            for name in ("columns", "values", "grid", "cuts"):
                arrays[f"{number}.{name}"] = getattr(part, name)
        meta = {"snap": [part.snap for part in self.parts], "width": self.width}
        return meta | {"wholes": [list(whole) for whole in self.wholes]}, arrays

    @classmethod
    def unpacked(cls, meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> MixedColumns:
        """Return what :meth:`packed` came from."""
        names = ("columns", "values", "grid", "cuts")
        parts = [
            Coded(snap=snap, **{name: arrays[f"{number}.{name}"] for name in names})
            for number, snap in enumerate(meta["snap"])
        ]
        wholes = tuple((int(start), int(stop), float(total)) for start, stop, total in meta["wholes"])
        return cls(tuple(parts), wholes, meta["width"])


def _coded(number: int, column: Doubles, most: int, *, named: bool) -> Coded:
    """The classes of one column."""
    missing = np.isnan(column)
    known = column[~missing]
    values, counts = np.unique(known, return_counts=True)
    gap = [np.nan] if missing.any() else []
    alone = np.array([number])
    few = len(values) <= 2 or (len(values) <= most and 4 * len(values) <= len(known))
    if few or named:
        kept = values if few or len(values) <= 1024 else np.sort(values[np.argsort(-counts)[:1024]])
        return Coded(alone, np.concatenate([kept, gap]), _NOTHING, np.empty(0, np.int64), True)
    common = counts >= max(5, 0.01 * len(known))
    if common.sum() > most // 2:
        common = np.zeros(len(values), bool)
        common[np.argsort(-counts, kind="stable")[: most // 2]] = True
    rest = np.sort(known[~np.isin(known, values[common])])
    singles = np.concatenate([values[common], gap])
    if not len(rest):
        return Coded(alone, singles, _NOTHING, np.empty(0, np.int64), True)
    grid = rest[np.linspace(0, len(rest) - 1, min(len(rest), GRID)).astype(np.int64)]
    bins = int(np.clip(len(rest) // 30, 2, max(most // 2, 2)))
    cuts = np.unique(np.searchsorted(grid, grid[np.linspace(0, len(grid) - 1, bins + 1).astype(np.int64)]))
    cuts[-1] = len(grid)
    cuts = np.array([0, len(grid)]) if len(cuts) < 2 else cuts
    return Coded(alone, singles, grid, cuts, 2 * len(values) <= len(known))


def _nearest(values: Doubles, column: Doubles) -> Ints:
    """The place of each number in ``values``, ascending but for a NaN at the end, or of the nearest."""
    known = values[~np.isnan(values)]
    if not len(known):
        return np.zeros(len(column), np.int64)
    right = np.clip(np.searchsorted(known, column), 0, len(known) - 1)
    left = np.maximum(right - 1, 0)
    places = np.where(np.abs(known[left] - column) <= np.abs(known[right] - column), left, right)
    places[np.isnan(column)] = len(values) - 1
    return places


def _one_hot_groups(seen: Doubles, apart: set[int]) -> list[tuple[int, int]]:
    """Runs of columns of 0 and 1 of which each row has exactly one 1 and each column some."""
    flags = [
        j not in apart and bool(np.isin(seen[:, j], (0.0, 1.0)).all()) and bool(seen[:, j].any())
        for j in range(seen.shape[1])
    ]
    groups, start = [], 0
    while start < len(flags):
        stop, total = start, np.zeros(len(seen))
        while stop < len(flags) and flags[stop] and total.max() <= 1 and total.min() < 1:
            total = total + seen[:, stop]
            stop += 1
        if stop - start > 1 and (total == 1).all():
            groups.append((start, stop))
            start = stop
        else:
            start += 1
    return groups


def _wholes(seen: Doubles, apart: set[int]) -> tuple[tuple[int, int, float], ...]:
    """Runs of two or more columns, none negative or constant, whose sum is the same in every row."""
    usable = [
        j not in apart and bool((seen[:, j] >= 0).all()) and np.ptp(seen[:, j]) > 0
        for j in range(seen.shape[1])
    ]
    found, start = [], 0
    while start < len(usable):
        stop, total = start, np.zeros(len(seen))
        while stop < len(usable) and usable[stop]:
            total = total + seen[:, stop]
            stop += 1
            if stop - start > 1 and np.ptp(total) <= 1e-5 * total.max():
                found.append((start, stop, float(np.median(total))))
                start = stop - 1
                break
            if stop - start >= 64:
                break
        start += 1
    return tuple(found)


__all__ = ["Coded", "MixedColumns"]
