"""`watch` in this process: what it tells, what it writes, and how it refuses."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from marigram.cli.app import app

N = 1500
SPIKE, SHIFT = 900, 1200


def invoke(*arguments: object) -> Result:
    """Run the command line; a defect fails the test by its traceback."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert "Traceback" not in result.stderr, result.stderr
    return result


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two hosts; `a` has a spike and a shift, one line is broken, one value is null."""
    rng = np.random.default_rng(4)
    a, b = rng.normal(50, 2, N), rng.normal(10, 1, N)
    a[SPIKE] += 60
    a[SHIFT:] += 40
    lines = []
    for i in range(N):
        for host, value in (("a", a[i]), ("b", b[i])):
            load = "null" if (host, i) == ("b", 700) else f"{value:.3f}"
            lines.append(f'{{"ts":{1_700_000_000 + 60 * i},"host":"{host}","load":{load}}}\n')
    lines.insert(2000, '{"ts": 17000\n')
    path = tmp_path_factory.mktemp("events") / "events.jsonl"
    path.write_text("".join(lines))
    return path


def test_alerts_are_objects_in_a_pipe_and_the_rest_is_on_stderr(events: Path) -> None:
    result = invoke("watch", events)
    assert result.exit_code == 0
    told = objects(result.stdout)
    of_a = {(alert["kind"], alert["seq"]) for alert in told if alert["key"] == "a"}
    assert ("anomaly", SPIKE) in of_a
    assert [kind for kind, _ in of_a].count("drift") == 1
    assert all(alert["notice"] or alert["kind"] == "drift" for alert in told)
    assert "time: column 'ts'" in result.stderr
    assert 'key = ["host"]' in result.stderr
    assert "line 2001: broken JSON" in result.stderr
    assert f"{2 * N:,} events, 2 keys" in result.stderr


def test_the_inferred_schema_can_be_given_back(events: Path, tmp_path: Path) -> None:
    fixed = tmp_path / "schema.toml"
    fixed.write_text(invoke("schema", events, "--quiet").stdout)
    result = invoke("watch", events, "--schema", fixed)
    assert "time: column" not in result.stderr
    assert result.stdout == invoke("watch", events, "--quiet").stdout


def test_rows_and_rejects_are_the_lines_read(events: Path, tmp_path: Path) -> None:
    out, rejects = tmp_path / "verdicts.jsonl", tmp_path / "rejects.jsonl"
    result = invoke("watch", events, "--json", "--out", out, "--rejects", rejects)
    summary = (
        objects(result.stderr)[-1]
        if result.stderr.startswith("{")
        else json.loads(result.stderr.splitlines()[-1])
    )
    assert (summary["lines"], summary["rows"], summary["rejects"]) == (2 * N + 1, 2 * N, 1)
    assert summary["kinds"]["missing"] == 1
    assert len(objects(out.read_text())) == 2 * N
    assert objects(rejects.read_text())[0] == {
        "file": str(events),
        "line": 2001,
        "reason": objects(rejects.read_text())[0]["reason"],
        "raw": '{"ts": 17000',
    }


def test_quiet_says_nothing_but_alerts(events: Path) -> None:
    result = invoke("watch", events, "--quiet")
    assert result.stderr == ""
    assert result.stdout


def test_all_prints_every_verdict(events: Path, tmp_path: Path) -> None:
    out = tmp_path / "verdicts.jsonl"
    result = invoke("watch", events, "--all", "--quiet", "--out", out)
    assert result.stdout == out.read_text()
    assert len(result.stdout.splitlines()) == 2 * N


def test_more_alerts_when_asked(events: Path) -> None:
    some = {(alert["key"], alert["seq"]) for alert in objects(invoke("watch", events, "--quiet").stdout)}
    more = objects(invoke("watch", events, "--quiet", "--alerts", "all").stdout)
    assert some <= {(alert["key"], alert["seq"]) for alert in more}
    assert any(not alert["notice"] for alert in more)


@pytest.mark.parametrize(("fail_on", "code"), [("anomaly", 1), ("drift", 1), ("reject", 1)])
def test_a_run_fails_on_what_it_is_told_to_fail_on(events: Path, fail_on: str, code: int) -> None:
    assert invoke("watch", events, "--quiet", "--fail-on", fail_on).exit_code == code


def test_a_quiet_stream_does_not_fail(tmp_path: Path) -> None:
    path = tmp_path / "calm.csv"
    path.write_text("value\n" + "1.0\n" * 300)
    arguments = ["--fail-on", "anomaly", "--fail-on", "drift", "--fail-on", "reject"]
    assert invoke("watch", path, *arguments).exit_code == 0


def test_many_files_are_one_stream(events: Path, tmp_path: Path) -> None:
    lines = events.read_text().splitlines(keepends=True)
    first, second = tmp_path / "1.jsonl", tmp_path / "2.jsonl.gz"
    first.write_text("".join(lines[:1234]))
    second.write_bytes(gzip.compress("".join(lines[1234:]).encode()))
    assert invoke("watch", first, second, "--quiet").stdout == invoke("watch", events, "--quiet").stdout


def test_threads_memory_and_lateness_change_no_verdict(events: Path) -> None:
    expected = invoke("watch", events, "--quiet", "--all").stdout
    varied = invoke(
        "watch", events, "--quiet", "--all", "--threads", 2, "--memory", "20kB", "--lateness", "0s"
    )
    assert varied.stdout == expected


def test_a_state_goes_on_with_a_file_that_grew(events: Path, tmp_path: Path) -> None:
    whole, out, grown = tmp_path / "whole.jsonl", tmp_path / "out.jsonl", tmp_path / "grown.jsonl"
    invoke("watch", events, "--quiet", "--out", whole)
    lines = events.read_text().splitlines(keepends=True)
    arguments = ["watch", grown, "--quiet", "--state", tmp_path / "state", "--out", out]
    for count in (300, 300, 1500, len(lines)):
        grown.write_text("".join(lines[:count]))
        assert invoke(*arguments).exit_code == 0
    assert out.read_text() == whole.read_text()


def test_a_state_refuses_other_settings(events: Path, tmp_path: Path) -> None:
    arguments = ["watch", events, "--quiet", "--state", tmp_path / "state"]
    assert invoke(*arguments).exit_code == 0
    other = invoke(*arguments, "--alpha", "0.01")
    assert other.exit_code == 2
    assert "other settings" in other.stderr


@pytest.mark.parametrize("suffix", ["svg", "html"])
def test_a_picture_is_drawn(events: Path, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"picture.{suffix}"
    result = invoke("watch", events, "--plot", path)
    assert result.exit_code == 0
    assert "<svg" in path.read_text()
    assert f"drawn in {path}" in result.stderr


def test_detector_settings_come_from_a_file(events: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text("[detector]\nalpha = 0.02\n")
    from_file = invoke("watch", events, "--quiet", "--all", "--config", config).stdout
    assert from_file == invoke("watch", events, "--quiet", "--all", "--alpha", "0.02").stdout
    assert from_file != invoke("watch", events, "--quiet", "--all").stdout


REFUSALS = {
    "no such file": (["{tmp}/nothing.csv"], 3, "no such file"),
    "a folder": (["{tmp}"], 3, "is a folder"),
    "an empty file": (["{tmp}/empty.csv"], 3, "no rows"),
    "a header alone": (["{tmp}/header.csv"], 3, "no rows"),
    "bytes that are no text": (["{tmp}/binary.csv"], 3, ""),
    "no numbers": (["{tmp}/words.csv"], 3, "no column of numbers"),
    "a column that is not there": (["{events}", "--value", "laod"], 3, "did you mean 'load'"),
    "no usable line": (["{events}", "--time", "host"], 3, "can be used"),
    "a format that is none": (["{events}", "--format", "xml"], 2, "xml"),
    "a duration that is none": (["{events}", "--lateness", "soon"], 2, "--lateness"),
    "a size that is none": (["{events}", "--memory", "much"], 2, "--memory"),
    "a parameter out of range": (["{events}", "--alpha", "2"], 2, "alpha"),
    "a config that is not there": (["{events}", "--config", "{tmp}/no.toml"], 2, "no.toml"),
    "a config that is no TOML": (["{events}", "--config", "{tmp}/bad.toml"], 2, "not TOML"),
    "an unknown parameter": (["{events}", "--config", "{tmp}/typo.toml"], 2, "did you mean 'alpha'"),
    "a parameter without its table": (["{events}", "--config", "{tmp}/bare.toml"], 2, "[detector]"),
    "a schema that is not there": (["{events}", "--schema", "{tmp}/no.toml"], 2, "no.toml"),
    "an unknown setting of the schema": (
        ["{events}", "--schema", "{tmp}/schema.toml"],
        2,
        "did you mean 'time'",
    ),
    "an out file of no format": (["{events}", "--out", "{tmp}/v.xlsx"], 2, "suffix"),
    "an out file in no folder": (["{events}", "--out", "{tmp}/no/v.jsonl"], 2, "there is no folder"),
    "rejects in no folder": (["{events}", "--rejects", "{tmp}/no/r.jsonl"], 2, "there is no folder"),
    "a picture of no format": (["{events}", "--plot", "{tmp}/p.gif"], 2, "--plot"),
    "a picture in no folder": (["{events}", "--plot", "{tmp}/no/p.svg"], 2, "there is no folder"),
    "a zone that is none": (["{events}", "--tz", "Mars/Base"], 2, "Mars/Base"),
    "strict and a broken line": (["{events}", "--strict"], 3, "line 2001"),
    "lateness without times": (["{tmp}/numbers.csv", "--lateness", "5s"], 3, "lateness cannot be kept"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_cannot_be_done_is_said_in_one_line(case: str, events: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.csv").touch()
    (tmp_path / "header.csv").write_text("time,value\n")
    (tmp_path / "binary.csv").write_bytes(np.random.default_rng(0).bytes(5000))
    (tmp_path / "words.csv").write_text("name,colour\na,red\nb,blue\n")
    (tmp_path / "numbers.csv").write_text("value\n1\n2\n")
    (tmp_path / "bad.toml").write_text("alpha = = 3")
    (tmp_path / "typo.toml").write_text("[detector]\nalhpa = 0.1\n")
    (tmp_path / "bare.toml").write_text("alpha = 0.1\n")
    (tmp_path / "schema.toml").write_text('tiem = "ts"\n')
    options, code, words = REFUSALS[case]
    result = invoke("watch", "--quiet", *(option.format(tmp=tmp_path, events=events) for option in options))
    assert result.exit_code == code, result.stderr
    assert words in result.stderr
    assert len(result.stderr.splitlines()) == 1, result.stderr
    assert result.stderr.startswith("marigram: ")
