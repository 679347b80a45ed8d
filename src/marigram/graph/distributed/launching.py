"""Starts the processes that learn together on this machine, waits for all, and ends all when one fails."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from marigram.errors import InputError

_WAIT = 0.1
"""Seconds between two looks."""
_TELLING = "telling: "


def run_processes(what: str, folder: Path, count: int, hear: Callable[[str], None] | None = None) -> None:
    """Run ``python -m marigram.graph.distributed.worker WHAT FOLDER NUMBER COUNT`` for every number, to the end.

    Parameters
    ----------
    what
        The kind of work; see the worker.
    folder
        What they read from and write to; their words go to ``NUMBER.log`` there.
    count
        Of processes.
    hear
        Called with what the first process tells by :func:`tell_parent`.

    Raises
    ------
    InputError
        A process ended before its time; with the last it said.
    """
    command = [sys.executable, "-m", "marigram.graph.distributed.worker", what, os.fspath(folder)]
    logs = [folder / f"{number}.log" for number in range(count)]
    running: list[subprocess.Popen[bytes]] = []
    try:
        for number, log in enumerate(logs):
            with log.open("wb") as sink:
                running.append(
                    subprocess.Popen([*command, str(number), str(count)], stdout=sink, stderr=sink)  # noqa: S603 - ourselves
                )
        _wait(running, logs, hear)
    finally:
        for process in running:
            if process.poll() is None:
                process.kill()
            process.wait()


def _wait(
    running: Sequence[subprocess.Popen[bytes]], logs: Sequence[Path], hear: Callable[[str], None] | None
) -> None:
    left, heard = dict(enumerate(running)), 0
    while left:
        for number, process in list(left.items()):
            try:
                code = process.wait(_WAIT)
            except subprocess.TimeoutExpired:
                continue
            if code:
                _ended(left, logs, number, code)
            del left[number]
        told = [
            line for line in logs[0].read_text(errors="replace").splitlines() if line.startswith(_TELLING)
        ]
        for line in told[heard:]:
            if hear is not None:
                hear(line.removeprefix(_TELLING))
        heard = len(told)


def _ended(left: dict[int, subprocess.Popen[bytes]], logs: Sequence[Path], number: int, code: int) -> None:
    """Say which process failed: one that was killed before one that missed it."""
    time.sleep(_WAIT)
    killed = next((other for other, process in left.items() if (process.poll() or 0) < 0), None)
    if killed is not None:
        raise InputError(0, f"learning process {killed + 1} was ended by signal {-left[killed].returncode}")
    said = logs[number].read_text(errors="replace").strip().splitlines()[-1:]
    raise InputError(0, f"learning process {number + 1} ended with {code}: {''.join(said)}")


def tell_parent(word: str) -> None:
    """Tell the process that called :func:`run_processes` something."""
    print(f"{_TELLING}{word}", flush=True)  # noqa: T201 - into the log that it reads


def end_with_parent() -> None:
    """End this process when the one that started it is gone: nobody would read what it learns."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


__all__ = ["end_with_parent", "run_processes", "tell_parent"]
