"""Keys and their numbers: every key of a fleet is numbered once, in the order of first appearance.

The number is where the key's record lies, so the order must not depend on how events are cut into batches.  A
column of keys goes through one compiled pass: texts are looked up by the bytes that Arrow lays out, without a
Python object a row.  Numbers are never taken back.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeAlias, final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from marigram.errors import ParameterError, SnapshotError
from marigram.fleet._hashing import move_ints, move_texts, number_ints, number_texts
from marigram.fleet.columns import library_of, to_arrow
from marigram.fleet.texts import (
    Texts,
    arrow_of,
    arrow_texts,
    kind_of,
    objects_of,
    one_column,
    refuse_nulls,
    texts_of,
    texts_of_objects,
)

Array: TypeAlias = NDArray[Any]
Ints: TypeAlias = NDArray[np.int64]
Allocate: TypeAlias = Callable[[tuple[int, ...], Any], Array]
"""``allocate(shape, dtype)`` -> a zeroed array, in memory or backed by a file."""

_FIRST = 1024


class KeyIndex(ABC):
    """Numbers for keys of one type.  ``number`` takes a column that ``read`` made.

    Parameters
    ----------
    allocate
        Where the arrays lie: ``np.zeros``, or files once a fleet has more keys than its memory holds.
    """

    kind: ClassVar[str]

    def __init__(self, allocate: Allocate = np.zeros) -> None:
        self._allocate = allocate
        self._salt = np.uint64(int.from_bytes(os.urandom(8), "little"))
        self._count = 0
        self._held = {"table": allocate((2 * _FIRST, 2), np.uint64)}

    def __len__(self) -> int:
        return self._count

    @final
    def number(self, column: Any, *, insert: bool = True) -> Ints:
        """Return the number of every row's key, (n,) int64; an unknown key gets the next one, or -1."""
        out = np.empty(len(column), np.int64)
        done = 0
        while True:
            done, self._count = self._pass(column, done, insert, out)
            if done == len(out):
                return out
            if 2 * self._count >= len(self._held["table"]):
                self._grow_table()
            else:
                self._grow_names()

    @final
    def move(self, allocate: Allocate) -> None:
        """Put everything into arrays of another allocator."""
        self._allocate = allocate
        for name, array in self._held.items():
            self._widen(name, len(array))

    def _widen(self, name: str, rows: int) -> None:
        """Replace an array by one of ``rows`` rows that begins with the same content."""
        old = self._held[name]
        wider = self._allocate((rows, *old.shape[1:]), old.dtype)
        wider[: len(old)] = old
        self._held[name] = wider

    @abstractmethod
    def read(self, keys: Any) -> Any:
        """Return a caller's column in the form ``number`` takes; ``ParameterError`` for a wrong type or a null."""

    @abstractmethod
    def names(self, numbers: Ints | None = None) -> Array:
        """Return the keys with these numbers (all of them when None) as an object or int64 array."""

    @abstractmethod
    def arrays(self) -> dict[str, Array]:
        """Return what a snapshot keeps: the keys in the order of their numbers."""

    @abstractmethod
    def column_of(self, arrays: Mapping[str, Array]) -> Any:
        """Return the column that ``arrays`` made, to be numbered afresh; ``SnapshotError`` when it is none."""

    @abstractmethod
    def _pass(self, column: Any, done: int, insert: bool, out: Ints) -> tuple[int, int]: ...

    @abstractmethod
    def _grow_table(self) -> None: ...

    @abstractmethod
    def _grow_names(self) -> None: ...


@final
class IntKeys(KeyIndex):
    """Keys that are 64-bit integers."""

    kind = "int"

    def __init__(self, allocate: Allocate = np.zeros) -> None:
        super().__init__(allocate)
        self._held["names"] = allocate((_FIRST,), np.int64)

    def read(self, keys: Any) -> Ints:
        """Return integer keys as int64; booleans, floats, texts and nulls are refused."""
        if library_of(keys) in ("pandas", "polars", "pyarrow"):
            column = to_arrow(keys)
            refuse_nulls(column)
            if not pa.types.is_integer(column.type):
                raise ParameterError(f"keys=int was promised, but the keys are {column.type}")
            keys = column.to_numpy(zero_copy_only=False)
        array = one_column(keys)
        if array.size and array.dtype.kind not in "iu":
            raise ParameterError(f"keys=int was promised, but the keys are {kind_of(array)}")
        if array.dtype == np.uint64 and array.size and array.max() > np.iinfo(np.int64).max:
            raise ParameterError(f"integer keys must fit into 64 bits with sign; one is {array.max()}")
        return np.ascontiguousarray(array, np.int64)

    def names(self, numbers: Ints | None = None) -> Array:
        """Return the keys as int64."""
        known = self._held["names"][: self._count]
        return np.array(known if numbers is None else known[numbers])

    def arrays(self) -> dict[str, Array]:
        """Return ``keys``: int64 by number."""
        return {"keys": self._held["names"][: self._count]}

    def column_of(self, arrays: Mapping[str, Array]) -> Ints:
        """Return the saved keys."""
        return np.ascontiguousarray(arrays["keys"], np.int64)

    def _pass(self, column: Ints, done: int, insert: bool, out: Ints) -> tuple[int, int]:
        held = self._held
        return number_ints(column, done, held["table"], held["names"], self._count, self._salt, insert, out)

    def _grow_table(self) -> None:
        old = self._held["table"]
        self._held["table"] = self._allocate((2 * len(old), 2), np.uint64)
        move_ints(old, self._held["table"], self._salt)

    def _grow_names(self) -> None:
        self._widen("names", 2 * len(self._held["names"]))


@final
class TextKeys(KeyIndex):
    """Keys that are texts, kept as UTF-8 in one blob."""

    kind = "str"

    def __init__(self, allocate: Allocate = np.zeros) -> None:
        super().__init__(allocate)
        self._held["blob"] = allocate((16 * _FIRST,), np.uint8)
        self._held["ends"] = allocate((_FIRST + 1,), np.int64)

    def read(self, keys: Any) -> Texts:
        """Return text keys as UTF-8; other types and nulls are refused."""
        if library_of(keys) in ("pandas", "polars", "pyarrow"):
            column = to_arrow(keys)
            refuse_nulls(column)
            return texts_of(column)
        array = one_column(keys)
        if array.size and array.dtype.kind not in "OUT":
            raise ParameterError(f"keys=str was promised, but the keys are {kind_of(array)}")
        if array.dtype.kind == "U":
            return texts_of(arrow_texts(array))
        return texts_of_objects(array)

    def names(self, numbers: Ints | None = None) -> Array:
        """Return the keys as an object array of str."""
        known = arrow_of(Texts(self._held["blob"], self._held["ends"][: self._count + 1]))
        return objects_of(known if numbers is None else known.take(pa.array(numbers)))

    def arrays(self) -> dict[str, Array]:
        """Return ``keys``: UTF-8, and ``key_ends``: where each begins, by number, and the end of the last."""
        ends = self._held["ends"][: self._count + 1]
        return {"keys": self._held["blob"][: ends[-1]], "key_ends": ends}

    def column_of(self, arrays: Mapping[str, Array]) -> Texts:
        """Return the saved keys."""
        data, ends = np.asarray(arrays["keys"], np.uint8), np.asarray(arrays["key_ends"], np.int64)
        if not len(ends) or ends[0] != 0 or ends[-1] != len(data) or np.any(np.diff(ends) < 0):
            raise SnapshotError("the texts of the keys do not lie where their ends say")
        return Texts(data, ends)

    def _pass(self, column: Texts, done: int, insert: bool, out: Ints) -> tuple[int, int]:
        if insert:
            need = int(self._held["ends"][self._count] + column.offsets[-1] - column.offsets[done])
            if need > len(self._held["blob"]):
                self._widen("blob", max(need, 2 * len(self._held["blob"])))
        table, blob, ends = (self._held[name] for name in ("table", "blob", "ends"))
        return number_texts(
            column.data, column.offsets, done, table, blob, ends, self._count, self._salt, insert, out
        )

    def _grow_table(self) -> None:
        old = self._held["table"]
        self._held["table"] = self._allocate((2 * len(old), 2), np.uint64)
        move_texts(old, self._held["table"])

    def _grow_names(self) -> None:
        self._widen("ends", 2 * len(self._held["ends"]))


def key_index(keys: object, allocate: Allocate = np.zeros) -> KeyIndex:
    """Return the empty index for ``keys=str`` or ``keys=int`` (the types, or their names)."""
    if keys in (int, "int"):
        return IntKeys(allocate)
    if keys in (str, "str"):
        return TextKeys(allocate)
    raise ParameterError(f"keys must be str or int, not {keys!r}")


__all__ = ["Allocate", "IntKeys", "KeyIndex", "TextKeys", "key_index"]
