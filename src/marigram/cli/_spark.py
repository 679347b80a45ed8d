"""`watch --engine spark`: the same stream on a cluster.

Tasks read slices of the files, judge buckets of keys and write their part of `--out`; this process tells the alerts.
Spark's checkpoint holds where each micro-batch began and what was learned before it, so after a crash the one that was
cut short is done again: its parts are written anew under their own names, and its alerts are told once, because the
last micro-batch told of is noted beside the checkpoint.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pyarrow as pa

from marigram.cli._alerts import Alerts, told_rows
from marigram.cli._errors import ExitCode, say
from marigram.cli._options import Told
from marigram.cli._pipeline import Job
from marigram.cli._report import Report
from marigram.cli._run import SPARK_RUN, Show, found, warm
from marigram.cli._stop import Stop
from marigram.cli._totals import Summary, Totals
from marigram.engines.kafka.reader import is_address
from marigram.errors import InputError, ParameterError, SnapshotError
from marigram.events import Reject, Schema, open_rejects, open_sink, open_source
from marigram.snapshots import replace_file
from marigram.verdicts import Verdicts

if TYPE_CHECKING:
    from marigram.engines.spark.files import Plan

_CHECKPOINT, _LOG, _PART = "checkpoint", "spark.log", "part-*"
_TOLD = "totals binary, keys bigint, verdicts binary, rejects binary"
_MOST_TASKS = 64


class EngineSummary(Summary, frozen=True):
    """A summary that names who did the work."""

    application: str = ""

    def as_object(self) -> dict[str, Any]:
        """The summary as one JSON object."""
        return super().as_object() | {"engine": "spark", "application_id": self.application}

    def __str__(self) -> str:
        """The summary as one line."""
        return f"{super().__str__()}; Spark application {self.application}"


class _Run(msgspec.Struct):
    """The file beside the checkpoint; JSON."""

    settings: dict[str, Any]
    plan: Any
    told: int = -1
    """Number of the last micro-batch told of."""
    totals: Totals = msgspec.field(default_factory=Totals)
    keys: int = 0
    rejects_end: dict[str, int] | None = None


def watch_on_spark(job: Job, show: Show, settings: Sequence[str]) -> int:
    """Run `job` on Spark to its end; returns the exit code.

    Parameters
    ----------
    settings
        Spark's own, as NAME=VALUE.

    Raises
    ------
    ParameterError
        An option that this engine has no use for, no Spark, no Java.
    """
    _check(job, show)
    report = Report(show.quiet, show.json)
    human = show.human if show.human is not None else not show.json and sys.stdout.isatty()
    alerts = Alerts(sys.stdout, show.told, human, show.everything, report.hide)
    warm(job, report)
    folder = Path(tempfile.mkdtemp(prefix="marigram-spark-")) if job.state is None else job.state
    folder.mkdir(parents=True, exist_ok=True)
    try:
        watcher = _Watcher(job, show, folder, alerts, report)
        summary, code = watcher.run(dict(map(_setting, settings)))
    finally:
        if job.state is None:
            shutil.rmtree(folder, ignore_errors=True)
    report.summary(summary)
    if code:
        kept = f"; the state is in {job.state}" if job.state is not None else ""
        say(f"interrupted{kept}")
        return code
    return ExitCode.FOUND if found(show.fail_on, alerts.kinds, summary.totals.rejects) else ExitCode.DONE


class _Watcher:
    """One run over one set of files."""

    def __init__(self, job: Job, show: Show, folder: Path, alerts: Alerts, report: Report) -> None:
        self._job, self._show, self._folder = job, show, folder
        self._alerts, self._report = alerts, report
        self._run = self._restored()
        self._schema = Schema.from_mapping(self._plan().schema)
        alerts.names = self._schema.values if self._schema.d > 1 else None
        self._rejects = None
        if job.rejects is not None:
            self._rejects = open_rejects(job.rejects, start=self._run.rejects_end)

    def run(self, settings: dict[str, str]) -> tuple[EngineSummary, int]:
        """Judge everything; returns the summary, and the exit code of a signal that ended the run."""
        from marigram.engines.spark.buckets import DEFAULT
        from marigram.engines.spark.running import FileQuery

        with _silent(self._folder / _LOG):
            spark = _session(settings)
        job, before, start = self._job, self._run.totals.rows, time.perf_counter()
        with Stop() as stop:
            query = FileQuery(
                spark,
                self._plan(),
                job.detector,
                job.lateness,
                buckets=DEFAULT,
                checkpoint=self._folder / _CHECKPOINT,
                finish=_Finish(job.out, self._show.told, self._show.everything, bool(self._schema.key)),
                told=_TOLD,
                tell=self._tell,
            )
            query.run(lambda: stop.code != 0)
        if self._rejects is not None:
            self._rejects.close()
        totals, seconds = self._run.totals, time.perf_counter() - start
        lines = totals.rows + totals.rejects
        application = spark.sparkContext.applicationId
        spark.stop()
        summary = EngineSummary(totals, lines, self._run.keys, totals.rows - before, seconds, application)
        if not stop.code and not totals.rows:
            raise InputError(0, f"no rows in {', '.join(job.sources)}")
        return summary, stop.code

    def _restored(self) -> _Run:
        """Take up the last run, or begin one."""
        path = self._folder / SPARK_RUN
        if path.exists():
            return self._resumed(path)
        if any(self._folder.glob("state-*.mg")):
            raise ParameterError(
                f"--state {self._folder} is of the embedded engine; give Spark another folder"
            )
        _clear(self._job.out)
        try:
            with open_source(self._job.sources, self._job.schema, strict=self._job.strict) as source:
                self._report.inferred(source)
        except ParameterError as error:
            raise InputError(0, str(error)) from error
        run = _Run(self._job.settings(), msgspec.to_builtins(self._planned(source.schema)))
        self._keep(run)
        return run

    def _resumed(self, path: Path) -> _Run:
        try:
            run = msgspec.json.decode(path.read_bytes(), type=_Run)
        except msgspec.MsgspecError as error:
            raise SnapshotError(f"{path} is damaged: {error}") from error
        asked = msgspec.json.decode(
            msgspec.json.encode(self._job.settings())
        )  # as the file tells it: no tuples
        changed = [name for name, told in asked.items() if told != run.settings.get(name)]
        if changed:
            raise ParameterError(
                f"--state {self._folder}: the run that is resumed had another {' and '.join(changed)}"
            )
        self._run = run
        plan = self._plan()
        now = self._planned(Schema.from_mapping(plan.schema))
        if now.slices != plan.slices:
            raise InputError(
                0,
                "cannot resume: a run on Spark is of the files it began with, and these are others or have grown",
            )
        self._report.note(f"going on after {run.totals.rows:,} events, as {self._folder} has it")
        return run

    def _plan(self) -> Plan:
        from marigram.engines.spark.files import Plan

        return msgspec.convert(self._run.plan, Plan)

    def _planned(self, schema: Schema) -> Plan:
        from marigram.engines.spark.files import Plan
        from marigram.engines.spark.slices import sliced

        paths = [os.path.abspath(source) for source in self._job.sources]
        return Plan(sliced(paths, schema), schema.to_mapping(), self._job.strict)

    def _tell(self, number: int, rows: pa.Table) -> None:
        """Tell what a micro-batch found, unless it was told before."""
        run = self._run
        if number <= run.told:
            return
        rejects: list[Reject] = []
        tables = []
        for row in rows.to_pylist():
            run.totals.join(msgspec.json.decode(row["totals"], type=Totals))
            run.keys += row["keys"]
            rejects += msgspec.json.decode(row["rejects"], type=list[Reject])
            if row["verdicts"] is not None:
                tables.append(pa.ipc.open_stream(row["verdicts"]).read_all())
        rejects.sort(key=lambda reject: (reject.file, reject.line))
        self._report.rejected(rejects)
        if self._rejects is not None:
            self._rejects.write(rejects)
            run.rejects_end = self._rejects.flush()
        told = self._alerts.count
        if tables:
            verdicts = Verdicts.concat(map(Verdicts.from_arrow, tables))
            self._alerts.take(verdicts[np.argsort(verdicts["time"], kind="stable")])
        run.totals.alerts += self._alerts.count - told
        run.told = number
        self._keep(run)

    def _keep(self, run: _Run) -> None:
        replace_file(self._folder / SPARK_RUN, lambda file: file.write(msgspec.json.encode(run)))


class _Finish:
    """What tasks do with their cells of verdicts; it travels to them."""

    def __init__(self, out: Path | None, told: Told, everything: bool, named: bool) -> None:
        self._out = None if out is None else out.absolute()
        self._told, self._everything, self._named = told, everything, named

    def __call__(self, number: int) -> Callable[[Any], Any]:
        """Return the function for the tasks of one micro-batch."""

        def finish(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            from marigram.engines.spark.packing import task_number

            yield self._one(number, task_number(), batches)

        return finish

    def _one(self, number: int, task: int, batches: Iterator[pa.RecordBatch]) -> pa.RecordBatch:
        from marigram.engines.spark.packing import PACKED, REJECT, packed, unpacked

        totals, keys, shown, rejects = Totals(), 0, [], []
        part = _Part(self._out, number, task)
        for batch in batches:
            for cell in batch.column(PACKED):
                table = unpacked(cell.as_buffer())
                if REJECT in table.column_names:
                    rejects += [
                        msgspec.json.decode(one, type=Reject) for one in table.column(REJECT).to_pylist()
                    ]
                    continue
                verdicts = Verdicts.from_arrow(table if self._named else _nameless(table))
                part.write(verdicts)
                totals.add(verdicts, 0)
                keys += int(np.count_nonzero(verdicts["seq"] == 0))
                rows = verdicts if self._everything else verdicts[told_rows(verdicts, self._told)]
                if len(rows):
                    shown.append(rows.to_arrow())
        part.close()
        totals.rejects = len(rejects)
        cell_of_all = packed(pa.concat_tables(shown)) if shown else None
        row = {
            "totals": [msgspec.json.encode(totals)],
            "keys": [keys],
            "verdicts": pa.array([cell_of_all], pa.binary()),
            "rejects": [msgspec.json.encode(rejects)],
        }
        return pa.RecordBatch.from_pydict(row)


class _Part:
    """A task's part of `--out`: it appears whole, and one that is written again takes the place of the first."""

    def __init__(self, out: Path | None, number: int, task: int) -> None:
        self._path = None if out is None else out / f"part-{number:06d}-{task:04d}{''.join(out.suffixes)}"
        self._sink: Any = None

    def write(self, verdicts: Verdicts) -> None:
        """Add verdicts."""
        if self._path is not None and len(verdicts):
            if self._sink is None:
                self._sink = open_sink(self._hidden(self._path))
            self._sink.write(verdicts)

    def close(self) -> None:
        """Put it in its place."""
        if self._path is not None and self._sink is not None:
            self._sink.close()
            os.replace(self._hidden(self._path), self._path)

    def _hidden(self, path: Path) -> Path:
        return path.with_name(f".{os.getpid()}-{path.name}")


def _nameless(table: pa.Table) -> pa.Table:
    place = table.schema.get_field_index("key")
    return table.set_column(place, table.schema.field(place), pa.nulls(len(table), table.schema.types[place]))


def _check(job: Job, show: Show) -> None:
    """Refuse what this engine cannot do, rather than pass over it."""
    wanted = {
        "--follow": job.follow,
        "--plot": show.plot is not None,
        "--threads": job.threads != 1,
        "--memory": job.memory is not None,
        "--shard": job.shard is not None,
    }
    for option, given in wanted.items():
        if given:
            raise ParameterError(f"{option} is for the embedded engine; --engine spark has no use for it")
    for source in job.sources:
        if is_address(source):
            raise InputError(
                0,
                f"--engine spark reads files, and {source} is a topic: read it in a job of your own, with "
                "marigram.engines.spark.read_topic and detect, or without --engine spark",
            )
        if not os.path.isfile(source):
            raise InputError(0, f"--engine spark reads files, and {source} is none")
    if job.out is not None and job.out.exists() and not job.out.is_dir():
        raise ParameterError(f"--out {job.out}: Spark writes a folder of parts, and this is a file")


def _clear(out: Path | None) -> None:
    """Make the folder for the parts; those of another run go."""
    if out is not None:
        _check_suffix(out)
        out.mkdir(parents=True, exist_ok=True)
        for part in out.glob(_PART):
            part.unlink()


def _check_suffix(out: Path) -> None:
    """Refuse a folder whose name does not tell the format of its parts."""
    with tempfile.TemporaryDirectory() as folder:
        open_sink(Path(folder, f"part{''.join(out.suffixes)}")).close()


def _session(settings: dict[str, str]) -> Any:
    from marigram.engines.spark import session

    spark = session(settings={"spark.ui.showConsoleProgress": "false"} | settings)
    if "spark.sql.shuffle.partitions" not in settings:
        tasks = min(_MOST_TASKS, spark.sparkContext.defaultParallelism)
        spark.conf.set("spark.sql.shuffle.partitions", str(tasks))
    return spark


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.startswith("spark."):
        raise ParameterError(f"--spark {text!r}: write spark.NAME=VALUE, as in spark.master=local[2]")
    return name, value


@contextmanager
def _silent(log: Path) -> Iterator[None]:
    """Send what the Java process says to a file: it takes over the standard error it is started with."""
    sys.stderr.flush()
    kept = os.dup(2)
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.dup2(target, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(target)


__all__ = ["EngineSummary", "watch_on_spark"]
