"""Watching a file that grows: what to do at its present end.

Programs that rotate logs do one of three things, and each is told: they put a new file in the place of the old one,
they cut it off, or they cut it off and fill it again before anybody looked.
"""

from __future__ import annotations

import os
import time
import zlib
from typing import Final

from .inputs import TextInput
from .lines import HEAD
from .streams import FileStream

__all__ = ["Follower", "wait_a_moment"]

_INTERVAL: Final = 0.25


def wait_a_moment() -> bool:
    """Sleep a quarter of a second; a source that follows calls it at the end of the file and goes on."""
    time.sleep(_INTERVAL)
    return True


class Follower:
    """Knows whether a followed file is still the one that was read so far."""

    def __init__(self, found: TextInput) -> None:
        self._found = found

    def was_replaced(self) -> bool:
        """Whether the name now means another file; what is left of the old one can still be read."""
        try:
            named = os.stat(self._found.path)
        except OSError:  # gone, and perhaps soon there again
            return False
        mine = self._file.status()
        return (named.st_dev, named.st_ino) != (mine.st_dev, mine.st_ino)

    def was_cut(self) -> bool:
        """Whether the open file is shorter than what was read of it, or begins with other bytes."""
        reader = self._found.reader
        if self._file.status().st_size < reader.taken:
            return True
        head = self._file.beginning(min(HEAD, reader.taken))
        return zlib.crc32(head) != reader.head(reader.taken)

    def reopen(self) -> None:
        """Start with the file that now has the name."""
        self._found.close()
        self._found.stream = FileStream(self._found.path)
        self._found.reader.restart(self._found.stream)

    def rewind(self) -> None:
        """Start again with the open file."""
        self._file.seek(0)
        self._found.reader.restart(self._file)

    @property
    def _file(self) -> FileStream:
        stream = self._found.stream
        if not isinstance(stream, FileStream):
            raise TypeError(f"{self._found.path} is no file")
        return stream
