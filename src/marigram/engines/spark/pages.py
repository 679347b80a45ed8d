"""Records as the state keeps them, and the kernel's table of those that a batch touches.

A page is 64 to 256 records as they lie in a fleet's snapshot, packed by LZ4; a patch is records of any keys, with their
numbers.  The kernel is the embedded engine's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from marigram.detectors.default import process
from marigram.detectors.parameters import Parameters
from marigram.detectors.state import StateTable
from marigram.errors import SnapshotError
from marigram.fleet import records

if TYPE_CHECKING:
    from marigram.engines.spark.design import Design

Ints: TypeAlias = NDArray[np.int64]
Words: TypeAlias = NDArray[np.uint64]

_CODEC = pa.Codec("lz4_raw")
_HEAD = np.dtype([("since", "<i8"), ("count", "<i8")])
"""Before the records of a page: the first patch that is newer, and how many follow."""


def form_of(parameters: Parameters, d: int, seasonal: bool) -> np.dtype[Any]:
    """Return the layout of one key's record."""
    return records.layout(_table(parameters, d, seasonal, 0))


def pack_records(words: Words, since: int = 0) -> bytes:
    """Return (k, words) records as the bytes of a page, to which patches belong from number ``since`` on."""
    content: bytes = _CODEC.compress(np.ascontiguousarray(words), asbytes=True)
    return np.array((since, len(words)), _HEAD).tobytes() + content


def unpack_records(page: bytes, form: np.dtype[Any]) -> tuple[Words, int]:
    """Return the (k, words) records of a page, and ``since``; ``SnapshotError`` when it holds something else."""
    since, count = np.frombuffer(page, _HEAD, 1)[0].tolist()
    try:
        raw = _CODEC.decompress(memoryview(page)[_HEAD.itemsize :], count * form.itemsize)
    except (OSError, pa.ArrowInvalid) as error:
        raise SnapshotError(f"a page of {count} records cannot be read: {error}") from error
    return np.frombuffer(raw, np.uint64).reshape(count, form.itemsize // 8), since


def pack_patch(keys: Ints, words: Words) -> bytes:
    """Return (k, words) records of keys, by their numbers, as the bytes of a patch."""
    return len(keys).to_bytes(8, "little") + keys.astype("<i8").tobytes() + pack_records(words)


def unpack_patch(patch: bytes, form: np.dtype[Any]) -> tuple[Ints, Words]:
    """Return the numbers and the (k, words) records of a patch."""
    count = int.from_bytes(patch[:8], "little")
    keys = np.frombuffer(patch, "<i8", count, 8)
    return keys.astype(np.int64), unpack_records(patch[8 * (count + 1) :], form)[0]


class Patches:
    """Patches of a bucket, by key.

    Parameters
    ----------
    patches
        Numbers and contents.
    form
        Layout of a record.
    """

    def __init__(self, patches: Iterable[tuple[int, bytes]], form: np.dtype[Any]) -> None:
        found = [(number, *unpack_patch(content, form)) for number, content in sorted(patches)]
        keys = np.concatenate([np.zeros(0, np.int64), *(keys for _, keys, _ in found)])
        numbers = np.concatenate([np.zeros(0, np.int64), *(np.full(len(k), n) for n, k, _ in found)])
        order = np.argsort(keys, kind="stable")  # of one key the newest comes last
        self._keys, self._numbers = keys[order], numbers[order]
        words = np.zeros((0, form.itemsize // 8), np.uint64)
        self._words = np.concatenate([words, *(words for _, _, words in found)])[order]

    def over(self, words: Words, first: int, since: int) -> Words:
        """Return the records of a page, of the keys from ``first`` on, with what patches from ``since`` on have."""
        start, stop = np.searchsorted(self._keys, [first, first + len(words)])
        newest = np.array(words)
        for at in range(start, stop):
            if self._numbers[at] >= since:
                newest[self._keys[at] - first] = self._words[at]
        return newest


class Pages:
    """The records of the keys that one batch of a bucket touches.

    Parameters
    ----------
    design
        Of the query.
    numbers
        (n,) key of each event, as the roster numbers them.

    Attributes
    ----------
    keys
        The distinct numbers, ascending.
    """

    def __init__(self, design: Design, numbers: Ints) -> None:
        self.keys, self._slots = np.unique(numbers, return_inverse=True)
        self._table = _table(design.parameters, design.d, design.seasonal, len(self.keys))
        self._form = records.layout(self._table)

    def load(self, found: Iterable[tuple[Ints, Words]]) -> None:
        """Take records of :attr:`keys`: places there, and words."""
        for places, words in found:
            records.to_table(self._table, places, words)

    def judge(self, values: NDArray[np.float64], times: Ints | None) -> dict[str, Any]:
        """Send (n, d) events through the kernel; returns the columns of verdicts it fills."""
        return process(self._table, self._slots, values, times)

    def put(self, found: Sequence[bytes]) -> None:
        """Give each key of ``numbers`` the record whose bytes these are."""
        words = np.frombuffer(b"".join(found), np.uint64).reshape(len(self._slots), -1)
        records.to_table(self._table, self._slots, words)

    def words_of(self, places: Ints) -> Words:
        """Return the records at places of :attr:`keys` as they are now."""
        return records.from_table(self._table, places, self._form)


def _table(parameters: Parameters, d: int, seasonal: bool, capacity: int) -> StateTable:
    table = StateTable(parameters, d, capacity)
    if seasonal:
        table.make_seasonal()
    return table


__all__ = ["Pages", "Patches", "form_of", "pack_patch", "pack_records", "unpack_records"]
