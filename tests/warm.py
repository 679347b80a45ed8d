"""Compile the kernels that most tests need, once: ``python -m tests.warm``, before the workers of a test run start.

Without it each worker would find the folder of compiled kernels empty and compile the same ones beside the others.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

import marigram as mg
from marigram.events import open_source

ROWS = 200
LINES = {
    "events.csv": "time,key,value\n2024-01-01T00:00:00Z,a,1\n2024-01-01T00:01:00Z,b,2.5\n",
    "events.jsonl": '{"time": 1, "key": "a", "value": 1.5}\n{"time": 2, "key": "b", "value": 2}\n',
}


def detectors() -> None:
    """One number and vectors, with times and without, alone, in fleets with keys of both kinds, and as JSON."""
    rng = np.random.default_rng(0)
    times = np.arange(ROWS) * 60_000_000_000
    for values in (rng.normal(size=ROWS), rng.normal(size=(ROWS, 2))):
        for known in (None, times):
            mg.Detector().update_many(values, known).json_lines()
            for keys in (np.arange(ROWS) % 3, np.arange(ROWS).astype(str)):
                kind: type[str] | type[int] = int if keys.dtype.kind == "i" else str
                mg.Fleet(mg.Detector(), keys=kind).update(keys, values, known).json_lines()


def joint() -> None:
    """Joint detectors of dense and of sparse rows."""
    rng = np.random.default_rng(0)
    mg.Detector(joint=True).update_many(rng.normal(size=(ROWS, 3)))
    mg.Detector(joint=True).update_many(mg.hash_features([{"a": float(x)} for x in rng.normal(size=ROWS)]))


def estimators() -> None:
    """Each estimator alone."""
    rng = np.random.default_rng(0)
    for estimator in (mg.ClippedMean(), mg.StepEnsemble(), mg.ClippedScale()):
        estimator.update_many(rng.normal(size=ROWS))
    mg.ClippedLinear().update_many(rng.normal(size=(ROWS, 2)), rng.normal(size=ROWS))


def change_points() -> None:
    """Each test for changes."""
    x = np.random.default_rng(0).normal(size=ROWS)
    for test in (
        mg.CatoniChangePoint(),
        mg.ClippedChangePoint(),
        mg.RankChangePoint(),
        mg.CusumChangePoint(),
    ):
        test.update_many(x)
    mg.ClippedChangePoint(variant="uai", constants="printed", diameter=2.0).update_many(x)


def readers() -> None:
    """The scanners of both text forms."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in LINES.items():
            path = Path(folder, name)
            path.write_text(text)
            for _ in open_source(str(path)):
                pass


if __name__ == "__main__":
    detectors()
    joint()
    estimators()
    change_points()
    readers()
