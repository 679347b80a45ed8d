"""Compiled and interpreted, the kernel says the same."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from tests.contracts.streams import lively
from tests.detectors.interpreted import COMPARED

N = 1500


def streams() -> dict[str, np.ndarray]:
    """Short streams with everything in them."""
    found = {}
    for name, seed, d, timed in (("plain", 1, 1, False), ("timed", 2, 1, True), ("wide", 3, 3, True)):
        stream = lively(seed, N, d, timed=timed)
        found[name] = stream.values
        if stream.times is not None:
            found[f"{name}.times"] = stream.times
    return found


def test_the_kernel_says_the_same_interpreted(tmp_path: Path) -> None:
    import marigram as mg

    given = streams()
    np.savez(tmp_path / "streams.npz", **given)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.detectors.interpreted",
            tmp_path / "streams.npz",
            tmp_path / "answers.npz",
        ],
        env=os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = np.load(tmp_path / "answers.npz")
    for name in ("plain", "timed", "wide"):
        table = mg.Detector().update_many(given[name], given.get(f"{name}.times"))
        for column in COMPARED:
            ours, theirs = np.asarray(table[column]), found[f"{name}.{column}"]
            if ours.dtype.kind == "f":
                close = 1e-6 if column == "why" else 1e-9  # shares are kept in single precision
                np.testing.assert_allclose(ours, theirs, rtol=close, atol=close, err_msg=f"{name} {column}")
            else:
                assert ours.tolist() == theirs.tolist(), f"{name} {column}"
