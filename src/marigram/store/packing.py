"""Verdicts as one compressed block of bytes, from which those of one key are taken without making the others.

A block: a CRC-32 of what follows but four bytes, the length of the header (u32), the header (JSON: rows, coordinates,
keys, ids), then the columns end to end under LZ4.  Of drifts only the rows that have one are kept.
"""

from __future__ import annotations

import struct
import zlib
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from marigram.errors import SnapshotError
from marigram.kinds import Kind
from marigram.verdicts import Verdicts
from marigram.verdicts.fields import COLUMNS

_FRONT: Final = struct.Struct("<II")
_LZ4: Final = pa.Codec("lz4_raw")
_DRIFT: Final = ("changed_at", "before", "after", "resolves")
_TEXTS: Final = ("id", "key")
_DERIVED: Final = "score"
_PLAIN: Final = tuple(column for column in COLUMNS if column.name not in (*_DRIFT, *_TEXTS, _DERIVED))
_SPARSE: Final = tuple(column for column in COLUMNS if column.name in _DRIFT)


class _Header(msgspec.Struct, array_like=True):
    rows: int
    d: int
    drifts: int
    size: int
    keys: list[str] | None
    ids: list[str | int | None] | None


def pack_verdicts(verdicts: Verdicts) -> tuple[bytes, list[str]]:
    """Return the block, and the distinct keys in it."""
    rows, d = len(verdicts), verdicts.d
    drifts = np.flatnonzero(verdicts["kind"] == Kind.DRIFT)
    told = verdicts[drifts]
    keys, codes = _coded(verdicts["key"])
    parts = [codes, drifts.astype("<u4")]
    parts += [verdicts[column.name] for column in _PLAIN if column.name != "why" or d > 1]
    parts += [told[column.name] for column in _SPARSE]
    content = b"".join(np.ascontiguousarray(part).tobytes() for part in parts)
    ids = verdicts["id"].tolist()
    header = _Header(rows, d, len(drifts), len(content), keys, None if ids.count(None) == rows else ids)
    head = msgspec.json.encode(header)
    packed: bytes = _LZ4.compress(content, asbytes=True)
    rest = head + packed
    return _FRONT.pack(zlib.crc32(rest), len(head)) + rest, keys or [""]


def unpack_verdicts(block: bytes, key: str | None = None, *, of_key: bool = False) -> Verdicts:
    """Return the verdicts of a block; with ``of_key`` only those of ``key``, in their order."""
    try:
        crc, length = _FRONT.unpack_from(block)
        rest = memoryview(block)[_FRONT.size :]
        if zlib.crc32(rest) != crc:
            raise ValueError("its checksum does not fit")
        header = msgspec.json.decode(rest[:length], type=_Header)
        content = _LZ4.decompress(rest[length:], header.size, asbytes=True)
        columns = _columns(header, content)
    except (struct.error, msgspec.DecodeError, ValueError, OSError) as error:
        raise SnapshotError(f"a block of verdicts is damaged: {error}") from error
    codes, drifts = columns.pop("codes"), columns.pop("drifts").astype(np.int64)
    sparse = {name: columns.pop(name) for name in _DRIFT}
    rows = np.arange(header.rows)
    if of_key:
        wanted = _code_of(header.keys, key)
        rows = np.flatnonzero(codes == wanted) if header.keys is not None or key is None else rows[:0]
    inside = np.isin(drifts, rows)
    named: list[str | None] = [None] if header.keys is None else list(header.keys)
    names = np.empty(len(named), object)
    names[:] = named
    ids = np.empty(header.rows, object)
    ids[:] = header.ids or [None] * header.rows
    return Verdicts(
        **{name: column[rows] for name, column in columns.items()},
        **{name: column[inside] for name, column in sparse.items()},
        drift_rows=np.searchsorted(rows, drifts[inside]),
        key=names[codes[rows]],
        id=ids[rows],
    )


def _coded(keys: NDArray[Any]) -> tuple[list[str] | None, NDArray[np.uint32]]:
    listed = keys.tolist()
    order = dict.fromkeys(listed)
    if None in order:
        return None, np.zeros(len(listed), np.uint32)
    number = {key: i for i, key in enumerate(order)}
    return list(order), np.fromiter(map(number.__getitem__, listed), np.uint32, len(listed))


def _code_of(keys: list[str] | None, key: str | None) -> int:
    if keys is None or key is None:
        return 0 if keys is None and key is None else -1
    return keys.index(key) if key in keys else -1


def _columns(header: _Header, content: bytes) -> dict[str, NDArray[Any]]:
    """Return the columns by name, as views."""
    form: list[tuple[str, str, tuple[int, ...]]] = [
        ("codes", "<u4", (header.rows,)),
        ("drifts", "<u4", (header.drifts,)),
    ]
    for columns, rows in ((_PLAIN, header.rows), (_SPARSE, header.drifts)):
        for column in columns:
            if column.name == "why" and header.d == 1:
                continue
            wide = header.d > 1 and (column.per_coordinate or column.name == "why")
            form.append((column.name, column.dtype, (rows, header.d) if wide else (rows,)))
    found, at = {}, 0
    for name, dtype, shape in form:
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        found[name] = np.frombuffer(content, dtype, int(np.prod(shape)), at).reshape(shape)
        at += size
    if at != len(content):
        raise ValueError(f"{len(content)} bytes instead of {at}")
    return found


__all__ = ["pack_verdicts", "unpack_verdicts"]
