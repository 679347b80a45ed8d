"""Where bytes come from: files, gzip and zstd, and what another program writes into a pipe.

Every stream fills a buffer that it is given, so that a file of any size takes the memory of one block.  Compressed
streams count decompressed bytes and reach a position by reading up to it.
"""

from __future__ import annotations

import os
import select
import time
import zlib
from collections.abc import Callable
from typing import Any, Final, Protocol

import pyarrow as pa

from marigram.errors import InputError

__all__ = [
    "BrokenStream",
    "FileStream",
    "GzipStream",
    "PipeStream",
    "Stream",
    "ZstdStream",
    "looked_at",
    "unpacked",
]

_CHUNK: Final = 1 << 18
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_MAGIC: Final = 6
_FIRST: Final = 1 << 16
"""Bytes that are looked at, and steps of zstd: what a step holds is lost when the data are damaged in it."""
_STEP: Final = 256
"""The same for gzip, where a damaged step is tried again in smaller ones."""


class BrokenStream(Exception):  # noqa: N818 - not an error of the program: the data end in an unforeseen way
    """The data cannot be read on; ``reason`` says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Stream(Protocol):
    """Bytes in order."""

    def readinto(self, view: memoryview) -> int:
        """Fill the front of ``view``; return how many bytes, 0 at the (present) end.  May raise BrokenStream."""

    def seek(self, position: int) -> None:
        """Go to ``position``, which is not before the present one; past the end it stops there."""

    def close(self) -> None:
        """Let go of what is open."""


class FileStream:
    """A plain file."""

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            self._file = open(path, "rb", buffering=0)  # noqa: SIM115 - closed by close()
        except OSError as error:
            raise InputError(0, f"cannot read {path}: {error.strerror}") from error

    def readinto(self, view: memoryview) -> int:
        """Fill the front of ``view``."""
        try:
            return self._file.readinto(view) or 0
        except OSError as error:
            raise BrokenStream(f"cannot be read on: {error.strerror}") from error

    def seek(self, position: int) -> None:
        """Go to ``position``, also backwards."""
        self._file.seek(position)

    def beginning(self, length: int) -> bytes:
        """Return the first bytes of the file as they are now; the place in it stays."""
        return os.pread(self._file.fileno(), length, 0)

    def status(self) -> os.stat_result:
        """What the system knows of the open file, whatever its name now means."""
        return os.fstat(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class PipeStream:
    """What a pipe delivers: everything that comes within a moment, so that neither batches nor answers wait.

    Parameters
    ----------
    descriptor
        Of the pipe; it is closed with the stream.
    linger
        Seconds to wait for more once something came; ten times as long for the very first bytes.
    clock
        Seconds, growing.
    """

    def __init__(
        self, descriptor: int, linger: float = 0.02, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._descriptor = descriptor
        self._linger = 10 * linger
        self._next_linger = linger
        self._clock = clock

    def readinto(self, view: memoryview) -> int:
        """Wait for bytes, then take what comes until the moment is over or ``view`` is full."""
        got = self._take(view)
        end = self._clock() + self._linger
        while 0 < got < len(view):
            ready, _, _ = select.select([self._descriptor], [], [], max(0.0, end - self._clock()))
            more = self._take(view[got:]) if ready else 0
            if not more:
                break
            got += more
        self._linger = self._next_linger
        return got

    def _take(self, view: memoryview) -> int:
        data = os.read(self._descriptor, min(len(view), _CHUNK))
        view[: len(data)] = data
        return len(data)

    def seek(self, position: int) -> None:
        """A pipe has no past: what comes is new."""

    def close(self) -> None:
        """Close the pipe."""
        os.close(self._descriptor)


class _Unpacking:
    """Common part of compressed streams: positions count unpacked bytes."""

    def __init__(self, packed: Stream) -> None:
        self._packed = packed
        self._position = 0

    def readinto(self, view: memoryview) -> int:
        """Fill the front of ``view`` with unpacked bytes."""
        data = self._unpack(len(view))
        view[: len(data)] = data
        self._position += len(data)
        return len(data)

    def _unpack(self, most: int) -> bytes:
        raise NotImplementedError

    def seek(self, position: int) -> None:
        """Read up to ``position``."""
        while self._position < position:
            data = self._unpack(min(_CHUNK, position - self._position))
            if not data:
                return
            self._position += len(data)

    def close(self) -> None:
        """Close the packed stream."""
        self._packed.close()


class GzipStream(_Unpacking):
    """gzip, also several members one after the other, as appending and ``cat`` make them."""

    def __init__(self, packed: Stream) -> None:
        super().__init__(packed)
        self._buffer = bytearray(_CHUNK)
        self._data = b""
        self._member: Any = None
        self._damage: str | None = None

    def _unpack(self, most: int) -> bytes:
        while True:
            ended = not self._data and not self._refill()
            if self._member is None:
                self._data = self._data.lstrip(b"\0")  # padding between members
                if ended:
                    return b""
                if not self._data:
                    continue
                self._member = zlib.decompressobj(wbits=31)
            elif ended:
                raise BrokenStream("the gzip data end in the middle")
            out = self._piece(most)
            if out:
                return out

    def _refill(self) -> bool:
        got = self._packed.readinto(memoryview(self._buffer))
        self._data = bytes(self._buffer[:got])
        return got > 0

    def _piece(self, most: int) -> bytes:
        if self._damage:
            raise BrokenStream(self._damage)
        before = self._member.copy()
        try:
            out: bytes = self._member.decompress(self._data, most)
        except zlib.error as error:
            self._damage = f"the gzip data are damaged: {error}"
            return _sound(before, self._data)
        self._data = self._member.unconsumed_tail
        if self._member.eof:
            self._data, self._member = self._member.unused_data, None
        return out


def _sound(member: Any, data: bytes) -> bytes:
    """What can be unpacked before the damage, less than a step."""
    out = bytearray()
    while data:
        try:
            out += member.decompress(data, _STEP)
        except zlib.error:
            break
        data = member.unconsumed_tail
    return bytes(out)


class ZstdStream(_Unpacking):
    """zstd, also several frames one after the other."""

    def __init__(self, packed: Stream) -> None:
        super().__init__(packed)
        self._frames = pa.CompressedInputStream(pa.PythonFile(_Reader(packed), mode="r"), "zstd")

    def _unpack(self, most: int) -> bytes:
        try:
            out: bytes = self._frames.read(min(most, _FIRST))
        except (OSError, pa.ArrowException) as error:
            raise BrokenStream(f"the zstd data are damaged or end in the middle: {error}") from error
        return out


class _Reader:
    """A stream as the file-like object that Arrow reads."""

    closed = False

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def read(self, most: int) -> bytes:
        buffer = bytearray(most)
        return bytes(buffer[: self._stream.readinto(memoryview(buffer))])

    def close(self) -> None:
        self.closed = True


class _Resumed:
    """A stream of which the first bytes were already taken."""

    def __init__(self, first: bytes, rest: Stream) -> None:
        self._first = first
        self._at = 0
        self._rest = rest

    def readinto(self, view: memoryview) -> int:
        piece = self._first[self._at : self._at + len(view)]
        if not piece:
            return self._rest.readinto(view)
        view[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    def seek(self, position: int) -> None:
        self._at = min(position, len(self._first))
        if position > len(self._first):
            self._rest.seek(position)

    def close(self) -> None:
        self._rest.close()


def unpacked(stream: Stream) -> tuple[Stream, bool]:
    """Return the stream with gzip or zstd taken off, as its first bytes tell, and whether there was any."""
    first, whole = looked_at(stream)
    if first.startswith(_GZIP):
        return GzipStream(whole), True
    if first.startswith(_ZSTD):
        return ZstdStream(whole), True
    return whole, False


def looked_at(stream: Stream) -> tuple[bytes, Stream]:
    """Return the first bytes of a stream, and a stream that has them still before it."""
    buffer = bytearray(_FIRST)
    got = more = stream.readinto(memoryview(buffer))
    while more and got < _MAGIC:
        more = stream.readinto(memoryview(buffer)[got:])
        got += more
    first = bytes(buffer[:got])
    if isinstance(stream, FileStream):
        stream.seek(0)
        return first, stream
    return first, _Resumed(first, stream)
