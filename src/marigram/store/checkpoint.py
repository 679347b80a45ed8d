"""A run that goes on exactly where it stopped, however it stopped.

A folder holds, by generation g = 1, 2, …:

====================  ================================================================================
``state-g.mg``        the fleet, where the source stood and how long every sink was: one moment, one file
``journal-g.mg``      batches accepted after that moment, of sources that cannot be read twice
``settings.json``     what the run depends on; a run with other settings is refused
``lock``              held by the process that runs
====================  ================================================================================

Between two generations nothing is written for a source that can be read again: after a crash the sinks are cut to
where they stood, the source is read from where it stood, and the same verdicts come again, bit for bit.  What a
source gives only once goes through the journal first.  The last two generations are kept, so that a damaged file
costs work and no data.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from marigram import snapshots
from marigram.errors import MarigramError, ParameterError, SnapshotError
from marigram.events.batch import Batch
from marigram.events.keys import KeyNames
from marigram.fleet import Fleet
from marigram.store.holding import hold, refuse_foreign
from marigram.store.journal import Journal, read_journal

KEPT = 2
"""Generations that stay."""
EVERY = 10.0
"""Seconds between two generations, at least."""
SHARE = 20.0
"""A generation is written at most once in so many times what writing it took."""
JOURNAL = 1 << 28
"""Bytes of journal after which a generation is due: what a restart has to go through again."""

_STATE = re.compile(r"state-(\d+)\.mg")
_JOURNAL = re.compile(r"journal-(\d+)\.mg")


class Position(msgspec.Struct, frozen=True):
    """One moment of a run: everything before it is in the state and in the sinks, nothing after it is.

    Attributes
    ----------
    source
        Where to read on: the ``offset`` of the last batch dealt with; JSON.
    sinks
        By the sink's name, where it stood; JSON.
    totals
        What the caller counts over the whole run; JSON.
    """

    source: Any = None
    sinks: dict[str, Any] = {}
    totals: Any = None


class Checkpoint:
    """The folder of a run's state, held by one process at a time.

    Parameters
    ----------
    folder
        Made when it does not exist.
    settings
        What the verdicts depend on and a restart may not change: JSON values by name.
    memory, spill, threads
        As for :class:`~marigram.fleet.Fleet`; they may differ from run to run.
    clock
        Seconds that never go back.

    Attributes
    ----------
    fleet
        The fleet of the last generation, None when the run begins.
    position
        Where that generation stood.
    notices
        What people should know, such as a generation that could not be used.

    Raises
    ------
    ParameterError
        Another process holds the folder, or the settings are not those of the run.
    SnapshotError
        No generation can be read.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        settings: Mapping[str, Any],
        *,
        memory: int | str | None = None,
        spill: str | os.PathLike[str] | None = None,
        threads: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.folder = Path(folder)
        self.fleet: Fleet | None = None
        self.position = Position()
        self.notices: list[str] = []
        self._clock = clock
        self._damaged: list[Path] = []
        refuse_foreign(self.folder, "marigram.db", "marigram serve")
        self._lock: int | None = hold(self.folder)
        try:
            _check_settings(self.folder / "settings.json", settings)
            self._generation = self._load(memory, spill, threads)
            self._newest = max(
                [self._generation, *_generations(self.folder, _STATE), *_generations(self.folder, _JOURNAL)]
            )
            self._journal = Journal(self._journal_path(self._newest))
        except BaseException:
            self._release()
            raise
        self._last, self._took = clock(), 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def pending(self) -> Iterator[Batch]:
        """Yield the batches accepted after :attr:`position`, to be dealt with again before anything new."""
        names = KeyNames()
        for generation in range(self._generation, self._newest + 1):
            yield from read_journal(self._journal_path(generation), names)

    def accept(self, batch: Batch) -> None:
        """Keep a batch that cannot be read twice; when this returns, its verdicts may be given away."""
        self._journal.append(batch)

    def due(self) -> bool:
        """Return whether it is time for :meth:`commit`."""
        passed = self._clock() - self._last
        return passed >= max(EVERY, SHARE * self._took) or self._journal.nbytes >= JOURNAL

    def commit(self, fleet: Fleet, position: Position) -> None:
        """Begin a new generation.  Whatever the sinks took before ``position`` must be on disk already."""
        start = self._clock()
        generation = self._newest + 1
        fleet.note = msgspec.to_builtins(position)
        fleet.save(self.folder / f"state-{generation}.mg")
        self._journal.close()
        self._generation = self._newest = generation
        self._journal = Journal(self._journal_path(generation))
        self.position = position
        self._forget()
        self._last = self._clock()
        self._took = self._last - start

    def close(self) -> None:
        """Let the folder go; nothing is written."""
        self._journal.close()
        self._release()

    def _load(
        self, memory: int | str | None, spill: str | os.PathLike[str] | None, threads: int | None
    ) -> int:
        """Load the newest generation that can be used; returns its number, 0 for a fresh run."""
        generations = _generations(self.folder, _STATE)
        for generation in generations:
            path = self.folder / f"state-{generation}.mg"
            try:
                fleet = Fleet.load(path, memory=memory, spill=spill, threads=threads)
                self.position = msgspec.convert(fleet.note, Position)
            except (SnapshotError, msgspec.ValidationError) as error:
                self._damaged.append(path)
                self.notices.append(f"{path} cannot be used: {error}")
                continue
            self.fleet = fleet
            return generation
        if generations:
            raise SnapshotError(f"no state in {self.folder} can be used: {'; '.join(self.notices)}")
        return 0

    def _journal_path(self, generation: int) -> Path:
        return self.folder / f"journal-{generation}.mg"

    def _forget(self) -> None:
        """Remove what lies before the generations that are kept, what is damaged and what crashes left half written."""
        for path in (*self._damaged, *self.folder.glob(".state-*.tmp")):
            path.unlink(missing_ok=True)
        self._damaged.clear()
        oldest = min(_generations(self.folder, _STATE)[:KEPT])
        for name, pattern in (("state", _STATE), ("journal", _JOURNAL)):
            for generation in _generations(self.folder, pattern):
                if generation < oldest:
                    (self.folder / f"{name}-{generation}.mg").unlink(missing_ok=True)

    def _release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def examine(folder: str | os.PathLike[str]) -> Iterator[tuple[str, bool, str]]:
    """Yield (name, whether it is whole, detail) for each file of a run's state; nothing is changed."""
    place = Path(folder)
    for generation in _generations(place, _STATE):
        path = place / f"state-{generation}.mg"
        try:
            fleet = Fleet.load(path)
            yield path.name, True, f"{len(fleet):,} keys, {path.stat().st_size:,} bytes"
        except MarigramError as error:
            yield path.name, False, str(error)
    for generation in _generations(place, _JOURNAL):
        path = place / f"journal-{generation}.mg"
        try:
            rows = sum(map(len, read_journal(path, KeyNames())))
            yield path.name, True, f"{rows:,} events wait for the next state"
        except MarigramError as error:
            yield path.name, False, str(error)


def _generations(folder: Path, pattern: re.Pattern[str]) -> list[int]:
    """Return the generations of which there is such a file, newest first."""
    found = (pattern.fullmatch(path.name) for path in folder.iterdir())
    return sorted((int(match[1]) for match in found if match), reverse=True)


def _check_settings(path: Path, settings: Mapping[str, Any]) -> None:
    """Write the settings of a fresh run; refuse those of another."""
    ours = msgspec.json.decode(msgspec.json.encode(dict(settings), order="deterministic"))
    try:
        theirs = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except FileNotFoundError:
        snapshots.replace_file(
            path, lambda sink: sink.write(msgspec.json.encode(ours, order="deterministic"))
        )
        return
    except msgspec.DecodeError as error:
        raise SnapshotError(f"{path} is damaged: {error}") from error
    names = sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))
    if names:
        told = "; ".join(f"{name} was {theirs.get(name)!r}, is {ours.get(name)!r}" for name in names)
        raise ParameterError(f"{path.parent} belongs to a run with other settings: {told}")


__all__ = ["EVERY", "Checkpoint", "Position", "examine"]
