"""Runs a job for a person: alerts on stdout, the rest on stderr, a picture at the end, and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from marigram.cli._alerts import Alerts
from marigram.cli._errors import ExitCode, say
from marigram.cli._options import FailOn, Told
from marigram.cli._pipeline import Job, Pipeline
from marigram.cli._report import Report
from marigram.cli._sample import Sample
from marigram.errors import ParameterError
from marigram.events import KeyNames
from marigram.kinds import Kind
from marigram.pictures import SUFFIXES, draw

SPARK_RUN = "spark-run.json"
"""File by which a folder of state is known as Spark's."""
_PACKED = (".gz", ".zst", ".parquet", ".pq", ".arrow", ".feather", ".ipc")


@dataclass(frozen=True, kw_only=True)
class Show:
    """What is shown of a run, and what makes it fail."""

    told: Told = Told.NOTICES
    everything: bool = False
    json: bool = False
    quiet: bool = False
    plot: Path | None = None
    fail_on: Sequence[FailOn] = ()
    title: str | None = None
    human: bool | None = None
    """Lines for people; None: on a terminal only."""


def watch_job(job: Job, show: Show) -> int:
    """Run `job` to its end; returns the exit code."""
    if show.plot is not None:
        _check_picture(show.plot)
    report = Report(show.quiet, show.json, _bytes_of(job.sources))
    human = show.human if show.human is not None else not show.json and sys.stdout.isatty()
    alerts = Alerts(sys.stdout, show.told, human, show.everything, report.hide)
    sample = None if show.plot is None else Sample()
    pipeline = Pipeline(job, alerts, report, sample)
    warm(job, report)
    try:
        summary = pipeline.run()
    finally:
        report.hide()
    report.summary(summary)
    if show.plot is not None and sample is not None:
        names = pipeline.schema.values if pipeline.schema.d > 1 else None
        draw(sample.table(), show.plot, show.title, names)
        report.note(f"drawn in {show.plot}")
    if pipeline.stopped:
        kept = f"; the state is in {job.state}" if job.state is not None else ""
        say(f"interrupted{kept}")
        return pipeline.stopped
    return ExitCode.FOUND if found(show.fail_on, alerts.kinds, summary.totals.rejects) else ExitCode.DONE


def check_embedded(job: Job, spark: Sequence[str]) -> None:
    """Refuse what only Spark can use."""
    if spark:
        raise ParameterError(f"--spark {spark[0]}: needs --engine spark")
    if job.state is not None and (job.state / SPARK_RUN).exists():
        raise ParameterError(
            f"--state {job.state} is of Spark: go on with --engine spark, or give another folder"
        )


def found(fail_on: Sequence[FailOn], kinds: set[Kind], rejects: int) -> bool:
    """Whether something was told that the run is to fail for."""
    found = {
        FailOn.ANOMALY: Kind.ANOMALY in kinds,
        FailOn.DRIFT: Kind.DRIFT in kinds,
        FailOn.REJECT: rejects > 0,
    }
    return any(found[what] for what in fail_on)


def _check_picture(path: Path) -> None:
    """Refuse before the work what could not be drawn after it."""
    if path.suffix.lower() not in SUFFIXES:
        raise ParameterError(f"--plot {path}: the suffix must be one of {', '.join(SUFFIXES)}")
    if not path.absolute().parent.is_dir():
        raise ParameterError(f"--plot {path}: there is no folder {path.absolute().parent}")
    if path.suffix.lower() == ".png":
        from importlib.util import find_spec

        if find_spec("matplotlib") is None:
            raise ParameterError(
                f"--plot {path}: .png needs matplotlib: pip install 'marigram[plot]', or use .html or .svg"
            )


def warm(job: Job, report: Report) -> None:
    """Compile the detector's kernels if that is still to be done."""
    if _is_cold():
        report.note("the first start compiles the detector, once; this takes some seconds")
        _compile(job)


def _is_cold() -> bool:
    """Whether the detector's kernels are still to be compiled."""
    cache = os.environ.get("NUMBA_CACHE_DIR")
    return not cache or not any(Path(cache).glob("detectors_*/*.nbi"))


def _compile(job: Job) -> None:
    """Judge one event of nobody, so that an interruption need not wait for the compiler."""
    names = KeyNames()
    codes = names.codes_of(["nobody"])
    job.fleet().update((codes, names), np.zeros(1), np.zeros(1, np.int64))


def _bytes_of(sources: Sequence[str]) -> int | None:
    """Bytes of text to read, when that is the position in the one source."""
    if len(sources) != 1 or sources[0].endswith(_PACKED) or not os.path.isfile(sources[0]):
        return None
    return os.path.getsize(sources[0])


__all__ = ["SPARK_RUN", "Show", "check_embedded", "found", "warm", "watch_job"]
