"""Java found or a clear word; a batch written once; options that Spark has no use for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from marigram import ParameterError, SnapshotError
from marigram.cli.app import app

pytest.importorskip("pyspark", reason="this machine lacks Spark")

from pyspark.errors import PySparkException

from marigram.engines.spark.running import FileQuery
from marigram.engines.spark.sessions import java_version, require_java
from marigram.engines.spark.sinks import once


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('openjdk version "21-ea" 2023-09-19', 21),
        ('java version "1.8.0_391"', 8),
        ("no java here", 0),
    ],
)
def test_the_version_of_java_is_read(said: str, version: int) -> None:
    assert java_version(said) == version


def test_without_java_the_package_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(ParameterError, match="openjdk-17-jre-headless"):
        require_java()
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n")
    java.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "/bin:/usr/bin")
    with pytest.raises(ParameterError, match="is Java 11"):
        require_java()


class Query:
    """A query that has ended, and how."""

    isActive = False  # noqa: N815 - Spark calls it so

    def __init__(self, said: str | None) -> None:
        self.said = said

    def stop(self) -> None:
        """It has ended."""

    def exception(self) -> PySparkException | None:
        return None if self.said is None else PySparkException(self.said)


LATE = "Python worker failed to connect back within 10 seconds"


@pytest.mark.parametrize(
    ("ends", "left", "raised"),
    [
        ([None, None], 1, None),
        ([LATE, LATE, LATE, None, None], 1, None),
        ([LATE] * 5, 1, PySparkException),
        (["out of space", None], 1, PySparkException),
        (["... marigram.errors.ParameterError: it was begun with another page", None], 1, ParameterError),
    ],
)
def test_only_a_worker_that_started_too_late_is_started_again(
    monkeypatch: pytest.MonkeyPatch, ends: list[str | None], left: int, raised: type[Exception] | None
) -> None:
    queries = [Query(said) for said in ends]
    made = FileQuery.__new__(FileQuery)
    made._failure = None
    monkeypatch.setattr(made, "_started", lambda: queries.pop(0))
    if raised is None:
        made.run(lambda: False)
    else:
        with pytest.raises(raised):
            made.run(lambda: False)
    assert len(queries) == left


def test_what_failed_here_is_raised_and_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    queries = [Query(LATE), Query(None)]
    made = FileQuery.__new__(FileQuery)
    made._failure = BrokenPipeError()
    monkeypatch.setattr(made, "_started", lambda: queries.pop(0))
    with pytest.raises(BrokenPipeError):
        made.run(lambda: False)
    assert len(queries) == 1


def test_a_topic_is_no_file_to_spark(tmp_path: Path) -> None:
    options = ["--engine", "spark", "--state", str(tmp_path), "--key", "host"]
    done = CliRunner().invoke(app, ["watch", "kafka://broker:9092/load", *options])
    assert done.exit_code == 3
    assert "read_topic" in done.stderr


def test_a_batch_that_comes_again_is_written_once(tmp_path: Path) -> None:
    written: list[int] = []
    table: Any = object()
    for numbers in ((0, 1), (1, 2)):
        deal_with = once(tmp_path / "mark", lambda _, number: written.append(number))
        for number in numbers:
            deal_with(table, number)
    assert written == [0, 1, 2]
    (tmp_path / "mark").write_text("no number")
    with pytest.raises(SnapshotError, match="does not hold"):
        once(tmp_path / "mark", lambda *_: None)(table, 3)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--engine", "spark", "--follow"], "--follow is for the embedded engine"),
        (["--engine", "spark", "--threads", "2"], "--threads is for the embedded engine"),
        (["--engine", "spark", "--spark", "master=local"], "write spark.NAME=VALUE"),
        (["--spark", "spark.master=local"], "needs --engine spark"),
    ],
)
def test_an_option_that_the_engine_has_no_use_for_is_refused(
    options: list[str], told: str, tmp_path: Path
) -> None:
    source = tmp_path / "a.csv"
    source.write_text("load\n1\n")
    result = CliRunner().invoke(app, ["watch", str(source), *options])
    assert result.exit_code == 2
    assert told in result.stderr


def test_a_state_of_the_other_engine_is_refused(tmp_path: Path) -> None:
    source, state = tmp_path / "a.csv", tmp_path / "state"
    source.write_text("load\n" + "1\n" * 5)
    state.mkdir()
    (state / "spark-run.json").write_text("{}")
    result = CliRunner().invoke(app, ["watch", str(source), "--state", str(state)])
    assert (result.exit_code, "is of Spark" in result.stderr) == (2, True)
    (state / "spark-run.json").rename(state / "state-1.mg")
    result = CliRunner().invoke(app, ["watch", str(source), "--state", str(state), "--engine", "spark"])
    assert (result.exit_code, "is of the embedded engine" in result.stderr) == (2, True)
