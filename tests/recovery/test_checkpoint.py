"""A run that is stopped anywhere, by anything, and started again says what an uninterrupted one says, once."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marigram.errors import ParameterError, SnapshotError
from marigram.events.batch import Batch
from marigram.events.keys import KeyNames
from marigram.fleet import Fleet
from marigram.store.checkpoint import KEPT, Checkpoint, Position, examine

BATCHES, ROWS = 12, 40
SETTINGS = {"alpha": 0.001, "source": ["events.csv"]}


def batch(number: int, names: KeyNames, rows: int = ROWS) -> Batch:
    rng = np.random.default_rng(number)
    return Batch(
        values=rng.normal(size=rows) + (20.0 if number > 6 else 0.0),
        times=10**18 + (number * rows + np.arange(rows)) * 10**9,
        key_codes=names.codes_of(f"k{k}" for k in rng.integers(0, 3 + number, rows)),
        key_names=names,
        ids=None,
        rejects=[],
        lines=(number + 1) * rows,
        offset={"batch": number + 1},
    )


def judged(fleet: Fleet, one: Batch) -> bytes:
    return fleet.update((one.key_codes, one.key_names), one.values, one.times).json_lines()


def watch(
    folder: Path, out: Path, *, rereadable: bool, batches: int = BATCHES, rows: int = ROWS, every: float = 3.0,
    told: Callable[[int], None] = lambda number: None,
) -> None:  # fmt: skip
    """A small `watch --state`: the stream to `out`, committed whenever due, to its end; a batch takes `every` s."""
    now = [0.0]
    with Checkpoint(folder, SETTINGS, clock=lambda: now[0]) as checkpoint, open(out, "ab") as sink:
        fleet = checkpoint.fleet or Fleet()
        os.ftruncate(sink.fileno(), checkpoint.position.sinks.get("out", 0))
        sink.seek(0, os.SEEK_END)
        at = (checkpoint.position.source or {"batch": 0})["batch"]

        def judge(one: Batch) -> None:
            sink.write(judged(fleet, one))
            sink.flush()
            told(one.offset["batch"])
            now[0] += every
            if checkpoint.due() or one.offset["batch"] == batches:
                os.fsync(sink.fileno())
                checkpoint.commit(fleet, Position(one.offset, {"out": sink.tell()}))

        pending = list(checkpoint.pending())
        for one in pending:
            at = one.offset["batch"]
            judge(one)
        names = KeyNames()
        for number in range(at, batches):
            one = batch(number, names, rows)
            if not rereadable:
                checkpoint.accept(one)
            judge(one)


@cache
def uninterrupted(batches: int = BATCHES, rows: int = ROWS) -> bytes:
    fleet, names = Fleet(), KeyNames()
    return b"".join(judged(fleet, batch(number, names, rows)) for number in range(batches))


class Crash(BaseException):
    """The power went."""


def crashing(monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """Let the `after`-th call that changes a disk be the last thing that happens."""
    left = [after]

    def wrap(name: str) -> None:
        real = getattr(os, name)

        def call(*arguments: Any, **named: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                raise Crash
            return real(*arguments, **named)

        monkeypatch.setattr(os, name, call)

    for name in ("fsync", "replace", "unlink", "write"):
        wrap(name)


@pytest.mark.parametrize("rereadable", [True, False])
def test_a_crash_before_any_write_to_disk_loses_and_doubles_nothing(tmp_path: Path, rereadable: bool) -> None:
    point = 0
    finished = False
    while not finished:
        folder, out = tmp_path / f"state {point}", tmp_path / f"out {point}"
        with pytest.MonkeyPatch.context() as patch:
            crashing(patch, point)
            try:
                watch(folder, out, rereadable=rereadable)
                finished = True
            except Crash:
                pass
        watch(folder, out, rereadable=rereadable)
        assert out.read_bytes() == uninterrupted()
        point += 1 + point // 3
    assert point > 20


@settings(max_examples=15)
@given(st.lists(st.integers(1, BATCHES), max_size=4), st.booleans())
def test_runs_that_stop_again_and_again(
    tmp_path_factory: pytest.TempPathFactory, stops: list[int], rereadable: bool
) -> None:
    place = tmp_path_factory.mktemp("runs")

    def stop_at(number: int) -> Callable[[int], None]:
        def told(reached: int) -> None:
            if reached == number:
                raise Crash

        return told

    for number in stops:
        try:
            watch(place / "state", place / "out", rereadable=rereadable, told=stop_at(number))
        except Crash:
            continue
    watch(place / "state", place / "out", rereadable=rereadable)
    assert (place / "out").read_bytes() == uninterrupted()


def states(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_last_generations_are_kept_and_a_damaged_one_costs_no_data(tmp_path: Path) -> None:
    folder, out = tmp_path / "state", tmp_path / "out"
    watch(folder, out, rereadable=False)
    kept = [name for name in states(folder) if name.startswith("state-")]
    assert len(kept) == KEPT
    newest = folder / max(kept, key=lambda name: int(name[6:-3]))
    newest.write_bytes(newest.read_bytes()[:-100])
    assert any(not whole for _, whole, _ in examine(folder))
    with Checkpoint(folder, SETTINGS) as checkpoint:
        assert "cannot be used" in checkpoint.notices[0]
        assert checkpoint.position.source["batch"] < BATCHES
    watch(folder, out, rereadable=False)
    assert out.read_bytes() == uninterrupted()
    assert all(whole for _, whole, _ in examine(folder))


def test_when_nothing_can_be_read_the_run_is_not_begun_afresh(tmp_path: Path) -> None:
    watch(tmp_path, tmp_path / "out", rereadable=True)
    for path in tmp_path.glob("state-*"):
        path.write_bytes(b"")
    with pytest.raises(SnapshotError, match="no state in"):
        Checkpoint(tmp_path, SETTINGS)


def test_other_settings_are_refused_with_what_differs(tmp_path: Path) -> None:
    Checkpoint(tmp_path, SETTINGS).close()
    with pytest.raises(ParameterError, match=r"alpha was 0\.001, is 0\.01; lateness was None, is '5m'"):
        Checkpoint(tmp_path, {**SETTINGS, "alpha": 0.01, "lateness": "5m"})
    (tmp_path / "settings.json").write_bytes(b"{")
    with pytest.raises(SnapshotError, match="damaged"):
        Checkpoint(tmp_path, SETTINGS)


def test_a_folder_is_held_by_one_process_at_a_time(tmp_path: Path) -> None:
    first = Checkpoint(tmp_path / "state", SETTINGS)
    with pytest.raises(ParameterError, match=f"in use by process {os.getpid()}"):
        Checkpoint(tmp_path / "state", SETTINGS)
    first.close()
    Checkpoint(tmp_path / "state", SETTINGS).close()
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ParameterError, match="cannot hold a state"):
        Checkpoint(tmp_path / "file", SETTINGS)


def test_a_generation_is_due_by_time_and_never_takes_most_of_it(tmp_path: Path) -> None:
    now = [0.0]
    with Checkpoint(tmp_path, SETTINGS, clock=lambda: now[0]) as checkpoint:
        now[0] = 9.9
        assert not checkpoint.due()
        now[0] = 10.0
        assert checkpoint.due()

        class Slow(Fleet):
            def save(self, path: str | os.PathLike[str]) -> None:
                now[0] += 3.0
                super().save(path)

        checkpoint.commit(Slow(), Position())
        now[0] += 59.0
        assert not checkpoint.due()
        now[0] += 1.0
        assert checkpoint.due()


KILLED = """
import sys
from pathlib import Path
sys.path.insert(0, {here!r})
import test_checkpoint as here
state, out, rereadable = sys.argv[1:]
here.watch(Path(state), Path(out), rereadable=rereadable == "yes", batches={batches}, rows={rows},
           told=lambda number: print(number, flush=True))
"""


@pytest.mark.recovery
@pytest.mark.parametrize("rereadable", ["yes", "no"])
def test_kill_minus_nine_at_random_moments(tmp_path: Path, rereadable: str) -> None:
    rng = random.Random(rereadable)
    command = [
        sys.executable, "-c", KILLED.format(here=str(Path(__file__).parent), batches=150, rows=100),
        str(tmp_path / "state"), str(tmp_path / "out"), rereadable,
    ]  # fmt: skip
    kills = 0
    for _ in range(40):
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            for _ in range(rng.randrange(1, 40)):
                if not process.stdout.readline():
                    break
            time.sleep(rng.random() * 0.01)
            process.send_signal(signal.SIGKILL)
            process.stdout.read()
        if process.returncode == 0:
            break
        kills += 1
    assert process.returncode == 0
    assert kills >= 4
    assert (tmp_path / "out").read_bytes() == uninterrupted(150, 100)


def test_what_is_examined_is_told(tmp_path: Path) -> None:
    with Checkpoint(tmp_path, SETTINGS) as checkpoint:
        checkpoint.accept(batch(0, KeyNames()))
        told: Iterator[tuple[str, bool, str]] = examine(tmp_path)
        assert list(told) == [("journal-0.mg", True, f"{ROWS} events wait for the next state")]
