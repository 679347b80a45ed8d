"""The records of one bucket's keys in pages, of which a batch loads and rewrites only those it touches.

A page is 64 to 256 records as they lie in a fleet's snapshot, packed by LZ4.  The kernel is the embedded engine's, on
a table of the pages in hand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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
_COUNT = 4
"""Bytes that say how many records follow."""


def form_of(parameters: Parameters, d: int, seasonal: bool) -> np.dtype[Any]:
    """Return the layout of one key's record."""
    return records.layout(_table(parameters, d, seasonal, 0))


def pack_records(words: Words) -> bytes:
    """Return (k, words) records as the bytes of a page."""
    content: bytes = _CODEC.compress(np.ascontiguousarray(words), asbytes=True)
    return len(words).to_bytes(_COUNT, "little") + content


def unpack_records(page: bytes, form: np.dtype[Any]) -> Words:
    """Return the (k, words) records of a page; ``SnapshotError`` when it holds something else."""
    count = int.from_bytes(page[:_COUNT], "little")
    try:
        raw = _CODEC.decompress(memoryview(page)[_COUNT:], count * form.itemsize)
    except (OSError, pa.ArrowInvalid) as error:
        raise SnapshotError(f"a page of {count} records cannot be read: {error}") from error
    return np.frombuffer(raw, np.uint64).reshape(count, form.itemsize // 8)


class Pages:
    """The pages that one batch of a bucket touches.

    Parameters
    ----------
    design
        Of the query.
    numbers
        (n,) key of each event, as the roster numbers them.
    """

    def __init__(self, design: Design, numbers: Ints) -> None:
        self._size = size = design.page
        self._pages, inside = np.unique(numbers // size, return_inverse=True)
        self._slots = inside * size + numbers % size
        self._table = _table(design.parameters, design.d, design.seasonal, len(self._pages) * size)
        self._form = records.layout(self._table)

    def load(self, page_of: Callable[[int], bytes | None]) -> None:
        """Take the touched pages' records out of the state; a page that is not there is of keys never seen."""
        for at, page in enumerate(self._pages.tolist()):
            found = page_of(page)
            if found is not None:
                words = unpack_records(found, self._form)
                rows = at * self._size + np.arange(len(words))
                records.to_table(self._table, rows, words)

    def judge(self, values: NDArray[np.float64], times: Ints | None) -> dict[str, Any]:
        """Send (n, d) events through the kernel; returns the columns of verdicts it fills."""
        return process(self._table, self._slots, values, times)

    def put(self, found: Sequence[bytes]) -> None:
        """Give each key of ``numbers`` the record whose bytes these are."""
        words = np.frombuffer(b"".join(found), np.uint64).reshape(len(self._slots), -1)
        records.to_table(self._table, self._slots, words)

    def store(self, count_of: Callable[[int], int]) -> Iterator[tuple[int, bytes]]:
        """Yield the touched pages as the state keeps them."""
        for at, page in enumerate(self._pages.tolist()):
            rows = at * self._size + np.arange(count_of(page))
            yield page, pack_records(records.from_table(self._table, rows, self._form))


def _table(parameters: Parameters, d: int, seasonal: bool, capacity: int) -> StateTable:
    table = StateTable(parameters, d, capacity)
    if seasonal:
        table.make_seasonal()
    return table


__all__ = ["Pages", "form_of", "pack_records", "unpack_records"]
