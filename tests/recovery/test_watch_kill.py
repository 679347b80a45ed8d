"""`watch --state` killed with SIGKILL at random points, and started again: every verdict is there, once.

The command runs as a user runs it, in a process of its own; only batches and the time between two generations of the
state are made smaller, so that a short run has many. What an uninterrupted run writes is the truth, byte for byte.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Thread

import numpy as np
import pyarrow.parquet as pq
import pytest

COMMAND = """
import marigram.cli._pipeline as pipeline
import marigram.store.checkpoint as checkpoint
from marigram.cli import main
checkpoint.EVERY, checkpoint.SHARE = 0.01, 1.0
pipeline.BATCH_ROWS = 500
main()
"""
LINES = 60_000
KILLS = 200 if os.environ.get("MARIGRAM_SOAK") else 30
"""Of each form of a run."""


@dataclass
class Run:
    """How to watch one stream into one folder."""

    folder: Path
    source: Path
    out: str = "verdicts.jsonl"
    options: tuple[str, ...] = ()
    piped: bool = False

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def verdicts(self) -> Path:
        return self.folder / self.out

    def start(self, feed: Path | None = None) -> subprocess.Popen[bytes]:
        self.folder.mkdir(exist_ok=True)
        source = "-" if self.piped else str(self.source)
        arguments = ["watch", source, "--quiet", "--state", str(self.state), "--out", str(self.verdicts)]
        arguments += ["--rejects", str(self.folder / "rejects.jsonl"), *self.options]
        process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, *arguments],
            stdin=subprocess.PIPE if self.piped else subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        if self.piped:
            Thread(target=pour, args=(feed or self.source, process), daemon=True).start()
        return process

    def finish(self, feed: Path | None = None) -> float:
        """Run to the end; returns the seconds from the first sign of work on."""
        process = self.start(feed)
        self.wait_for_work(process)
        start = time.monotonic()
        errors = ended(process)
        assert process.returncode == 0, errors
        return time.monotonic() - start

    def wait_for_work(self, process: subprocess.Popen[bytes]) -> None:
        """Wait until the process holds the state, which it does after all imports."""
        mark = str(process.pid).encode()
        while process.poll() is None:
            lock = self.state / "lock"
            if lock.exists() and lock.read_bytes().strip() == mark:
                return
            time.sleep(0.002)

    def kill_after(self, seconds: float) -> bool:
        """Start, let it work for so long, kill it; returns whether it was still alive."""
        process = self.start()
        self.wait_for_work(process)
        time.sleep(seconds)
        alive = process.poll() is None
        process.send_signal(signal.SIGKILL)
        errors = ended(process)
        assert process.returncode in (0, -signal.SIGKILL), errors
        return alive

    def result(self) -> tuple[object, bytes]:
        """What the files hold."""
        rejects = (self.folder / "rejects.jsonl").read_bytes()
        if self.verdicts.suffix == ".parquet":
            return pq.read_table(self.verdicts).to_pylist(), rejects
        return self.verdicts.read_bytes(), rejects


def ended(process: subprocess.Popen[bytes]) -> str:
    """Wait for the end; returns what was said. Not `communicate`, which would close the pipe that is being filled."""
    errors: bytes = process.stderr.read()  # type: ignore[union-attr]
    process.stderr.close()  # type: ignore[union-attr]
    process.wait(timeout=300)
    return errors.decode()


def pour(source: Path, process: subprocess.Popen[bytes]) -> None:
    """Write a file into a pipe whose reader may die at any time."""
    try:
        with open(source, "rb") as text, process.stdin as pipe:  # type: ignore[union-attr]
            while piece := text.read(1 << 16):
                pipe.write(piece)
    except (BrokenPipeError, ValueError):
        return


def lines_of(count: int) -> Iterator[bytes]:
    """Events of seven keys, somewhat out of order, with a shift, spikes and lines that cannot be used."""
    rng = np.random.default_rng(5)
    values = rng.standard_t(3, count)
    values[rng.random(count) < 0.01] += 20.0
    values[count // 2 :] += 15.0
    late = rng.integers(0, 5, count)
    for i in range(count):
        if i % 997 == 500:
            yield b'{"time": "nobody knows"}\n'
        else:
            stamp = 1_700_000_000 + i - int(late[i])
            yield b'{"time":%d,"host":"h%d","ms":%.6f}\n' % (stamp, i * i % 7, values[i])


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("events") / "events.jsonl"
    path.write_bytes(b"".join(lines_of(LINES)))
    return path


def killed_until_done(run: Run, truth: Run, kills: int, seed: int) -> None:
    """Kill `run` at random moments of its work and start it again until it is through; repeat for so many kills."""
    truth.finish()
    seconds = replace(
        truth, folder=truth.folder.with_name("timed")
    ).finish()  # now that everything is compiled
    rng = random.Random(seed)
    died = 0
    while died < kills:
        seconds *= 0.9  # should the machine be faster than when it was timed
        while died < kills and run.kill_after(rng.uniform(0.0, seconds / 2)):
            died += 1
        run.finish()
        assert run.result() == truth.result()
        shutil.rmtree(run.folder)


FORMS = {
    "file": {},
    "file into Parquet": {"out": "verdicts.parquet"},
    "file with lateness": {"options": ("--lateness", "3s")},
    "file with a cap on memory": {"options": ("--memory", "20kB", "--threads", "2")},
    "pipe given again": {"piped": True},
}


def test_a_killed_run_goes_on_where_it_stopped(events: Path, tmp_path: Path) -> None:
    killed_until_done(Run(tmp_path / "killed", events), Run(tmp_path / "truth", events), kills=2, seed=1)


@pytest.mark.recovery
@pytest.mark.parametrize("form", FORMS)
def test_many_kills(
    form: str, events: Path, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    truth = Run(tmp_path / "truth", events, **FORMS[form])  # type: ignore[arg-type]
    killed_until_done(Run(tmp_path / "killed", events, **FORMS[form]), truth, KILLS, seed=2)  # type: ignore[arg-type]
    record_property("kills", KILLS)


@pytest.mark.recovery
def test_a_pipe_that_goes_on(events: Path, tmp_path: Path) -> None:
    """What was accepted before a kill is judged after it; the sender goes on with what was not accepted."""
    truth = Run(tmp_path / "truth", events, piped=True)
    truth.finish()
    seconds = replace(truth, folder=tmp_path / "timed").finish()
    run, rng = Run(tmp_path / "killed", events, piped=True), random.Random(3)
    lines = events.read_bytes().splitlines(keepends=True)
    empty, rest = tmp_path / "empty.jsonl", tmp_path / "rest.jsonl"
    empty.touch()
    run.kill_after(seconds / 2)
    for _ in range(8):
        run.finish(empty)
        dealt = sum(len(part.splitlines()) for part in run.result())  # type: ignore[attr-defined, misc]
        rest.write_bytes(b"".join(lines[dealt:]))
        run.source = rest
        run.kill_after(rng.uniform(0.0, seconds / 3))
    run.finish(empty)
    dealt = sum(len(part.splitlines()) for part in run.result())  # type: ignore[attr-defined, misc]
    rest.write_bytes(b"".join(lines[dealt:]))
    run.finish(rest)
    ours, theirs = run.result(), truth.result()
    assert ours[0] == theirs[0]
    assert len(ours[1].splitlines()) == len(theirs[1].splitlines())


def test_a_second_process_is_refused(events: Path, tmp_path: Path) -> None:
    run = Run(tmp_path / "run", events, piped=True)
    first = subprocess.Popen(
        [sys.executable, "-c", COMMAND, "watch", "-", "--state", str(run.state)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ,
    )
    try:
        run.folder.mkdir()
        run.wait_for_work(first)
        second = run.start()
        errors = ended(second)
        assert second.returncode == 2
        assert f"in use by process {first.pid}" in errors
    finally:
        first.kill()
        first.communicate()
