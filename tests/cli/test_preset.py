"""`watch --preset`, `schema infer` and `schema check`."""

from __future__ import annotations

import gzip
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


def record(number: int) -> dict[str, Any]:
    return {
        "eventTime": f"2024-05-01T10:{number % 60:02d}:00Z", "eventID": f"e-{number}", "eventName": "CreateUser",
        "eventSource": "iam.amazonaws.com", "awsRegion": "us-east-1", "sourceIPAddress": "203.0.113.7",
        "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::1:user/ann"},
    }  # fmt: skip


def odd_files(folder: Path) -> None:
    """What people have in their folders."""
    records = [record(number) for number in range(50)]
    packed = gzip.compress(json.dumps({"Records": records}).encode())
    (folder / "good.json.gz").write_bytes(packed)
    (folder / "cut.json.gz").write_bytes(packed[: len(packed) // 2])
    odd: list[Any] = list(records)
    odd[7], odd[9], odd[11] = {"eventName": "X"}, "hello", records[11] | {"eventTime": "nonsense"}
    (folder / "three-bad.json").write_text(json.dumps({"Records": odd}, indent=1))
    lines = [json.dumps(one) for one in records]
    lines[3] = lines[3][:40]
    (folder / "one-bad.jsonl").write_text("\n".join(lines))
    (folder / "empty.json").touch()
    (folder / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
    (folder / "nothing").mkdir()
    table = pq.read_table(cloudtrail_path()).slice(0, 100)
    pq.write_table(table.drop_columns(["source_ip"]), folder / "no-address.parquet")
    pq.write_table(table.drop_columns(["event_time"]), folder / "no-time.parquet")
    (folder / "cut.parquet").write_bytes((folder / "no-time.parquet").read_bytes()[:2000])


@pytest.mark.parametrize(
    ("files", "code", "events", "said"),
    [
        ("cut.json.gz", 3, 0, ["cut.json.gz: cannot be unpacked: Compressed file ended"]),
        ("cut.json.gz good.json.gz", 0, 50, ["cut.json.gz: cannot be unpacked", "1 rejected"]),
        (
            "three-bad.json",
            0,
            47,
            ["line 8: no eventTime", "line 10: a record is an object", "line 12: event_time: 'n"],
        ),
        ("one-bad.jsonl", 0, 49, ["line 4: broken JSON"]),
        ("empty.json", 3, 0, ["empty.json: no JSON object"]),
        ("nothing", 3, 0, ["no file in "]),
        ("cut.parquet", 3, 0, ["cut.parquet: Could not open Parquet"]),
        ("no-time.parquet", 3, 0, ["there is no column 'event_time', which has the times"]),
        ("no-address.parquet good.json.gz", 0, 150, ["source_ip: not used: absent", "good.json.gz has it"]),
        (".", 0, 50 + 47 + 49 + 100, ["picture.png: no JSON object", "empty.json: no", "9 rejected"]),
    ],
)
def test_odd_files_are_told_and_what_is_good_is_judged(
    tmp_path: Path, files: str, code: int, events: int, said: list[str]
) -> None:
    odd_files(tmp_path)
    out = tmp_path.parent / f"{tmp_path.name}.jsonl"
    result = invoke(
        "watch", "--preset", "cloudtrail", *(tmp_path / name for name in files.split()), "--out", out
    )
    assert result.exit_code == code
    for words in said:
        assert words in result.stderr
    assert len(out.read_text().splitlines()) == events


def test_what_grew_is_read_on_from_where_it_was_read_to(tmp_path: Path) -> None:
    lines, packed = tmp_path / "a.jsonl", tmp_path / "b.json.gz"
    state, out = tmp_path / "state", tmp_path / "out.jsonl"
    lines.write_text("".join(f"{json.dumps(record(k))}\n" for k in range(5)))
    packed.write_bytes(gzip.compress("".join(f"{json.dumps(record(k))}\n" for k in range(5, 8)).encode()))
    common = ("watch", "--preset", "cloudtrail", "--state", state, "--out", out, lines, packed)
    assert "8 events" in invoke(*common).stderr
    assert "0 events" in invoke(*common).stderr
    with lines.open("a") as file:
        file.write(f"{json.dumps(record(8))}\nbroken\n{json.dumps(record(9))}")
    with packed.open("ab") as more:
        more.write(gzip.compress(f"{json.dumps(record(10))}\n".encode()))
    result = invoke(*common)
    assert "3 events, 0 told, 1 rejected" in result.stderr
    assert "line 7: broken JSON" in result.stderr
    lines.rename(tmp_path / "a.jsonl.1")
    assert "0 events" in invoke(*common[:-2], tmp_path / "a.jsonl.1", packed).stderr
    ids = [verdict["id"] for verdict in objects(out.read_text())]
    assert sorted(ids) == sorted(f"e-{k}" for k in range(11))
    (state / "files.json").write_text("{")
    refused = invoke(*common[:-2], packed)
    assert refused.exit_code == 3
    assert "files.json is damaged" in refused.stderr


def test_logs_that_are_rotated_are_read_once_whatever_their_names(tmp_path: Path) -> None:
    logs, state, out = tmp_path / "logs", tmp_path / "state", tmp_path / "out.jsonl"
    logs.mkdir()
    log = logs / "app.jsonl"
    written = 0

    def write(count: int) -> None:
        nonlocal written
        with log.open("a") as file:
            file.writelines(f"{json.dumps(record(written + k))}\n" for k in range(count))
        written += count

    def read() -> str:
        return invoke("watch", "--preset", "cloudtrail", "--state", state, "--out", out, logs).stderr

    def rotate() -> None:
        for number in (2, 1):
            if (before := logs / f"app.jsonl.{number}").exists():
                before.rename(logs / f"app.jsonl.{number + 1}")
        log.rename(logs / "app.jsonl.1")

    write(5)
    assert "5 events" in read()
    rotate()  # all of it was read
    write(2)
    assert "2 events" in read()
    write(3)
    rotate()  # with something unread
    write(1)
    rotate()  # twice between two looks
    write(4)
    assert "8 events" in read()
    assert "0 events" in read()
    ids = [verdict["id"] for verdict in objects(out.read_text())]
    assert sorted(ids) == sorted(f"e-{k}" for k in range(written))
