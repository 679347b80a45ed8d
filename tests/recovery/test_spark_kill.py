"""`watch --engine spark`: driver, Java and workers killed in the middle of a batch, and started again."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from marigram import ParameterError

pytest.importorskip("pyspark", reason="this machine lacks Spark")

from marigram.engines.spark.sessions import require_java

COMMAND = """
import marigram.engines.spark.slices as slices
from marigram.cli import main
slices.TEXT_BYTES = 120_000
main()
"""
SPARK = (
    *("--engine", "spark", "--spark", "spark.master=local[2]", "--spark", "spark.driver.host=localhost"),
    *("--spark", "spark.driver.extraJavaOptions=-XX:TieredStopAtLevel=1"),
)
EVENTS = 15_000
KILLS = 8 if os.environ.get("MARIGRAM_SOAK") else 1
PATIENCE = 600


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Events of which some are late, some outliers, and some no events."""
    draw, path = random.Random(3), tmp_path / "events.jsonl"
    with path.open("w") as file:
        for i in range(EVENTS):
            time_ = 1_714_521_600 + i - (draw.randrange(40) if i % 5 == 0 else 0)
            load = draw.gauss(0, 1) + (30 if i % 1500 == 0 else 0)
            host = i % 2000 if i < 4000 else 50 * draw.randrange(40)  # later few of many keys: patches
            told = {"ts": time_, "host": f"h{host}", "load": load, "id": f"{i:06d}"}
            file.write((json.dumps(told) if i % 997 else "{broken") + "\n")
    return path


def start(source: Path, folder: Path, out: str, *options: str) -> subprocess.Popen[bytes]:
    columns = ["--time", "ts", "--key", "host", "--value", "load", "--id", "id", "--lateness", "30s"]
    files = ["--out", str(folder / out), "--rejects", str(folder / f"{out}.rejects"), "--json"]
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, "watch", str(source), *columns, *files, *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def in_a_batch(checkpoint: Path, behind: int) -> bool:
    """Whether a micro-batch after number `behind` was begun and has not ended."""
    begun = [int(path.name) for path in (checkpoint / "offsets").glob("[0-9]*")]
    ended = [int(path.name) for path in (checkpoint / "commits").glob("[0-9]*")]
    return bool(begun) and max(begun) > max([behind, *ended])


def kill_in_a_batch(process: subprocess.Popen[bytes], checkpoint: Path, behind: int) -> None:
    """Kill the driver, its Java and all workers with SIGKILL; only processes that this test started."""
    end = time.monotonic() + PATIENCE
    while not in_a_batch(checkpoint, behind):
        assert process.poll() is None, process.communicate()[1].decode()
        assert time.monotonic() < end
        time.sleep(0.01)
    time.sleep(random.Random(behind).random())
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    assert len(family) > 2
    for member in family:
        member.kill()
    psutil.wait_procs(family, timeout=30)
    process.communicate()


def table(path: Path) -> list[dict[str, object]]:
    parts = [path] if path.is_file() else sorted(path.glob("part-*"))
    rows: list[dict[str, object]] = pa.concat_tables([pq.read_table(part) for part in parts]).to_pylist()
    return sorted(rows, key=lambda row: str(row["id"]))


@pytest.mark.recovery
def test_a_killed_cluster_goes_on_and_no_verdict_is_lost_double_or_different(
    source: Path, tmp_path: Path
) -> None:
    try:
        require_java()
    except ParameterError as error:
        pytest.skip(f"this machine lacks Java: {error}")
    plain = start(source, tmp_path, "plain.parquet")
    alerts, errors = plain.communicate()
    assert plain.returncode == 0, errors.decode()

    state = tmp_path / "state"
    options = ("--state", str(state), *SPARK)
    for kill in range(KILLS):
        process = start(source, tmp_path, "spark.parquet", *options)
        kill_in_a_batch(process, state / "checkpoint", kill)
    process = start(source, tmp_path, "spark.parquet", *options)
    told, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors.decode()

    assert table(tmp_path / "spark.parquet") == table(tmp_path / "plain.parquet")
    rejects = [(tmp_path / f"{name}.parquet.rejects").read_bytes() for name in ("spark", "plain")]
    assert rejects[0] == rejects[1]
    assert set(told.splitlines()) <= set(alerts.splitlines())
    summary = json.loads(errors.splitlines()[-1])
    assert summary["engine"] == "spark"
    assert summary["application_id"].startswith("local-")
    assert (summary["rows"], summary["rejects"]) == (EVENTS - 16, 16)
