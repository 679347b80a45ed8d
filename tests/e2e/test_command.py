"""The command as a user starts it: pipes, terminals, signals, and what a start costs."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

COMMAND = [sys.executable, "-c", "from marigram.cli import main; main()"]
pytestmark = pytest.mark.e2e


def run(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, *(str(argument) for argument in arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, **options)  # type: ignore[call-overload, no-any-return]


def on_terminal(*arguments: object, cwd: Path) -> str:
    """Run with a terminal as standard output and error; returns what it showed."""
    ours, theirs = pty.openpty()
    command = [*COMMAND, *(str(argument) for argument in arguments)]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, cwd=cwd
    ) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                piece = os.read(ours, 1 << 16)
            except OSError:  # how Linux says that the other end is closed
                break
            if not piece:
                break
            shown += piece
        process.wait(timeout=300)
    os.close(ours)
    return shown.decode()


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(8)
    values = rng.normal(50, 2, 4000)
    values[3000] += 60
    values[3500:] += 40
    path = tmp_path_factory.mktemp("events") / "events.csv"
    rows = [f"{1_700_000_000 + 60 * i},web-1,{value:.3f}\n" for i, value in enumerate(values)]
    path.write_text("time,host,ms\n" + "".join(rows))
    return path


def test_a_pipe_into_it_and_a_pipe_out_of_it(events: Path) -> None:
    with open(events, "rb") as text:
        piped = run("watch", "-", stdin=text)
    assert piped.returncode == 0
    alerts = [json.loads(line) for line in piped.stdout.splitlines()]
    assert {"anomaly", "drift"} <= {alert["kind"] for alert in alerts}
    assert piped.stdout == run("watch", events).stdout


def test_a_terminal_shows_one_readable_line_an_alert(events: Path, tmp_path: Path) -> None:
    shown = re.sub(r"\x1b\[[0-9;]*m", "", on_terminal("watch", events, cwd=tmp_path))
    spike = next(line for line in shown.splitlines() if "#3000 " in line)
    assert spike.startswith("2023-11-")
    for piece in ("web-1", "anomaly", "expected", " to ", "1 in ", "above the range"):
        assert piece in spike
    assert re.search(r"#35\d\d +drift .*level 5\d", shown)
    assert (
        json.loads(on_terminal("watch", events, "--json", "--quiet", cwd=tmp_path).splitlines()[0])["key"]
        == "web-1"
    )


def test_a_reader_that_leaves_is_no_error(events: Path) -> None:
    command = [*COMMAND, "watch", str(events), "--all", "--quiet"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=300) == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interruption_keeps_the_state(events: Path, tmp_path: Path, number: int, code: int) -> None:
    out, state = tmp_path / "out.jsonl", tmp_path / "state"
    arguments = ["watch", "-", "--state", str(state), "--out", str(out), "--quiet"]
    lines = events.read_bytes().splitlines(keepends=True)
    with subprocess.Popen(
        [*COMMAND, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(b"".join(lines[:3002]))
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["key"] == "web-1"
        process.send_signal(number)
        assert b"interrupted; the state is in" in process.stderr.read()
        assert process.wait(timeout=300) == code
    with open(events, "rb") as text:
        assert run(*arguments, stdin=text).returncode == 0
    whole = tmp_path / "whole.jsonl"
    run("watch", events, "--out", whole)
    assert out.read_bytes() == whole.read_bytes()


def test_following_a_file_tells_an_alert_when_it_comes(events: Path, tmp_path: Path) -> None:
    path = tmp_path / "growing.csv"
    lines = events.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2900]))
    out, whole = tmp_path / "out.jsonl", tmp_path / "whole.jsonl"
    arguments = ["watch", str(path), "--quiet", "--state", str(tmp_path / "state"), "--out", str(out)]
    with subprocess.Popen(
        [*COMMAND, *arguments, "--follow", "--alerts", "all"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        time.sleep(1)
        with open(path, "ab") as file:
            file.write(b"".join(lines[2900:3101]))
        deadline, told = time.monotonic() + 240, b""
        while b'"seq":3000,' not in told and time.monotonic() < deadline:
            if select.select([process.stdout], [], [], 1.0)[0]:
                told += os.read(process.stdout.fileno(), 1 << 16)
        process.send_signal(signal.SIGINT)
        process.communicate()
        assert process.returncode == 130
    assert b'"seq":3000,' in told
    path.write_bytes(b"".join(lines))
    assert run(*arguments).returncode == 0
    run("watch", path, "--out", whole)
    assert out.read_bytes() == whole.read_bytes()


def test_the_demo_prints_alerts_and_names_its_picture(tmp_path: Path) -> None:
    result = run("demo", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "anomaly" in result.stdout
    assert "drift" in result.stdout
    told = result.stdout.splitlines()
    named = "The picture is in "
    picture = Path(next(line.removeprefix(named) for line in told if line.startswith(named)))
    assert picture == tmp_path / "marigram-demo.html"
    assert "<svg" in picture.read_text()
    figures = [float(found) for found in re.findall(r"Average precision (\d\.\d+)", result.stdout)]
    assert figures[1] > figures[0]
    assert "Version 1 of the model is in use" in told[-1]


def test_a_replay_says_the_same_again_and_what_would_differ(events: Path, tmp_path: Path) -> None:
    looser = tmp_path / "looser.toml"
    looser.write_text("[detector]\nalpha = 0.02\n")
    assert run("replay", events, "--all").stdout == run("watch", events, "--all").stdout
    differing = run("replay", events, "--compare", looser, "--alerts", "all")
    *lines, last = (json.loads(line) for line in differing.stdout.splitlines())
    counts = last["comparison"]["alerts"]
    assert counts["only_second"] == sum(line["side"] == "only_second" for line in lines) > 0
    assert counts["both"] > 0
    assert sum(day["only_second"] for day in last["comparison"]["by_day"]) == counts["only_second"]
    same = run("replay", events, "--compare", looser, "--config", looser)
    assert len(same.stdout.splitlines()) == 1
    assert "the same" in same.stderr


def test_the_doctor_finds_a_damaged_state(events: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    run("watch", events, "--state", state)
    healthy = run("doctor", "--state", state, "--json")
    assert healthy.returncode == 0, healthy.stdout
    assert json.loads(healthy.stdout)["healthy"]
    for file in state.glob("state-*.mg"):
        damaged = bytearray(file.read_bytes())
        damaged[len(damaged) // 2] ^= 1
        file.write_bytes(damaged)
    ill = run("doctor", "--state", state)
    assert ill.returncode == 1
    assert re.search(r"FAIL +state-\d+.mg", ill.stdout)
    refused = run("watch", events, "--state", state)
    assert refused.returncode == 3
    assert "no state in" in refused.stderr


def loaded_by(*arguments: str) -> set[str]:
    """Names of the modules that a process has imported at its end."""
    script = (
        f"import sys; sys.argv = ['marigram', *{arguments!r}]; from marigram.cli import main\n"
        "try: main()\nfinally: print(*sys.modules, file=sys.stderr)"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(result.stderr.split())


def test_help_imports_nothing_heavy() -> None:
    loaded = loaded_by("--help")
    assert "typer" in loaded
    assert not {"numpy", "numba", "pyarrow", "msgspec", "rich"} & loaded


def test_watch_imports_no_guests(events: Path) -> None:
    loaded = loaded_by("watch", str(events), "--quiet")
    assert "numba" in loaded
    assert not {"pandas", "scipy", "matplotlib", "polars"} & loaded


def test_the_version_and_the_completion() -> None:
    assert re.fullmatch(r"marigram \d+\.\d+\.\d+\n", run("--version").stdout)
    script = run(env={**os.environ, "_MARIGRAM_COMPLETE": "source_bash"})
    assert "complete" in script.stdout
    offered = run(
        env={
            **os.environ,
            "_MARIGRAM_COMPLETE": "complete_bash",
            "COMP_WORDS": "marigram wa",
            "COMP_CWORD": "1",
        }
    )
    assert "watch" in offered.stdout


def test_a_misspelt_command_is_recognised() -> None:
    result = run("wach")
    assert result.returncode == 2
    assert "Did you mean 'watch'?" in result.stderr
