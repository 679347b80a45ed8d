"""One container for everything marigram saves: named arrays and a JSON header under one checksum.

A snapshot must outlive the process that wrote it, so it holds nothing that can run (no pickle), says what it
is, and cannot be half right: any flipped bit, cut tail or foreign file is refused with a sentence that a person
can act on. The layout, all integers little-endian:

====================  =====================================================================
8 bytes               magic; a text-mode copy or a cut head does not survive it
u32 version           of this layout; a newer one is refused, not guessed
u32 CRC-32            of the header, so that it can be trusted before anything is allocated
u64 length            of the header
header                JSON: kind, package version, byte order, meta, and each array's dtype and shape
arrays                raw, in the header's order, each starting at a multiple of 64 bytes
32 bytes              SHA-256 over everything before
====================  =====================================================================

The bytes depend on the content alone (no clock, no padding garbage): the same state gives the same file.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import struct
import sys
import zlib
from collections.abc import Callable, Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import numpy as np

from marigram.errors import SnapshotError

MAGIC = b"\x89MGRAM\r\n"
VERSION = 1
_PREAMBLE = struct.Struct("<8sIIQ")
_ALIGN = 64
_DIGEST = 32
_CHUNK = 1 << 22
_SIMPLE = re.compile(r"[<|>][biufcSUmM][0-9]+(\[[0-9]*[a-zA-Z]+\])?")

Array = np.ndarray[Any, np.dtype[Any]]


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


def pack(kind: str, meta: Mapping[str, Any], arrays: Mapping[str, Array]) -> bytes:
    """The container as bytes. `meta` holds JSON values (floats finite); arrays of any plain dtype, structured too."""
    sink = io.BytesIO()
    _write(sink, kind, meta, arrays)
    return sink.getvalue()


def unpack(data: bytes | bytearray | memoryview, kind: str) -> tuple[dict[str, Any], dict[str, Array]]:
    """`(meta, arrays)` of a container made by `pack` with the same `kind`; the arrays are new and writable.

    Raises `SnapshotError` when the bytes are damaged, cut, of another kind or of a newer version.
    """
    view = memoryview(data)
    return _read(io.BytesIO(view), len(view), kind, "these bytes")


def save(
    path: str | os.PathLike[str], kind: str, meta: Mapping[str, Any], arrays: Mapping[str, Array]
) -> None:
    """Write the container to `path`, all or nothing: after a crash the old file or the new one is there, whole."""
    replace_file(path, lambda sink: _write(sink, kind, meta, arrays))


def load(path: str | os.PathLike[str], kind: str) -> tuple[dict[str, Any], dict[str, Array]]:
    """`(meta, arrays)` of a file written by `save`; nothing beside the arrays is held in memory."""
    try:
        with open(path, "rb") as source:
            return _read(source, os.fstat(source.fileno()).st_size, kind, str(path))
    except OSError as error:
        raise SnapshotError(f"cannot read the snapshot {path}: {error.strerror}") from error


def replace_file(path: str | os.PathLike[str], write: Callable[[BinaryIO], object]) -> None:
    """Let `write` fill a new file beside `path`, then put it there durably (fsync, rename, fsync of the folder)."""
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as sink:
            write(sink)
            sink.flush()
            os.fsync(sink.fileno())
        os.replace(temporary, target)
    except OSError as error:
        raise SnapshotError(f"cannot write {path}: {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(target.parent)


def sync_folder(folder: str | os.PathLike[str]) -> None:
    """Make the names in `folder` durable (a rename survives a power cut only after this; POSIX only)."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def encode_dtype(dtype: np.dtype[Any]) -> Any:
    """A dtype as JSON: a string for a plain one, `[base, shape]` for a subarray, an object for a record."""
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return [encode_dtype(base), list(shape)]
    if dtype.names is not None and dtype.fields is not None:
        fields = [[name, encode_dtype(dtype.fields[name][0]), dtype.fields[name][1]] for name in dtype.names]
        return {"fields": fields, "itemsize": dtype.itemsize, "aligned": dtype.isalignedstruct}
    if dtype.hasobject or not _SIMPLE.fullmatch(dtype.str):
        raise SnapshotError(
            f"an array of {dtype} cannot be saved: only numbers, fixed-size text and records of them"
        )
    return dtype.str


def decode_dtype(form: Any) -> np.dtype[Any]:
    """The dtype that `encode_dtype` described; `SnapshotError` for anything else."""
    try:
        if isinstance(form, str) and _SIMPLE.fullmatch(form):
            return np.dtype(form)
        if isinstance(form, list):
            base, shape = form
            return np.dtype((decode_dtype(base), tuple(int(size) for size in shape)))
        fields = form["fields"]
        names, formats, offsets = (
            [f[0] for f in fields],
            [decode_dtype(f[1]) for f in fields],
            [f[2] for f in fields],
        )
        layout = {"names": names, "formats": formats, "offsets": offsets, "itemsize": form["itemsize"]}
        return np.dtype(layout, align=bool(form["aligned"]))  # type: ignore[call-overload, no-any-return]
    except (TypeError, ValueError, KeyError, IndexError, RecursionError) as error:
        raise SnapshotError(
            f"the snapshot describes an array type that is not known here: {form!r}"
        ) from error


def _write(sink: BinaryIO, kind: str, meta: Mapping[str, Any], arrays: Mapping[str, Array]) -> None:
    digest = hashlib.sha256()

    def put(piece: bytes | memoryview) -> None:
        digest.update(piece)
        sink.write(piece)

    entries = [_Entry(name, encode_dtype(a.dtype), list(a.shape)) for name, a in arrays.items()]
    header = msgspec.json.encode(
        _Header(kind, _package_version(), sys.byteorder, dict(meta), entries), order="deterministic"
    )
    put(_PREAMBLE.pack(MAGIC, VERSION, zlib.crc32(header), len(header)))
    put(header)
    position = _PREAMBLE.size + len(header)
    for array in arrays.values():
        put(bytes(-position % _ALIGN))
        position += -position % _ALIGN
        for piece in _raw_pieces(array):
            put(piece)
        position += array.nbytes
    sink.write(digest.digest())


def _read(source: BinaryIO, size: int, kind: str, name: str) -> tuple[dict[str, Any], dict[str, Array]]:
    digest = hashlib.sha256()

    def take(count: int) -> bytes:
        piece = source.read(count)
        if len(piece) != count:
            raise SnapshotError(f"{name} is cut short: the snapshot is not complete")
        digest.update(piece)
        return piece

    header, position = _read_header(take, size, kind, name)
    arrays: dict[str, Array] = {}
    plan = [(entry, decode_dtype(entry.dtype)) for entry in header.arrays]
    if _planned_size(plan, position) != size:
        raise SnapshotError(
            f"{name} is {size} bytes long, which is not what its header announces: cut or damaged"
        )
    for entry, dtype in plan:
        take(-position % _ALIGN)
        position += -position % _ALIGN
        array = _allocate(entry, dtype)
        _fill(array, source, digest, name)
        position += array.nbytes
        arrays[entry.name] = (
            array if header.byte_order == sys.byteorder else array.astype(dtype.newbyteorder("="))
        )
    if source.read(_DIGEST) != digest.digest():
        raise SnapshotError(f"{name} is damaged: its checksum does not fit its content")
    return header.meta, arrays


def _read_header(take: Callable[[int], bytes], size: int, kind: str, name: str) -> tuple[_Header, int]:
    if size < _PREAMBLE.size + _DIGEST:
        raise SnapshotError(f"{name} is no marigram snapshot: only {size} bytes long")
    magic, version, crc, length = _PREAMBLE.unpack(take(_PREAMBLE.size))
    if magic != MAGIC:
        raise SnapshotError(f"{name} is no marigram snapshot")
    if version > VERSION:
        raise SnapshotError(
            f"{name} was written in layout {version} by a newer marigram; this one ({_package_version()}) reads up to "
            f"{VERSION}: update marigram to open it"
        )
    if length > size - _PREAMBLE.size - _DIGEST:
        raise SnapshotError(f"{name} is cut short: the snapshot is not complete")
    raw = take(length)
    if version != VERSION or zlib.crc32(raw) != crc:
        raise SnapshotError(f"{name} is damaged: the checksum of its header does not fit")
    try:
        header = msgspec.json.decode(raw, type=_Header)
    except (msgspec.DecodeError, RecursionError) as error:
        raise SnapshotError(f"{name} has a header that cannot be read: {error}") from error
    if header.kind != kind:
        raise SnapshotError(f"{name} holds a {header.kind}, not a {kind}")
    return header, _PREAMBLE.size + length


def _planned_size(plan: list[tuple[_Entry, np.dtype[Any]]], position: int) -> int:
    """The file size that the header announces; Python integers, so that a huge shape cannot wrap round."""
    for entry, dtype in plan:
        count = 1
        for length in entry.shape:
            if length < 0:
                raise SnapshotError(f"the snapshot announces an array of negative length: {entry.name}")
            count *= length
        position += -position % _ALIGN + count * dtype.itemsize
    return position + _DIGEST


def _allocate(entry: _Entry, dtype: np.dtype[Any]) -> Array:
    try:
        return np.zeros(entry.shape, dtype)
    except (ValueError, MemoryError) as error:
        raise SnapshotError(
            f"the array {entry.name} of shape {entry.shape} does not fit into memory"
        ) from error


def _fill(array: Array, source: BinaryIO, digest: Any, name: str) -> None:
    if array.nbytes == 0:
        return
    view = array.reshape(-1).view(np.uint8).data
    for start in range(0, len(view), _CHUNK):
        piece = view[start : start + _CHUNK]
        if source.readinto(piece) != len(piece):  # type: ignore[attr-defined]
            raise SnapshotError(f"{name} is cut short: the snapshot is not complete")
        digest.update(piece)


def _raw_pieces(array: Array) -> Iterable[memoryview]:
    """The array's bytes in pieces; bytes that belong to no field are written as zero."""
    if array.nbytes == 0:
        return []
    rows = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    padding = _padding(array.dtype)
    if not padding.any():
        return (rows[start : start + _CHUNK].data for start in range(0, len(rows), _CHUNK))
    itemsize = array.dtype.itemsize
    step = max(1, _CHUNK // itemsize) * itemsize
    return (_masked(rows[start : start + step], padding) for start in range(0, len(rows), step))


def _masked(rows: Array, padding: Array) -> memoryview:
    clean = rows.reshape(-1, len(padding)).copy()
    clean[:, padding] = 0
    return clean.reshape(-1).data


def _padding(dtype: np.dtype[Any]) -> Array:
    """Mask over one item's bytes: true where no field lies."""
    free = np.ones(dtype.itemsize, bool)
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return np.tile(_padding(base), int(np.prod(shape)))
    if dtype.fields is None or dtype.names is None:
        return np.zeros(dtype.itemsize, bool)
    for name in dtype.names:
        inner, offset = dtype.fields[name][:2]
        free[offset : offset + inner.itemsize] = _padding(inner)
    return free


def _package_version() -> str:
    try:
        return metadata.version("marigram")
    except metadata.PackageNotFoundError:
        return "unknown"


__all__ = ["decode_dtype", "encode_dtype", "load", "pack", "replace_file", "save", "sync_folder", "unpack"]
