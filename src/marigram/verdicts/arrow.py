"""Verdict columns to Arrow and back, without a Python loop over rows."""

from collections.abc import Callable, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from marigram.kinds import Kind
from marigram.verdicts.fields import COLUMNS, FIELDS, NO_TIME, Array, Column

__all__ = ["arrow_columns", "arrow_schema", "arrow_table", "id_array", "key_array"]

_WIDTH = b"coordinates"
_KIND_NAMES = pa.array([kind.label for kind in Kind], pa.string())
_TYPES = {
    "int64": pa.int64(),
    "float64": pa.float64(),
    "float32": pa.float32(),
    "bool": pa.bool_(),
    "object": pa.string(),
}
_NULLABLE_INTEGERS = frozenset(
    column.name for column in COLUMNS if column.dtype == "int64" and column.null != 0
)


def arrow_schema(d: int = 1, *, integer_keys: bool = False) -> pa.Schema:
    """Return the Arrow schema of verdicts over events with ``d`` coordinates.

    Times are ``timestamp[ns, UTC]``, kinds a dictionary of names; with d > 1 the columns of one number a
    coordinate are lists.  ``why`` is always a list.

    Examples
    --------
    >>> schema = arrow_schema()
    >>> schema.field("time").type, schema.field("value").type, arrow_schema(3).field("value").type
    (TimestampType(timestamp[ns, tz=UTC]), DataType(double), ListType(list<item: double>))
    """
    fields = [(column.name, _type(column, d, integer_keys)) for column in COLUMNS]
    return pa.schema(fields, metadata={_WIDTH: str(d)})


def _type(column: Column, d: int, integer_keys: bool) -> pa.DataType:
    if column.name == "time":
        return pa.timestamp("ns", tz="UTC")
    if column.name == "kind":
        return pa.dictionary(pa.int8(), pa.string())
    if column.name == "key" and integer_keys:
        return pa.int64()
    scalar = _TYPES[column.dtype]
    return pa.list_(scalar) if column.name == "why" or (column.per_coordinate and d > 1) else scalar


def arrow_table(column: Callable[[str], Array], d: int) -> pa.Table:
    """Return the table of the columns that ``column(name)`` gives; NaN and documented nulls become nulls."""
    keys = key_array(column("key"))
    schema = arrow_schema(d, integer_keys=pa.types.is_integer(keys.type))
    arrays = [keys if field.name == "key" else _to_arrow(field, column(field.name)) for field in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


def key_array(values: Array) -> pa.Array:
    """Return keys as int64 when all are integers, as strings when all are texts or None, which becomes null.

    Raises ``TypeError`` for a mixture, and ``UnicodeEncodeError`` for half of a surrogate pair, which no file can hold.
    """
    if values.dtype.kind == "i":
        return pa.array(values, pa.int64())
    if _absent(values):
        return pa.nulls(len(values), pa.string())
    try:
        return pa.array(values, pa.string())
    except pa.ArrowTypeError:
        if not all(isinstance(x, (int, np.integer)) for x in values):
            raise TypeError("the keys of a table must be all texts or all integers") from None
        return pa.array(values, pa.int64())


def id_array(values: Array) -> pa.Array:
    """Return ids as strings whatever they are; None becomes null."""
    if values.dtype.kind == "i":
        return pa.array(values, pa.int64()).cast(pa.string())
    if _absent(values):
        return pa.nulls(len(values), pa.string())
    try:
        return pa.array(values, pa.string())
    except pa.ArrowTypeError:
        return pa.array([None if x is None else str(x) for x in values], pa.string())


def _absent(values: Array) -> bool:
    """Return whether the column was not given: one None that stands for every row."""
    return values.strides == (0,) and len(values) > 0 and values[0] is None


def _to_arrow(field: pa.Field, values: Array) -> pa.Array:
    if field.name == "id":
        return id_array(values)
    if pa.types.is_timestamp(field.type):
        return pa.array(values, mask=values == NO_TIME).view(field.type)
    if pa.types.is_dictionary(field.type):
        return pa.DictionaryArray.from_arrays(pa.array(values.view(np.int8)), _KIND_NAMES)
    if pa.types.is_list(field.type):
        return _to_lists(values, field.type)
    if field.name in _NULLABLE_INTEGERS:
        return pa.array(values, field.type, mask=values == -1)
    return pa.array(values, field.type, from_pandas=True)


def _to_lists(values: Array, kind: pa.ListType) -> pa.Array:
    """Return (n, d) numbers as n lists; a row of NaN only is a null, a NaN beside numbers a null element."""
    n, d = values.shape
    numbers = pa.array(values.reshape(-1), kind.value_type, from_pandas=True)
    offsets = pa.array(np.arange(n + 1, dtype=np.int32) * np.int32(d))
    empty = np.isnan(values).all(axis=1)
    return pa.ListArray.from_arrays(
        offsets, numbers, type=kind, mask=pa.array(empty) if empty.any() else None
    )


def arrow_columns(table: pa.Table) -> Mapping[str, Array]:
    """Return the NumPy columns of a table written by :func:`arrow_table`, also after Parquet.

    Raises ``ValueError`` when a field of a verdict is absent.
    """
    missing = [name for name in FIELDS if name not in table.column_names]
    if missing:
        raise ValueError(f"not a table of verdicts: it has no column {', '.join(missing)}")
    chunks = {column: table.column(column.name).combine_chunks() for column in COLUMNS}
    d = _width(table)
    return {column.name: _from_arrow(column, chunk, d) for column, chunk in chunks.items()}


def _width(table: pa.Table) -> int:
    """Return d: as the schema says it, or else the length of the longest list."""
    told = (table.schema.metadata or {}).get(_WIDTH)
    if told is not None:
        return int(told)
    lists = [
        column
        for column in table.columns
        if pa.types.is_list(column.type) or pa.types.is_large_list(column.type)
    ]
    return max((pc.max(pc.list_value_length(column)).as_py() or 1 for column in lists), default=1)


def _from_arrow(column: Column, values: pa.Array, d: int) -> Array:
    if column.name == "kind":
        codes = pc.index_in(values.cast(pa.string()), value_set=_KIND_NAMES)
        return _numpy(codes).astype(np.uint8)
    if column.name == "time":
        return _filled(values.cast(pa.timestamp("ns", tz="UTC")).view(pa.int64()), NO_TIME)
    if pa.types.is_list(values.type) or pa.types.is_large_list(values.type):
        return _from_lists(values, column.dtype, d)
    if column.dtype == "object" and not pa.types.is_integer(values.type):
        return _numpy(values).astype(object)
    return _filled(values, column.null if column.dtype != "object" else 0)


def _filled(values: pa.Array, null: object) -> Array:
    whole = values if values.null_count == 0 else values.fill_null(pa.scalar(null, values.type))
    return _numpy(whole)


def _from_lists(values: pa.Array, dtype: str, d: int) -> Array:
    out = np.full((len(values), d), np.nan, dtype=dtype)
    present = ~_numpy(values.is_null())
    out[present] = _numpy(values.flatten()).reshape(-1, d)
    return out


def _numpy(values: pa.Array) -> Array:
    array: Array = values.to_numpy(zero_copy_only=False)
    return array
