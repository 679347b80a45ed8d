"""The fields of a verdict: their names, order, types and nulls, defined once.

Python objects, columns, Arrow tables, Parquet files and JSON lines are all derived from :data:`COLUMNS`, so they
hold the same fields in the same order.
"""

from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from marigram.kinds import Kind

__all__ = ["COLUMNS", "FIELDS", "NO_TIME", "Array", "Column", "Numbers"]

Array: TypeAlias = NDArray[Any]

NO_TIME: Final = int(np.iinfo(np.int64).min)
"""The time of an event that has none: the same bits as NumPy's NaT."""

Numbers: TypeAlias = float | list[float]
"""One number when events are scalar, a list of d numbers otherwise."""


class Column(NamedTuple):
    """How one field lies in memory."""

    name: str
    dtype: str
    """NumPy dtype of the column; ``object`` for texts."""
    null: object
    """What a row without one holds, and every row of a column not given (but ``seq`` then counts rows)."""
    per_coordinate: bool = False
    """Whether a row holds d numbers when events have d > 1 coordinates."""


COLUMNS: Final = (
    Column("id", "object", None),
    Column("key", "object", None),
    Column("seq", "int64", 0),
    Column("n", "int64", 0),
    Column("time", "int64", NO_TIME),
    Column("value", "float64", np.nan, per_coordinate=True),
    Column("p_value", "float64", np.nan),
    Column("score", "float64", np.nan),
    Column("expected", "float64", np.nan, per_coordinate=True),
    Column("lower", "float64", np.nan, per_coordinate=True),
    Column("upper", "float64", np.nan, per_coordinate=True),
    Column("kind", "uint8", int(Kind.NORMAL)),
    Column("severity", "float64", np.nan),
    Column("episode", "int64", 0),
    Column("notice", "bool", False),
    Column("changed_at", "int64", -1),
    Column("before", "float64", np.nan, per_coordinate=True),
    Column("after", "float64", np.nan, per_coordinate=True),
    Column("resolves", "int64", -1),
    Column("late", "bool", False),
    Column("why", "float32", 1.0),
)
FIELDS: Final = tuple(column.name for column in COLUMNS)
"""Names of the fields of a verdict in the order of every output."""
