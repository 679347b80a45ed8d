"""Verdicts as they are kept: those of one commit in one compressed block, with a small index of their keys.

A row of a table for each verdict would cost more than judging the event.  Who asks for the history of one key walks
back through the blocks and opens those whose index has the key.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Any, Final

import apsw
import numpy as np
from numpy.typing import NDArray

from marigram.store.packing import pack_verdicts, unpack_verdicts
from marigram.verdicts import Verdicts
from marigram.verdicts.fields import NO_TIME

SCANNED: Final = 20_000
"""Blocks whose index is looked at for one question."""


def key_hash(key: str | None) -> int:
    """Return the number by which a key is looked for."""
    return zlib.crc32((key or "").encode())


def key_index(keys: Iterable[Any]) -> bytes:
    """Return the sorted hashes of distinct keys, four bytes each."""
    hashes = np.fromiter({key_hash(key) for key in keys}, np.uint32)
    return np.sort(hashes).astype("<u4").tobytes()


def write_chunk(connection: apsw.Connection, seq: int, at: int, verdicts: Verdicts) -> None:
    """Keep the verdicts of the entries that one commit adds, ``seq`` being the last of them."""
    first, last = span_of(verdicts["time"])
    block, keys = pack_verdicts(verdicts)
    connection.execute(
        "INSERT INTO chunk (seq, at, rows, first, last, keys, verdicts) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (seq, at, len(verdicts), first, last, key_index(keys), block),
    )


def span_of(times: NDArray[np.int64] | None) -> tuple[int | None, int | None]:
    """Return the earliest and the latest time, None and None where there is none."""
    if times is None or not len(times):
        return None, None
    told = times[times != NO_TIME]
    return (int(told.min()), int(told.max())) if len(told) else (None, None)


def history(connection: apsw.Connection, key: str | None, last: int, before: int | None = None) -> Verdicts:
    """Return the last verdicts of a key that are stored, oldest first; of entries before ``before`` if it is given."""
    wanted, found, rows = np.uint32(key_hash(key)), [], 0
    for seq in _chunks_of(connection, wanted, before):
        block = connection.execute("SELECT verdicts FROM chunk WHERE seq = ?", (seq,)).fetchone()
        if block is None:
            continue
        mine = unpack_verdicts(bytes(block[0]), key, of_key=True)
        found.append(mine)
        rows += len(mine)
        if rows >= last:
            break
    return Verdicts.concat(found[::-1])[-last:] if rows else Verdicts.concat([])


def _chunks_of(connection: apsw.Connection, wanted: np.uint32, before: int | None) -> Iterable[int]:
    question = "SELECT seq, keys FROM chunk WHERE seq < ? ORDER BY seq DESC LIMIT ?"
    limit = (1 << 62) if before is None else before
    for seq, index in connection.execute(question, (limit, SCANNED)):
        hashes = np.frombuffer(index, "<u4")
        at = int(np.searchsorted(hashes, wanted))
        if at < len(hashes) and hashes[at] == wanted:
            yield seq


def latest(connection: apsw.Connection, limit: int) -> Verdicts:
    """Return the newest verdict of each of the ``limit`` keys that spoke last, newest first."""
    found: dict[Any, Verdicts] = {}
    for (block,) in connection.execute("SELECT verdicts FROM chunk ORDER BY seq DESC LIMIT ?", (SCANNED,)):
        verdicts = unpack_verdicts(block)
        keys = verdicts["key"].tolist()
        for row in range(len(keys) - 1, -1, -1):
            if keys[row] not in found:
                found[keys[row]] = verdicts[row : row + 1]
                if len(found) >= limit:
                    return Verdicts.concat(found.values())
    return Verdicts.concat(found.values())


__all__ = [
    "history",
    "key_hash",
    "key_index",
    "latest",
    "span_of",
    "write_chunk",
]
