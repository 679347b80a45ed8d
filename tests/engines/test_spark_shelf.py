"""Pages, patches and copies nearby: whatever fails, a bucket's verdicts are those of one fleet; no JVM."""

from __future__ import annotations

import copy
import fcntl
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.engines.states import MemoryState, events, untimed

import marigram as mg
from marigram import ParameterError
from marigram.engines.spark.bucket import judged
from marigram.engines.spark.shelf import DENSE

pytest.importorskip("pyspark", reason="this machine lacks Spark")

KEYS = [f"k{i}" for i in range(200)]
PAGE = 16


def test_a_batch_rewrites_the_pages_it_touches_all_over_and_patches_the_others() -> None:
    state, design = MemoryState(), untimed()
    judged(design, state, events(KEYS[:100], [1.0] * 100))
    assert sorted(state.written) == list(range(7))
    assert not state.patched
    state.written.clear()
    dense = KEYS[16 : 16 + PAGE // DENSE]
    judged(design, state, events(["k3", "k5", *dense], [1.0] * (2 + len(dense))))
    assert state.written == [1]
    assert list(state.patched) == [1]
    judged(design, state, events(["k200"], [1.0]))  # a new name is written with its page
    assert state.written == [1, 6]


def test_what_is_nearby_is_not_asked_of_the_state(tmp_path: Path) -> None:
    state, design = MemoryState(), untimed()
    judged(design, state, events(KEYS, [1.0] * 200), copies=tmp_path)
    for batch in range(3):
        judged(design, state, events(KEYS[::16], [1.0] * 13), copies=tmp_path)
        if batch == 0:
            state.asked = state.listed = 0
    assert (state.asked, state.listed) == (0, 0)
    state.standing_of_another_worker()
    judged(design, state, events(KEYS[::16], [1.0] * 13), copies=tmp_path)
    assert state.asked > 0


def test_patches_are_put_into_their_pages_in_time() -> None:
    state, design = MemoryState(), untimed()
    judged(design, state, events(KEYS, [1.0] * 200))
    most = 0
    for batch in range(60):
        judged(design, state, events(KEYS[batch % 16 :: 16], [1.0] * len(KEYS[batch % 16 :: 16])))
        most = max(most, 12 * len(state.patched))
    assert 12 < most <= 0.75 * len(KEYS)


class Run:
    """A bucket on machines that fail: what it says beside what a fleet says."""

    def __init__(self, seed: int, root: Path, *, renew: bool) -> None:
        self.rng, self.renew = np.random.default_rng(seed), renew
        self.state, self.fleet = MemoryState(), mg.Fleet()
        self.machines = [None, root / "a", root / "b"]

    def batch(self) -> None:
        rng = self.rng
        known = int(rng.integers(1, len(KEYS)))
        count = int(rng.choice([1, 5, 20, 400]))
        first = int(rng.integers(0, known))
        near = rng.random() < 0.3
        numbers = first + rng.integers(0, 20, count) if near else rng.integers(0, known, count)
        keys = [KEYS[number % len(KEYS)] for number in numbers]
        values = rng.normal(size=count).tolist()
        while rng.random() < 0.3:  # an attempt that is judged and not committed
            self.judged(copy.deepcopy(self.state), keys, (rng.normal(size=count)).tolist())
        got = self.judged(self.state, keys, values)
        want = self.fleet.update(keys, np.array(values))
        for name in ("key", "seq", "n", "p_value", "lower", "upper", "kind", "severity"):
            np.testing.assert_array_equal(got[name], want[name], name)

    def judged(self, state: MemoryState, keys: list[str], values: list[float]) -> Any:
        machine = self.machines[int(self.rng.integers(0, 3))]
        if machine is None or self.rng.random() > 0.2:
            return self.attempt(state, keys, values, machine)
        locks = []
        for path in machine.glob("*/lock"):  # somebody else has the copy in hand
            locks.append(path.open("ab"))
            fcntl.flock(locks[-1], fcntl.LOCK_EX)
        try:
            return self.attempt(state, keys, values, machine)
        finally:
            for lock in locks:
                lock.close()

    def attempt(self, state: MemoryState, keys: list[str], values: list[float], machine: Path | None) -> Any:
        return judged(untimed(), state, events(keys, values), copies=machine, renew=self.renew)


@pytest.mark.parametrize("renew", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_attempts_that_fail_and_machines_that_change_leave_no_trace(
    seed: int, renew: bool, tmp_path: Path
) -> None:
    run = Run(seed, tmp_path, renew=renew)
    for _ in range(25):
        run.batch()
    assert bool(run.state.standing) != renew


def test_a_copy_cut_off_in_its_change_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker dies behind the change of the copy and before its end; the state stays as it was."""
    state, design, fleet = MemoryState(), untimed(), mg.Fleet()
    rare = KEYS[::16]
    for keys in (KEYS, rare):
        judged(design, state, events(keys, [1.0] * len(keys)), copies=tmp_path)
        fleet.update(keys, np.ones(len(keys)))
    with monkeypatch.context() as patch:
        patch.setattr("marigram.engines.spark.copies.Copy.finish", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            judged(design, copy.deepcopy(state), events(rare, [9.0] * 13), copies=tmp_path)
    got = judged(design, state, events(rare, [2.0] * 13), copies=tmp_path)
    assert got is not None
    np.testing.assert_array_equal(got["p_value"], fleet.update(rare, np.full(13, 2.0))["p_value"])


def test_a_time_to_live_does_not_come_later() -> None:
    state = MemoryState()
    judged(untimed(), state, events(["a"], [1.0]))
    with pytest.raises(ParameterError, match="begun without a time to live"):
        judged(untimed(), state, events(["a"], [1.0]), renew=True)
