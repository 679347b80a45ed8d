"""Sinks: what was written can be read, and a crash leaves what was durable."""

import csv
import gzip
import io
import json
import os
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from marigram.errors import ParameterError
from marigram.events import Reject, open_rejects, open_sink
from marigram.verdicts import FIELDS, Verdicts


def verdicts(first, n, d=1):
    rows = np.arange(first, first + n)
    values = rows.astype(float) if d == 1 else np.column_stack([rows + 0.5 * i for i in range(d)])
    return Verdicts(
        value=values,
        kind=rows % 3,
        key=np.array([f"k{i}" for i in rows], object),
        time=rows * 10**9,
        p_value=np.full(n, 0.5),
    )


def read(path):
    """The values of all rows."""
    data = path.read_bytes()
    if path.suffix == ".gz":
        data = gzip.decompress(data)
    elif path.suffix == ".zst":
        data = pa.CompressedInputStream(pa.BufferReader(data), "zstd").read()
    name = path.name.removesuffix(".gz").removesuffix(".zst")
    if name.endswith(".csv"):
        return [float(row["value"]) for row in csv.DictReader(io.StringIO(data.decode()))]
    if name.endswith(".jsonl"):
        return [json.loads(line)["value"] for line in data.splitlines()]
    table = pq.read_table(path) if name.endswith(".parquet") else pa.ipc.open_file(path).read_all()
    return table["value"].to_pylist()


NAMES = ["out.jsonl", "out.csv", "out.jsonl.gz", "out.csv.zst", "out.parquet", "out.arrow"]


@pytest.mark.parametrize("resumable", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_all_rows_in_order(tmp_path, name, resumable):
    path = tmp_path / name
    path.write_bytes(b"from an earlier run")
    sink = open_sink(path, resumable=resumable)
    for i in range(5):
        sink.write(verdicts(10 * i, 10))
        if i % 2:
            sink.flush()
    sink.close()
    assert read(path) == list(range(50))
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize("name", NAMES)
def test_nothing_written(tmp_path, name):
    sink = open_sink(tmp_path / name, resumable=True)
    sink.close()
    assert read(tmp_path / name) == []


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("crash_after", [0, 1, 4])
def test_a_crash_keeps_what_was_flushed(tmp_path, name, crash_after):
    path = tmp_path / name
    sink = open_sink(path, resumable=True)
    position, rows = sink.flush(), 0
    for i in range(crash_after):
        sink.write(verdicts(10 * i, 10))
        if i % 2 == 0:
            position, rows = json.loads(json.dumps(sink.flush())), 10 * (i + 1)
    for lost in range(2):  # what was written and flushed after the stored position must go
        sink.write(verdicts(1000 + lost, 3))
        sink.flush()
    sink.write(verdicts(2000, 3))
    shutil.copytree(tmp_path, found := tmp_path.with_name(tmp_path.name + "-found"))  # as after a crash
    sink.close()
    again = open_sink(found / name, start=position)
    again.write(verdicts(rows, 5))
    again.close()
    assert read(found / name) == list(range(rows + 5))


@pytest.mark.parametrize("name", ["out.jsonl", "out.csv.gz", "out.parquet", "out.arrow"])
def test_going_on_after_a_finished_run(tmp_path, name):
    path = tmp_path / name
    sink = open_sink(path, resumable=True)
    sink.write(verdicts(0, 4))
    position = sink.flush()
    sink.write(verdicts(4, 4))
    position = sink.flush()
    sink.close()
    for first in (8, 10):
        sink = open_sink(path, start=position)
        sink.write(verdicts(first, 2))
        position = sink.flush()
        sink.close()
    assert read(path) == list(range(12))


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_many_small_pieces_are_joined_on_the_way(tmp_path, kind):
    path = tmp_path / f"out.{kind}"
    sink = open_sink(path, resumable=True)
    for i in range(150):
        sink.write(verdicts(i, 1))
        position = sink.flush()
    assert len(os.listdir(tmp_path / f"out.{kind}.parts")) < 70
    sink.write(verdicts(9999, 1))
    sink = open_sink(path, start=position)
    sink.close()
    assert read(path) == list(range(150))


@pytest.mark.parametrize("name", ["out.parquet", "out.jsonl"])
def test_positions_that_do_not_belong_here(tmp_path, name):
    with pytest.raises((ParameterError, FileNotFoundError)):
        open_sink(tmp_path / name, start={"bytes": 99, "parts": 99})
    with pytest.raises(ParameterError):
        open_sink(tmp_path / name, start={"elsewhere": 3})


def test_suffixes():
    with pytest.raises(ParameterError, match="suffix must tell the format; there are"):
        open_sink("verdicts.xls")


def test_cells_that_a_spreadsheet_would_run(tmp_path):
    texts = ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "a=b", "", "ü", 'say "x", y', "two\nlines"]
    n = len(texts)
    path = tmp_path / "out.csv"
    sink = open_sink(path)
    sink.write(Verdicts(value=-np.arange(1.0, n + 1), kind=np.zeros(n), key=np.array(texts, object)))
    sink.close()
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["key"] for row in rows] == ["'" + text for text in texts[:6]] + texts[6:]
    assert [row["value"] for row in rows[:2]] == ["-1", "-2"]
    assert rows[0]["expected"] == rows[0]["time"] == ""


def test_several_coordinates_are_several_columns_of_csv(tmp_path):
    sink = open_sink(tmp_path / "out.csv")
    sink.write(verdicts(0, 3, d=2))
    sink.close()
    rows = list(csv.DictReader((tmp_path / "out.csv").read_text().splitlines()))
    assert [(row["value_0"], row["value_1"]) for row in rows] == [("0", "0.5"), ("1", "1.5"), ("2", "2.5")]
    assert rows[1]["time"].startswith("1970-01-01T00:00:01")
    assert rows[1]["kind"] == "anomaly"
    assert set(FIELDS) - set(rows[0]) == {"value", "expected", "lower", "upper", "before", "after", "why"}


def test_standard_output(capfdbinary):
    sink = open_sink("-")
    sink.write(verdicts(0, 2))
    sink.flush()
    sink.close()
    assert [json.loads(line)["key"] for line in capfdbinary.readouterr().out.splitlines()] == ["k0", "k1"]


def test_rejects(tmp_path):
    path = tmp_path / "rejects.jsonl"
    sink = open_rejects(path)
    sink.write([Reject("f", 3, "broken JSON", b"{\xff")])
    position = sink.flush()
    sink.write([Reject("f", 4, "lost", b"")])
    sink.close()
    again = open_rejects(path, start=position)
    again.write([Reject("f", 5, "kept", "ü".encode())])
    again.close()
    assert [json.loads(line) for line in path.read_text("utf-8").splitlines()] == [
        {"file": "f", "line": 3, "reason": "broken JSON", "raw": "{\\xff"},
        {"file": "f", "line": 5, "reason": "kept", "raw": "ü"},
    ]
