"""The states of many keys of one estimator: an array of fixed-size records, and the one loop that goes through it.

Every field of a record is made of doubles, so a record of any dimension d is a row of words to a kernel, compiled
once for all d, and a structure with names to Python.  All records begin alike:

    n          events learned                      clip     the running clip level, 0 while it is not known
    rejected   events refused                      beyond   events in a row that were clipped
    t          events since the last restart       value    (d,) the estimate, NaN before the first event
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from marigram.errors import ParameterError, SnapshotError
from marigram.numerics.jit import piece

Array: TypeAlias = NDArray[Any]
Floats: TypeAlias = NDArray[np.float64]
Field: TypeAlias = tuple[str, tuple[int, ...]]

N, REJECTED, T, CLIP, BEYOND, VALUE = range(6)
"""Where the common fields lie in a record, in words."""
WORD = 8
AHEAD = 16
"""Events by which a loop asks for a record before it needs it."""
MAGNITUDE = 1e300
"""A value beyond this is rejected like one that is not finite: its differences would not be."""

NO_TARGETS = np.zeros(0)
NO_TRACE = np.zeros((0, 0))


class Design(Protocol):
    """What the parameters of an estimator say about its records."""

    def settings(self) -> Array:
        """The compiled form: one record in an array."""
        ...

    def fields(self, d: int) -> list[Field]:
        """Names and shapes of the fields after ``value``."""
        ...

    def fresh(self, record: Array) -> None:
        """Fill one zeroed record, shape (1,), as it is before the first event."""
        ...

    def restart(self, records: Array, value: Floats | None, n: int) -> None:
        """Restart records, shape (m,), at (m, d) values known as well as from n events; None: as at the beginning."""
        ...


class Method(NamedTuple):
    """An estimator: its name, its parameters' class and its compiled loop."""

    name: str
    parameters: type[Design]
    loop: Callable[..., None]
    """loop(settings, words, slots, X, y, out): learn the rows of X in order; estimates before each into ``out``."""


def layout(fields: list[Field], d: int) -> np.dtype[Any]:
    """The dtype of one record of dimension d: the common fields, then these."""
    common: list[Field] = [
        ("n", ()),
        ("rejected", ()),
        ("t", ()),
        ("clip", ()),
        ("beyond", ()),
        ("value", (d,)),
    ]
    return np.dtype([(name, np.float64, shape) for name, shape in common + fields])


class Records:
    """``capacity`` records of one method and dimension.

    Parameters
    ----------
    method, design
        What learns, and its parameters.
    d
        Length of a value, from 1.
    capacity
        Number of records.
    """

    def __init__(self, method: Method, design: Design, d: int, capacity: int) -> None:
        self.method = method
        self.design = design
        self.d = d
        self._settings = design.settings()
        self._fresh = np.zeros(1, layout(self.fields(), d))
        self._fresh["value"] = np.nan
        design.fresh(self._fresh)
        self.array = np.repeat(self._fresh, capacity)

    def fields(self) -> list[Field]:
        """Names and shapes of the fields after ``value``."""
        return self.design.fields(self.d)

    def __len__(self) -> int:
        return len(self.array)

    def grow(self, capacity: int) -> None:
        """Add fresh records up to ``capacity``; never removes any."""
        if capacity > len(self):
            self.array = np.concatenate([self.array, np.repeat(self._fresh, capacity - len(self))])

    def clear(self, slots: Array) -> None:
        """Make records fresh."""
        self.array[slots] = self._fresh

    def restart(self, slots: Array, value: Floats | None, n: int) -> None:
        """Restart records at ``value`` (m, d), trusted like the mean of n events; None: at what comes next."""
        chosen = self.array[slots]
        self.design.restart(chosen, value, n)
        self.array[slots] = chosen

    def learn(self, slots: Array, X: Floats, y: Floats = NO_TARGETS, out: Floats = NO_TRACE) -> None:
        """Learn the rows of X (n, d), and y (n,) where there are targets, into the records ``slots`` (n,), in order.

        ``out`` with n rows receives what each record said before it learned; without rows, nothing.
        """
        words = self.array.view(np.float64).reshape(len(self), -1)
        self.method.loop(self._settings, words, read_only(slots), read_only(X), read_only(y), out)

    def put(self, array: Array, capacity: int | None = None) -> None:
        """Take over records that a snapshot held, ``capacity`` of them if that is given."""
        fits = array.dtype == self.array.dtype and array.ndim == 1
        if not fits or (capacity is not None and len(array) != capacity):
            raise SnapshotError(
                f"the records are not those of a {self.method.name} of this version and these settings"
            )
        self.array = array


def as_values(X: ArrayLike) -> Floats:
    """Numbers of any kind as float64, not copied where they are; what is too large for one becomes infinite.

    Raises
    ------
    ParameterError
        Text, complex numbers, ragged rows.
    """
    try:
        given = np.asarray(X)
        if given.dtype.kind in "fiub":
            return given.astype(np.float64, copy=False)
        if given.dtype.kind == "O":
            return np.array([_number(v) for v in given.ravel()], np.float64).reshape(given.shape)
    except (TypeError, ValueError) as error:
        raise ParameterError(f"values must be numbers: {error}") from error
    raise ParameterError(f"values must be numbers, got dtype {given.dtype}")


def as_slots(slots: ArrayLike, capacity: int) -> NDArray[np.int64]:
    """Record numbers as int64 (n,); ``ParameterError`` unless all lie in [0, capacity)."""
    array = np.asarray(slots)
    if array.ndim != 1 or (array.dtype.kind not in "iu" and array.size):
        raise ParameterError(f"slots must be (n,) integers, got {array.dtype} of shape {array.shape}")
    if array.size and not 0 <= int(array.min()) <= int(array.max()) < capacity:
        raise ParameterError(f"slots must lie in [0, {capacity}), got {array.min()} to {array.max()}")
    return np.ascontiguousarray(array, np.int64)


def known(meta: Mapping[str, Any], name: str, kind: type) -> Any:
    """An entry of a snapshot's header; ``SnapshotError`` if it is not there."""
    if not isinstance(meta.get(name), kind):
        raise SnapshotError(f"the snapshot lacks {name!r}")
    return meta[name]


def _number(value: Any) -> float:
    if value is None:
        return np.nan
    if isinstance(value, (str, bytes)):
        raise TypeError(f"{value!r} is text")
    try:
        return float(value)
    except OverflowError:
        return np.inf


def read_only(array: Array) -> Array:
    """A view that cannot be written through: the caller's data are safe, and a loop is compiled for one type."""
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view


@piece
def usable(x):
    """Whether all of x is finite and at most MAGNITUDE."""
    good = True
    for j in range(x.shape[0]):
        good &= abs(x[j]) <= MAGNITUDE
    return good


__all__ = [
    "AHEAD", "BEYOND", "CLIP", "MAGNITUDE", "NO_TARGETS", "NO_TRACE", "REJECTED", "VALUE", "WORD", "Array", "Design",
    "Field", "Floats", "Method", "N", "Records", "T", "as_slots", "as_values", "known", "layout", "read_only", "usable",
]  # fmt: skip
