"""A stream of bytes as blocks of whole lines, in one buffer that is used again and again.

The memory is that of one block and one line, whatever comes: a line longer than ``LONGEST`` is passed over and told
as one reject, and so is what remains when a packed file ends in the middle.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ._bytes import PADDING
from .batch import Reject
from .rules import LONGEST, too_long
from .streams import BrokenStream, Stream

__all__ = ["BLOCK", "HEAD", "Block", "LineReader"]

BLOCK: Final = 1 << 22
"""Bytes read at once."""
HEAD: Final = 1024
"""Bytes of the beginning by which a file is known again."""
_BOM = b"\xef\xbb\xbf"
_CLIP: Final = 4096
_PEEK: Final = 1 << 20


@dataclass
class Block:
    """Whole lines ``text[begin:end]``; valid until the next block is asked for."""

    text: NDArray[np.uint8]
    raw: bytearray
    begin: int
    end: int
    position: int
    """Of ``text[begin]`` in the stream."""
    line: int
    """Number of the first line."""
    added: int = 0
    """1 when the newline at the end is ours."""
    reject: Reject | None = None
    """A line that could not be kept: then the block holds nothing else."""


class LineReader:
    """Cuts a stream into blocks.

    Parameters
    ----------
    stream
        Fresh, at its beginning.
    source
        What it is called in rejects.
    block
        Bytes to read at once.
    """

    def __init__(self, stream: Stream, source: str, block: int = BLOCK) -> None:
        self._stream = stream
        self._source = source
        self._block = block
        self._raw = bytearray(LONGEST + block + 1 + PADDING)
        self._text = np.frombuffer(self._raw, np.uint8)
        self._begin = self._end = 0
        self._skipped = 0
        self._clip = b""
        self._unread = False
        self._head = b""
        self.position = 0
        """Of the first byte that was not handed out."""
        self.line = 1
        """Number of the line that starts there."""
        self._told = False
        self.broken: str | None = None
        """Why the stream ended before its time."""

    def head(self, position: int) -> int:
        """Checksum of the first bytes of the stream, as far as ``position`` but at most ``HEAD``."""
        return zlib.crc32(self._head[: min(HEAD, position)])

    @property
    def taken(self) -> int:
        """Bytes taken from the stream, handed out or not."""
        return self.position + self._skipped + self._end - self._begin

    def restart(self, stream: Stream) -> None:
        """Go on with another stream, from its beginning; what was not handed out is dropped."""
        self._stream = stream
        self._begin = self._end = self._skipped = self.position = 0
        self._unread, self._head, self.line, self.broken, self._told = False, b"", 1, None, False

    def go_to(self, position: int, line: int) -> bool:
        """Continue at ``position``, where line number ``line`` starts; False when the stream is shorter.

        Call it before anything else; afterwards :meth:`head` tells whether it is the stream it was.
        """
        view = memoryview(self._raw)
        got = more = self._readinto(view[:HEAD])
        while more and got < HEAD:
            more = self._readinto(view[got:HEAD])
            got += more
        self._head = bytes(self._raw[:got])
        if position <= got:
            self._begin, self._end, self._unread = position, got, True
        else:
            try:
                self._stream.seek(position)
            except BrokenStream as error:
                self.broken = error.reason
        self.position, self.line = position, line
        return got >= min(position, HEAD)

    def peek(self) -> bytes:
        """Return what can be read at once without taking it: whole lines, or the last one without newline.

        Of many lines the first ``_PEEK`` bytes are enough.
        """
        while True:
            if self.position == 0:
                self._drop_mark()
            cut = self._raw.find(b"\n", self._begin, self._end) + 1
            if cut or self._end - self._begin > LONGEST or not self._fill():
                self._unread = True
                later = self._raw.rfind(b"\n", self._begin, min(self._end, self._begin + _PEEK)) + 1
                return bytes(self._raw[self._begin : later or cut or self._end])

    def more(self) -> bool:
        """Read on for the next :meth:`peek`; False at the end, or when there is no room."""
        self._unread = True
        return self._end - self._begin <= LONGEST and self._fill()

    def take_line(self) -> bytes | None:
        """Take the first line that is not blank, without its newline; None when there is none or it is too long."""
        ahead = self.peek()
        while ahead:
            line, newline, ahead = ahead.partition(b"\n")
            taken = len(line) + len(newline)
            self._begin += taken
            self.position += taken
            self.line += 1
            if line.strip():
                return line if len(line) <= LONGEST else None
        return None

    def next(self) -> Block | None:
        """Return the next whole lines; None when there is (at present) no further one."""
        while self._unread or self._fill():
            self._unread = False
            if self.position == 0:
                self._drop_mark()
            cut = self._raw.rfind(b"\n", self._begin, self._end) + 1
            if self._skipped:
                block = self._past_long_line()
                if block:
                    return block
            elif cut:
                return self._handed_out(cut)
            elif self._end - self._begin > LONGEST:
                self._clip = bytes(self._raw[self._begin : self._begin + _CLIP])
                self._skipped = self._end - self._begin
                self._begin = self._end
        return None

    def finish(self) -> Block | None:
        """Return what the stream ended with: a last line without newline, or what was broken off, or None."""
        if self._skipped or (self.broken and not self._told):
            clip = self._clip if self._skipped else bytes(self._raw[self._begin : self._begin + _CLIP])
            reason = self.broken or too_long(self._skipped)
            self._told = True
            self._skipped += self._end - self._begin
            return self._rejected(self._end, reason, clip)
        if self._begin == self._end:
            return None
        self._raw[self._end] = 10
        block = self._handed_out(self._end + 1)
        block.added = 1
        self.position -= 1
        self._begin = self._end
        return block

    def _readinto(self, view: memoryview) -> int:
        try:
            return self._stream.readinto(view)
        except BrokenStream as error:
            self.broken = error.reason
            return 0

    def _fill(self) -> bool:
        """Read more behind what is left, moved to the front; False at the end."""
        left = self._end - self._begin
        if self._begin:
            self._raw[:left] = self._raw[self._begin : self._end]
        self._begin, self._end = 0, left
        got = self._readinto(memoryview(self._raw)[left : left + self._block]) if self.broken is None else 0
        self._end += got
        if len(self._head) < HEAD:  # then all that was read so far is in it
            self._head += self._raw[left : left + min(got, HEAD - len(self._head))]
        return got > 0

    def _drop_mark(self) -> None:
        """Pass over the byte order mark that some programs put before UTF-8."""
        if self._raw.startswith(_BOM, self._begin, self._end):
            self._begin += len(_BOM)
            self.position += len(_BOM)

    def _handed_out(self, cut: int) -> Block:
        block = Block(self._text, self._raw, self._begin, cut, self.position, self.line)
        self.position += cut - self._begin
        self._begin = cut
        return block

    def _past_long_line(self) -> Block | None:
        """Look for the end of a line that is being passed over."""
        end = self._raw.find(b"\n", self._begin, self._end)
        if end < 0:
            self._skipped += self._end - self._begin
            self._begin = self._end
            return None
        self._skipped += end - self._begin
        self._unread = True
        reason = too_long(self._skipped)
        self._skipped += 1
        return self._rejected(end + 1, reason, self._clip)

    def _rejected(self, cut: int, reason: str, clip: bytes) -> Block:
        """Tell the ``_skipped`` bytes before ``cut`` as one line that cannot be used."""
        reject = Reject(self._source, self.line, reason, clip)
        self.position += self._skipped
        self._skipped, self._begin = 0, cut
        return Block(self._text, self._raw, cut, cut, self.position, self.line, reject=reject)
