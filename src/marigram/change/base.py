"""What all tests for a change share: they take events in order, tell changes, restart, and can be saved.

A test provides its parameters and a compiled loop that runs until it finds a change or needs room.  All it knows is
in named arrays, which a snapshot holds as they are.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, NamedTuple, Self, final

import msgspec
import numpy as np
from numpy.typing import ArrayLike

from marigram import snapshots
from marigram.change.found import Change
from marigram.errors import ParameterError, SnapshotError
from marigram.online.records import MAGNITUDE, Array, Floats, as_values, known
from marigram.verdicts.fields import NO_TIME

State = dict[str, Array]

RECENT = 32
"""Values kept as they are, for the level after a large change, of which sums of clipped values know too little."""


class Location(NamedTuple):
    """What a test says of the change that it has just found; event numbers and (d,) levels."""

    changed_at: int
    first: int
    last: int
    before: Floats
    after: Floats


class ChangePointTest(ABC):
    """One stream under a test for changes; the base of all tests."""

    PARAMETERS: ClassVar[type[msgspec.Struct]]

    def __init__(self, parameters: Any) -> None:
        self.parameters = parameters
        self._state: State = {}
        self._recent: Floats = np.zeros((0, 0))
        self._d = 0
        self._scalar = True
        self._seq = 0
        self._n = 0

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self._n} events learned, {self.rejected} rejected>"

    @property
    def n(self) -> int:
        """Events learned, over all restarts."""
        return self._n

    @property
    def rejected(self) -> int:
        """Events refused, because a number of theirs is not finite or beyond 1e300 in size."""
        return self._seq - self._n

    @final
    def update(self, x: ArrayLike, time: Any = None) -> Change | None:
        """Learn one event, a number or (d,); return the change that it proves, or None.

        ``time`` is int64 nanoseconds since 1970 UTC or a datetime64, and is only handed on.
        """
        value = as_values(x)
        if value.ndim > 1 or not value.size:
            raise ParameterError(f"one event is a number or a vector, got an array of shape {value.shape}")
        found = self._learn(value.reshape(1, -1), value.ndim == 0, None if time is None else [time])
        return found[0] if found else None

    @final
    def update_many(self, X: ArrayLike, times: ArrayLike | None = None) -> list[Change]:
        """Learn n events in their order, (n,) or (n, d); return the changes found.  The same as one by one."""
        values = as_values(X)
        if values.ndim == 1:
            return self._learn(values.reshape(-1, 1), True, times)
        if values.ndim != 2 or not values.shape[1]:
            raise ParameterError(f"values must be (n,) or (n, d), got an array of shape {values.shape}")
        return self._learn(values, False, times)

    @final
    def restart(self) -> Self:
        """Forget the level, as is done after each change."""
        self._state = self._fresh(self._d) if self._d else {}
        return self

    @final
    def to_bytes(self) -> bytes:
        """Parameters and state, checksummed; never pickle."""
        meta = {
            "parameters": msgspec.to_builtins(self.parameters),
            "d": self._d,
            "scalar": self._scalar,
            "seq": self._seq,
            "n": self._n,
        }
        return snapshots.pack(type(self).__name__, meta, self._state | {"recent": self._recent})

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """A test as :meth:`to_bytes` left it: it goes on bit for bit as if it had never stopped.

        Raises
        ------
        SnapshotError
            Damaged bytes, or those of another test or version.
        """
        meta, arrays = snapshots.unpack(data, cls.__name__)
        test = cls.__new__(cls)
        try:
            parameters = msgspec.convert(known(meta, "parameters", dict), cls.PARAMETERS)
        except msgspec.ValidationError as error:
            raise SnapshotError(f"not the parameters of a {cls.__name__}: {error}") from error
        ChangePointTest.__init__(test, parameters)
        test._d, test._scalar = known(meta, "d", int), known(meta, "scalar", bool)
        test._seq, test._n = known(meta, "seq", int), known(meta, "n", int)
        test._recent = arrays.pop("recent", test._recent)
        fresh = test._fresh(test._d) if test._d else {}
        if {name: a.dtype for name, a in fresh.items()} != {name: a.dtype for name, a in arrays.items()}:
            raise SnapshotError(f"the arrays are not those of a {cls.__name__} of this version")
        test._state = {name: arrays[name] for name in fresh}
        return test

    @abstractmethod
    def _fresh(self, d: int) -> State:
        """The state before the first event of d coordinates."""

    @abstractmethod
    def _run(self, rows: Floats, seqs: Array, start: int) -> int:
        """Learn rows (n, d) from ``start`` on, up to the one that proves a change; return its index, or n."""

    @abstractmethod
    def _location(self) -> Location:
        """Of the change that the last event learned has proved."""

    @final
    def _latest(self, n: int, unit: Floats | float) -> Floats:
        """The mean of the last n values, RECENT at most, each moved to within 4 units of their median."""
        values = self._recent[-n:]
        middle = np.median(values, axis=0)
        level: Floats = middle + np.clip(values - middle, -4.0 * unit, 4.0 * unit).mean(axis=0)
        return level

    def _learn(self, X: Floats, scalar: bool, times: ArrayLike | None) -> list[Change]:
        ns = None if times is None else _nanoseconds(times)
        if ns is not None and ns.shape != (len(X),):
            raise ParameterError(f"{len(X)} values, but times of shape {ns.shape}")
        if not len(X):
            return []
        self._begin(X.shape[1], scalar)
        good = np.all(np.abs(X) <= MAGNITUDE, axis=1)
        rows = np.ascontiguousarray(X[good])
        seqs = self._seq + np.flatnonzero(good)
        begun, found, at = self._n, [], 0
        while (end := self._run(rows, seqs, at)) < len(rows):
            self._keep(rows[at : end + 1])
            at = end
            row = int(seqs[at]) - self._seq
            time = NO_TIME if ns is None else int(ns[row])
            found.append(self._change(rows[at], int(seqs[at]), begun + at, time))
            self.restart()
            at += 1
        self._keep(rows[at:])
        self._seq += len(X)
        self._n += len(rows)
        return found

    def _keep(self, rows: Floats) -> None:
        if len(rows) < RECENT and len(self._recent):
            rows = np.concatenate([self._recent, rows])
        self._recent = rows[-RECENT:].copy()

    def _begin(self, d: int, scalar: bool) -> None:
        if not self._d:
            self._d, self._scalar = d, scalar
            self._state = self._fresh(d)
            self._recent = np.zeros((0, d))
        elif self._d != d:
            raise ParameterError(f"values have {d} coordinates, the test was begun with {self._d}")

    def _change(self, x: Floats, seq: int, n: int, time: int) -> Change:
        location = self._location()
        return Change(
            seq=seq,
            changed_at=location.changed_at,
            first=location.first,
            last=location.last,
            before=self._told(location.before),
            after=self._told(location.after),
            value=self._told(x),
            n=n,
            time=None if time == NO_TIME else time,
        )

    def _told(self, vector: Floats) -> Any:
        return float(vector[0]) if self._scalar else vector.tolist()


def _nanoseconds(times: ArrayLike) -> Array:
    array = np.asarray(times)
    if array.dtype.kind not in "iuM":
        raise ParameterError(f"times must be int64 nanoseconds or datetime64, got {array.dtype}")
    return array.astype("datetime64[ns]" if array.dtype.kind == "M" else np.int64).astype(np.int64)


__all__ = ["ChangePointTest", "Location", "State"]
