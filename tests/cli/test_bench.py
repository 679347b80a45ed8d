"""`marigram bench` as a user runs it, on a small folder."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from marigram.cli.bench import app


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(5)
    start = np.datetime64("2014-04-01T00:00:00", "us")
    times = start + np.arange(2000) * np.timedelta64(300, "s")
    values = rng.normal(size=(2, 2000))
    values[:, 1500:1503] += 40.0
    columns = {
        "series": np.repeat(["a/one", "b/two"], 2000),
        "timestamp": np.tile(times, 2),
        "value": values.ravel(),
    }
    pq.write_table(pa.table(columns), tmp_path / "nab.parquet")
    windows = {name: [[str(times[1495]), str(times[1600])]] for name in ("a/one", "b/two")}
    (tmp_path / "windows.json").write_text(json.dumps(windows))
    return tmp_path


def test_bench_nab_finds_what_is_plain_and_writes_its_rows(folder, tmp_path):
    done = CliRunner().invoke(app, ["nab", "--data", str(folder), "--json", "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["series"] == 2
    assert found["ours"]["shipped"]["standard"] > 90.0
    assert found["ours"]["extra"]["severity_3_rate_outside_windows"] < 0.01
    assert found["published"] == {}
    rows = pq.read_table(tmp_path / "out" / "rows.parquet").to_pydict()
    assert list(rows) == ["series", "row", "score", "alarm"]
    assert any(rows["alarm"][1500:1503])
    assert json.loads((tmp_path / "out" / "summary.json").read_text()) == found


def test_threads_change_nothing(folder):
    answers = [
        CliRunner().invoke(app, ["nab", "--data", str(folder), "--json", "--threads", n]).stdout for n in "12"
    ]
    assert answers[0] == answers[1] != ""


def test_bench_nab_says_where_the_data_should_be(monkeypatch):
    monkeypatch.delenv("MARIGRAM_DATA", raising=False)
    done = CliRunner().invoke(app, ["nab"])
    assert done.exit_code != 0
    assert "set MARIGRAM_DATA to the folder that holds nab/" in str(done.exception)


def test_bench_speed_refuses_an_unknown_form():
    done = CliRunner().invoke(app, ["speed", "--only", "keys_10"])
    assert done.exit_code == 2
    assert "no form is called keys_10" in done.output
