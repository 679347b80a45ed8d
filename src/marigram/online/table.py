"""Many keys, one estimator each: an array of records, one compiled loop through a batch of interleaved events."""

from __future__ import annotations

from typing import Any, Self, final

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from marigram import snapshots
from marigram.errors import ParameterError
from marigram.online._ranges import integer_in
from marigram.online.estimator import Estimator, TargetEstimator
from marigram.online.records import NO_TARGETS, NO_TRACE, Array, Floats, Records, as_slots, as_values, known

MOST = 2**40


@final
class EstimatorTable:
    """One estimator a key, the keys being numbers from 0.

    Parameters
    ----------
    estimator
        Whose kind and parameters every key takes; what it has learned is not.
    capacity
        Number of keys there is room for; see :meth:`grow`.
    d
        Length of a value, or of the features.

    Examples
    --------
    >>> from marigram.online import ClippedMean
    >>> table = EstimatorTable(ClippedMean(step=0.5), capacity=3)
    >>> table.update([0, 1, 0, 1, 0], [1.0, -7.0, 2.0, -7.0, 3.0])
    >>> table.values.tolist(), table.n.tolist()
    ([2.0, -7.0, nan], [3, 2, 0])
    """

    def __init__(self, estimator: Estimator, capacity: int = 0, d: int = 1) -> None:
        integer_in("capacity", capacity, 0, MOST)
        integer_in("d", d, 1, MOST)
        self._kind = type(estimator)
        self._records = Records(estimator.METHOD, estimator.parameters, d, capacity)

    def __len__(self) -> int:
        return len(self._records)

    def __repr__(self) -> str:
        return f"<table of {len(self)} {self._kind.__name__}, d={self.d}>"

    @property
    def d(self) -> int:
        """Length of a value."""
        return self._records.d

    @property
    def bytes_per_key(self) -> int:
        """Bytes of state of one key."""
        return self._records.array.dtype.itemsize

    @property
    def records(self) -> Array:
        """The state itself, (capacity,) structures that name its fields; a view, to be read."""
        view = self._records.array.view()
        view.flags.writeable = False
        return view

    @property
    def values(self) -> Floats:
        """The estimates: (capacity,) for d = 1, else (capacity, d); NaN where nothing has come yet."""
        values: Floats = self._records.array["value"].copy()
        return values[:, 0] if self.d == 1 else values

    @property
    def n(self) -> NDArray[np.int64]:
        """Events learned, (capacity,)."""
        return self._records.array["n"].astype(np.int64)

    @property
    def rejected(self) -> NDArray[np.int64]:
        """Events refused, (capacity,)."""
        return self._records.array["rejected"].astype(np.int64)

    def update(self, slots: ArrayLike, X: ArrayLike, y: ArrayLike | None = None) -> None:
        """Learn n events in their order.

        Parameters
        ----------
        slots
            (n,) integers, the key of each event.
        X
            (n,) numbers if d = 1, or (n, d); not changed.
        y
            (n,) targets, for an estimator that learns from them.
        """
        self._learn(slots, X, y, NO_TRACE)

    def trace(self, slots: ArrayLike, X: ArrayLike, y: ArrayLike | None = None) -> Floats:
        """Learn n events, and return what each key said before its event: estimates, or predictions of y.

        Estimates are (n,) if X is, else (n, d); predictions are (n,).
        """
        values = as_values(X)
        out = np.empty((len(values) if values.ndim else 0, self.d if y is None else 1))
        self._learn(slots, values, y, out)
        return out[:, 0] if values.ndim == 1 or y is not None else out

    def grow(self, capacity: int) -> None:
        """Make room for ``capacity`` keys; never shrinks."""
        self._records.grow(integer_in("capacity", capacity, 0, MOST))

    def clear(self, slots: ArrayLike) -> None:
        """Make keys fresh."""
        self._records.clear(as_slots(slots, len(self)))

    def restart(self, slots: ArrayLike, value: ArrayLike | None = None, n: int = 0) -> None:
        """Restart keys, (m,), as :meth:`ClippedMean.restart` does: at ``value``, (m,) or (m, d), or at what comes."""
        chosen = as_slots(slots, len(self))
        given = None if value is None else self._rows(as_values(value))
        if given is not None and (len(given) != len(chosen) or not np.all(np.isfinite(given))):
            raise ParameterError(f"value must be {len(chosen)} finite values, one for each slot")
        self._records.restart(chosen, given, integer_in("n", n, 0, 2**53))

    def to_bytes(self) -> bytes:
        """Parameters and state of all keys, checksummed; never pickle."""
        meta = {"parameters": msgspec.to_builtins(self._records.design), "d": self.d}
        return snapshots.pack(f"table of {self._kind.METHOD.name}", meta, {"records": self._records.array})

    @classmethod
    def from_bytes(cls, data: bytes, kind: type[Estimator]) -> Self:
        """A table of this kind of estimator as :meth:`to_bytes` left it.

        Raises
        ------
        SnapshotError
            Damaged bytes, or those of another estimator or version.
        """
        meta, arrays = snapshots.unpack(data, f"table of {kind.METHOD.name}")
        table = cls(kind.from_parameters(kind.read_parameters(meta)), 0, known(meta, "d", int))
        table._records.put(known(arrays, "records", np.ndarray))
        return table

    def _learn(self, slots: ArrayLike, X: ArrayLike, y: ArrayLike | None, out: Floats) -> None:
        chosen, rows = as_slots(slots, len(self)), self._rows(as_values(X))
        if (y is not None) != issubclass(self._kind, TargetEstimator):
            raise ParameterError(
                f"{self._kind.__name__} learns from {'values alone' if y is not None else 'X and y'}"
            )
        targets = NO_TARGETS if y is None else as_values(y)
        if len(chosen) != len(rows) or (y is not None and targets.shape != chosen.shape):
            raise ParameterError(
                f"{len(chosen)} slots, {len(rows)} rows of X, targets of shape {targets.shape}"
            )
        self._records.learn(chosen, rows, targets, out)

    def _rows(self, values: Any) -> Floats:
        rows: Floats = values.reshape(-1, 1) if values.ndim == 1 and self.d == 1 else values
        if rows.ndim != 2 or rows.shape[1] != self.d:
            raise ParameterError(f"values must be (n, {self.d}), got an array of shape {values.shape}")
        return rows


__all__ = ["EstimatorTable"]
