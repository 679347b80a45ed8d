"""Where a run over logs stood: one moment, in which the state of the streams and every file written fit each other."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

import msgspec

from marigram.bridge import EntityStreams
from marigram.bridge.readers.growing import Place, known_place
from marigram.errors import SnapshotError
from marigram.snapshots.files import replace_file
from marigram.store.holding import hold

EVERY: Final = 2.0
"""Seconds between two moments that are kept, while there is always something new."""
SHARE: Final = 20.0
"""A moment is kept after so many times the time that keeping it takes."""
_MEMORY: Final = "files.json"


class Done(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One moment of a run: everything before it is in the state and in the files written, nothing after it is."""

    places: dict[str, Place] = {}
    """How far each file was read, by its name; by its inode where the name is another's now."""
    run: int = 0
    """Number of the state, ``streams-RUN.mg``."""
    out: int = 0
    """Bytes of ``--out``."""
    rejects: int = 0
    """Bytes of ``--rejects``."""


class StateFolder:
    """The folder of ``--state``, held by one process.

    Parameters
    ----------
    path
        Made where it is not there; None keeps nothing.

    Raises
    ------
    ParameterError
        Another process holds it.
    SnapshotError
        What it holds cannot be read.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.done, self.streams = Done(), None
        self._lock = -1 if path is None else hold(path)
        self._last, self._took = time.monotonic(), 0.0
        if path is not None and (path / _MEMORY).is_file():
            self._restore(path)

    streams: EntityStreams | None

    def _restore(self, path: Path) -> None:
        try:
            self.done = msgspec.json.decode((path / _MEMORY).read_bytes(), type=Done)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise SnapshotError(f"{path / _MEMORY} is damaged, or of another version: {error}") from error
        self.streams = EntityStreams.load(path / f"streams-{self.done.run}.mg")

    def place(self, source: str) -> Place:
        """Return how far a file was read; the beginning where nothing is kept."""
        if source == "-":
            return Place()
        return known_place(source, self.done.places)

    def read(self, source: str, place: Place) -> None:
        """Say how far a file is read now; kept with the next moment.

        The file that had the name before may lie elsewhere by now, and stays known by its inode.
        """
        if source == "-":
            return
        name = os.path.abspath(source)
        before = self.done.places.get(name)
        if before is not None and before.inode not in (0, place.inode):
            self.done.places[f"inode {before.inode}"] = before
        self.done.places[name] = place

    def is_due(self) -> bool:
        """Whether the next moment should be kept though there is more to do."""
        return self.path is not None and time.monotonic() - self._last > max(EVERY, SHARE * self._took)

    def keep(self, streams: EntityStreams, out: int, rejects: int) -> None:
        """Put the state on the disk, then in one step the note that it is the one to go on with."""
        if self.path is None:
            return
        begun, before = time.monotonic(), self.path / f"streams-{self.done.run}.mg"
        self.done.run += 1
        self.done.out, self.done.rejects = out, rejects
        streams.save(self.path / f"streams-{self.done.run}.mg")
        replace_file(self.path / _MEMORY, lambda file: file.write(msgspec.json.encode(self.done)))
        before.unlink(missing_ok=True)
        self._last = time.monotonic()
        self._took = self._last - begun

    def close(self) -> None:
        """Let go of the folder."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


__all__ = ["EVERY", "Done", "StateFolder"]
