"""`marigram watch --preset`: logs of what happened between whom, judged by the streams of their entities."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from marigram.bridge import EntityStreams, EventVerdicts
from marigram.bridge.presets import Preset, preset
from marigram.bridge.readers import EventBatch
from marigram.bridge.readers.growing import Stretch
from marigram.cli._errors import ExitCode, mute, naming, say
from marigram.cli._options import FailOn
from marigram.cli._preset_files import Following, Found, read_once
from marigram.cli._preset_state import StateFolder
from marigram.cli._rejected import RejectTeller
from marigram.cli._stop import Stop
from marigram.errors import InputError, ParameterError
from marigram.events import open_rejects
from marigram.events.sinks import RejectSink

_LINES = (".jsonl", ".ndjson", ".json")
_PARQUET = (".parquet", ".pq")


@dataclass(frozen=True, kw_only=True)
class PresetJob:
    """What to do: the options of `watch` that go with a preset."""

    sources: Sequence[str]
    name: str
    alpha: float | None = None
    out: Path | None = None
    rejects: Path | None = None
    state: Path | None = None
    strict: bool = False
    everything: bool = False
    json: bool = False
    quiet: bool = False
    follow: bool = False
    fail_on: Sequence[FailOn] = ()


def refuse_with_preset(options: dict[str, Any]) -> None:
    """Refuse options that say what a preset says already, or that its streams do not have."""
    given = [name for name, value in options.items() if value]
    if given:
        raise ParameterError(f"{given[0]} does not go with --preset")


def watch_preset(job: PresetJob) -> int:
    """Judge the events of all sources; returns the exit code."""
    return _Watch(job).run()


class _Watch:
    """One run over logs."""

    def __init__(self, job: PresetJob) -> None:
        self._job = job
        self._preset: Preset = preset(job.name)
        if job.out is not None and job.out.suffix.lower() not in _LINES + _PARQUET:
            raise ParameterError(f"--out {job.out}: the suffix must be one of {', '.join(_LINES + _PARQUET)}")
        if job.out is not None and job.follow and job.out.suffix.lower() in _PARQUET:
            raise ParameterError(f"--follow writes --out as lines: {', '.join(_LINES)}")
        self._state = StateFolder(job.state)
        self._streams = self._state.streams
        self._teller = RejectTeller()
        self._out: BinaryIO | None = None
        self._rejects: RejectSink | None = None
        self._tables: list[pa.Table] = []
        self._human = not job.json and sys.stdout.isatty()
        self._came: set[str] = set()
        self._open = False
        """Whether there is something that no moment has."""
        self.rows = self.told = self.rejected = self.files = 0

    def run(self) -> int:
        """From the first file to the summary."""
        job, state = self._job, self._state
        try:
            if state.streams is not None:
                self._say(f"going on after {len(state.done.places):,} files, as {state.path} has it")
            self._open_files()
            if job.follow:
                source: Iterable[Found | None] = Following(job.sources, self._preset, state).rounds()
            else:
                source = read_once(job.sources, self._preset, state)
            with Stop() as stop:
                for found in stop.over(source):
                    if found is None:
                        self._keep()
                    else:
                        self._take(*found)
            self._finish()
        finally:
            for written in (self._out, self._rejects):
                if written is not None:
                    written.close()
            state.close()
        if self.files and not self.rows and not job.follow:
            raise InputError(0, f"no event in {', '.join(job.sources)}")
        self._say(self._summary())
        fails = {FailOn.ANOMALY: self.told > 0, FailOn.REJECT: self.rejected > 0, FailOn.DRIFT: False}
        if stop.code:
            return stop.code
        return ExitCode.FOUND if any(fails[what] for what in job.fail_on) else ExitCode.DONE

    def _open_files(self) -> None:
        """Open what is written, cut back to the moment that the state is of."""
        job, done = self._job, self._state.done
        if job.rejects is not None:
            goes_on = done.run and job.rejects.is_file()
            self._rejects = open_rejects(job.rejects, start={"bytes": done.rejects} if goes_on else None)
        if job.out is not None and job.out.suffix.lower() in _LINES:
            if done.run and job.out.is_file():
                os.truncate(job.out, min(done.out, job.out.stat().st_size))
            self._out = job.out.open("ab" if done.run else "wb")

    def _take(self, source: str, stretch: Stretch) -> None:
        """Judge what is new in a file; only then it counts as read."""
        self.files += 1
        for batch in stretch.batches:
            if batch.rejects:
                self.rejected += len(batch.rejects)
                if self._job.strict:
                    raise InputError(batch.rejects[0].line, f"{batch.rejects[0].reason} ({batch.file})")
                self._say(*self._teller.sentences(batch.rejects))
                if self._rejects is not None:
                    self._rejects.write(batch.rejects)
            if batch.table.num_rows:
                self._judge(batch)
        self._state.read(source, stretch.place)
        self._open = True
        if self._state.is_due():
            self._keep()

    def _judge(self, batch: EventBatch) -> None:
        if self._streams is None:
            schema = self._preset.fitted(batch.table, batch.absent)
            told = self._job.alpha
            self._streams = EntityStreams(schema) if told is None else EntityStreams(schema, alpha=told)
            self._say(*(f"{column}: not used: {why}" for column, why in schema.left_out.items()))
        self._say_what_came(batch)
        verdicts = self._streams.update(batch.table)
        self.rows += len(verdicts)
        self.told += int(verdicts["notice"].sum())
        if self._out is not None:
            with naming(self._job.out):
                self._out.writelines(verdict.to_json() + b"\n" for verdict in verdicts)
        elif self._job.out is not None:
            self._tables.append(verdicts.to_arrow())
        self._tell(verdicts if self._job.everything else verdicts[verdicts["notice"]])

    def _say_what_came(self, batch: EventBatch) -> None:
        """Say once of each column that the first file lacked and this one has."""
        assert self._streams is not None  # noqa: S101 - the caller's case
        left = set(self._streams.schema.left_out) & set(self._preset.schema.columns)
        for column in sorted(left - batch.absent - self._came):
            self._came.add(column)
            self._say(
                f"{column}: {batch.file} has it; the first file lacked it, so it is not used with this state"
            )

    def _tell(self, verdicts: EventVerdicts) -> None:
        try:
            for verdict in verdicts:
                line = str(verdict) if self._human else verdict.to_json().decode()
                sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
        except BrokenPipeError:
            mute(sys.stdout)

    def _keep(self) -> None:
        """Make the files durable, then the state that says so."""
        if not self._open:
            return
        out = 0
        if self._out is not None:
            with naming(self._job.out):
                self._out.flush()
                os.fsync(self._out.fileno())
                out = self._out.tell()
        rejects = 0 if self._rejects is None else self._rejects.flush()["bytes"]
        if self._streams is not None:
            self._state.keep(self._streams, out, rejects)
            self._open = False

    def _finish(self) -> None:
        """Complete the files, and keep the last moment."""
        if self._tables and self._job.out is not None:
            with naming(self._job.out):
                pq.write_table(pa.concat_tables(self._tables), self._job.out)
        self._keep()

    def _summary(self) -> str:
        text = f"{self.rows:,} events, {self.told:,} told, {self.rejected:,} rejected; preset {self._preset.name}"
        if self._streams is not None and self._streams.forgotten:
            text += f"; {self._streams.pairs:,} pairs remembered, {self._streams.forgotten:,} forgotten"
        return text

    def _say(self, *sentences: str) -> None:
        if not self._job.quiet:
            for sentence in sentences:
                say(sentence)


__all__ = ["PresetJob", "refuse_with_preset", "watch_preset"]
