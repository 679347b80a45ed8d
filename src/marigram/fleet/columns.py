"""What a caller may hand to a fleet, turned into plain arrays: values, times and ids.

Lists, NumPy, pandas, polars and Arrow are taken without depending on the frames: a library is recognised by the
name of its module.  Everything is copied, so that neither side can change what the other holds, and everything is
checked before the first event is learned.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from numbers import Real
from typing import Any, TypeAlias, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from marigram.errors import ParameterError

Array: TypeAlias = NDArray[Any]
Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

NO_TIME = int(np.iinfo(np.int64).min)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FRAMES = ("DataFrame", "Table", "RecordBatch")


def library_of(data: object) -> str:
    """Return the top-level package that defines the type of ``data``."""
    return type(data).__module__.partition(".")[0]


def to_arrow(column: Any) -> pa.Array:
    """Return one Arrow array of an Arrow, pandas or polars column; null where it has null or NaN-for-null."""
    array = column
    if library_of(column) == "pandas":
        array = pa.array(column, from_pandas=True)
    elif library_of(column) == "polars":
        array = column.to_arrow()
    if isinstance(array, pa.ChunkedArray):
        if pa.types.is_dictionary(array.type):
            array = array.unify_dictionaries()
        array = array.combine_chunks()
    if isinstance(array, pa.ChunkedArray):  # more bytes of text than one array of its type can hold
        array = pa.concat_arrays([chunk.cast(pa.large_string()) for chunk in array.chunks])
    if not isinstance(array, pa.Array):
        raise ParameterError(f"a column is needed, not a {type(column).__name__}")
    return array


def value_columns(values: Any) -> Floats:
    """Return values as (n,) or (n, d) float64, null as NaN; booleans, texts and objects are refused."""
    library, name = library_of(values), type(values).__name__
    if library in ("pandas", "polars", "pyarrow") and name in _FRAMES:
        parts = [value_columns(part) for part in _parts(values, library)]
        return np.column_stack(parts) if parts else np.empty((values.shape[0], 0))
    if library in ("pandas", "polars", "pyarrow"):
        return _arrow_values(to_arrow(values))
    array = np.asarray(values if isinstance(values, np.ndarray) else _from_list(values))
    if array.size and array.dtype.kind not in "iuf":
        raise ParameterError(f"values must be numbers, not {_named(array)}")
    if array.ndim not in (1, 2):
        raise ParameterError(f"values must be (n,) or (n, d), not of {array.ndim} dimensions")
    with np.errstate(
        over="ignore", invalid="ignore"
    ):  # a wider float beyond float64 becomes infinite: rejected
        return np.array(array, np.float64, order="C")


def time_column(times: Any) -> Ints | None:
    """Return times as int64 ns since 1970 UTC, NO_TIME where null; None stays None.

    Integers are taken as ns.  A time without zone is UTC.  Texts are refused: reading them is the schema's work.
    """
    if times is None:
        return None
    if library_of(times) in ("pandas", "polars", "pyarrow"):
        return _arrow_times(times)
    array = times if isinstance(times, np.ndarray) else np.asarray(times)
    if array.dtype == object:
        return np.array([_one_time(moment) for moment in array.ravel().tolist()], np.int64)
    if array.ndim != 1:
        raise ParameterError(f"times must be one column, not of {array.ndim} dimensions")
    if array.dtype.kind == "M":
        return _nanoseconds(array)
    if array.size and (array.dtype.kind not in "iu" or array.dtype == np.uint64):
        raise ParameterError(f"times must be int64 ns, datetime64 or datetimes, not {_named(array)}")
    return np.array(array, np.int64)


def id_column(ids: Any) -> Array | None:
    """Return the events' own ids as an object or int64 array; None stays None."""
    if ids is None:
        return None
    if library_of(ids) in ("pandas", "polars", "pyarrow"):
        ids = to_arrow(ids).to_pylist()
    if isinstance(ids, np.ndarray) and ids.dtype.kind in "iu":
        return np.array(ids, np.int64)
    array = np.empty(len(ids), object)
    array[:] = ids.tolist() if isinstance(ids, np.ndarray) else ids
    return array


def _parts(frame: Any, library: str) -> list[Any]:
    if library == "pandas":
        return [frame.iloc[:, k] for k in range(frame.shape[1])]
    return list(frame.columns) if library == "pyarrow" else list(frame.get_columns())


def _named(array: Array) -> str:
    names = {
        "b": "booleans",
        "U": "texts",
        "T": "texts",
        "O": "objects",
        "c": "complex numbers",
        "M": "times",
    }
    return names.get(array.dtype.kind, str(array.dtype))


def _from_list(values: Any) -> Array:
    """Return an array of a list that may hold None (null) and integers beyond int64."""
    if isinstance(values, (str, bytes)) or not isinstance(values, Sequence):
        raise ParameterError(f"values must be a column of numbers, not a {type(values).__name__}")
    try:
        array = np.asarray(values)
    except (ValueError, OverflowError) as error:
        raise ParameterError("values must be (n,) or (n, d): the rows differ in length") from error
    if array.dtype != object:
        return array
    return np.array([_one_number(number) for number in array.ravel().tolist()], np.float64).reshape(
        array.shape
    )


def _one_number(number: object) -> float:
    if number is None:
        return math.nan
    if isinstance(number, bool) or not isinstance(number, Real):
        raise ParameterError(f"values must be numbers, not {type(number).__name__}")
    try:
        return float(number)
    except OverflowError:  # an integer of hundreds of digits: beyond every float, so rejected as infinite
        return -math.inf if cast(int, number) < 0 else math.inf


def _arrow_values(array: pa.Array) -> Floats:
    kind = array.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_null(kind)):
        raise ParameterError(f"values must be numbers, not {kind}")
    numbers = array.cast(pa.float64(), safe=False)
    return np.array(pc.fill_null(numbers, math.nan).to_numpy(zero_copy_only=False), np.float64)


def _arrow_times(times: Any) -> Ints:
    array = to_arrow(times)
    if pa.types.is_date(array.type):
        array = array.cast(pa.timestamp("s" if array.type == pa.date32() else "ms"))
    if pa.types.is_timestamp(array.type):
        try:
            array = array.cast(pa.timestamp("ns", array.type.tz)).cast(pa.int64())
        except pa.ArrowInvalid as error:
            raise ParameterError(f"a time lies outside the years 1677 to 2262: {error}") from error
    if not pa.types.is_int64(array.type) and not pa.types.is_null(array.type):
        raise ParameterError(f"times must be int64 ns or timestamps, not {array.type}")
    return np.array(pc.fill_null(array.cast(pa.int64()), NO_TIME).to_numpy(zero_copy_only=False), np.int64)


def _nanoseconds(array: Array) -> Ints:
    nanoseconds = array.astype("M8[ns]")
    finer = np.datetime_data(array.dtype)[0] in ("ps", "fs", "as")
    if not finer and not np.array_equal(nanoseconds.astype(array.dtype), array, equal_nan=True):
        raise ParameterError("a time lies outside the years 1677 to 2262")
    return np.array(nanoseconds.view(np.int64))


def _one_time(moment: Any) -> int:
    if moment is None or moment != moment:  # None, or pandas' NaT
        return NO_TIME
    if isinstance(moment, datetime):
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return (aware - _EPOCH) // timedelta(microseconds=1) * 1000 + int(getattr(moment, "nanosecond", 0))
    if isinstance(moment, int) and not isinstance(moment, bool):
        if not NO_TIME <= moment < -NO_TIME:
            raise ParameterError(f"times are int64 nanoseconds, years 1677 to 2262; {moment} lies outside")
        return moment
    raise ParameterError(f"times must be int64 ns, datetime64 or datetimes, not {type(moment).__name__}")


__all__ = ["NO_TIME", "id_column", "library_of", "time_column", "to_arrow", "value_columns"]
