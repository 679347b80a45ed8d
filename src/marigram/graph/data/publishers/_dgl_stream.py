"""The binary form of a graph that DGL saved: numbers and arrays one after another, nothing that could run.

All integers are little-endian. A file begins with four u64 (magic, version 2, kind 2, number of graphs); at byte 4,096
stands the place where the first graph begins. A graph is: the types as a graph of their own, then for each edge type
its edges (by ends, or as compressed rows or columns), the number of nodes of each type, then named arrays of nodes
and of edges, type by type, and the names of the types. Only the first graph of a file is read.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marigram.errors import InputError

_FILE = 0xDD2E4FF046B4A13F
_TYPES = 0xDD589FBE35224ABF
_META = 0xDD3C5FFE20046ABF
_EDGES = 0xDD2E60F0F6B4A127
_ENDS = 0xDD61FFD305DFF127
_ROWS = 0xDD6CD31205DFF127
_ARRAY = 0xDD5E40F096B4A13F

_START = 4096
_BY_ENDS, _BY_ROWS, _BY_COLUMNS = 1, 2, 4
_OLD_FORMS = {1: _BY_ENDS, 2: _BY_ROWS, 3: _BY_COLUMNS}
"""What files of older versions say, which name one form by its number."""

_KINDS = {0: "i", 1: "u", 2: "f"}

Named = dict[str, NDArray[Any]]
Ends = tuple[NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True, eq=False)
class DglGraph:
    """What is in a file: for each edge type its two node types and its ends, and the named arrays of each type."""

    node_types: tuple[str, ...]
    counts: tuple[int, ...]
    nodes: tuple[Named, ...]
    edge_types: tuple[str, ...]
    between: tuple[tuple[int, int], ...]
    ends: tuple[Ends, ...]
    edges: tuple[Named, ...]


def read_dgl(path: Path) -> DglGraph:
    """Read the first graph of a file.

    Raises
    ------
    InputError
        The file is not of this form, of another version, or cut.
    """
    if path.stat().st_size < _START:
        raise InputError(0, f"{path.name} is not a graph saved by DGL")
    with path.open("rb") as source:
        stream = _Stream(mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ), path.name)
    if stream.u64() != _FILE:
        raise InputError(0, f"{path.name} is not a graph saved by DGL")
    version, kind, count = (stream.u64() for _ in range(3))
    if (version, kind) != (2, 2) or not count:
        raise InputError(
            0, f"{path.name} is of version {version} of DGL's form, with {count} graphs; 2 is read"
        )
    stream.at = _START
    stream.at = stream.u64()
    return _graph(stream)


class _Stream:
    """Reads from a mapped file, and refuses to read past its end."""

    def __init__(self, content: mmap.mmap, name: str) -> None:
        self.content = content
        self.name = name
        self.at = 0

    def skip(self, size: int) -> int:
        """Return where the next `size` bytes begin, and pass them."""
        begin = self.at
        if size < 0 or begin + size > len(self.content):
            raise InputError(0, f"{self.name} is cut or damaged at byte {begin:,}")
        self.at = begin + size
        return begin

    def u64(self) -> int:
        (value,) = struct.unpack_from("<Q", self.content, self.skip(8))
        return int(value)

    def expect(self, magic: int) -> None:
        if self.u64() != magic:
            raise InputError(0, f"{self.name} is damaged before byte {self.at:,}")

    def many(self) -> int:
        """The length of a list, of which every entry takes at least a byte."""
        count = self.u64()
        if count > len(self.content):
            raise InputError(0, f"{self.name} is damaged before byte {self.at:,}")
        return count

    def text(self) -> str:
        size = self.many()
        begin = self.skip(size)
        return self.content[begin : begin + size].decode("utf-8", "replace")

    def array(self) -> NDArray[Any]:
        """An array that is a view of the file."""
        self.expect(_ARRAY)
        self.skip(8 + 8)  # reserved; the device it was on
        axes, kind, bits, lanes = struct.unpack_from("<iBBH", self.content, self.skip(8))
        if kind not in _KINDS or bits not in (8, 16, 32, 64) or lanes != 1 or not 0 <= axes <= 8:
            raise InputError(0, f"{self.name}: an array before byte {self.at:,} has a type that is not read")
        shape = struct.unpack_from(f"<{axes}q", self.content, self.skip(8 * axes))
        size = self.u64()
        dtype = np.dtype(f"<{_KINDS[kind]}{bits // 8}")
        length = size // dtype.itemsize
        if min(shape, default=0) < 0 or int(np.prod(shape, dtype=object)) != length:
            raise InputError(
                0, f"{self.name}: an array before byte {self.at:,} has another size than its shape"
            )
        return np.frombuffer(self.content, dtype, length, self.skip(size)).reshape(shape)

    def numbers(self) -> NDArray[np.int64]:
        """A list of whole numbers."""
        values = self.array()
        if values.ndim != 1 or values.dtype.kind not in "iu":
            raise InputError(0, f"{self.name}: whole numbers are expected before byte {self.at:,}")
        return np.ascontiguousarray(values, np.int64)

    def named(self) -> tuple[Named, ...]:
        """Named arrays, type by type."""
        return tuple({self.text(): self.array() for _ in range(self.many())} for _ in range(self.many()))

    def texts(self) -> tuple[str, ...]:
        return tuple(self.text() for _ in range(self.many()))


def _graph(stream: _Stream) -> DglGraph:
    stream.expect(_TYPES)
    sources, targets = _meta(stream)
    ends = tuple(_relation(stream) for _ in range(stream.many()))
    count = stream.many()
    counts = struct.unpack_from(f"<{count}q", stream.content, stream.skip(8 * count))
    if min(counts, default=0) < 0:
        raise InputError(0, f"{stream.name} is damaged before byte {stream.at:,}")
    nodes, edges = stream.named(), stream.named()
    node_types, edge_types = stream.texts(), stream.texts()
    if not len(counts) == len(nodes) == len(node_types) or not len(ends) == len(edges) == len(
        edge_types
    ) == len(sources):
        raise InputError(0, f"{stream.name} has another number of types than of tables")
    between = tuple((int(s), int(t)) for s, t in zip(sources, targets, strict=True))
    return DglGraph(node_types, counts, nodes, edge_types, between, ends, edges)


def _meta(stream: _Stream) -> Ends:
    """The graph of the types: between which node types each edge type goes."""
    stream.expect(_META)
    return _rows(stream)


def _relation(stream: _Stream) -> Ends:
    """The ends of the edges of one type, in their order."""
    stream.expect(_EDGES)
    saved, _ = stream.u64(), stream.u64()
    form = saved & 0xFFFFFFFF if saved >> 32 else _OLD_FORMS.get(saved, 0)
    found = None
    for bit, read in ((_BY_ENDS, _ends), (_BY_ROWS, _rows), (_BY_COLUMNS, _columns)):
        if form & bit:
            _meta(stream)
            ends = read(stream)
            found = found or ends
    if found is None:
        raise InputError(0, f"{stream.name}: edges in a form that is not read ({saved})")
    return found


def _ends(stream: _Stream) -> Ends:
    stream.expect(_ENDS)
    stream.skip(16)  # numbers of columns and rows
    source, target, place = (stream.numbers() for _ in range(3))
    stream.skip(2)  # whether sorted
    return _in_order(source, target, place)


def _rows(stream: _Stream) -> Ends:
    stream.expect(_ROWS)
    stream.skip(16)  # numbers of columns and rows
    begins, target, place = (stream.numbers() for _ in range(3))
    stream.skip(1)  # whether sorted
    if not len(begins) or begins[0] or (np.diff(begins) < 0).any() or begins[-1] != len(target):
        raise InputError(0, f"{stream.name}: rows before byte {stream.at:,} contradict each other")
    return _in_order(np.repeat(np.arange(len(begins) - 1), np.diff(begins)), target, place)


def _columns(stream: _Stream) -> Ends:
    target, source = _rows(stream)
    return source, target


def _in_order(source: NDArray[np.int64], target: NDArray[np.int64], place: NDArray[np.int64]) -> Ends:
    """Ends in the order of the edges' numbers; without numbers they are in order."""
    if len(source) != len(target):
        raise InputError(0, "an edge has one end")
    if not len(place):
        return source, target
    count = len(source)
    inside = len(place) == count and int(place.min()) >= 0 and int(place.max()) < count
    if not inside or not (np.bincount(place, minlength=count) == 1).all():
        raise InputError(0, "the numbers of the edges contradict each other")
    order = np.empty(count, np.int64)
    order[place] = np.arange(count)
    return source[order], target[order]


__all__ = ["DglGraph", "read_dgl"]
