"""Values, times and ids in every form a caller may have, copied and checked."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from marigram.errors import ParameterError
from marigram.fleet.columns import NO_TIME, id_column, time_column, value_columns

SECOND = 1_000_000_000
WHEN = dt.datetime(2024, 3, 1, 12, 0, 0, 5, tzinfo=dt.UTC)
WHEN_NS = int(WHEN.timestamp()) * SECOND + 5_000


@pytest.mark.parametrize(
    "values",
    [
        [1, None, 3],
        [np.float32(1), None, np.int8(3)],
        (1.0, float("nan"), 3),
        np.array([1, np.nan, 3], np.float32),
        pd.Series([1, None, 3], dtype="Int64"),
        pd.Series([1, np.nan, 3]),
        pl.Series([1, None, 3]),
        pl.Series([1.0, None, 3.0]),
        pa.array([1, None, 3]),
        pa.chunked_array([[1.0], [None, 3.0]]),
    ],
)
def test_one_column_of_values(values: Any) -> None:
    assert np.array_equal(value_columns(values), [1, np.nan, 3], equal_nan=True)
    assert value_columns(values).dtype == np.float64


@pytest.mark.parametrize(
    "values",
    [
        [[1, 2], [None, 4]],
        np.asfortranarray([[1, 2], [np.nan, 4]]),
        pd.DataFrame({"a": [1, None], "b": [2, 4]}),
        pl.DataFrame({"a": [1, None], "b": [2, 4]}),
        pa.table({"a": [1, None], "b": [2, 4]}),
    ],
)
def test_several_columns_of_values(values: Any) -> None:
    columns = value_columns(values)
    assert np.array_equal(columns, [[1, 2], [np.nan, 4]], equal_nan=True)
    assert columns.flags.c_contiguous


def test_values_are_copied() -> None:
    mine = np.zeros(3)
    theirs = value_columns(mine)
    mine[0] = 1.0
    assert theirs[0] == 0.0


def test_integers_of_any_size() -> None:
    assert value_columns([10**400, -(10**400), 2**80]).tolist() == [np.inf, -np.inf, 2.0**80]
    assert value_columns(pa.array([2**60 + 1])).tolist() == [float(2**60)]
    assert value_columns(np.array([2**64 - 1], np.uint64)).tolist() == [2.0**64]


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([True, False], "booleans"),
        (np.array([True]), "booleans"),
        (pd.Series([True]), "bool"),
        (pl.Series([True]), "bool"),
        ([1, "x"], "texts"),
        (["x", None], "str"),
        ([1, True, None], "bool"),
        (np.array([1, None]), "objects"),
        (np.array([1j]), "complex"),
        (np.array(["2024"], "M8[s]"), "times"),
        (pa.array(["x"]), "string"),
        ([[1], [1, 2]], "differ in length"),
        (np.zeros((1, 1, 1)), "3 dimensions"),
        (np.float64(3), "float64"),
        ("12", "str"),
        (7, "int"),
    ],
)
def test_wrong_values_are_refused_in_words(values: Any, reason: str) -> None:
    with pytest.raises(ParameterError, match=reason):
        value_columns(values)


@pytest.mark.parametrize(
    "times",
    [
        [WHEN, None],
        [WHEN.astimezone(dt.timezone(dt.timedelta(hours=5))), None],
        [WHEN.replace(tzinfo=None), None],
        [WHEN_NS, None],
        np.array([WHEN_NS, NO_TIME]),
        np.array(["2024-03-01T12:00:00.000005", "NaT"], "M8[us]"),
        [np.datetime64("2024-03-01T12:00:00.000005"), np.datetime64("NaT")],
        [pd.Timestamp(WHEN), pd.NaT],
        pd.Series([WHEN, None]),
        pd.DatetimeIndex([WHEN, None]).tz_convert("Asia/Tokyo"),
        pl.Series([WHEN, None]),
        pa.array([WHEN, None]),
        pa.array([WHEN_NS, None]),
    ],
)
def test_times(times: Any) -> None:
    column = time_column(times)
    assert column is not None
    assert column.tolist() == [WHEN_NS, NO_TIME]
    assert column.dtype == np.int64


def test_nanoseconds_of_pandas_and_dates_of_arrow() -> None:
    stamp = pd.Timestamp(7, unit="ns")
    assert time_column([stamp, None]).tolist() == [7, NO_TIME]  # type: ignore[union-attr]
    assert time_column(pa.array([dt.date(1970, 1, 2)])).tolist() == [86_400 * SECOND]  # type: ignore[union-attr]
    assert time_column(None) is None


@pytest.mark.parametrize(
    ("times", "reason"),
    [
        ([1.5], "float"),
        (["2024-01-01"], "texts"),
        ([True, None], "bool"),
        ([dt.date(2024, 1, 1)], "date"),
        (np.zeros((2, 2), np.int64), "2 dimensions"),
        (np.array(["3000-01-01"], "M8[D]"), "1677 to 2262"),
        (pa.array([dt.datetime(3000, 1, 1)]), "1677 to 2262"),
        (pa.array([1.0]), "double"),
        (np.array([1], np.uint64), "uint64"),
        ([2**64], "1677 to 2262"),
    ],
)
def test_wrong_times_are_refused_in_words(times: Any, reason: str) -> None:
    with pytest.raises(ParameterError, match=reason):
        time_column(times)


def test_ids() -> None:
    assert id_column(None) is None
    for ids in (["a", None, 3], pl.Series(["a", None, "3"]), np.array(["a", "b"])):
        column = id_column(ids)
        assert column is not None
        assert column.dtype == object
        assert column.tolist() == list(ids)
    column = id_column(np.array([1, 2], np.int32))
    assert column is not None
    assert column.dtype == np.int64
