"""Scores range by range: no node is missing or twice, whatever stopped whom in between."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from tests.graph.detectors.graphs import QUICK, payments, planted
from typer.testing import CliRunner

from marigram import graph as mgg
from marigram.cli.app import app
from marigram.errors import ParameterError, SnapshotError
from marigram.graph.outofcore.ranges import RangeScores, fingerprint


@pytest.fixture(scope="module")
def data() -> mgg.Graph:
    return planted(3, by="neighbours")


@pytest.fixture(scope="module")
def model(data: mgg.Graph) -> mgg.NodeDetector:
    return mgg.NodeDetector(hops=2, trees=QUICK).fit(data)


def test_ranges_give_the_scores_of_one_call(model: mgg.NodeDetector, data: mgg.Graph, tmp_path: Path) -> None:
    scores = RangeScores(tmp_path, model, data, rows=70).run()
    assert np.array_equal(scores.gathered(), model.score(data), equal_nan=True)


def test_several_processes_share_the_ranges(model: mgg.NodeDetector, data: mgg.Graph, tmp_path: Path) -> None:
    first = RangeScores(tmp_path, model, data, rows=70).run(1, 2)
    assert [start for start, _ in first.missing] == [70, 210, 350, 490]
    done = {path.name: path.stat().st_ino for path in tmp_path.glob("scores-*")}
    second = RangeScores(tmp_path, model, data, rows=70).run(2, 2)
    assert second.missing == []
    assert all((tmp_path / name).stat().st_ino == number for name, number in done.items())
    assert np.array_equal(second.gathered(), model.score(data), equal_nan=True)


def test_a_saved_model_and_a_mapped_graph_are_known_again(
    model: mgg.NodeDetector, data: mgg.Graph, tmp_path: Path
) -> None:
    model.save(tmp_path / "model")
    data.save_mapped(tmp_path / "data.mg")
    loaded, mapped = mgg.NodeDetector.load(tmp_path / "model"), mgg.load(tmp_path / "data.mg")
    RangeScores(tmp_path / "s", model, data, rows=100).run(1, 2)
    scores = RangeScores(tmp_path / "s", loaded, mapped, rows=100).run()
    assert np.array_equal(scores.gathered(), model.score(data), equal_nan=True)


def test_other_scores_are_refused(model: mgg.NodeDetector, data: mgg.Graph, tmp_path: Path) -> None:
    RangeScores(tmp_path, model, data, rows=100).run(1, 6)
    with pytest.raises(ParameterError, match="rows was 100, is 99"):
        RangeScores(tmp_path, model, data, rows=99)
    other = planted(4, by="neighbours")
    assert fingerprint(other) != fingerprint(data)
    with pytest.raises(ParameterError, match="graph was"):
        RangeScores(tmp_path, model, other, rows=100)
    with pytest.raises(ParameterError, match="model was"):
        RangeScores(tmp_path, mgg.NodeDetector(hops=1, trees=QUICK).fit(data), data, rows=100)
    with pytest.raises(ParameterError, match="at least 1"):
        RangeScores(tmp_path, model, data, rows=0)
    with pytest.raises(ParameterError, match="from 1 to 2"):
        RangeScores(tmp_path, model, data, rows=100).run(3, 2)


def test_a_damaged_or_missing_range_is_told(model: mgg.NodeDetector, data: mgg.Graph, tmp_path: Path) -> None:
    scores = RangeScores(tmp_path, model, data, rows=300).run()
    path = sorted(tmp_path.glob("scores-*"))[1]
    content = bytearray(path.read_bytes())
    content[-40] ^= 1
    path.write_bytes(content)
    with pytest.raises(SnapshotError, match="damaged"):
        scores.gathered()
    path.unlink()
    with pytest.raises(SnapshotError):
        scores.gathered()
    assert scores.missing == [(300, 600)]


def test_rows_of_nodes_are_checked(model: mgg.NodeDetector, data: mgg.Graph) -> None:
    part = model.score_rows(data, 5, 9)
    assert np.array_equal(part, model.score(data)[5:9])
    for start, stop in ((-1, 3), (5, 4), (0, 601)):
        with pytest.raises(ParameterError, match="within 0 to 600"):
            model.score_rows(data, start, stop)


@pytest.mark.parametrize("kind", ["users", "payments"])
def test_columns_do_not_depend_on_where_they_lie(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """States in files, filled some rows at a time, are those in memory, bit for bit."""
    from marigram.graph import room
    from marigram.graph.hops import HopFeatures

    def made() -> np.ndarray:
        graph = planted(5, by="neighbours") if kind == "users" else payments(5)
        target = "user" if kind == "users" else "payment"
        features = HopFeatures.fit(graph, target, hops=3)
        return features.view(graph).rows(np.arange(graph.nodes[target].count))

    whole = made()
    monkeypatch.setattr(room.empty, "__kwdefaults__", {"large": 0})
    monkeypatch.setattr(room.stretches, "__defaults__", (37,))
    assert isinstance(room.empty((3, 2), np.float32), np.memmap)
    assert np.array_equal(made(), whole, equal_nan=True)


def test_the_command_goes_on_and_shares(model: mgg.NodeDetector, data: mgg.Graph, tmp_path: Path) -> None:
    model.save(tmp_path / "model")
    data.save_mapped(tmp_path / "data.mg")

    def score(*more: str) -> str:
        command = ["graph", "score", str(tmp_path / "data.mg"), "--model", str(tmp_path / "model"), "--json"]
        result = CliRunner().invoke(app, [*command, "--rows", "100", "--keep", str(tmp_path / "k"), *more])
        assert result.exit_code == 0, result.stderr
        return result.stdout

    assert score("--shard", "2/2") == ""
    told = score("--shard", "1/2", "--top", "3")
    highest = np.argsort(-model.score(data)[:600], kind="stable")[:3]
    assert [f'"node":{node},' in line for node, line in zip(highest, told.splitlines(), strict=True)] == [
        True,
        True,
        True,
    ]


@pytest.mark.recovery
def test_killed_in_the_middle_no_node_is_missing_or_twice(
    model: mgg.NodeDetector, data: mgg.Graph, tmp_path: Path
) -> None:
    model.save(tmp_path / "model")
    data.save_mapped(tmp_path / "data.mg")
    command = [sys.executable, "-m", "marigram", "graph", "score", str(tmp_path / "data.mg")]
    command += ["--model", str(tmp_path / "model"), "--keep", str(tmp_path / "kept"), "--rows", "2"]
    out = tmp_path / "scores.parquet"
    killed = 0
    for enough in (20, 120):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 120
        while time.monotonic() < until and process.poll() is None:
            if len(list((tmp_path / "kept").glob("scores-*"))) >= enough:
                os.kill(process.pid, signal.SIGKILL)
                killed += 1
                break
            time.sleep(0.002)
        process.wait()
    assert killed == 2
    assert len(list((tmp_path / "kept").glob("scores-*"))) < 300
    subprocess.run([*command, "--out", str(out)], check=True, stdout=subprocess.DEVNULL, timeout=120)
    import pyarrow.parquet as pq

    table = pq.read_table(out)
    assert table["node"].to_pylist() == list(range(600))
    assert np.array_equal(table["score"].to_numpy(), model.score(data)[:600])
