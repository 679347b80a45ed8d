"""`watch --preset`, `schema infer` and `schema check`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from marigram.cli.app import app
from marigram.datasets import cloudtrail_path


def invoke(*arguments: object) -> Result:
    """Run the command line; a defect fails the test by its traceback."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert "Traceback" not in result.stderr, result.stderr
    return result


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_alerts_name_what_was_unusual_of_whom(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    result = invoke("watch", "--preset", "cloudtrail", cloudtrail_path(), "--out", out)
    assert result.exit_code == 0
    told = objects(result.stdout)
    assert {"finding", "actor", "action", "id", "why", "parts", "case"} <= set(told[0])
    assert any(alert["finding"].startswith("DefenseEvasion:") for alert in told)
    assert all(alert["notice"] for alert in told)
    assert f"2,900 events, {len(told)} told, 0 rejected" in result.stderr
    everything = objects(out.read_text())
    assert len(everything) == 2900
    assert [verdict for verdict in everything if verdict["notice"]] == told


def test_a_run_goes_on_with_its_state(tmp_path: Path) -> None:
    table = pq.read_table(cloudtrail_path())
    first, second = tmp_path / "1.parquet", tmp_path / "2.parquet"
    pq.write_table(table.slice(0, 1000), first)
    pq.write_table(table.slice(1000), second)
    whole = objects(invoke("watch", "--preset", "cloudtrail", cloudtrail_path(), "-q").stdout)
    common = (
        "watch",
        "--preset",
        "cloudtrail",
        "--state",
        tmp_path / "state",
        "--out",
        tmp_path / "out.jsonl",
    )
    told = objects(invoke(*common, first).stdout)
    with (tmp_path / "out.jsonl").open("a") as out:
        out.write("what a run wrote that was killed before its state was kept\n")
    result = invoke(*common, first, second)
    assert "going on after 1 files" in result.stderr
    assert told + objects(result.stdout) == whole
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 2900
    assert "0 events, 0 told" in invoke(*common, first, second).stderr


def test_rejects_and_exit_codes(tmp_path: Path) -> None:
    path, rejects = tmp_path / "c.csv", tmp_path / "rejects.jsonl"
    path.write_text("time,source,target,amount\n1,a,b,2\n2,a\n3,a,b,4\n")
    result = invoke("watch", "--preset", "cards", path, "--rejects", rejects, "--fail-on", "reject")
    assert result.exit_code == 1
    assert objects(rejects.read_text())[0]["line"] == 3
    assert "line 3: 2 cells, and 4 are expected" in result.stderr
    assert invoke("watch", "--preset", "cards", path, "--strict").exit_code == 3
    path.write_text("time,source,target,amount\n")
    assert invoke("watch", "--preset", "cards", path).exit_code == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--preset", "nothing"), "there is no preset 'nothing'"),
        (("--preset", "cards", "--key", "host"), "--key does not go with --preset"),
        (("--preset", "cards", "--follow", "-"), "what a pipe delivers is followed without it"),
        (("--preset", "cards", "--follow", "--out", "x.parquet"), "--follow writes --out as lines"),
        (("--preset", "cards", "--out", "x.csv"), "the suffix must be one of"),
    ],
)
def test_what_does_not_go_together_is_refused(arguments: tuple[str, ...], said: str) -> None:
    result = invoke("watch", cloudtrail_path(), *arguments)
    assert result.exit_code == 2
    assert said in result.stderr


def test_verdicts_as_parquet(tmp_path: Path) -> None:
    from marigram.bridge import EventVerdicts

    out = tmp_path / "out.parquet"
    invoke("watch", "--preset", "cloudtrail", cloudtrail_path(), "--out", out, "-q")
    assert len(EventVerdicts.from_arrow(pq.read_table(out))) == 2900


def test_a_schema_is_inferred_checked_and_refused(tmp_path: Path) -> None:
    events, schema = tmp_path / "e.parquet", tmp_path / "schema.toml"
    table = pa.table(
        {
            "time": range(50),
            "user": [f"u{i % 5}" for i in range(50)],
            "ip": [f"10.0.0.{i % 7}" for i in range(50)],
        }
    )
    pq.write_table(table, events)
    result = invoke("schema", "infer", events)
    assert "user: names entities of type account" in result.stderr
    schema.write_text(result.stdout)
    checked = invoke("schema", "check", events, "--schema", schema)
    assert checked.exit_code == 0
    assert "streams: user" in checked.stdout
    assert "Graph(event 50, account 5, address 7;" in checked.stdout
    pq.write_table(table.drop_columns(["ip"]), events)
    refused = invoke("schema", "check", events, "--schema", schema)
    assert refused.exit_code == 3
    assert "no column 'ip'" in refused.stderr
    assert json.loads(invoke("schema", "infer", cloudtrail_path(), "--preset", "cloudtrail", "--json").stdout)
