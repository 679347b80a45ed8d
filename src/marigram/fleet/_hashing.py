"""Open addressing for whole columns of keys: one compiled pass gives every row its key's number.

A table is (size, 2) uint64, size a power of two: what the slot is recognised by (the key itself, or a text's hash)
and the key's number plus one; zero is empty, so a fresh table is all zero.  Probing is linear and nothing is ever
removed, because a key that leaves memory keeps its number.  Numbers go by first appearance.

The hash is salted per process: nobody can send keys that all collide, and no result depends on it.  A pass over a
million keys is bound by cache misses; what a row needs is therefore fetched some rows ahead.

Unsigned indices spare the compiler the handling of negative ones; constants are uint64 because a mix of signed
and unsigned would become a float.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from marigram.numerics.bits import prefetch
from marigram.numerics.jit import kernel, piece

Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]
Words = NDArray[np.uint64]

_fetch: Any = prefetch  # an intrinsic takes one argument less than its definition, which no checker knows
_AHEAD = 32
_BLOCK = 128
_C1 = np.uint64(0x9E3779B97F4A7C15)
_C2 = np.uint64(0xBF58476D1CE4E5B9)
_C3 = np.uint64(0x94D049BB133111EB)
_S27, _S30, _S31, _S32 = (np.uint64(shift) for shift in (27, 30, 31, 32))
_U1, _U8 = np.uint64(1), np.uint64(8)


@piece
def _mix(z: Any) -> Any:
    """Finaliser of splitmix64: every bit of the result depends on every bit of z."""
    z = (z ^ (z >> _S30)) * _C2
    z = (z ^ (z >> _S27)) * _C3
    return z ^ (z >> _S31)


@piece
def _text_hash(data: Bytes, start: int, stop: int, salt: Any) -> Any:
    h = salt ^ (np.uint64(stop - start) * _C1)
    at, end = np.uint64(start), np.uint64(stop)
    while at + _U8 <= end:
        word = np.uint64(0)
        for k in range(8):
            word |= np.uint64(data[at + np.uint64(k)]) << np.uint64(8 * k)
        h = (h ^ word) * _C2
        h ^= h >> _S32
        at += _U8
    word = np.uint64(0)
    while at < end:
        word = (word << _U8) | np.uint64(data[at])
        at += _U1
    return _mix((h ^ word) * _C1)


@piece
def _same_text(a: Bytes, a_start: int, b: Bytes, b_start: int, length: int) -> bool:
    i, j = np.uint64(a_start), np.uint64(b_start)
    for k in range(length):  # noqa: SIM110 - a generator does not compile
        if a[i + np.uint64(k)] != b[j + np.uint64(k)]:
            return False
    return True


@piece
def _fetch_texts(
    data: Bytes,
    offsets: Ints,
    first: int,
    last: int,
    table: Words,
    blob: Bytes,
    ends: Ints,
    salt: Any,
    hashes: Words,
) -> None:
    """Hash the rows and ask, level by level, for the memory that comparing them will touch."""
    mask = np.uint64(table.shape[0] - 1)
    for i in range(first, last):
        hashes[i - first] = _text_hash(data, offsets[i], offsets[i + 1], salt)
        _fetch(table, np.int64(hashes[i - first] & mask) * 16)
    for i in range(last - first):
        number = np.int64(table[hashes[i] & mask, 1])
        if number > 0:
            _fetch(ends, (number - 1) * 8)
    for i in range(last - first):
        number = np.int64(table[hashes[i] & mask, 1])
        if number > 0:
            _fetch(blob, ends[number - 1])


@kernel
def number_ints(
    keys: Ints, start: int, table: Words, names: Ints, count: int, salt: Any, insert: bool, out: Ints
) -> tuple[int, int]:
    """Fill ``out[start:]`` with the numbers of ``keys``; return (rows done, keys known).

    An unknown key gets the next number and is written to ``names``, or -1 when ``insert`` is false.  The pass stops
    early when the table would be more than half full or ``names`` is full: grow them and go on.
    """
    n = keys.shape[0]
    mask = np.uint64(table.shape[0] - 1)
    room = min(names.shape[0], table.shape[0] // 2)
    for i in range(start, n):
        if i + _AHEAD < n:
            _fetch(table, np.int64(_mix(np.uint64(keys[i + _AHEAD]) ^ salt) & mask) * 16)
        key = np.uint64(keys[i])
        at = _mix(key ^ salt) & mask
        while table[at, 1] != 0 and table[at, 0] != key:
            at = (at + _U1) & mask
        if table[at, 1] != 0:
            out[i] = np.int64(table[at, 1]) - 1
        elif not insert:
            out[i] = -1
        elif count == room:
            return i, count
        else:
            table[at, 0] = key
            table[at, 1] = np.uint64(count + 1)
            names[count] = keys[i]
            out[i] = count
            count += 1
    return n, count


@kernel
def number_texts(
    data: Bytes,
    offsets: Ints,
    start: int,
    table: Words,
    blob: Bytes,
    ends: Ints,
    count: int,
    salt: Any,
    insert: bool,
    out: Ints,
) -> tuple[int, int]:
    """Do the same for texts: row i is ``data[offsets[i]:offsets[i+1]]``, key k is ``blob[ends[k]:ends[k+1]]``."""
    n = offsets.shape[0] - 1
    mask = np.uint64(table.shape[0] - 1)
    room = min(ends.shape[0] - 1, table.shape[0] // 2)
    hashes = np.empty(_BLOCK, np.uint64)
    for first in range(start, n, _BLOCK):
        last = min(n, first + _BLOCK)
        _fetch_texts(data, offsets, first, last, table, blob, ends, salt, hashes)
        for i in range(first, last):
            begin, length, h = offsets[i], offsets[i + 1] - offsets[i], hashes[i - first]
            at = h & mask
            out[i] = -1
            while table[at, 1] != 0:
                k = np.int64(table[at, 1]) - 1
                same = table[at, 0] == h and ends[k + 1] - ends[k] == length
                if same and _same_text(data, begin, blob, ends[k], length):
                    out[i] = k
                    break
                at = (at + _U1) & mask
            if out[i] < 0 and insert:
                if count == room or ends[count] + length > blob.shape[0]:
                    return i, count
                table[at, 0] = h
                table[at, 1] = np.uint64(count + 1)
                for j in range(length):  # a slice would take three times as long to compile
                    blob[ends[count] + j] = data[begin + j]
                ends[count + 1] = ends[count] + length
                out[i] = count
                count += 1
    return n, count


@kernel
def move_ints(old: Words, new: Words, salt: Any) -> None:
    """Enter every key of ``old`` into the empty, larger table ``new``."""
    mask = np.uint64(new.shape[0] - 1)
    for k in range(old.shape[0]):
        if old[k, 1] != 0:
            at = _mix(old[k, 0] ^ salt) & mask
            while new[at, 1] != 0:
                at = (at + _U1) & mask
            new[at, 0] = old[k, 0]
            new[at, 1] = old[k, 1]


@kernel
def move_texts(old: Words, new: Words) -> None:
    """Do the same for texts, whose hash is what the table holds."""
    mask = np.uint64(new.shape[0] - 1)
    for k in range(old.shape[0]):
        if old[k, 1] != 0:
            at = old[k, 0] & mask
            while new[at, 1] != 0:
                at = (at + _U1) & mask
            new[at, 0] = old[k, 0]
            new[at, 1] = old[k, 1]


@kernel
def first_seen(codes: Ints, numbers: Ints, fresh: Ints) -> int:
    """Collect in ``fresh`` the codes that have no number yet, by first appearance; return how many.

    ``numbers`` holds number + 1, so zero is unknown; a collected code is marked -1 until its number is entered.
    """
    count = 0
    for i in range(codes.shape[0]):
        if numbers[codes[i]] == 0:
            numbers[codes[i]] = -1
            fresh[count] = codes[i]
            count += 1
    return count


__all__ = ["first_seen", "move_ints", "move_texts", "number_ints", "number_texts"]
