"""What is drawn: the columns of one key, and of one coordinate, in the order of the picture's x axis."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from marigram.kinds import Kind
from marigram.wording import printable

__all__ = ["Panel", "Table", "panels_of"]

Array: TypeAlias = NDArray[Any]

_NO_TIME = int(np.iinfo(np.int64).min)
_FLAGGED = (Kind.ANOMALY, Kind.DRIFT, Kind.UNDECIDED)


class Table(Protocol):
    """What a picture needs of a table of verdicts: its columns by name."""

    def __len__(self) -> int: ...

    def __getitem__(self, name: str, /) -> Array: ...


@dataclass(frozen=True, slots=True)
class Panel:
    """The events of one key and one coordinate; every array has one entry an event, sorted by ``x``."""

    name: str
    """What the panel shows: the key, and the coordinate when there are several; empty when there is only one thing."""
    timed: bool
    """Whether ``x`` is nanoseconds after ``start`` rather than events after event number ``start``."""
    start: int
    x: Array
    seq: Array
    value: Array
    expected: Array
    lower: Array
    upper: Array
    p_value: Array
    kind: Array
    severity: Array
    notice: Array
    changed_at: Array
    before: Array
    after: Array
    resolves: Array
    why: Array
    """Share of this coordinate in the surprise."""

    def __len__(self) -> int:
        return len(self.x)

    def count(self, kind: Kind) -> int:
        """Return how many events are of a kind."""
        return int(np.count_nonzero(self.kind == kind))


def panels_of(table: Table, most: int, names: Sequence[str] | None = None) -> tuple[list[Panel], int]:
    """Return at most ``most`` panels of a table, and how many there could be.

    The keys with the most notices, then anomalies, then events are chosen, and the coordinates with the largest
    shares; they are shown in the order of the table.  ``names`` are the names of the coordinates.
    """
    groups = _rows_of_keys(table["key"])
    width = 1 if table["value"].ndim == 1 else table["value"].shape[1]
    notable = _notable(table, groups)[: max(1, most)]
    chosen = [(key, rows) for i, (key, rows) in enumerate(groups) if i in set(notable)]
    coordinates = max(1, most // max(1, len(chosen)))
    panels = []
    for key, rows in chosen:
        for i in _largest(table, rows, width, coordinates):
            parts = [printable(str(key))] if len(groups) > 1 or key is not None else []
            if width > 1:
                parts.append(printable(names[i]) if names is not None else f"x{i}")
            panels.append(_panel(table, rows, i, " · ".join(parts)))
    return panels, len(groups) * width


def _rows_of_keys(keys: Array) -> list[tuple[object, Array]]:
    """Return each key with its rows, in the order of their first events."""
    numbers: dict[object, int] = {}
    codes = np.fromiter((numbers.setdefault(key, len(numbers)) for key in keys.tolist()), np.int64, len(keys))
    order = np.argsort(codes, kind="stable")
    ends = np.cumsum(np.bincount(codes, minlength=len(numbers)))[:-1]
    return list(zip(numbers, np.split(order, ends), strict=True)) if numbers else []


def _notable(table: Table, groups: list[tuple[object, Array]]) -> list[int]:
    """Return the numbers of the groups, the most notable first."""
    notice, anomaly = table["notice"], table["kind"] == Kind.ANOMALY
    ranks = [(int(notice[rows].sum()), int(anomaly[rows].sum()), len(rows)) for _, rows in groups]
    return sorted(range(len(groups)), key=lambda i: ranks[i], reverse=True)


def _largest(table: Table, rows: Array, width: int, most: int) -> list[int]:
    """Return the coordinates with the largest shares in the surprise of flagged events."""
    if width <= most:
        return list(range(width))
    flagged = rows[np.isin(table["kind"][rows], _FLAGGED)]
    shares = np.nansum(table["why"][flagged if len(flagged) else rows], axis=0)
    return sorted(np.argsort(-shares, kind="stable")[:most].tolist())


def _panel(table: Table, rows: Array, i: int, name: str) -> Panel:
    time = table["time"][rows]
    timed = bool(len(rows)) and bool((time != _NO_TIME).all())
    x = time if timed else table["seq"][rows]
    rows = rows[np.argsort(x, kind="stable")]
    x = np.sort(x, kind="stable")
    start = int(x[0]) if len(x) else 0
    columns = {}
    for field in Panel.__dataclass_fields__:
        if field not in ("name", "timed", "start", "x"):
            column = table[field]
            columns[field] = column[rows] if column.ndim == 1 else column[rows, i]
    after = x.view(np.uint64) - np.array(start).view(np.uint64)  # differences of int64 need not be int64
    return Panel(name=name, timed=timed, start=start, x=after.astype(np.float64), **columns)
