"""The fleet as it was after any entry: the newest snapshot that is whole, and the log behind it.

========================  ==========================================================================
``fleet-s.mg``            the fleet after entry s; the last two stay
``past-s.mg``             one a day, as long as the log behind it is kept: where a replay can begin
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
from marigram.events.keys import KeyNames
from marigram.fleet import Fleet
from marigram.store.log import Window, apply, apply_elsewhere, entries

KEPT = 2
"""Snapshots that stay, so that a damaged one costs time and no data."""
_SNAPSHOT = re.compile(r"(fleet|past)-(\d+)\.mg")


class Restored(NamedTuple):
    """A fleet, what people should know, and how many entries it went through again."""

    fleet: Fleet
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

    def save(self, fleet: Fleet, seq: int) -> None:
        """Write the fleet after entry ``seq``; those before the last two go."""
        fleet.note = {"seq": seq}
        fleet.save(self.folder / f"fleet-{seq}.mg")
        for _, path in self.snapshots()[KEPT:]:
            path.unlink(missing_ok=True)
        for path in self.folder.glob(".fleet-*.tmp"):
            path.unlink(missing_ok=True)

    def archive(self, seq: int) -> None:
        """Keep the snapshot of entry ``seq`` for as long as the log behind it."""
        kept = self.folder / f"past-{seq}.mg"
        if not kept.exists():
            os.link(self.folder / f"fleet-{seq}.mg", kept)

    def restore(self, last: int) -> Restored:
        """Return the fleet after entry ``last``, the last one that was committed.

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
                fleet = self._loaded(path, seq)
            except SnapshotError as error:
                notices.append(f"{path} cannot be used: {error}")
                continue
            return self._onward(fleet, seq, last, notices)
        if not self._whole:
            told = "; ".join(notices) or "there is none"
            raise SnapshotError(
                f"no snapshot in {self.folder} can be used, and the log does not begin at 1: {told}"
            )
        return self._onward(self.fresh(), 0, last, notices)

    def build(self, upto: int, windows: Sequence[Window]) -> Fleet:
        """Return the fleet after entry ``upto`` had the events of these windows never come."""
        fleet, start = self.beginning()
        names = _many_names()
        for entry in entries(self.connection, start, upto):
            apply_elsewhere(entry, fleet, names, windows)
        return fleet

    def beginning(self) -> tuple[Fleet, int]:
        """Return the fleet before the first entry that is kept, and that entry's number less one."""
        if self._whole:
            return self.fresh(), 0
        start, path = self.snapshots("past")[-1]
        return self._loaded(path, start), start

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

    def _onward(self, fleet: Fleet, seq: int, last: int, notices: list[str]) -> Restored:
        row = self.connection.execute("SELECT max(seq) FROM log WHERE kind = 'rollback'").fetchone()
        rolled = 0 if row is None or row[0] is None else int(row[0])
        if rolled > seq:
            fleet, seq = self.build(rolled, self.windows(rolled)), rolled
        names = _many_names()
        for entry in entries(self.connection, seq, last):
            apply(entry, fleet, names)
        return Restored(fleet, notices, last - seq)

    def _loaded(self, path: Path, seq: int) -> Fleet:
        fleet = self.load(path)
        if fleet.note != {"seq": seq}:
            raise SnapshotError(f"{path} is of another moment than its name says")
        return fleet


def _many_names() -> KeyNames:
    """Return an empty list of keys with its compiled table: each entry of the log names its keys anew."""
    names = KeyNames()
    names.codes_in(np.zeros(0, np.uint8), np.zeros((0, 2), np.int64))
    return names


__all__ = ["KEPT", "Past", "Restored"]
