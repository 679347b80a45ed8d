"""The course as it was after any entry: the newest snapshot that is whole, and the log behind it.

========================  ==========================================================================
``fleet-s.mg``            the fleet after entry s; the last two stay
``past-s.mg``             one a day, as long as the log behind it is kept: where a replay can begin
``held-s.mg``             the events that waited then for earlier ones, where any did
========================  ==========================================================================
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import apsw
import msgspec
import numpy as np

from marigram.errors import SnapshotError
from marigram.events.batch import Batch
from marigram.events.keys import KeyNames
from marigram.events.times import FIRST
from marigram.fleet import Fleet
from marigram.snapshots import replace_file
from marigram.store.course import Course
from marigram.store.journal import pack_batch, unpack_batch
from marigram.store.log import Window, entries
from marigram.store.waiting import no_events, waiting_with

KEPT = 2
"""Snapshots that stay, so that a damaged one costs time and no data."""
_SNAPSHOT = re.compile(r"(fleet|past|held)-(\d+)\.mg")


class _Note(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a snapshot says of itself."""

    seq: int
    lateness: int = 0
    watermark: int = FIRST
    held: int = 0
    """Events in the file beside it."""


class Restored(NamedTuple):
    """A course, what people should know, and how many entries it went through again."""

    course: Course
    notices: list[str]
    replayed: int


@dataclass(frozen=True)
class Past:
    """Snapshots in a folder, and the log that leads on from each.

    Parameters
    ----------
    folder, connection
        Where they are.
    fresh
        Makes a fleet that has seen nothing.
    load
        Reads one from a file.
    """

    folder: Path
    connection: apsw.Connection
    fresh: Callable[[], Fleet]
    load: Callable[[Path], Fleet]

    def snapshots(self, name: str = "fleet") -> list[tuple[int, Path]]:
        """Return (seq, path) of the snapshots, newest first."""
        found = ((_SNAPSHOT.fullmatch(path.name), path) for path in self.folder.iterdir())
        named = [(int(match[2]), path) for match, path in found if match and match[1] == name]
        return sorted(named, reverse=True)

    def save(self, course: Course, seq: int) -> None:
        """Write the course after entry ``seq``; snapshots before the last two go."""
        note, waiting = _Note(seq), course.waiting
        if waiting is not None:
            note = _Note(seq, waiting.lateness, waiting.watermark, len(waiting))
        if waiting is not None and note.held:  # before the snapshot that counts on it
            replace_file(self._held(seq), lambda sink: sink.write(pack_batch(waiting.held)))
        course.fleet.note = msgspec.to_builtins(note)
        course.fleet.save(self.folder / f"fleet-{seq}.mg")
        for _, path in self.snapshots()[KEPT:]:
            path.unlink(missing_ok=True)
        for path in self.folder.glob(".fleet-*.tmp"):
            path.unlink(missing_ok=True)
        self._let_go()

    def archive(self, seq: int) -> None:
        """Keep the snapshot of entry ``seq`` for as long as the log behind it."""
        kept = self.folder / f"past-{seq}.mg"
        if not kept.exists():
            os.link(self.folder / f"fleet-{seq}.mg", kept)

    def forget(self, before: int) -> None:
        """Let snapshots go from which no log leads on: those kept of entries before ``before``."""
        for seq, path in self.snapshots("past"):
            if seq < before:
                path.unlink(missing_ok=True)
        self._let_go()

    def restore(self, last: int) -> Restored:
        """Return the course after entry ``last``, the last one that was committed.

        Raises
        ------
        SnapshotError
            It cannot be made from what is there.
        """
        notices: list[str] = []
        for seq, path in [*self.snapshots(), *self.snapshots("past")]:
            if seq > last:
                raise SnapshotError(
                    f"{path} was written after entry {seq}, but the database ends with entry {last}: it lost "
                    f"what was committed; restore it from a backup"
                )
            try:
                course = self._loaded(path, seq)
            except SnapshotError as error:
                notices.append(f"{path} cannot be used: {error}")
                continue
            return self._onward(course, seq, last, notices)
        if not self._whole:
            told = "; ".join(notices) or "there is none"
            raise SnapshotError(
                f"no snapshot in {self.folder} can be used, and the log does not begin at 1: {told}"
            )
        return self._onward(Course(self.fresh()), 0, last, notices)

    def build(self, upto: int, windows: Sequence[Window]) -> Course:
        """Return the course after entry ``upto`` had the events of these windows never come."""
        course, start = self.beginning(windows)
        names = _many_names()
        for entry in entries(self.connection, start, upto):
            course.follow_without(entry, names, windows)
        return course

    def beginning(self, windows: Sequence[Window]) -> tuple[Course, int]:
        """Return the course before the first entry that is kept, and that entry's number less one.

        Of what waits then the events of these windows are left out.
        """
        if self._whole:
            return Course(self.fresh()), 0
        start, path = self.snapshots("past")[-1]
        course = self._loaded(path, start)
        course.forget(windows)
        return course, start

    def windows(self, upto: int) -> list[Window]:
        """Return the windows that were rolled back by entry ``upto``."""
        found = self.connection.execute(
            "SELECT payload FROM log WHERE kind = 'rollback' AND seq <= ? ORDER BY seq", (upto,)
        )
        return [msgspec.json.decode(payload, type=Window) for (payload,) in found]

    @property
    def _whole(self) -> bool:
        """Whether the log begins with the first entry of all."""
        row = self.connection.execute("SELECT min(seq) FROM log").fetchone()
        return row is None or row[0] in (None, 1)

    def _onward(self, course: Course, seq: int, last: int, notices: list[str]) -> Restored:
        row = self.connection.execute("SELECT max(seq) FROM log WHERE kind = 'rollback'").fetchone()
        rolled = 0 if row is None or row[0] is None else int(row[0])
        if rolled > seq:
            course, seq = self.build(rolled, self.windows(rolled)), rolled
        names = _many_names()
        for entry in entries(self.connection, seq, last):
            course.follow(entry, names)
        return Restored(course, notices, last - seq)

    def _loaded(self, path: Path, seq: int) -> Course:
        fleet = self.load(path)
        try:
            note = msgspec.convert(fleet.note, _Note)
        except msgspec.ValidationError as error:
            raise SnapshotError(f"{path} was not written by a service: {error}") from error
        if note.seq != seq:
            raise SnapshotError(f"{path} is of another moment than its name says")
        if not note.lateness:
            return Course(fleet)
        held = no_events() if not note.held else self._read(self._held(seq))
        if len(held) != note.held:
            raise SnapshotError(f"{self._held(seq)} has {len(held)} events, not the {note.held} that waited")
        return Course(fleet, waiting_with(note.lateness, note.watermark, held))

    def _held(self, seq: int) -> Path:
        return self.folder / f"held-{seq}.mg"

    def _read(self, path: Path) -> Batch:
        try:
            return unpack_batch(path.read_bytes(), _many_names())
        except OSError as error:
            raise SnapshotError(f"{path} cannot be read: {error.strerror}") from error

    def _let_go(self) -> None:
        """Remove events that waited at a moment of which no snapshot is kept."""
        kept = {seq for name in ("fleet", "past") for seq, _ in self.snapshots(name)}
        for seq, path in self.snapshots("held"):
            if seq not in kept:
                path.unlink(missing_ok=True)


def _many_names() -> KeyNames:
    """Return an empty list of keys with its compiled table: each entry of the log names its keys anew."""
    names = KeyNames()
    names.codes_in(np.zeros(0, np.uint8), np.zeros((0, 2), np.int64))
    return names


__all__ = ["KEPT", "Past", "Restored"]
