"""Columns of keys as the index takes them: texts as one stretch of UTF-8, without a Python object a row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from marigram.errors import ParameterError
from marigram.fleet.columns import to_arrow

Array: TypeAlias = NDArray[Any]
Ints: TypeAlias = NDArray[np.int64]

_STRETCH = 1 << 13


@dataclass(frozen=True, slots=True)
class Texts:
    """A column of texts as UTF-8: row i is ``data[offsets[i]:offsets[i+1]]``; ``given``: as Python objects."""

    data: NDArray[np.uint8]
    offsets: Ints
    given: Array | None = None

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def objects(self) -> Array:
        """Return the rows as an object array of str."""
        return objects_of(arrow_of(self)) if self.given is None else self.given


def one_column(keys: Any) -> Array:
    """Return a list or array of keys as a one-dimensional array; texts of a list become objects."""
    if isinstance(keys, (str, bytes)) or not hasattr(keys, "__len__"):
        raise ParameterError(
            f"keys must be a column with one key for each event, not a {type(keys).__name__}"
        )
    array = keys if isinstance(keys, np.ndarray) else _listed(keys)
    if array.ndim != 1:
        raise ParameterError(f"keys must be one column, not of {array.ndim} dimensions")
    return array


def _listed(keys: Any) -> Array:
    """Return a list as an array; texts as objects, so that one long key does not widen them all."""
    rows = list(keys)
    if rows and isinstance(rows[0], (int, np.integer)):
        return np.asarray(rows)
    array = np.empty(len(rows), object)
    array[:] = rows
    return array


def kind_of(array: Array) -> str:
    """Return what an array holds, in words."""
    kinds = {
        "b": "booleans",
        "i": "integers",
        "u": "integers",
        "f": "floats",
        "S": "bytes",
        "U": "texts",
        "T": "texts",
    }
    if array.dtype == object:
        names = " and ".join(sorted({type(key).__name__ for key in array.tolist()}))
        return "integers beyond 64 bits" if names == "int" else names
    return kinds.get(array.dtype.kind, str(array.dtype))


def arrow_texts(array: Array) -> pa.Array:
    """Return an array of texts as an Arrow array; ``ParameterError`` when it holds anything else."""
    try:
        column = pa.array(array)
    except UnicodeEncodeError as error:
        raise ParameterError(f"a key is no valid Unicode text: {error.object!r}") from error
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise ParameterError(f"keys=str was promised, but the keys are {kind_of(array)}") from error
    return to_arrow(column)


def texts_of(column: pa.Array) -> Texts:
    """Return an Arrow array of texts as they lie in its memory; ``ParameterError`` for another type."""
    if not (
        pa.types.is_null(column.type) or column.type in (pa.string(), pa.large_string(), pa.string_view())
    ):
        raise ParameterError(f"keys=str was promised, but the keys are {column.type}")
    column = column.cast(pa.large_string())
    _, offsets, data = column.buffers()
    if offsets is None or not len(column):
        return Texts(np.zeros(0, np.uint8), np.zeros(len(column) + 1, np.int64))
    starts = np.frombuffer(offsets, np.int64)[column.offset : column.offset + len(column) + 1]
    return Texts(np.zeros(0, np.uint8) if data is None else np.frombuffer(data, np.uint8), starts)


def texts_of_objects(array: Array) -> Texts:
    """Copy texts and lay them out as UTF-8, a stretch at a time: the objects are fetched from memory only once."""
    given = np.empty(len(array), object)
    parts = []
    for start in range(0, len(array), _STRETCH):
        part = slice(start, start + _STRETCH)
        given[part] = array[part]
        column = arrow_texts(given[part])
        if column.null_count:
            refuse_nulls(arrow_texts(array))
        parts.append(texts_of(column))
    starts = np.cumsum([0, *(part.offsets[-1] for part in parts)])
    offsets = [part.offsets[:-1] + start for part, start in zip(parts, starts, strict=False)]
    data = np.concatenate([np.zeros(0, np.uint8), *(part.data[: part.offsets[-1]] for part in parts)])
    return Texts(data, np.concatenate([*offsets, starts[-1:]]), given)


def arrow_of(texts: Texts) -> pa.Array:
    """Return the texts as an Arrow array over the same memory."""
    return pa.LargeStringArray.from_buffers(len(texts), pa.py_buffer(texts.offsets), pa.py_buffer(texts.data))


def objects_of(column: pa.Array) -> Array:
    """Return an Arrow array as Python objects."""
    array: Array = column.to_numpy(zero_copy_only=False)
    return array


def refuse_nulls(column: pa.Array) -> None:
    """Raise ``ParameterError`` that names the first row without a key, if there is one."""
    if column.null_count:
        row = column.is_null().to_numpy(zero_copy_only=False).argmax()
        raise ParameterError(f"row {row} has no key; {column.null_count} of {len(column)} keys are missing")


__all__ = [
    "Texts",
    "arrow_of",
    "arrow_texts",
    "kind_of",
    "objects_of",
    "one_column",
    "refuse_nulls",
    "texts_of",
    "texts_of_objects",
]
