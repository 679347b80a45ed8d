"""Compiled hash table from texts to codes, working on bytes where they lie in a block."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from marigram.numerics.bits import prefetch
from marigram.numerics.jit import kernel, piece

from ._bytes import byte, word

__all__ = ["intern", "join", "refill"]

_CHUNK: Final = 32
"""Rows whose cache lines are asked for before the first of them is needed."""
_MIX = np.uint64(0x9E3779B97F4A7C15)
_OTHER = np.uint64(0xD6E8FEB86659FD93)
_TAG = np.uint64(0xFFFFFFFF00000000)
_CODE = np.uint64(0x00000000FFFFFFFF)
_EMPTY = np.uint64(0)


@piece
def _hash(at: int, end: int, seed: Any) -> Any:
    h = seed ^ (np.uint64(end - at) * _OTHER)
    while end - at >= 8:
        h = (h ^ word(at)) * _MIX
        h ^= h >> np.uint64(32)
        at += 8
    w = np.uint64(0)
    while at < end:
        w = (w << np.uint64(8)) | np.uint64(byte(at))
        at += 1
    h = (h ^ w) * _MIX
    h = (h ^ (h >> np.uint64(29))) * _OTHER
    return h ^ (h >> np.uint64(32))


@piece
def _same(at: int, there: int, length: int) -> bool:
    while length >= 8:
        if word(at) != word(there):
            return False
        at += 8
        there += 8
        length -= 8
    for i in range(length):  # noqa: SIM110 - generators do not compile
        if byte(at + i) != byte(there + i):
            return False
    return True


@kernel
def intern(
    text: int,
    spans: NDArray[np.int64],
    begin: int,
    slots: NDArray[np.uint64],
    arena: NDArray[np.uint8],
    ends: NDArray[np.int64],
    count: int,
    seed: Any,
    codes: NDArray[np.int64],
) -> tuple[int, int]:
    """Write the code of each text at address ``text`` + ``spans[i, 0]`` to ``spans[i, 1]``, i from ``begin``.

    The code of a negative span is -1.

    Name c lies in ``arena[ends[c]:ends[c + 1]]``; an unknown text becomes name ``count``.  Stops early when half of
    the slots, or ``ends``, or ``arena`` are full.

    Returns
    -------
    (row to go on with, count)
    """
    mask = np.uint64(len(slots) - 1)
    most = min(len(slots) // 2, len(ends) - 1)
    hashes = np.empty(_CHUNK, np.uint64)
    names = arena.ctypes.data
    rows = len(spans)
    while begin < rows:
        stop = min(begin + _CHUNK, rows)
        for i in range(begin, stop):
            if spans[i, 0] >= 0:
                h = _hash(text + spans[i, 0], text + spans[i, 1], seed)
                hashes[i - begin] = h
                prefetch(slots, np.int64(h & mask) * 8)
        for i in range(begin, stop):
            if spans[i, 0] >= 0:
                entry = slots[np.int64(hashes[i - begin] & mask)]
                if entry != _EMPTY:
                    prefetch(ends, np.int64(entry & _CODE) * 8 - 8)
        for i in range(begin, stop):
            if spans[i, 0] >= 0:
                entry = slots[np.int64(hashes[i - begin] & mask)]
                if entry != _EMPTY:
                    prefetch(arena, ends[np.int64(entry & _CODE) - 1])
        for i in range(begin, stop):
            first, length = spans[i, 0], spans[i, 1] - spans[i, 0]
            if first < 0:
                codes[i] = -1
                continue
            h = hashes[i - begin]
            at = h & mask
            while True:
                entry = slots[np.int64(at)]
                if entry == _EMPTY:
                    if count >= most or ends[count] + length > len(arena):
                        return i, count
                    there = ends[count]
                    for j in range(length):
                        arena[there + j] = byte(text + first + j)
                    ends[count + 1] = there + length
                    slots[np.int64(at)] = (h & _TAG) | np.uint64(count + 1)
                    codes[i] = count
                    count += 1
                    break
                if entry & _TAG == h & _TAG:
                    code = np.int64(entry & _CODE) - 1
                    there = ends[code]
                    if ends[code + 1] - there == length and _same(text + first, names + there, length):
                        codes[i] = code
                        break
                at = (at + np.uint64(1)) & mask
        begin = stop
    return rows, count


@kernel
def refill(
    slots: NDArray[np.uint64], arena: NDArray[np.uint8], ends: NDArray[np.int64], count: int, seed: Any
) -> None:
    """Enter the first ``count`` names into empty ``slots``."""
    mask = np.uint64(len(slots) - 1)
    names = arena.ctypes.data
    for code in range(count):
        h = _hash(names + ends[code], names + ends[code + 1], seed)
        at = h & mask
        while slots[np.int64(at)] != _EMPTY:
            at = (at + np.uint64(1)) & mask
        slots[np.int64(at)] = (h & _TAG) | np.uint64(code + 1)


@kernel
def join(
    text: int, spans: NDArray[np.int64], separator: int, escape: int, out: NDArray[np.uint8]
) -> NDArray[np.int64]:
    """Write the parts ``spans`` (n, parts, 2) of each row end to end into ``out``; return where rows lie, (n, 2).

    Between parts stands ``separator``; before a separator or an escape within a part stands ``escape``.  Rows with a
    negative span stay (-1, -1).
    """
    joined = np.full((len(spans), 2), -1)
    at = 0
    for row in range(len(spans)):
        if spans[row, 0, 0] < 0:
            continue
        joined[row, 0] = at
        for part in range(spans.shape[1]):
            if part:
                out[at] = separator
                at += 1
            for i in range(spans[row, part, 0], spans[row, part, 1]):
                c = byte(text + i)
                if c == separator or c == escape:  # noqa: SIM109 - a tuple compiles to a loop
                    out[at] = escape
                    at += 1
                out[at] = c
                at += 1
        joined[row, 1] = at
    return joined
