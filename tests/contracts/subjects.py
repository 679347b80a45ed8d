"""Everything that the battery of laws is run against: one adapter for each way to run a stream algorithm.

A new algorithm joins by a line in :mod:`tests.contracts.registry`.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from tests.contracts.streams import NAT, Stream

import marigram as mg
from marigram.verdicts import FIELDS, Verdicts

Columns = dict[str, NDArray[Any]]
ALPHA = 1e-3
COMPARED = tuple(name for name in FIELDS if name not in ("id", "key"))
"""Fields of a verdict that the algorithm decides."""


class Subject(Protocol):
    """One algorithm in one way of use."""

    name: str
    d: int
    timed: bool
    keys: int

    def fresh(self) -> Any:
        """A running algorithm that has seen nothing."""

    def feed(self, running: Any, stream: Stream) -> Columns:
        """Send events as one batch; returns what it said, column by column."""

    def feed_one(self, running: Any, stream: Stream) -> Columns:
        """Send the single event of ``stream`` by the way for single events."""

    def save(self, running: Any) -> bytes:
        """Its snapshot."""

    def load(self, data: bytes) -> Any:
        """Running again from a snapshot."""

    def state(self, running: Any) -> dict[str, NDArray[Any]]:
        """All its state."""


class DetectorSubject:
    """``mg.Detector``."""

    keys = 1

    def __init__(self, name: str, d: int = 1, *, timed: bool = False, **parameters: Any) -> None:
        self.name, self.d, self.timed, self.parameters = name, d, timed, parameters

    def fresh(self) -> Any:
        return mg.Detector(**self.parameters)

    def feed(self, running: Any, stream: Stream) -> Columns:
        return decided(running.update_many(stream.values, stream.times))

    def feed_one(self, running: Any, stream: Stream) -> Columns:
        time = None if stream.times is None or stream.times[0] == NAT else int(stream.times[0])
        verdict = running.update(stream.values[0], time)
        return {name: single(getattr(verdict, name), name, self.d) for name in COMPARED}

    def save(self, running: Any) -> bytes:
        data: bytes = running.to_bytes()
        return data

    def load(self, data: bytes) -> Any:
        return mg.Detector.from_bytes(data)

    def state(self, running: Any) -> dict[str, NDArray[Any]]:
        return {} if running._table is None else running._table.arrays()


class JointSubject(DetectorSubject):
    """``mg.Detector(joint=True)`` with so few coordinates that all are named; ``why`` is put in their order."""

    unitless = True
    """Values and bands are distances, which have no unit."""

    def __init__(self, name: str, d: int = 1, *, timed: bool = False, **parameters: Any) -> None:
        super().__init__(name, d, timed=timed, joint=True, **parameters)

    def feed(self, running: Any, stream: Stream) -> Columns:
        table = running.update_many(stream.values, stream.times)
        return self.ordered(decided(table), table["coordinates"])

    def feed_one(self, running: Any, stream: Stream) -> Columns:
        time = None if stream.times is None or stream.times[0] == NAT else int(stream.times[0])
        verdict = running.update(stream.values[0], time)
        columns = {name: single(getattr(verdict, name), name, 1) for name in COMPARED}
        return self.ordered(columns, np.array([verdict.coordinates], np.int64).reshape(1, -1))

    def ordered(self, columns: Columns, coordinates: NDArray[np.int64]) -> Columns:
        why = np.zeros((len(coordinates), self.d), np.float32)
        rows, places = np.nonzero(coordinates >= 0)
        why[rows, coordinates[rows, places]] = columns["why"][rows, places]
        return columns | {"why": why}

    def state(self, running: Any) -> dict[str, NDArray[Any]]:
        return {} if running._states is None else running._states.arrays()


class FleetSubject:
    """``mg.Fleet``: the events shared out among ``keys`` keys."""

    def __init__(
        self, name: str, keys: int, d: int = 1, *, timed: bool = False, kind: type = str, **options: Any
    ) -> None:
        self.name, self.keys, self.d, self.timed = name, keys, d, timed
        self.kind, self.options = kind, options

    def fresh(self) -> Any:
        return mg.Fleet(mg.Detector(), keys=self.kind, **self.options)

    def feed(self, running: Any, stream: Stream) -> Columns:
        numbers = stream.keys % self.keys
        names = numbers if self.kind is int else np.array([f"host {k}" for k in numbers], object)
        return decided(running.update(names, stream.values, stream.times))

    feed_one = feed

    def save(self, running: Any) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "fleet")
            running.save(path)
            return path.read_bytes()

    def load(self, data: bytes) -> Any:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "fleet")
            path.write_bytes(data)
            return mg.Fleet.load(path)

    def state(self, running: Any) -> dict[str, NDArray[Any]]:
        return {} if running._residents is None else running._residents.table.arrays()


def decided(table: Verdicts) -> Columns:
    """The fields that the algorithm decided, as arrays."""
    return {name: np.asarray(table[name]) for name in COMPARED}


_NULLS = {"time": NAT, "changed_at": -1, "resolves": -1}


def single(value: Any, name: str, d: int) -> NDArray[Any]:
    """One field of one verdict as the column of a one-row table."""
    if value is None:
        value = [np.nan] * d if name in ("before", "after") else _NULLS.get(name, np.nan)
    dtype = {"kind": np.uint8, "why": np.float32}.get(name)
    return np.asarray([value], dtype)


def flattened(columns: Columns) -> Columns:
    """One shape for (n,) and (n, 1)."""
    return {name: column[:, None] if column.ndim == 1 else column for name, column in columns.items()}


def joined(parts: list[Columns]) -> Columns:
    """Columns of consecutive batches as one."""
    flat = [flattened(part) for part in parts]
    return {name: np.concatenate([part[name] for part in flat]) for name in flat[0]}


def difference(a: Columns, b: Columns, *, without: tuple[str, ...] = ()) -> str | None:
    """The first field and row in which two tables differ in any bit, or None."""
    a, b = flattened(a), flattened(b)
    for name in a:
        if name in without:
            continue
        if a[name].shape != b[name].shape:
            return f"{name}: shape {a[name].shape} and {b[name].shape}"
        same = (a[name] == b[name]) | ((a[name] != a[name]) & (b[name] != b[name]))
        if not same.all():
            row = int(np.flatnonzero(~same.all(axis=1))[0])
            return f"{name}[{row}]: {a[name][row]} and {b[name][row]}"
    return None


def numbers_of(array: NDArray[Any], path: str = "") -> dict[str, NDArray[np.float64]]:
    """Every floating-point field of a structured array, by its path."""
    if array.dtype.names:
        return {
            p: a for name in array.dtype.names for p, a in numbers_of(array[name], f"{path}.{name}").items()
        }
    return {path: array} if array.dtype.kind == "f" else {}
