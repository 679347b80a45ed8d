"""What all estimators share: they learn events in order, say what they know, and can be saved and restarted.

An estimator is a table of one record (:mod:`marigram.online.table` has many).  Its methods are final; a method of
estimation provides its parameters and its compiled loop, see :mod:`marigram.online.records`.
"""

from __future__ import annotations

from abc import ABC
from typing import Any, ClassVar, Self, final

import msgspec
import numpy as np
from numpy.typing import ArrayLike

from marigram import snapshots
from marigram.errors import ParameterError, SnapshotError
from marigram.online._ranges import integer_in
from marigram.online.hashing import SparseRows, is_sparse
from marigram.online.records import (
    NO_TARGETS,
    NO_TRACE,
    Array,
    Design,
    Floats,
    Method,
    Records,
    as_values,
    known,
)

_ONE = np.zeros(1, np.int64)


class Estimator(ABC):
    """One stream's estimate; the base of all estimators."""

    METHOD: ClassVar[Method]

    def __init__(self, parameters: Design) -> None:
        self.parameters = parameters
        self._records: Records | None = None
        self._scalar = True

    def __repr__(self) -> str:
        return f"<{self.METHOD.name}: n={self.n}, value={self.value!r}>"

    @property
    def n(self) -> int:
        """Events learned."""
        return int(self._field("n"))

    @property
    def rejected(self) -> int:
        """Events refused: not finite, or too large to be learned."""
        return int(self._field("rejected"))

    @property
    def clip_level(self) -> float:
        """The running clip level; 0 while it is unknown, or where there is none."""
        return float(self._field("clip"))

    @property
    def value(self) -> Any:
        """The estimate: a number, or (d,) if the values are vectors; NaN before the first event."""
        if self._is_sparse:
            return self._shaped(self._field("value") * self._field("factor"))
        return self._shaped(self._field("value"))

    @final
    def restart(self, value: ArrayLike | None = None, n: int = 0) -> Self:
        """Forget the past level and keep the clip level: what is called for when a change has been found.

        Parameters
        ----------
        value
            Where to go on: a number or (d,); None: wherever the next events are.
        n
            Number of events whose mean ``value`` is; decides how fast it is left again.
        """
        n = integer_in("n", n, 0, 2**53)
        given = None if value is None else as_values(value)
        if given is not None:
            if given.ndim > 1 or not given.size or not np.all(np.isfinite(given)):
                raise ParameterError(f"value must be a finite number or a vector of them, got {value!r}")
            self._begin(given.size, given.ndim == 0, None)
        if self._records is not None:
            self._records.restart(_ONE, None if given is None else given.reshape(1, -1), n)
        return self

    @final
    def to_bytes(self) -> bytes:
        """Parameters and state, checksummed; never pickle."""
        arrays = {} if self._records is None else {"records": self._records.array}
        d = 0 if self._records is None else self._records.d
        meta = {"parameters": msgspec.to_builtins(self.parameters), "d": d, "scalar": self._scalar}
        meta["sparse"] = self._is_sparse
        return snapshots.pack(f"estimator {self.METHOD.name}", meta, arrays)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """An estimator as :meth:`to_bytes` left it: it goes on bit for bit as if it had never stopped.

        Raises
        ------
        SnapshotError
            Damaged bytes, or those of another estimator or version.
        """
        meta, arrays = snapshots.unpack(data, f"estimator {cls.METHOD.name}")
        estimator = cls.from_parameters(cls.read_parameters(meta))
        d, estimator._scalar = known(meta, "d", int), known(meta, "scalar", bool)
        if d and "records" in arrays:
            estimator._records = estimator._make_records(d, known(meta, "sparse", bool))
            estimator._records.put(arrays["records"], 1)
        return estimator

    @classmethod
    def from_parameters(cls, parameters: Design) -> Self:
        """A fresh estimator with these parameters, which are an object of its own ``Parameters`` class."""
        estimator = cls.__new__(cls)
        Estimator.__init__(estimator, parameters)
        return estimator

    @classmethod
    def read_parameters(cls, meta: dict[str, Any]) -> Design:
        """The parameters in the header of a snapshot; ``SnapshotError`` if they are not."""
        try:
            return msgspec.convert(known(meta, "parameters", dict), cls.METHOD.parameters)
        except msgspec.ValidationError as error:
            raise SnapshotError(f"not the parameters of a {cls.METHOD.name}: {error}") from error

    @property
    def _is_sparse(self) -> bool:
        return self._records is not None and "factor" in (self._records.array.dtype.names or ())

    def _make_records(self, d: int, sparse: bool) -> Records:
        if sparse:
            from marigram.online.sparse import SparseRecords

            return SparseRecords(self.METHOD, self.parameters, d)
        return Records(self.METHOD, self.parameters, d, 1)

    def _begin(self, d: int, scalar: bool, sparse: bool | None = False) -> Records:
        """The state, made when the first value shows its length; ``sparse=None``: either kind will do."""
        if self._records is None:
            self._records = self._make_records(d, bool(sparse))
            self._scalar = scalar
        elif self._records.d != d:
            raise ParameterError(
                f"values have {d} coordinates, the estimator was begun with {self._records.d}"
            )
        elif sparse is not None and sparse != self._is_sparse:
            begun = "sparse" if self._is_sparse else "dense"
            raise ParameterError(f"the estimator was begun with {begun} rows: go on with such")
        return self._records

    def _learn_sparse(self, X: Any, y: Floats = NO_TARGETS, out: Floats = NO_TRACE) -> None:
        rows: Any = SparseRows.of(X)
        if len(rows):
            learner: Any = self._begin(rows.dimension, False, True)
            learner.learn_rows(rows, y, out)

    def _learn(
        self, rows: Floats, scalar: bool, targets: Floats = NO_TARGETS, out: Floats = NO_TRACE
    ) -> None:
        if len(rows):
            slots = _ONE if len(rows) == 1 else np.zeros(len(rows), np.int64)
            self._begin(rows.shape[1], scalar).learn(slots, rows, targets, out)

    def _field(self, name: str) -> Array:
        if self._records is None:
            return np.full(1, np.nan) if name == "value" else np.zeros(())
        found: Array = self._records.array[name][0]
        return found

    def _shaped(self, vector: Floats) -> Any:
        return float(vector[0]) if self._scalar else vector.copy()


class ValueEstimator(Estimator):
    """An estimator that learns from values alone."""

    @final
    def update(self, x: ArrayLike) -> Self:
        """Learn one event: a number, or (d,) numbers.  What is not finite is counted as rejected."""
        if is_sparse(x):
            if len(SparseRows.of(x)) != 1:
                raise ParameterError("one event is one sparse row")
            self._learn_sparse(x)
        else:
            self._learn(*_one(x))
        return self

    @final
    def update_many(self, X: ArrayLike) -> Self:
        """Learn n events in their order: (n,) numbers, (n, d), or sparse rows.  The same as one by one.

        X is not changed.  Sparse rows are :class:`marigram.SparseRows` or a SciPy sparse matrix; they are learned in
        time proportional to what is not zero (:mod:`marigram.online.sparse`), by an estimator begun with them.
        """
        if is_sparse(X):
            self._learn_sparse(X)
        else:
            self._learn(*_many(X))
        return self

    @final
    def trace(self, X: ArrayLike) -> Floats:
        """Learn n events, and return what :attr:`value` was before each: (n,) or (n, d)."""
        rows, scalar = _many(X)
        out = np.empty(rows.shape)
        self._learn(rows, scalar, out=out)
        return out[:, 0] if scalar else out

    @final
    def learn_one(self, x: ArrayLike) -> None:
        """Learn one event, as :meth:`update` does."""
        self.update(x)

    @final
    def score_one(self, x: ArrayLike) -> float:
        """How far one event lies from the estimate, which is not changed; NaN before the first event."""
        row = SparseRows.of(x).to_dense() if is_sparse(x) else _one(x)[0]
        if self._records is None:
            return np.nan
        return self._score(self._begin(row.shape[1], True, None).array[0], row[0])

    def _score(self, record: Any, x: Floats) -> float:  # noqa: ARG002  (a scale reads its record)
        return float(np.linalg.norm(x - self.value))


class TargetEstimator(Estimator):
    """An estimator of how a target y depends on features x."""

    @final
    def update(self, x: ArrayLike, y: float) -> Self:
        """Learn one event: (d,) features and a target.  What is not finite is counted as rejected."""
        self._learn_pairs(x if is_sparse(x) else _one(x)[0], as_values([y]))
        return self

    @final
    def update_many(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Learn n events in their order: features (n, d) and targets (n,).  The same as one by one.

        Features may be :class:`marigram.SparseRows` or a SciPy sparse matrix: they are learned in time proportional
        to what is not zero (:mod:`marigram.online.sparse`), by an estimator begun with them.
        """
        self._learn_pairs(X, as_values(y))
        return self

    @final
    def trace(self, X: ArrayLike, y: ArrayLike) -> Floats:
        """Learn n events, and return the prediction before each, (n,): every one made before its y was seen."""
        y = as_values(y)
        out = np.empty((y.size, 1))
        self._learn_pairs(X, y, out)
        return out[:, 0]

    @final
    def predict(self, X: ArrayLike) -> Floats:
        """Predictions (n,) for features (n, d); of coefficients 0 before the first event."""
        rows = SparseRows.of(X) if is_sparse(X) else _matrix(X)
        if self._records is None:
            return self._respond(np.zeros(len(rows)))
        self._begin(rows.shape[1], False, None)
        return self._respond(rows @ self.value)

    @final
    def predict_one(self, x: ArrayLike) -> float:
        """The prediction for features (d,)."""
        return float(self.predict(x if is_sparse(x) else _one(x)[0])[0])

    @final
    def learn_one(self, x: ArrayLike, y: float) -> None:
        """Learn one event, as :meth:`update` does."""
        self.update(x, y)

    @final
    def score_one(self, x: ArrayLike, y: float) -> float:
        """How far the target lies from its prediction; nothing is learned."""
        return abs(float(y) - self.predict_one(x))

    def _respond(self, z: Floats) -> Floats:
        """Predictions where <x, theta> is z."""
        return z

    def _shaped(self, vector: Floats) -> Floats:
        return vector.copy()

    def _learn_pairs(self, X: Any, y: Floats, out: Floats = NO_TRACE) -> None:
        rows = SparseRows.of(X) if is_sparse(X) else _matrix(X)
        if y.shape != (len(rows),):
            raise ParameterError(f"{len(rows)} rows of features, but targets of shape {y.shape}")
        if isinstance(rows, SparseRows):
            self._learn_sparse(rows, y, out)
        else:
            self._learn(rows, False, y, out)


def _one(x: ArrayLike) -> tuple[Floats, bool]:
    """One event as a row (1, d), and whether it is a bare number."""
    value = as_values(x)
    if value.ndim > 1 or not value.size:
        raise ParameterError(f"one event is a number or a vector, got an array of shape {value.shape}")
    return value.reshape(1, -1), value.ndim == 0


def _many(X: ArrayLike) -> tuple[Floats, bool]:
    """n events as rows (n, d), and whether they are bare numbers."""
    values = as_values(X)
    if values.ndim == 1:
        return values.reshape(-1, 1), True
    return _matrix(values), False


def _matrix(X: ArrayLike) -> Floats:
    values = as_values(X)
    if values.ndim != 2 or not values.shape[1]:
        raise ParameterError(f"values must be (n, d) with d at least 1, got an array of shape {values.shape}")
    return values


__all__ = ["Estimator", "TargetEstimator", "ValueEstimator"]
