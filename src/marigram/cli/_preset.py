"""`marigram watch --preset`: logs of what happened between whom, judged by the streams of their entities."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from marigram.bridge import EntityStreams, EventVerdicts
from marigram.bridge.presets import Preset, preset
from marigram.bridge.readers import open_events
from marigram.cli._errors import ExitCode, mute, naming, say
from marigram.cli._options import FailOn
from marigram.cli._rejected import RejectTeller
from marigram.errors import InputError, ParameterError
from marigram.events import open_rejects
from marigram.snapshots.files import replace_file

_LINES = (".jsonl", ".ndjson", ".json")
_PARQUET = (".parquet", ".pq")
_MEMORY = "files.json"


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
    fail_on: Sequence[FailOn] = ()


class _Done(msgspec.Struct):
    """One moment of a run: everything before it is in the state and in ``--out``, nothing after it is."""

    files: dict[str, int] = {}
    """Files that were read, with their sizes."""
    run: int = 0
    """Number of the state, ``streams-RUN.mg``."""
    out: int = 0
    """Bytes of ``--out``."""


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
        self._streams: EntityStreams | None = None
        self._done = _Done()
        self._teller = RejectTeller()
        self._out: TextIO | None = None
        self._tables: list[pa.Table] = []
        self._human = not job.json and sys.stdout.isatty()
        self.rows = self.told = self.rejected = 0

    def run(self) -> int:
        """From the first file to the summary."""
        job = self._job
        self._restore()
        sources = [source for source in job.sources if not self._read_before(source)]
        rejects = None if job.rejects is None else open_rejects(job.rejects)
        if job.out is not None and job.out.suffix.lower() in _LINES:
            if self._done.run and job.out.is_file():
                os.truncate(job.out, min(self._done.out, job.out.stat().st_size))
            self._out = job.out.open("a" if self._done.run else "w", encoding="utf-8")
        for batch in open_events(sources, self._preset) if sources else ():
            if batch.rejects:
                self.rejected += len(batch.rejects)
                if job.strict:
                    raise InputError(batch.rejects[0].line, f"{batch.rejects[0].reason} ({batch.file})")
                self._say(*self._teller.sentences(batch.rejects))
                if rejects is not None:
                    rejects.write(batch.rejects)
            if batch.table.num_rows:
                self._judge(batch.table)
        if rejects is not None:
            rejects.close()
        self._finish(sources)
        if sources and not self.rows:
            raise InputError(0, f"no event in {', '.join(sources)}")
        self._say(
            f"{self.rows:,} events, {self.told:,} told, {self.rejected:,} rejected; preset {self._preset.name}"
        )
        found = {FailOn.ANOMALY: self.told > 0, FailOn.REJECT: self.rejected > 0, FailOn.DRIFT: False}
        return ExitCode.FOUND if any(found[what] for what in job.fail_on) else ExitCode.DONE

    def _judge(self, table: pa.Table) -> None:
        if self._streams is None:
            schema = self._preset.fitted(table)
            told = self._job.alpha
            self._streams = EntityStreams(schema) if told is None else EntityStreams(schema, alpha=told)
            self._say(*(f"{column}: not used: {why}" for column, why in schema.left_out.items()))
        verdicts = self._streams.update(table)
        self.rows += len(verdicts)
        self.told += int(verdicts["notice"].sum())
        if self._out is not None:
            with naming(self._job.out):
                self._out.writelines(f"{verdict.to_json().decode()}\n" for verdict in verdicts)
        elif self._job.out is not None:
            self._tables.append(verdicts.to_arrow())
        self._tell(verdicts if self._job.everything else verdicts[verdicts["notice"]])

    def _tell(self, verdicts: EventVerdicts) -> None:
        try:
            for verdict in verdicts:
                line = str(verdict) if self._human else verdict.to_json().decode()
                sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
        except BrokenPipeError:
            mute(sys.stdout)

    def _finish(self, sources: Sequence[str]) -> None:
        """Complete the files, then the state that says so."""
        if self._out is not None:
            self._out.close()
        if self._tables and self._job.out is not None:
            with naming(self._job.out):
                pq.write_table(pa.concat_tables(self._tables), self._job.out)
        if self._job.state is not None and self._streams is not None:
            self._commit(self._job.state, sources)

    def _commit(self, folder: Path, sources: Sequence[str]) -> None:
        """Put the state on the disk, then in one step the note that it is the one to go on with."""
        done, before = self._done, folder / f"streams-{self._done.run}.mg"
        done.run += 1
        done.files |= {
            os.path.abspath(source): os.path.getsize(source) for source in sources if source != "-"
        }
        done.out = self._job.out.stat().st_size if self._out is not None and self._job.out is not None else 0
        assert self._streams is not None  # noqa: S101 - the caller's case
        self._streams.save(folder / f"streams-{done.run}.mg")
        replace_file(folder / _MEMORY, lambda file: file.write(msgspec.json.encode(done)))
        before.unlink(missing_ok=True)

    def _restore(self) -> None:
        """Take up the state of the run before."""
        folder = self._job.state
        if folder is None:
            return
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / _MEMORY).is_file():
            return
        self._done = msgspec.json.decode((folder / _MEMORY).read_bytes(), type=_Done)
        self._streams = EntityStreams.load(folder / f"streams-{self._done.run}.mg")
        self._say(f"going on after {len(self._done.files):,} files, as {folder} has it")

    def _read_before(self, source: str) -> bool:
        if source == "-" or not os.path.isfile(source):
            return False
        return self._done.files.get(os.path.abspath(source)) == os.path.getsize(source)

    def _say(self, *sentences: str) -> None:
        if not self._job.quiet:
            for sentence in sentences:
                say(sentence)


__all__ = ["PresetJob", "refuse_with_preset", "watch_preset"]
