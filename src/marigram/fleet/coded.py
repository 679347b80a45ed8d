"""Keys that arrive as codes of a list of names: readers and dictionary columns deliver them so.

A code's number is looked up once.  Where the same list of names comes again and again, as a reader's does, one
``take`` a batch remains.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias, final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from marigram.errors import ParameterError
from marigram.fleet._hashing import first_seen
from marigram.fleet.columns import library_of, to_arrow
from marigram.fleet.keys import KeyIndex
from marigram.fleet.texts import one_column, refuse_nulls

Array: TypeAlias = NDArray[Any]
Ints: TypeAlias = NDArray[np.int64]

KEPT = 1 << 20
"""Names that are kept as Python objects from batch to batch; those beyond are made when they are needed."""


def as_codes(keys: Any) -> tuple[Ints, Any] | None:
    """Return (codes, names) of a dictionary column or of such a pair, None when ``keys`` is a plain column."""
    if isinstance(keys, tuple) and len(keys) == 2 and isinstance(keys[0], np.ndarray):
        return _checked(keys[0], keys[1])
    if library_of(keys) not in ("pandas", "polars", "pyarrow"):
        return None
    column = to_arrow(keys)
    if not pa.types.is_dictionary(column.type):
        return None
    refuse_nulls(column)
    return _checked(column.indices.to_numpy(zero_copy_only=False), column.dictionary)


def _checked(codes: Array, names: Any) -> tuple[Ints, Any]:
    if codes.ndim != 1 or (codes.size and codes.dtype.kind not in "iu"):
        raise ParameterError(
            f"codes must be one column of integers, not {codes.dtype} of {codes.ndim} dimensions"
        )
    outside = np.flatnonzero((codes < 0) | (codes >= len(names)))
    if len(outside):
        row = outside[0]
        raise ParameterError(
            f"row {row} has no key: its code is {codes[row]}, and there are {len(names)} names"
        )
    return codes.astype(np.int64), names


@final
class CodeNumbers:
    """Numbers and names of codes, remembered as long as the same list of names comes.

    The list may grow at its end; a list of other names must be another object.
    """

    def __init__(self, index: KeyIndex) -> None:
        self._index = index
        self._names: Any = None
        self._numbers = np.zeros(0, np.int64)
        self._objects = np.empty(0, object)

    def look_up(self, codes: Ints, names: Any) -> tuple[Ints, Array]:
        """Return the number and the key (object or int64) of every row."""
        if names is not self._names:
            self._names, self._numbers = names, np.zeros(0, np.int64)
            self._objects = np.empty(0, object)
        if len(names) > len(self._numbers):
            self._lengthen(len(names))
        fresh = np.empty(min(len(codes), len(names)), np.int64)
        fresh = fresh[: first_seen(codes, self._numbers, fresh)]
        if len(fresh):
            self._enter(fresh, names)
        return self._numbers[codes] - 1, self._keys(codes, names)

    def _lengthen(self, known: int) -> None:
        room = max(known, 2 * len(self._numbers))
        longer = np.zeros(room, np.int64)
        longer[: len(self._numbers)] = self._numbers
        self._numbers = longer
        objects = np.empty(min(room, KEPT) if self._index.kind == "str" else 0, object)
        objects[: len(self._objects)] = self._objects[: len(objects)]
        self._objects = objects

    def _enter(self, fresh: Ints, names: Any) -> None:
        """Number the keys of codes seen for the first time; the codes stay unknown when a key is refused."""
        try:
            keys = _taken(names, fresh)
            self._numbers[fresh] = self._index.number(self._index.read(keys)) + 1
        except ParameterError:
            self._numbers[fresh] = 0
            raise
        kept = fresh < len(self._objects)
        self._objects[fresh[kept]] = one_column(keys)[kept]

    def _keys(self, codes: Ints, names: Any) -> Array:
        if self._index.kind == "int":
            return self._index.names(self._numbers[codes] - 1)
        if not codes.size or codes.max() < len(self._objects):
            return self._objects[codes]
        distinct, back = np.unique(codes, return_inverse=True)
        keys: Array = one_column(_taken(names, distinct))[back]
        return keys


def _taken(names: Any, codes: Ints) -> Array | list[Any]:
    """Return the names of codes as a list, or as an array of integers."""
    if isinstance(names, pa.Array):
        return names.take(pa.array(codes)).to_pylist()  # type: ignore[no-any-return]
    if isinstance(names, np.ndarray):
        return names[codes] if names.dtype.kind in "iu" else names[codes].tolist()
    if isinstance(names, Sequence):
        first, last = (int(codes[0]), int(codes[-1])) if len(codes) else (0, -1)
        if last - first + 1 == len(codes) and np.all(np.diff(codes) == 1):  # as new names come, and at once
            return list(names[first : last + 1])
        return [names[code] for code in codes.tolist()]
    raise ParameterError(f"the names of codes must be a list or an array, not a {type(names).__name__}")


__all__ = ["CodeNumbers", "as_codes"]
