"""Parquet files put one behind the other without being read: their bytes are copied, and one footer tells of all.

A footer is a Thrift structure in the compact protocol (Apache Parquet, parquet-format, ``FileMetaData``).  Where a file
lies further back than it was written for, every offset in its footer grows by as much; rows add up, and everything
else is that of the first file.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

__all__ = ["stitched"]

_MAGIC: Final = b"PAR1"
_TAIL: Final = 8
_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)
_SCHEMA, _ROWS, _GROUPS, _KEYS = 2, 3, 4, 5
_CHUNKS, _GROUP_OFFSET, _ORDINAL = 1, 5, 7
_CHUNK_OFFSET, _CHUNK_META, _OFFSET_INDEX, _COLUMN_INDEX = 2, 3, 4, 6
_OF_META: Final = (9, 10, 11, 14)
"""data_page_offset, index_page_offset, dictionary_page_offset, bloom_filter_offset"""
Struct = dict[int, tuple[int, Any]]


class _List(NamedTuple):
    kind: int
    items: list[Any]


def stitched(pieces: Sequence[Path], into: BinaryIO) -> bool:
    """Write the rows of Parquet files, in order, as one file; False, and nothing written, when their columns differ."""
    footers = [_footer(piece) for piece in pieces]
    whole = footers[0][0]
    if any(footer.get(field) != whole.get(field) for footer, _ in footers for field in (_SCHEMA, _KEYS)):
        return False
    into.write(_MAGIC)
    position, groups = len(_MAGIC), list[Struct]()
    for piece, (footer, end) in zip(pieces, footers, strict=True):
        for group in footer[_GROUPS][1].items:
            _move(group, position - len(_MAGIC))
            groups.append(group)
        with open(piece, "rb") as source:
            source.seek(len(_MAGIC))
            _copy(source, into, end - len(_MAGIC))
        position += end - len(_MAGIC)
    whole[_ROWS] = (_I64, sum(footer[_ROWS][1] for footer, _ in footers))
    whole[_GROUPS] = (_LIST, _List(_STRUCT, groups))
    encoded = bytearray()
    _write_struct(encoded, whole)
    into.write(encoded + len(encoded).to_bytes(4, "little") + _MAGIC)
    return True


def _copy(source: BinaryIO, into: BinaryIO, length: int) -> None:
    step = 1 << 22
    while length > 0:
        data = source.read(min(step, length))
        if not data:
            raise OSError("a piece was cut off while it was read")
        into.write(data)
        length -= len(data)


def _footer(piece: Path) -> tuple[Struct, int]:
    """What a file says of itself, and where its pages end."""
    with open(piece, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(size - _TAIL)
        tail = file.read(_TAIL)
        length = int.from_bytes(tail[:4], "little")
        if tail[4:] != _MAGIC or length + _TAIL + len(_MAGIC) > size:
            raise OSError(f"{piece} is no whole Parquet file")
        end = size - _TAIL - length
        file.seek(end)
        return _Reader(file.read(length)).struct(), end


def _move(group: Struct, shift: int) -> None:
    """Make a row group that of a file in which it lies ``shift`` bytes further back."""
    _add(group, _GROUP_OFFSET, shift)
    group.pop(_ORDINAL, None)  # its place in a file of its own
    for chunk in group[_CHUNKS][1].items:
        for field in (_CHUNK_OFFSET, _OFFSET_INDEX, _COLUMN_INDEX):
            _add(chunk, field, shift)
        for field in _OF_META:
            _add(chunk[_CHUNK_META][1], field, shift)


def _add(struct: Struct, field: int, shift: int) -> None:
    """Move an offset; 0 stands for none."""
    if field in struct and struct[field][1]:
        struct[field] = (struct[field][0], struct[field][1] + shift)


class _Reader:
    """Reads the compact protocol."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def struct(self) -> Struct:
        """Return the fields that follow, by their numbers, each with its type."""
        found: Struct = {}
        field = 0
        while head := self._byte():
            kind, step = head & 15, head >> 4
            field = field + step if step else self._signed()
            found[field] = (kind, kind == _TRUE if kind in (_TRUE, _FALSE) else self._value(kind))
        return found

    def _value(self, kind: int) -> Any:
        if kind in (_I16, _I32, _I64):
            return self._signed()
        if kind == _BINARY:
            return self._take(self._number())
        if kind == _STRUCT:
            return self.struct()
        if kind in (_LIST, _SET):
            head = self._byte()
            count = self._number() if head >> 4 == 15 else head >> 4
            return _List(head & 15, [self._value(head & 15) for _ in range(count)])
        if kind == _DOUBLE:
            return self._take(8)
        if kind in (_TRUE, _FALSE, _BYTE):  # of a list, a byte each
            return self._byte()
        raise OSError(f"a footer has a field of type {kind}, which no footer has")

    def _byte(self) -> int:
        value = self._data[self._at]
        self._at += 1
        return value

    def _take(self, count: int) -> bytes:
        self._at += count
        return self._data[self._at - count : self._at]

    def _number(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7

    def _signed(self) -> int:
        value = self._number()
        return value >> 1 ^ -(value & 1)


def _write_struct(out: bytearray, struct: Struct) -> None:
    last = 0
    for field, (kind, value) in sorted(struct.items()):
        told = (_TRUE if value else _FALSE) if kind in (_TRUE, _FALSE) else kind
        if field - last <= 15:
            out.append((field - last) << 4 | told)
        else:
            out.append(told)
            _write_signed(out, field)
        last = field
        if kind not in (_TRUE, _FALSE):
            _write_value(out, kind, value)
    out.append(0)


def _write_value(out: bytearray, kind: int, value: Any) -> None:
    if kind in (_I16, _I32, _I64):
        _write_signed(out, value)
    elif kind == _BINARY:
        _write_number(out, len(value))
        out += value
    elif kind == _STRUCT:
        _write_struct(out, value)
    elif kind in (_LIST, _SET):
        count = len(value.items)
        out.append(min(count, 15) << 4 | value.kind)
        if count >= 15:
            _write_number(out, count)
        for item in value.items:
            _write_value(out, value.kind, item)
    elif kind == _DOUBLE:
        out += value
    else:
        out.append(value)


def _write_number(out: bytearray, value: int) -> None:
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)


def _write_signed(out: bytearray, value: int) -> None:
    _write_number(out, value << 1 if value >= 0 else ~(value << 1))
