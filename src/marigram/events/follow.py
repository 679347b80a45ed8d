"""Watching a file that grows: what to do at its present end.

Programs that rotate logs do one of three things, and each is told: they put a new file in the place of the old one,
they cut it off, or they cut it off and fill it again before anybody looked.
"""

from __future__ import annotations

import os
import time
import zlib
from typing import Final

from .lines import HEAD, LineReader
from .streams import FileStream

__all__ = ["Follower", "wait_a_moment"]

_INTERVAL: Final = 0.25


def wait_a_moment() -> bool:
    """Sleep a quarter of a second; a source that follows calls it at the end of the file and goes on."""
    time.sleep(_INTERVAL)
    return True


class Follower:
    """Knows whether the file is still the one that was read so far.

    Parameters
    ----------
    stream, reader
        The open file, and what reads it.
    """

    def __init__(self, stream: FileStream, reader: LineReader) -> None:
        self.stream = stream
        self._reader = reader

    def was_replaced(self) -> bool:
        """Whether the name now means another file; what is left of the old one can still be read."""
        try:
            named = os.stat(self.stream.path)
        except OSError:  # gone, and perhaps soon there again
            return False
        mine = self.stream.status()
        return (named.st_dev, named.st_ino) != (mine.st_dev, mine.st_ino)

    def was_cut(self) -> bool:
        """Whether the open file is shorter than what was read of it, or begins with other bytes."""
        if self.stream.status().st_size < self._reader.taken:
            return True
        head = self.stream.beginning(min(HEAD, self._reader.taken))
        return zlib.crc32(head) != self._reader.head(self._reader.taken)

    def reopen(self) -> None:
        """Start with the file that now has the name."""
        self.stream.close()
        self.stream = FileStream(self.stream.path)
        self._reader.restart(self.stream)

    def rewind(self) -> None:
        """Start again with the open file."""
        self.stream.seek(0)
        self._reader.restart(self.stream)
