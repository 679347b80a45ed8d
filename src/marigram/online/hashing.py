"""Events with text and categorical fields as sparse vectors, by signed feature hashing.

A field and what it holds fall into a coordinate and get a sign, both fixed by one keyed hash h (Weinberger, Dasgupta,
Langford, Smola and Attenberg, ICML 2009):

    x_j = sum over features f with h(f) mod d = j of  sign(f) v(f).

No dictionary is kept, so a stream may bring new words for ever, and every process that uses the same seed agrees.
Features that share a coordinate do not add up on average, thanks to their signs: inner products are unbiased, with a
variance of order 1/d.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marigram.errors import ParameterError
from marigram.online._ranges import integer_in

MOST = 2**31 - 1
"""Largest dimension."""


@dataclass(frozen=True, eq=False)
class SparseRows:
    """n sparse vectors of length ``dimension`` in compressed rows, as :func:`marigram.hash_features` makes them.

    Row i has the values ``values[indptr[i]:indptr[i + 1]]`` at the coordinates ``indices[indptr[i]:indptr[i + 1]]``,
    which increase; everything else is 0.

    Parameters
    ----------
    indptr
        (n + 1,) int64, from 0.
    indices
        (m,) int64 in [0, dimension), increasing within a row.
    values
        (m,) float64.
    dimension
        d.

    Raises
    ------
    ParameterError
        Arrays that are not such rows.
    """

    indptr: NDArray[np.int64]
    indices: NDArray[np.int64]
    values: NDArray[np.float64]
    dimension: int
    _features: Mapping[str, tuple[int, float]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        integer_in("dimension", self.dimension, 1, MOST)
        for name, kind in (("indptr", np.int64), ("indices", np.int64), ("values", np.float64)):
            array = np.asarray(getattr(self, name))
            if array.ndim != 1 or (kind is np.int64 and array.dtype.kind not in "iu" and array.size):
                raise ParameterError(f"{name} must be a vector of {kind.__name__}, got shape {array.shape}")
            object.__setattr__(self, name, np.ascontiguousarray(array, kind))
        starts, m = self.indptr, len(self.indices)
        if not len(starts) or starts[0] != 0 or starts[-1] != m or np.any(np.diff(starts) < 0):
            raise ParameterError(f"indptr must rise from 0 to the number of indices, {m}")
        if len(self.values) != m:
            raise ParameterError(f"{m} indices, but {len(self.values)} values")
        if m and not 0 <= int(self.indices.min()) <= int(self.indices.max()) < self.dimension:
            raise ParameterError(f"indices must lie in [0, {self.dimension})")
        rising = np.diff(self.indices) > 0
        rising[starts[(starts > 0) & (starts < m)] - 1] = True
        if not rising.all():
            raise ParameterError("indices must increase within a row")

    def __len__(self) -> int:
        return len(self.indptr) - 1

    def __getitem__(self, rows: slice) -> SparseRows:
        """Some rows that follow each other."""
        start, stop, step = rows.indices(len(self))
        if step != 1:
            raise ParameterError(f"rows must follow each other, got a step of {step}")
        stop = max(start, stop)
        low, high = int(self.indptr[start]), int(self.indptr[stop])
        pointers = self.indptr[start : stop + 1] - low
        return SparseRows(
            pointers, self.indices[low:high], self.values[low:high], self.dimension, self._features
        )

    @property
    def shape(self) -> tuple[int, int]:
        """(n, d)."""
        return len(self), self.dimension

    def names(self, coordinate: int) -> tuple[str, ...]:
        """The hashed features that fall into a coordinate: ``"field=value"``, or ``"field"`` of a number.

        Usually one; several where they collide, in the order of first appearance; none if the coordinate was not hit.
        """
        integer_in("coordinate", coordinate, 0, self.dimension - 1)
        return tuple(self._names.get(coordinate, ()))

    @cached_property
    def _names(self) -> dict[int, list[str]]:
        found: dict[int, list[str]] = {}
        for name, (coordinate, _) in self._features.items():
            found.setdefault(coordinate, []).append(name)
        return found

    def to_dense(self) -> NDArray[np.float64]:
        """The same as an array (n, d)."""
        dense = np.zeros(self.shape)
        dense[np.repeat(np.arange(len(self)), np.diff(self.indptr)), self.indices] = self.values
        return dense

    def __matmul__(self, vector: NDArray[np.float64]) -> NDArray[np.float64]:
        """Products (n,) with a vector (d,)."""
        terms = self.values * vector[self.indices]
        rows = np.repeat(np.arange(len(self)), np.diff(self.indptr))
        return np.bincount(rows, terms, len(self)).astype(np.float64, copy=False)

    @classmethod
    def of(cls, X: Any) -> SparseRows:
        """SparseRows as they are, or a SciPy sparse matrix or array of any form, its duplicates summed."""
        if isinstance(X, cls):
            return X
        if not is_sparse(X):
            raise ParameterError(
                f"sparse values are SparseRows or a SciPy sparse matrix, got {type(X).__name__}"
            )
        rows = X.tocsr().copy()
        rows.sum_duplicates()
        return cls(rows.indptr, rows.indices, rows.data, rows.shape[1])


def is_sparse(X: object) -> bool:
    """Whether X is SparseRows or a SciPy sparse matrix."""
    return isinstance(X, SparseRows) or hasattr(X, "tocsr")


def hash_features(
    records: Sequence[Mapping[str, object]],
    dimension: int = 2**18,
    *,
    seed: int = 0,
    text: Sequence[str] = (),
) -> SparseRows:
    """Make sparse vectors of records with text, categorical and numeric fields.

    A text or a boolean is one feature, ``field=value``, of value ±1; a number is the feature ``field`` of that value,
    with a sign; a list, tuple or set is one feature for each of its members; None is nothing.  A number that is not
    finite stays what it is, and an estimator rejects the event.

    Parameters
    ----------
    records
        n mappings of names of fields to what they hold.
    dimension
        d, in [1, 2^31 - 1]; more makes collisions rarer.
    seed
        Which hash, in [0, 2^63): the same seed gives the same coordinates on every machine.
    text
        Names of fields whose text is split at white space, one feature a word.

    Raises
    ------
    ParameterError
        A record that is no mapping, a field that holds something else, or a setting outside its range.

    Examples
    --------
    >>> rows = hash_features([{"user": "ada", "bytes": 512.0}, {"user": "bob"}], dimension=1024)
    >>> rows.shape, rows.indptr.tolist()
    ((2, 1024), [0, 2, 3])
    >>> sorted(name for j in rows.indices for name in rows.names(j))
    ['bytes', 'user=ada', 'user=bob']
    """
    d = integer_in("dimension", dimension, 1, MOST)
    key = integer_in("seed", seed, 0, 2**63 - 1).to_bytes(8, "little")
    split = frozenset(text)
    known: dict[str, tuple[int, float]] = {}
    indptr, coordinates, values = [0], [], []
    for record in records:
        if not isinstance(record, Mapping):
            raise ParameterError(f"a record must be a mapping of fields, got {type(record).__name__}")
        for name, value in record.items():
            for feature, amount in _features(str(name), value, str(name) in split):
                place = known.get(feature)
                if place is None:
                    place = known[feature] = _place(feature, d, key)
                coordinates.append(place[0])
                values.append(place[1] * amount)
        indptr.append(len(coordinates))
    return _summed(np.array(indptr), np.array(coordinates, np.int64), np.array(values, np.float64), d, known)


def _features(name: str, value: object, split: bool) -> Iterator[tuple[str, float]]:
    """Features of a field, and the amount of each."""
    if value is None:
        return
    if isinstance(value, str):
        for word in value.split() if split else (value,):
            yield f"{name}={word}", 1.0
    elif isinstance(value, (bool, np.bool_)):
        yield f"{name}={'true' if value else 'false'}", 1.0
    elif isinstance(value, Real):
        yield name, _number(value)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for member in sorted(value, key=str) if isinstance(value, (set, frozenset)) else value:
            if not isinstance(member, (str, int)):
                raise ParameterError(
                    f"members of the field {name!r} must be texts, got {type(member).__name__}"
                )
            yield f"{name}={member}", 1.0
    else:
        raise ParameterError(
            f"the field {name!r} must hold a text, a number, a boolean, texts or None, got {type(value).__name__}"
        )


def _number(value: Real) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _place(feature: str, d: int, key: bytes) -> tuple[int, float]:
    """Coordinate and sign of a feature."""
    h = int.from_bytes(
        blake2b(feature.encode("utf-8", "surrogatepass"), digest_size=8, key=key).digest(), "little"
    )
    return (h >> 1) % d, 1.0 if h & 1 else -1.0


def _summed(
    indptr: NDArray[np.int64],
    coordinates: NDArray[np.int64],
    values: NDArray[np.float64],
    d: int,
    known: Mapping[str, tuple[int, float]],
) -> SparseRows:
    """Rows with increasing coordinates, what fell into one of them added up in the order of its coming."""
    n = len(indptr) - 1
    keys = np.repeat(np.arange(n), np.diff(indptr)) * d + coordinates
    found, place = np.unique(keys, return_inverse=True)
    sums = np.zeros(len(found))
    with np.errstate(invalid="ignore"):
        np.add.at(sums, place, values)
    return SparseRows(np.searchsorted(found, np.arange(n + 1) * d), found % d, sums, d, known)


__all__ = ["SparseRows", "hash_features", "is_sparse"]
