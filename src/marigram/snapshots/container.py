"""The container itself: writing and reading its bytes."""

from __future__ import annotations

import hashlib
import io
import math
import mmap
import os
import struct
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from importlib import metadata
from typing import Any, BinaryIO, NamedTuple, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from marigram.errors import SnapshotError
from marigram.snapshots.dtypes import decode_dtype, encode_dtype, unused_bytes
from marigram.snapshots.files import replace_file

Array: TypeAlias = NDArray[Any]

MAGIC = b"\x89MGRAM\r\n"
VERSION = 1
_PREAMBLE = struct.Struct("<8sII")
_ALIGN = 64
_DIGEST = 32
_CHUNK = 1 << 22


class Pieces(NamedTuple):
    """An array too large to hold at once: its dtype and shape, and its rows stretch by stretch."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    parts: Iterable[Array]


Arrays: TypeAlias = Mapping[str, Array | Pieces]


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    dtype: Any
    shape: list[int]


class _Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    kind: str
    package: str
    byte_order: str
    meta: dict[str, Any]
    arrays: list[_Entry]


def pack(kind: str, meta: Mapping[str, Any], arrays: Arrays) -> bytes:
    """Return the container as bytes.

    ``meta`` holds JSON values, floats finite; the arrays may be of any dtype that holds no object.
    """
    sink = io.BytesIO()
    _write(sink, kind, meta, arrays)
    return sink.getvalue()


def unpack(data: bytes | bytearray | memoryview, kind: str) -> tuple[dict[str, Any], dict[str, Array]]:
    """Return ``(meta, arrays)`` of a container that ``pack`` made with the same ``kind``; the arrays are new.

    Raises ``SnapshotError`` when the bytes are damaged, cut, of another kind or of a newer version.
    """
    content = memoryview(data).cast("B")
    _verify(io.BytesIO(content), len(content), "the snapshot")
    return _parse(content, kind, "the snapshot", copy=True)


def save(path: str | os.PathLike[str], kind: str, meta: Mapping[str, Any], arrays: Arrays) -> None:
    """Write the container to ``path``, all or nothing: after a crash the old file or the new one is there, whole."""
    replace_file(path, lambda sink: _write(sink, kind, meta, arrays))


def load(path: str | os.PathLike[str], kind: str) -> tuple[dict[str, Any], dict[str, Array]]:
    """Return ``(meta, arrays)`` of a file that ``save`` wrote; the arrays are new."""
    content = _mapped(path)
    return _parse(memoryview(content), kind, str(path), copy=True)


def load_mapped(
    path: str | os.PathLike[str], kind: str
) -> tuple[dict[str, Any], dict[str, Array], Callable[[], None]]:
    """Return ``(meta, arrays, let_go)``, the arrays as read-only views of the file.

    A state larger than memory is walked through so: ``let_go()`` makes the process forget the pages it has read.
    """
    content = _mapped(path)

    def let_go() -> None:
        if hasattr(mmap, "MADV_DONTNEED"):
            content.madvise(mmap.MADV_DONTNEED)

    return *_parse(memoryview(content), kind, str(path), copy=False), let_go


def _mapped(path: str | os.PathLike[str]) -> mmap.mmap:
    """Return the content of a verified file."""
    try:
        with open(path, "rb") as source:
            size = os.fstat(source.fileno()).st_size
            _verify(source, size, str(path))
            return mmap.mmap(source.fileno(), size, access=mmap.ACCESS_READ)
    except OSError as error:
        raise SnapshotError(f"cannot read the snapshot {path}: {error.strerror}") from error


def _write(sink: BinaryIO, kind: str, meta: Mapping[str, Any], arrays: Arrays) -> None:
    digest = hashlib.sha256()
    position = 0

    def put(piece: bytes | memoryview) -> None:
        nonlocal position
        digest.update(piece)
        sink.write(piece)
        position += len(piece)

    entries = [_Entry(name, encode_dtype(a.dtype), list(a.shape)) for name, a in arrays.items()]
    header = msgspec.json.encode(
        _Header(kind, _package_version(), sys.byteorder, dict(meta), entries), order="deterministic"
    )
    put(_PREAMBLE.pack(MAGIC, VERSION, len(header)))
    put(header)
    for array in arrays.values():
        put(bytes(-position % _ALIGN))
        end = position + array.dtype.itemsize * math.prod(array.shape)
        for part in array.parts if isinstance(array, Pieces) else [array]:
            for piece in _raw(part):
                put(piece)
        if position != end:
            raise ValueError(f"the pieces of an array of shape {array.shape} do not make it up")
    sink.write(digest.digest())


def _raw(array: Array) -> Iterator[memoryview]:
    """Yield the array's bytes in pieces; bytes that belong to no field are written as zero."""
    if array.nbytes == 0:
        return
    items = np.ascontiguousarray(array).reshape(-1)
    unused = unused_bytes(array.dtype)
    step = max(1, _CHUNK // array.dtype.itemsize)
    for start in range(0, len(items), step):
        piece = items[start : start + step].view(np.uint8)
        if unused:
            piece = piece.reshape(-1, array.dtype.itemsize).copy()
            for stretch in unused:
                piece[:, stretch] = 0
        yield piece.reshape(-1).data


def _verify(source: BinaryIO, size: int, name: str) -> None:
    """Raise ``SnapshotError`` unless this is a snapshot of a known version, every bit as it was written."""
    preamble = source.read(_PREAMBLE.size)
    if len(preamble) < _PREAMBLE.size or not preamble.startswith(MAGIC):
        raise SnapshotError(f"{name} is no marigram snapshot")
    version = _PREAMBLE.unpack(preamble)[1]
    if version > VERSION:
        raise SnapshotError(
            f"{name} was written in layout {version} by a newer marigram; this one ({_package_version()}) reads "
            f"layouts up to {VERSION}: update marigram to open it"
        )
    digest = hashlib.sha256(preamble)
    left = size - _PREAMBLE.size - _DIGEST
    while left > 0:
        piece = source.read(min(left, _CHUNK))
        if not piece:
            break
        digest.update(piece)
        left -= len(piece)
    if left or source.read() != digest.digest() or version != VERSION:
        raise SnapshotError(f"{name} is damaged or cut short: its checksum does not fit its content")


def _parse(
    content: memoryview, kind: str, name: str, *, copy: bool
) -> tuple[dict[str, Any], dict[str, Array]]:
    """Take verified bytes apart; what is still wrong was written by somebody else's program."""
    length = _PREAMBLE.unpack_from(content)[2]
    try:
        header = msgspec.json.decode(content[_PREAMBLE.size : _PREAMBLE.size + length], type=_Header)
    except (msgspec.DecodeError, RecursionError) as error:
        raise SnapshotError(f"{name} has a header that cannot be read: {error}") from error
    if header.kind != kind:
        raise SnapshotError(f"{name} holds a {header.kind}, not a {kind}")
    position = _PREAMBLE.size + length
    arrays: dict[str, Array] = {}
    for entry in header.arrays:
        position += -position % _ALIGN
        dtype = decode_dtype(entry.dtype)
        size = dtype.itemsize * math.prod(entry.shape)
        if min(entry.shape, default=0) < 0 or position + size > len(content) - _DIGEST:
            raise SnapshotError(f"{name} announces an array {entry.name} that it does not hold")
        raw = np.frombuffer(content[position : position + size], np.uint8)
        array = (raw.copy() if copy else raw).view(dtype).reshape(entry.shape)
        if header.byte_order != sys.byteorder:
            array = array.astype(dtype.newbyteorder("="))
        arrays[entry.name] = array
        position += size
    return header.meta, arrays


@cache
def _package_version() -> str:
    try:
        return metadata.version("marigram")
    except metadata.PackageNotFoundError:
        return "unknown"


__all__ = ["Pieces", "load", "load_mapped", "pack", "save", "unpack"]
