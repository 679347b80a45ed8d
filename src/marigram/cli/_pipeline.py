"""The way of the events at the command line: source, fleet, files, alerts, picture, and the state that survives.

The order matters when the process dies in the middle. A source that cannot be read twice is journalled before it is
judged; a state is committed only when everything before it is on the disk. So a run that is resumed cuts its files to
where the state stood and repeats what followed.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from marigram.cli._again import Seen, unseen
from marigram.cli._alerts import Alerts
from marigram.cli._columns import opened
from marigram.cli._errors import mute
from marigram.cli._outputs import Outputs
from marigram.cli._report import Report
from marigram.cli._sample import Sample
from marigram.cli._shard import Shard, Sieve
from marigram.cli._stop import Stop
from marigram.cli._totals import Summary, Totals
from marigram.detectors.default import Detector
from marigram.engines.kafka.reader import is_address
from marigram.errors import InputError, ParameterError
from marigram.events import Batch, Schema, Source
from marigram.fleet import Fleet
from marigram.store import Checkpoint, Position
from marigram.store.silence import SilenceWatch
from marigram.verdicts import Verdicts

if TYPE_CHECKING:
    from marigram.engines.kafka.source import KafkaSource

BATCH_ROWS = 1 << 15
"""Rows judged at once: as fast as more of them, and the columns of a batch take half the memory."""
_SHORT = 4096
"""Rows below which a batch is that of a slow stream, whose readers wait for every row."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """What to do: the options of `watch`, read and checked."""

    sources: Sequence[str]
    detector: Detector
    schema: Schema = field(default_factory=Schema)
    follow: bool = False
    lateness: int | None = None
    strict: bool = False
    out: Path | None = None
    rejects: Path | None = None
    state: Path | None = None
    threads: int = 1
    memory: int | None = None
    shard: Shard | None = None

    def __post_init__(self) -> None:
        if self.shard is not None and self.detector.parameters.pool:
            raise ParameterError("pool=True lets keys share a tail: they cannot be shared out by --shard")

    @property
    def comes_once(self) -> bool:
        """Whether a source cannot be read a second time."""
        return not all(os.path.isfile(source) or is_address(source) for source in self.sources)

    @property
    def by_keys(self) -> bool:
        """Whether this process is to look at every event and keep those of its own keys."""
        return self.shard is not None and not any(is_address(source) for source in self.sources)

    @property
    def reading(self) -> dict[str, Any]:
        """How sources are read."""
        return {
            "follow": self.follow,
            "lateness": self.lateness,
            "strict": self.strict,
            "batch_rows": BATCH_ROWS,
        }

    def settings(self) -> dict[str, Any]:
        """What verdicts depend on, and a run that is resumed may not change."""
        return {
            "detector": msgspec.to_builtins(self.detector.parameters),
            "schema": self.schema.to_mapping(),
            "lateness": self.lateness,
            "shard": None if self.shard is None else str(self.shard),
        }

    def fleet(self) -> Fleet:
        """A new fleet."""
        return Fleet(self.detector, memory=self.memory, threads=self.threads)


class _Memory(msgspec.Struct):
    """What the command line itself remembers from run to run; JSON."""

    schema: dict[str, Any] = {}
    totals: Totals = msgspec.field(default_factory=Totals)
    seen: Seen = msgspec.field(default_factory=Seen)


class Pipeline:
    """One run over one source.

    Parameters
    ----------
    job
        What to do.
    alerts
        Where alerts go.
    report
        Where everything else that people read goes.
    sample
        What a picture will be drawn of; None when none is asked for.

    Attributes
    ----------
    stopped
        Exit code of the signal that ended the run, 0 when none did.
    schema
        Which column is what, known once the run has begun.
    """

    def __init__(self, job: Job, alerts: Alerts, report: Report, sample: Sample | None = None) -> None:
        self._job = job
        self._alerts = alerts
        self._report = report
        self._sample = sample
        self._memory = _Memory()
        self._offset: Any = None
        self._silence = SilenceWatch() if job.follow else None
        self._sieve = Sieve(job.shard) if job.shard is not None and job.by_keys else None
        self._lines = 0
        self._ended = False
        self.schema = job.schema
        self.stopped = 0

    def run(self) -> Summary:
        """Judge everything; returns the summary.

        Raises
        ------
        InputError, ParameterError, SnapshotError
            What a person can do something about.
        """
        with ExitStack() as stack:
            stop = stack.enter_context(Stop())
            self._stack = stack
            self._checkpoint, position = self._restored()
            source = None if self._memory.schema else self._opened()
            stood = position.sinks
            self._outputs = Outputs(self._job.out, self._job.rejects, stood, self._checkpoint is not None)
            if source is not None:
                self._commit()
            start, before = time.perf_counter(), self._memory.totals.rows
            settled = self._judge_all(stop, source)
            self.stopped = stop.code
            if settled:
                self._commit()
            if settled or self._checkpoint is None:
                self._outputs.close()
            seconds = time.perf_counter() - start
        self._check()
        totals = self._memory.totals
        return Summary(totals, self._lines, len(self._fleet), totals.rows - before, seconds)

    def _restored(self) -> tuple[Checkpoint | None, Position]:
        """Take up the last run's state, or begin."""
        job = self._job
        self._fleet = job.fleet()
        if job.state is None:
            return None, Position()
        checkpoint = Checkpoint(job.state, job.settings(), memory=job.memory, threads=job.threads)
        self._stack.enter_context(checkpoint)
        for notice in checkpoint.notices:
            self._report.note(notice)
        if checkpoint.fleet is not None:
            self._fleet = checkpoint.fleet
            self._memory = msgspec.convert(checkpoint.position.totals, _Memory)
            self._offset = checkpoint.position.source
            self._use(Schema.from_mapping(self._memory.schema))
            self._report.note(f"going on after {self._memory.totals.rows:,} events, as {job.state} has it")
        return checkpoint, checkpoint.position

    def _opened(self) -> Source | KafkaSource:
        """The source; from its beginning, or behind what was dealt with."""
        job = self._job
        start = None if job.comes_once else self._offset
        source = opened(job.sources, self.schema, start=start, shard=job.shard, **job.reading)
        self._stack.callback(source.close)
        if not self._memory.schema:
            self._report.inferred(source)
            self._memory.schema = source.schema.to_mapping()
            self._use(source.schema)
        return source

    def _use(self, schema: Schema) -> None:
        if self._job.shard is not None:
            self._job.shard.check(schema)
        self.schema = schema
        self._alerts.names = schema.values if schema.d > 1 else None

    def _judge_all(self, stop: Stop, source: Source | KafkaSource | None) -> bool:
        """Judge what the last run had accepted and then what comes; whether a state may say that it is dealt with."""
        checkpoint, once = self._checkpoint, self._job.comes_once
        if checkpoint is not None and source is None:
            for batch in stop.over(checkpoint.pending()):
                if not self._judge(batch):
                    return False
            if stop.code:  # the rest is still in the journal
                return False
            self._commit()
        for batch in stop.over(self._batches(source)):
            if once and checkpoint is not None and (len(batch) or batch.rejects):
                checkpoint.accept(batch)
            if not self._judge(batch):
                return False
            if checkpoint is not None and checkpoint.due():
                self._commit()
        self._ended = not stop.code
        return True

    def _batches(self, source: Source | KafkaSource | None) -> Iterator[Batch]:
        source = source or self._opened()
        self._lines = source.lines
        for batch in unseen(source, self._memory.seen) if self._job.comes_once else source:
            self._lines = source.lines
            yield batch
        self._lines = source.lines

    def _judge(self, batch: Batch) -> bool:
        """Deal with one batch; False when nobody listens any more."""
        ours = batch if self._sieve is None else self._sieve.of(batch)
        names = ours.key_names if self._sieve is None else self._sieve.names
        keys = None if ours.key_codes is None else (ours.key_codes, names)
        verdicts = self._fleet.update(keys, ours.values, ours.times, ours.ids)
        self._outputs.write(verdicts, ours.rejects)
        for notice in batch.notices:
            self._report.note(notice)
        self._report.rejected(ours.rejects)
        told = self._alerts.count
        heard = self._tell(verdicts) and self._tell(self._fallen_silent(batch))
        if self._sample is not None:
            self._sample.take(verdicts)
        memory = self._memory
        memory.totals.add(verdicts, len(ours.rejects))
        memory.totals.alerts += self._alerts.count - told
        memory.seen.add(batch)
        self._offset = batch.offset
        self._report.moved(memory.totals.rows, batch.offset.get("position"))
        if len(batch) < _SHORT:
            self._outputs.show()
        return heard

    def _fallen_silent(self, batch: Batch) -> Verdicts | None:
        if self._silence is None:
            return None
        self._silence.saw(batch.times)
        return self._silence.due(self._fleet)

    def _tell(self, verdicts: Verdicts | None) -> bool:
        """Print alerts; False when their reader has left and there is nothing else to do."""
        try:
            if verdicts is not None:
                self._alerts.take(verdicts)
        except BrokenPipeError:
            mute(sys.stdout)
            return self._outputs.wanted or self._sample is not None
        return True

    def _commit(self) -> None:
        """Put everything on the disk, then the state that says so."""
        if self._checkpoint is not None:
            sinks, totals = self._outputs.settle(), msgspec.to_builtins(self._memory)
            self._checkpoint.commit(self._fleet, Position(source=self._offset, sinks=sinks, totals=totals))

    def _check(self) -> None:
        """Nothing may be lost silently, and a run that read nothing is not a success."""
        seen, totals = self._memory.seen, self._memory.totals
        if self._ended and seen.rows + seen.rejects != self._lines:
            raise RuntimeError(
                f"{seen.rows} rows and {seen.rejects} rejects are not the {self._lines} lines read"
            )
        if self._ended and totals.rows == 0 and not (self._job.shard is not None and self._lines):
            where = ", ".join(self._job.sources)
            read = (
                f"none of the {totals.rejects:,} lines of {where} can be used"
                if totals.rejects
                else f"no rows in {where}"
            )
            raise InputError(0, read)


__all__ = ["Job", "Pipeline"]
