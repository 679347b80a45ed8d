"""What `watch --preset` reads: files and folders, once, or on and on as they grow and come."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from typing import Final

from marigram.bridge.presets import Preset
from marigram.bridge.readers.growing import Stretch, listed, read_on
from marigram.bridge.readers.opened import refused_file
from marigram.cli._preset_state import StateFolder
from marigram.errors import InputError, ParameterError

LOOK: Final = 0.5
"""Seconds between two looks."""
PATIENCE: Final = 10.0
"""Seconds that a file which cannot be read may stay as it is before that is told: it may still be written."""
Found = tuple[str, Stretch]


def read_once(sources: Sequence[str], preset: Preset, state: StateFolder) -> Iterator[Found]:
    """Yield what is new in files and folders.

    Raises
    ------
    InputError
        There is no file, or the only one is nothing that can be read.
    """
    files = listed(list(sources))
    if not files:
        raise InputError(0, f"no file in {', '.join(sources)}")
    for file in files:
        try:
            for stretch in read_on(file, preset, state.done.places):
                yield file, stretch
        except InputError as error:
            if len(files) == 1:
                named = error.reason if error.reason.startswith(f"{file}: ") else f"{file}: {error.reason}"
                raise InputError(error.line, named) from error
            yield file, Stretch([refused_file(file, preset, error)], state.place(file))


class Following:
    """Looks at files and folders again and again.

    Parameters
    ----------
    sources
        Files and folders; a file may come later.
    preset, state
        Whose logs, and how far they were read.
    """

    def __init__(self, sources: Sequence[str], preset: Preset, state: StateFolder) -> None:
        if "-" in sources:
            raise ParameterError(
                "--follow reads files and folders; what a pipe delivers is followed without it"
            )
        self._sources, self._preset, self._state = sources, preset, state
        self._unread: dict[str, tuple[tuple[int, int], float, bool]] = {}
        self._seen: dict[str, tuple[int, int]] = {}

    def rounds(self) -> Iterator[Found | None]:
        """Yield what is new; None whenever there is nothing more for now."""
        while True:
            for file in self._files():
                yield from self._of(file)
            yield None
            time.sleep(LOOK)

    def _files(self) -> list[str]:
        return listed([source for source in self._sources if os.path.exists(source)])

    def _of(self, file: str) -> Iterator[Found]:
        try:
            status = os.stat(file)
            now = (status.st_size, status.st_mtime_ns)
            if self._seen.get(file) == now and file not in self._unread:
                return
            before = self._renamed(file, status.st_ino)
            if before is not None:
                yield from self._stretches(before)
            yield from self._stretches(file)
            self._seen[file] = now
            self._unread.pop(file, None)
        except FileNotFoundError:
            return
        except InputError as error:
            yield from self._wait_for(file, now, error)

    def _stretches(self, file: str) -> Iterator[Found]:
        for stretch in read_on(file, self._preset, self._state.done.places, whole=False):
            yield file, stretch

    def _renamed(self, file: str, inode: int) -> str | None:
        """The file that had this name when it was read last, where it lies beside it: its rest comes first."""
        name = os.path.abspath(file)
        old = self._state.done.places.get(name)
        if old is None or old.inode in (0, inode):
            return None
        for entry in os.scandir(os.path.dirname(name)):
            if entry.is_file() and entry.inode() == old.inode:
                return entry.path
        return None

    def _wait_for(self, file: str, now: tuple[int, int], error: InputError) -> Iterator[Found]:
        """A file that cannot be read may still be written; it is told once it has stayed as it is."""
        before, since, told = self._unread.get(file, (now, time.monotonic(), False))
        if before != now:
            since, told = time.monotonic(), False
        if not told and time.monotonic() - since > PATIENCE:
            told = True
            yield file, Stretch([refused_file(file, self._preset, error)], self._state.place(file))
        self._unread[file] = (now, since, told)


__all__ = ["LOOK", "PATIENCE", "Following", "read_once"]
