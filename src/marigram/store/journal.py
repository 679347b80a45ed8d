"""Events that cannot be read twice, kept until a snapshot has taken them in.

A journal is a file of frames, one a batch: the length (u64) and a checksummed container
(:mod:`marigram.snapshots`) of the batch's columns.  A frame is on disk before its verdicts are given away.  The last
frame may be torn by a crash; nobody has seen its verdicts, so it is cut off.  A damaged frame that whole ones follow
is an error: it was acknowledged.
"""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from marigram import snapshots
from marigram.errors import SnapshotError
from marigram.events.batch import Batch, Reject
from marigram.events.keys import KeyNames
from marigram.snapshots.container import MAGIC

_KIND = "events"
_LENGTH = struct.Struct("<Q")
T = TypeVar("T")


class Journal:
    """Appends batches to a file, durably; makes the file when the first comes.

    Parameters
    ----------
    path
        The file; its whole frames are kept, a torn one at its end is cut off.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._size = sum(len(frame) + _LENGTH.size for frame in _frames(path))
        self._descriptor: int | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of the file."""
        return self._size

    def append(self, batch: Batch) -> None:
        """Keep a batch; when this returns, it is on disk."""
        frame = pack_batch(batch)
        try:
            if self._descriptor is None:
                self._descriptor = self._opened()
            _write_all(self._descriptor, _LENGTH.pack(len(frame)) + frame)
            os.fsync(self._descriptor)
        except OSError as error:
            raise SnapshotError(f"events cannot be kept in {self._path}: {error.strerror}") from error
        self._size += len(frame) + _LENGTH.size

    def close(self) -> None:
        """Close the file; what was appended is on disk."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _opened(self) -> int:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
        os.ftruncate(descriptor, self._size)
        os.lseek(descriptor, 0, os.SEEK_END)
        snapshots.sync_folder(self._path.parent)
        return descriptor


def read_journal(path: Path, names: KeyNames) -> Iterator[Batch]:
    """Yield the batches of a journal in order, their keys as codes of ``names``; nothing when there is no file."""
    for frame in _frames(path):
        yield unpack_batch(frame, names)


def pack_batch(batch: Batch) -> bytes:
    """Return a batch as a checksummed container."""
    arrays: dict[str, NDArray[Any]] = {"values": batch.values}
    if batch.times is not None:
        arrays["times"] = batch.times
    if batch.ids is not None:
        arrays["ids"] = _as_json(batch.ids.tolist())
    if batch.key_codes is not None:
        distinct, codes = np.unique(batch.key_codes, return_inverse=True)
        arrays["key_codes"] = codes.astype(np.int64)
        arrays["key_names"] = _as_json(batch.key_names.take(distinct).tolist())
    arrays["rejects"] = _as_json(batch.rejects)
    meta = {"lines": batch.lines, "offset": batch.offset, "notices": batch.notices}
    return snapshots.pack(_KIND, meta, arrays)


def unpack_batch(frame: bytes, names: KeyNames) -> Batch:
    """Return the batch that :func:`pack_batch` packed, its keys as codes of ``names``."""
    meta, arrays = snapshots.unpack(frame, _KIND)
    try:
        codes = None
        if "key_codes" in arrays:
            codes = names.codes_of(_from_json(arrays["key_names"], list[str]))[arrays["key_codes"]]
        ids = None
        if "ids" in arrays:
            ids = np.empty(len(arrays["values"]), object)
            ids[:] = _from_json(arrays["ids"], list[str | int | None])
        return Batch(
            values=arrays["values"],
            times=arrays.get("times"),
            key_codes=codes,
            key_names=names,
            ids=ids,
            rejects=_from_json(arrays["rejects"], list[Reject]),
            lines=meta["lines"],
            offset=meta["offset"],
            notices=meta["notices"],
        )
    except (KeyError, IndexError, ValueError, msgspec.ValidationError) as error:
        raise SnapshotError(f"a batch of the journal is not of this version: {error}") from error


def _frames(path: Path) -> Iterator[bytes]:
    """Yield the whole frames of a file up to a torn one at its end; refuse damage that whole frames follow."""
    if not path.exists():
        return
    with open(path, "rb") as source:
        while True:
            at = source.tell()
            frame = _next_frame(source)
            if frame is None:
                break
            yield frame
        source.seek(at)
        rest = source.read()
    found = rest.find(MAGIC, _LENGTH.size + 1)
    while found >= 0:
        if _next_frame(io.BytesIO(rest[found - _LENGTH.size :])) is not None:
            raise SnapshotError(f"{path} is damaged at byte {at}, and whole frames follow")
        found = rest.find(MAGIC, found + 1)


def _next_frame(source: BinaryIO) -> bytes | None:
    """Return the frame that begins here, None when there is no whole one."""
    prefix = source.read(_LENGTH.size)
    if len(prefix) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(prefix)
    start = source.tell()
    if length > source.seek(0, os.SEEK_END) - start:
        return None
    source.seek(start)
    frame = source.read(length)
    try:
        snapshots.unpack(frame, _KIND)
    except SnapshotError:
        return None
    return frame


def _as_json(values: list[Any]) -> NDArray[np.uint8]:
    return np.frombuffer(msgspec.json.encode(values), np.uint8)


def _from_json(array: NDArray[Any], kind: type[T]) -> T:
    return msgspec.json.decode(array.tobytes(), type=kind)


def _write_all(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]


__all__ = ["Journal", "pack_batch", "read_journal", "unpack_batch"]
