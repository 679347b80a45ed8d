"""The keys of one bucket in the order of their first appearance, and where the record of each lies.

Key number k of a bucket has its record in page ``k // size``, at place ``k % size``.  Keys that began together speak
together more often than not, so a batch of few keys touches few pages.  Names are kept in pages of the same numbers:
when a page falls out of the state after its time to live, its names do too, and the others keep their numbers.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from marigram.errors import SnapshotError
from marigram.fleet.keys import KeyIndex, key_index

Ints: TypeAlias = NDArray[np.int64]

_WORD = 4
"""Bytes of a length."""


class Roster:
    """Numbers the keys of a bucket.

    Parameters
    ----------
    kind
        ``"str"`` or ``"int"``.
    size
        Keys of a page.
    pages
        The pages of names that :meth:`page` made, by page number.
    """

    def __init__(self, kind: str, size: int, pages: Iterable[tuple[int, bytes]] = ()) -> None:
        self._size = size
        self._index: KeyIndex = key_index(kind)
        known = sorted(pages)
        self._pages = [page for page, _ in known]
        counts = self._read([blob for _, blob in known])
        self._starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)])

    def __len__(self) -> int:
        return len(self._index)

    def numbers(self, keys: Any) -> Ints:
        """Return the number of every row's key, (n,) int64; new keys get the next ones."""
        local = self._index.number(self._index.read(keys))
        self._extend()
        inside = np.searchsorted(self._starts, local, side="right") - 1
        pages = np.array(self._pages, np.int64)
        numbers: Ints = pages[inside] * self._size + local - self._starts[inside]
        return numbers

    @property
    def last(self) -> int:
        """Number of the last page, -1 when there is none."""
        return self._pages[-1] if self._pages else -1

    def counts(self, pages: Ints) -> Ints:
        """Return how many keys each of some pages has."""
        at = np.searchsorted(self._pages, pages)
        found: Ints = self._starts[at + 1] - self._starts[at]
        return found

    def ends(self, pages: Ints) -> Ints:
        """Return how many keys there are up to the end of each of some pages."""
        found: Ints = self._starts[np.searchsorted(self._pages, pages) + 1]
        return found

    def page(self, page: int) -> bytes:
        """Return the names of a page as bytes."""
        at = self._pages.index(page)
        start, end = int(self._starts[at]), int(self._starts[at + 1])
        arrays = self._index.arrays()
        if self._index.kind == "int":
            return np.ascontiguousarray(arrays["keys"][start:end], np.int64).tobytes()
        ends = arrays["key_ends"][start : end + 1]
        head = np.concatenate([[end - start], np.diff(ends)]).astype(np.uint32)
        return head.tobytes() + arrays["keys"][ends[0] : ends[-1]].tobytes()

    def _read(self, blobs: list[bytes]) -> list[int]:
        """Number the names of all pages; return how many each has."""
        column, counts = _column(self._index, blobs)
        if not np.array_equal(self._index.number(column), np.arange(len(column))):
            raise SnapshotError("a bucket's state names a key twice")
        return counts

    def _extend(self) -> None:
        """Give new keys their pages: first what room the last page has, then new ones."""
        total = len(self._index)
        while self._starts[-1] < total:
            if self._pages and self._starts[-1] - self._starts[-2] < self._size:
                self._starts[-1] = min(total, self._starts[-2] + self._size)
                continue
            self._pages.append(self._pages[-1] + 1 if self._pages else 0)
            self._starts = np.append(self._starts, min(total, self._starts[-1] + self._size))


def names_of(kind: str, page: bytes) -> Any:
    """Return the keys of a page as a column that an index of this kind numbers."""
    return _column(key_index(kind), [page])[0]


def _column(index: KeyIndex, blobs: list[bytes]) -> tuple[Any, list[int]]:
    """Return the names of all pages as one column, and how many each has."""
    if index.kind == "int":
        keys = [np.frombuffer(blob, np.int64) for blob in blobs]
        column = np.concatenate([np.zeros(0, np.int64), *keys])
        return index.column_of({"keys": column}), [len(part) for part in keys]
    counts = [int(np.frombuffer(blob, np.uint32, 1)[0]) for blob in blobs]
    both = list(zip(blobs, counts, strict=True))
    lengths = [np.frombuffer(blob, np.uint32, count, _WORD) for blob, count in both]
    texts = [np.frombuffer(blob, np.uint8, -1, _WORD * (count + 1)) for blob, count in both]
    ends = np.cumsum(np.concatenate([np.zeros(1, np.int64), *lengths]), dtype=np.int64)
    data = np.concatenate([np.zeros(0, np.uint8), *texts])
    return index.column_of({"keys": data, "key_ends": ends}), counts


__all__ = ["Roster", "names_of"]
