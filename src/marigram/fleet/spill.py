"""Disk in place of memory: a shelf of records and arrays that lie in files.

Both live in files without a name, in a folder of the caller's choice: the system takes them back when the process
ends, however it ends.  They hold nothing that must survive; a snapshot contains the shelved keys as well.
"""

from __future__ import annotations

import mmap
import os
import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from marigram.errors import ParameterError, SnapshotError
from marigram.fleet._placing import seals

Array: TypeAlias = NDArray[Any]
Ints: TypeAlias = NDArray[np.int64]
Words: TypeAlias = NDArray[np.uint64]

_HEADER = 2
"""Words before a record: its seal and its owner."""


class FileArrays:
    """Allocates arrays in files, so that they count as the system's page cache and not as memory of the process.

    Parameters
    ----------
    folder
        Where the files lie; None for the system's temporary folder.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._maps: weakref.WeakSet[mmap.mmap] = weakref.WeakSet()

    def __call__(self, shape: tuple[int, ...], dtype: Any) -> Array:
        """Return a zeroed array; its room on disk is taken at once, so that a full disk is an error, not a crash."""
        size = max(1, int(np.prod(shape)) * np.dtype(dtype).itemsize)
        with _nameless(self._folder) as file:
            _reserve(file.fileno(), size)
            mapped = mmap.mmap(file.fileno(), size)
        self._maps.add(mapped)
        return np.frombuffer(mapped, dtype, int(np.prod(shape))).reshape(shape)

    def release(self) -> None:
        """Let the process forget the pages it has touched; their content stays in the files."""
        for mapped in self._maps:
            if hasattr(mmap, "MADV_DONTNEED"):
                mapped.madvise(mmap.MADV_DONTNEED)


class Shelf:
    """Fixed-size records on disk, each sealed with a checksum; a freed place is used again.

    Parameters
    ----------
    folder
        Where the file lies; None for the system's temporary folder.
    words
        Length of a record in units of 8 bytes.
    """

    def __init__(self, folder: Path | None, words: int) -> None:
        with _nameless(folder) as file:
            self._descriptor = os.dup(file.fileno())
        self._close = weakref.finalize(self, os.close, self._descriptor)
        self._words = words + _HEADER
        self._salt = np.uint64(int.from_bytes(os.urandom(8), "little"))
        self._places = 0
        self._free: list[int] = []

    def __len__(self) -> int:
        return self._places - len(self._free)

    @property
    def nbytes(self) -> int:
        """Bytes of the file."""
        return self._places * self._words * 8

    def put(self, owners: Ints, records: Words) -> Ints:
        """Write (k, words) records; return the (k,) places where they lie."""
        again = min(len(self._free), len(owners))
        places = np.arange(self._places - again, self._places - again + len(owners))
        places[:again] = self._free[len(self._free) - again :]
        places.sort()
        self._write(places, owners, records)
        del self._free[len(self._free) - again :]
        self._places += len(owners) - again
        return places

    def replace(self, places: Ints, owners: Ints, records: Words) -> None:
        """Write records over those at ``places``."""
        order = np.argsort(places)
        self._write(places[order], owners[order], records[order])

    def get(self, places: Ints, owners: Ints) -> Words:
        """Return the (k, words) records at ``places``; ``SnapshotError`` when one is not what was put there."""
        order = np.argsort(places)
        block = np.empty((len(places), self._words), np.uint64)
        for start, stop in _runs(places[order]):
            at = int(places[order[start]]) * self._words * 8
            if os.preadv(self._descriptor, [block[start:stop].reshape(-1).view(np.uint8).data], at) < (
                (stop - start) * self._words * 8
            ):
                raise SnapshotError("the file of shelved keys was cut short by somebody else")
        intact = block[:, 0] == seals(block, places[order], self._salt)
        if not np.all(intact & (block[:, 1].view(np.int64) == owners[order])):
            raise SnapshotError(
                "the file of shelved keys was damaged by somebody else: load the last snapshot"
            )
        records = np.empty((len(places), self._words - _HEADER), np.uint64)
        records[order] = block[:, _HEADER:]
        return records

    def free(self, places: Ints) -> None:
        """Give the places back; what lies there is garbage from now on."""
        self._free.extend(places.tolist())

    def close(self) -> None:
        """Give the room on disk back; also done when nobody holds the shelf any more."""
        self._close()

    def _write(self, places: Ints, owners: Ints, records: Words) -> None:
        block = np.empty((len(places), self._words), np.uint64)
        block[:, 1] = owners.view(np.uint64)
        block[:, _HEADER:] = records
        block[:, 0] = seals(block, places, self._salt)
        for start, stop in _runs(places):
            _write_all(
                self._descriptor,
                block[start:stop].reshape(-1).view(np.uint8).data,
                int(places[start]) * self._words * 8,
            )


def _write_all(descriptor: int, data: memoryview, at: int) -> None:
    while data:
        try:
            written = os.pwrite(descriptor, data, at)
        except OSError as error:
            raise SnapshotError(f"keys cannot be shelved on disk: {error.strerror}") from error
        data, at = data[written:], at + written


def _runs(places: Ints) -> Iterator[tuple[int, int]]:
    """Yield the stretches of neighbouring places in a sorted list, as (start, stop)."""
    cuts = (np.flatnonzero(np.diff(places) != 1) + 1).tolist()
    if len(places):
        yield from zip([0, *cuts], [*cuts, len(places)], strict=True)


def _nameless(folder: Path | None) -> Any:
    """Open a file that has no name and vanishes with the process."""
    try:
        return tempfile.TemporaryFile(dir=folder, buffering=0, prefix="marigram-")
    except OSError as error:
        raise ParameterError(
            f"no file can be made in {folder or tempfile.gettempdir()}: {error.strerror}"
        ) from error


def _reserve(descriptor: int, size: int) -> None:
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(descriptor, 0, size)
        else:
            os.ftruncate(descriptor, size)
    except OSError as error:
        raise SnapshotError(f"keys cannot be shelved on disk: {error.strerror}") from error


__all__ = ["FileArrays", "Shelf"]
