"""Parquet and Arrow: types of columns, dictionaries, large batches."""

from datetime import date, datetime
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from marigram.errors import ParameterError
from marigram.events import Schema, open_source, parse_time
from marigram.events.times import Zone

NOON = parse_time("2024-07-01T12:00:00Z", "iso")
HOUR = 3600 * 10**9


def read(path, schema, **options):
    values, keys, times, rejects = [], [], [], []
    with open_source(path, schema, **options) as source:
        for batch in source:
            values += batch.values.tolist()
            keys += [] if batch.keys is None else list(batch.keys)
            times += [] if batch.times is None else batch.times.tolist()
            rejects += batch.rejects
    return values, keys, times, rejects


def save(path, table, kind):
    if kind == "parquet":
        pq.write_table(table, path)
    else:
        with pa.ipc.new_file(path, table.schema) as writer:
            writer.write_table(table)
    return path


@pytest.mark.parametrize(
    ("column", "unit", "tz", "expected"),
    [
        (pa.array([NOON // 10**9], pa.int64()), "s", "UTC", NOON),
        (pa.array([NOON // 10**6], pa.int64()), "ms", "UTC", NOON),
        (pa.array([NOON // 10**9], pa.uint64()), "s", "UTC", NOON),
        (pa.array([NOON / 10**9 + 0.25]), "s", "UTC", NOON + 250_000_000),
        (pa.array([NOON // 10**6]).cast(pa.timestamp("ms")), None, "UTC", NOON),
        (pa.array([NOON // 10**6]).cast(pa.timestamp("ms")), None, "Europe/Berlin", NOON - 2 * HOUR),
        (pa.array([NOON // 1000]).cast(pa.timestamp("us", "America/New_York")), None, "Europe/Berlin", NOON),
        (pa.array([date(2024, 7, 1)]), None, "UTC", NOON - 12 * HOUR),
        (pa.array(["2024-07-01T12:00:00Z"]), "iso", "Europe/Berlin", NOON),
        (pa.array(["2024-07-01 12:00"]), "iso", "Europe/Berlin", NOON - 2 * HOUR),
        (pa.array(["2024-07-01T12Z"]), "iso", "UTC", NOON),
        (pa.array(["2024-07-01T12:00:00Z"]).dictionary_encode(), "iso", "UTC", NOON),
        (pa.array([str(NOON // 10**9)]), "s", "UTC", NOON),
    ],
)
def test_types_of_times(tmp_path, column, unit, tz, expected):
    path = save(tmp_path / "t", pa.table({"ts": column, "v": [1.0]}), "arrow")
    assert read(path, Schema(time="ts", time_unit=unit, tz=tz, values=("v",)))[2] == [expected]


def test_times_that_are_none(tmp_path):
    cells = ["2024-07-01", "yesterday", None, "2024-07-01T12:00Z"]
    path = save(tmp_path / "t", pa.table({"ts": cells, "v": [1.0, 2.0, 3.0, 4.0]}), "parquet")
    values, _, times, rejects = read(path, Schema(time="ts", time_unit="iso", tz="Asia/Tokyo", values=("v",)))
    assert values == [1, 4]
    assert times == [parse_time("2024-07-01", "iso", Zone("Asia/Tokyo")), NOON]
    assert [reject.reason for reject in rejects] == [
        "ts: 'yesterday' is no ISO-8601 time",
        "ts: missing, and it is the time",
    ]
    days = pa.array([datetime(2024, 7, 1), datetime(1000, 1, 1), datetime(9999, 1, 1)], pa.timestamp("s"))
    path = save(tmp_path / "d", pa.table({"ts": days, "v": [1.0, 2.0, 3.0]}), "arrow")
    assert [
        reject.line for reject in read(path, Schema(time="ts", values=("v",), tz="Europe/Berlin"))[3]
    ] == [2, 3]


@pytest.mark.parametrize(
    "column",
    [
        pa.array([1, -2, None], pa.int8()),
        pa.array([1, -2, None], pa.float32()),
        pa.array([Decimal("1.00"), Decimal("-2.00"), None]),
        pa.array([1.0, -2.0, float("nan")]),
        pa.array([1.0, -2.0, None]).dictionary_encode(),
    ],
)
def test_types_of_values(tmp_path, column):
    path = save(tmp_path / "t", pa.table({"v": column}), "arrow")
    assert np.array_equal(read(path, None)[0], [1.0, -2.0, np.nan], equal_nan=True)


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
@pytest.mark.parametrize(
    "column",
    [
        pa.array(["a", "b", "", None, "a", "ü"]),
        pa.array(["a", "b", "", None, "a", "ü"], pa.large_string()),
        pa.array(["a", "b", "", None, "a", "ü"]).dictionary_encode(),
    ],
)
def test_types_of_keys(tmp_path, kind, column):
    path = save(tmp_path / "t", pa.table({"k": column, "v": [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]}), kind)
    values, keys, _, rejects = read(path, Schema(key=("k",), values=("v",)))
    assert list(zip(keys, values, strict=True)) == [("a", 0), ("b", 1), ("a", 4), ("ü", 5)]
    assert [reject.line for reject in rejects] == [3, 4]


@pytest.mark.parametrize("dictionary", [False, True])
def test_keys_that_are_not_utf8(tmp_path, dictionary):
    raw = pa.array([b"a", b"\xff", b"b"]).view(pa.string())
    column = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2]), raw) if dictionary else raw
    path = save(tmp_path / "t", pa.table({"k": column, "v": [0.0, 1.0, 2.0]}), "arrow")
    values, keys, _, rejects = read(path, Schema(key=("k",), values=("v",), time="", id=""))
    assert (values, keys) == ([0, 2], ["a", "b"])
    assert [(reject.line, reject.reason) for reject in rejects] == [(2, "k: invalid UTF-8")]


def test_keys_of_several_columns(tmp_path):
    table = pa.table({"h": ["a", "a|", None, "b"], "n": [1, 2, 3, 4], "v": [1.0, 2.0, 3.0, 4.0]})
    values, keys, _, rejects = read(
        save(tmp_path / "t", table, "parquet"), Schema(key=("h", "n"), values=("v",))
    )
    assert list(zip(keys, values, strict=True)) == [("a|1", 1), ("a\\||2", 2), ("b|4", 4)]
    assert [reject.reason for reject in rejects] == ["h: missing, and it belongs to the key"]


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
@pytest.mark.parametrize("rows", [50, 1000, 100_000])
def test_many_keys(tmp_path, monkeypatch, kind, rows):
    """Few keys come as a dictionary, many as texts; in between the reader changes its mind."""
    monkeypatch.setattr("marigram.events.tables._FEW", 500)
    numbers = np.arange(3000) ** 2 % 1999
    table = pa.table({"k": [f"key-{i}" for i in numbers], "v": np.arange(3000.0)})
    path = save(tmp_path / "t", table, kind)
    values, keys, _, rejects = read(path, Schema(key=("k",), values=("v",)), batch_rows=rows)
    assert values == list(range(3000))
    assert keys == table["k"].to_pylist()
    assert rejects == []


def test_a_large_arrow_batch_is_paged(tmp_path, monkeypatch):
    monkeypatch.setattr("marigram.events.tablefiles._LARGE", 1000)
    path = save(tmp_path / "t", pa.table({"v": np.arange(5000.0)}), "arrow")
    assert read(path, None, batch_rows=700)[0] == list(range(5000))


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_a_damaged_file_ends_with_a_reject(tmp_path, kind):
    path = save(tmp_path / "t", pa.table({"v": np.random.default_rng(0).normal(size=20_000)}), kind)
    data = bytearray(path.read_bytes())
    data[2000:2400] = bytes(400)
    if kind == "arrow":  # its data have no checksum; its metadata are what can be broken
        data[300:1300] = b"\xff" * 1000
        data[8:300] = b"\xff" * 292
    path.write_bytes(data)
    try:
        values, _, _, rejects = read(path, Schema(time="", key=(), values=("v",), id=""))
    except ParameterError:
        pytest.fail("damage is no parameter")
    assert len(values) + len(rejects) > 0


def test_infinite_and_huge_values(tmp_path):
    table = pa.table({"a": [1.0, np.inf, 3.0, -2e300], "b": [1.0, 2.0, np.nan, 4.0]})
    values, _, _, rejects = read(save(tmp_path / "t", table, "parquet"), Schema(values=("a", "b")))
    assert np.array_equal(values, [[1, 1], [3, np.nan]], equal_nan=True)
    assert [(reject.line, reject.reason, reject.raw) for reject in rejects] == [
        (2, "a: inf is beyond 1e300 in size", b"inf, 2"),
        (4, "a: -2e+300 is beyond 1e300 in size", b"-2e+300, 4"),
    ]
