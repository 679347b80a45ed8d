"""`replay --compare`: both settings judge the same batches side by side, and what differs is printed as it comes."""

from __future__ import annotations

import sys
from contextlib import closing

import msgspec

from marigram.cli._columns import opened
from marigram.cli._compare import Comparison, Side
from marigram.cli._errors import ExitCode, say
from marigram.cli._options import Told
from marigram.cli._pipeline import Job
from marigram.cli._report import Report
from marigram.cli._stop import Stop
from marigram.detectors.default import Detector
from marigram.errors import InputError
from marigram.events.sinks import open_rejects
from marigram.fleet import Fleet
from marigram.verdicts import Verdict, alert_line

_MARKS = {Side.FIRST: "-", Side.SECOND: "+"}


def compare_job(job: Job, other: Detector, *, told: Told, json: bool, quiet: bool) -> int:
    """Judge the sources of `job` with its detector and with `other`; returns the exit code."""
    report = Report(quiet, json)
    if job.detector.parameters == other.parameters:
        report.note("both settings are the same, so nothing will differ")
    source = opened(job.sources, job.schema, **job.reading)
    report.inferred(source)
    names = source.schema.values if source.schema.d > 1 else None
    rejected = None if job.rejects is None else open_rejects(job.rejects)
    first, second = job.fleet(), Fleet(other, memory=job.memory, threads=job.threads)
    comparison = Comparison(told)
    json = json or not sys.stdout.isatty()
    rows = 0
    with Stop() as stop, closing(source):
        for batch in stop.over(source):
            keys = None if batch.key_codes is None else (batch.key_codes, batch.key_names)
            judged = [fleet.update(keys, batch.values, batch.times, batch.ids) for fleet in (first, second)]
            for side, verdict in comparison.differences(*judged):
                report.hide()
                sys.stdout.write(_line(side, verdict, json, names))
            report.rejected(batch.rejects)
            if rejected is not None:
                rejected.write(batch.rejects)
            rows += len(batch)
            report.moved(rows, None)
    report.hide()
    if rejected is not None:
        rejected.close()
    if stop.code:
        say("interrupted")
        return stop.code
    if not rows:
        raise InputError(0, f"no rows in {', '.join(job.sources)}")
    _tell(comparison, json)
    return ExitCode.DONE


def _line(side: Side, verdict: Verdict, json: bool, names: tuple[str, ...] | None) -> str:
    if json:
        told = msgspec.json.encode({"side": side, "verdict": msgspec.Raw(verdict.to_json())})
        return told.decode() + "\n"
    return f"{_MARKS[side]} {alert_line(verdict, names=names)}\n"


def _tell(comparison: Comparison, json: bool) -> None:
    lines = (
        [msgspec.json.encode({"comparison": comparison.as_object()}).decode()]
        if json
        else list(comparison.lines())
    )
    sys.stdout.writelines(f"{line}\n" for line in lines)


__all__ = ["compare_job"]
