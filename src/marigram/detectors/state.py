"""The state of many keys: arrays of fixed-size records, where a record of zeros is a key never seen.

A key has one head (what belongs to the whole event), d coordinates, d season tables if events carry times, and for
d > 1 a second tail for the largest coordinate.  Records are padded to whole cache lines.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from marigram.change import level_shift, scale_shift
from marigram.detectors.parameters import Parameters
from marigram.errors import ParameterError
from marigram.online import autoregression, context, level, scale, season
from marigram.thresholds import habits
from marigram.thresholds.tail import TAIL

RING = 8
"""Values kept of each coordinate."""
KEPT = 32
"""Bin codes of the last residuals kept of each coordinate: what a change takes back, or a new scale is read from."""
LINE = 64


def record(fields: list[tuple[Any, ...]]) -> np.dtype[np.void]:
    """A record dtype with the widest fields first, padded to whole cache lines."""
    ordered = sorted(fields, key=lambda f: -np.dtype(f[1]).alignment)
    plain = np.dtype(ordered, align=True)
    size = -(-plain.itemsize // LINE) * LINE
    names = list(plain.names or ())
    parts = [plain.fields[name] for name in names] if plain.fields is not None else []
    return np.dtype(
        {
            "names": names,
            "formats": [p[0] for p in parts],
            "offsets": [p[1] for p in parts],
            "itemsize": size,
        },
        align=True,
    )


def aligned_zeros(shape: int | tuple[int, ...], dtype: np.dtype[np.void]) -> np.ndarray:
    """Zeros that begin where a cache line begins: a record of six lines then lies in six, and not in seven."""
    size = int(np.prod(shape)) * dtype.itemsize
    room = np.zeros(size + LINE, np.uint8)
    begin = -room.ctypes.data % LINE
    return room[begin : begin + size].view(dtype).reshape(shape)


HEAD = record(
    [
        ("seq", "i8"), ("n", "i8"), ("time", "i8"),
        ("tail", TAIL), ("habit", TAIL), ("habit_ring", "u1", (8,)),
        ("gap", "f4"), ("silent", "u1"), ("timed", "u1"),
        ("episode", "i4"), ("quiet", "i4"), ("peak", "f4"),
        ("anomaly_rate", "f4"), ("recent_rate", "f4"), ("since_drift", "i4"),
        ("joint", "f4"), ("joint_age", "i4"), ("z_alpha", "f4"),
    ]
)  # fmt: skip
COORDINATE = record(
    [
        *level.FIELDS, *scale.FIELDS, *autoregression.FIELDS, *context.FIELDS, *season.FIELDS,
        *level_shift.FIELDS, *scale_shift.FIELDS, *habits.RECORD_FIELDS,
        ("ring", "f8", (RING,)), ("bins", "u1", (KEPT,)), ("step", "f8"), ("ties", "f4"), ("stretch", "f4"),
    ]
)  # fmt: skip
SEASON = record(season.TABLE_FIELDS)
LARGEST = record([("tail", TAIL), ("ring", "u1", (KEPT,))])


class StateTable:
    """The states of ``capacity`` keys with d coordinates each.

    Parameters
    ----------
    parameters
        The detector's parameters, kept with the state.
    d
        Number of coordinates of a value, at least 1.
    capacity
        Number of keys there is room for; see :meth:`grow`.
    """

    def __init__(self, parameters: Parameters, d: int = 1, capacity: int = 0) -> None:
        if d < 1:
            raise ParameterError(f"d must be at least 1, got {d}")
        if parameters.pool and d > 1:
            raise ParameterError(f"pool=True is for events of one number, got {d}")
        self.parameters = parameters
        self.d = d
        self.settings = parameters.settings()
        self.heads = aligned_zeros(capacity, HEAD)
        self.coords = aligned_zeros((capacity, d), COORDINATE)
        self.seasons = aligned_zeros((0, d), SEASON)
        self.largest = aligned_zeros(capacity if d > 1 else 0, LARGEST)
        self.pool = aligned_zeros(1, LARGEST)
        self.seasonal = False
        """Whether there are season tables."""

    @property
    def capacity(self) -> int:
        """Number of keys there is room for."""
        return len(self.heads)

    @property
    def bytes_per_key(self) -> int:
        """Bytes of state of one key."""
        size = HEAD.itemsize + self.d * COORDINATE.itemsize
        if self.seasonal:
            size += self.d * SEASON.itemsize
        return size + (LARGEST.itemsize if self.d > 1 else 0)

    def grow(self, capacity: int) -> None:
        """Make room for ``capacity`` keys; never shrinks."""
        if capacity <= self.capacity:
            return
        for name, array in self.arrays().items():
            if (
                name == "pool"
                or (name == "seasons" and not self.seasonal)
                or (name == "largest" and self.d == 1)
            ):
                continue
            wider = aligned_zeros((capacity, *array.shape[1:]), array.dtype)
            wider[: len(array)] = array
            setattr(self, name, wider)

    def make_seasonal(self) -> None:
        """Add season tables; called when the first event with a time arrives."""
        if not self.seasonal:
            self.seasons = aligned_zeros((self.capacity, self.d), SEASON)
            self.seasonal = True

    def arrays(self) -> dict[str, np.ndarray]:
        """All state by name: what a snapshot holds."""
        return {
            "heads": self.heads,
            "coords": self.coords,
            "seasons": self.seasons,
            "largest": self.largest,
            "pool": self.pool,
        }

    def put_arrays(self, arrays: dict[str, np.ndarray]) -> None:
        """Replace all state by arrays of the same dtypes, as :meth:`arrays` gave them."""
        for name, own in self.arrays().items():
            given = arrays[name]
            if given.dtype != own.dtype or given.shape[1:] != own.shape[1:]:
                raise ParameterError(f"state array {name!r} has another layout than this version's")
            straight = given.flags.c_contiguous and given.flags.writeable
            if given.ctypes.data % LINE or not straight:
                begun = aligned_zeros(given.shape, given.dtype)
                begun[...] = given
                given = begun
            setattr(self, name, given)
        self.seasonal = len(self.seasons) > 0

    def per_key(self) -> dict[str, np.ndarray]:
        """The arrays that have one row a key."""
        return {
            k: a
            for k, a in self.arrays().items()
            if k != "pool" and len(a) == self.capacity and self.capacity
        }

    def clear(self, rows: np.ndarray) -> None:
        """Make the given keys fresh."""
        for array in self.per_key().values():
            array[rows] = np.zeros((), array.dtype)

    def copy_rows(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Copies of the given keys' records."""
        return {name: array[rows] for name, array in self.per_key().items()}

    def put_rows(self, rows: np.ndarray, records: dict[str, np.ndarray]) -> None:
        """Write records that :meth:`copy_rows` made back into the given keys; missing arrays become fresh."""
        for name, array in self.per_key().items():
            array[rows] = records[name] if name in records else np.zeros((), array.dtype)


__all__ = ["COORDINATE", "HEAD", "KEPT", "LARGEST", "RING", "SEASON", "StateTable", "record"]
