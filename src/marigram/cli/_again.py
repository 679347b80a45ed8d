"""Recognises a pipe that is given again from its beginning, and passes over what was judged already.

What comes through a pipe comes once, and a run that is resumed takes what comes for what follows. But people also
repeat the whole command, as in ``zcat day.gz | marigram watch - --state day/``: then the first events are those of
the run before. Their first rows are kept, and a pipe that begins with exactly these is the same one. Rows without
variety prove nothing, so a pipe that sent the same number over and over is never taken for one given again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import msgspec

from marigram.events import Batch

PREFIX = 64
"""Rows by which a pipe is known again."""
_VARIETY = 8
"""Different rows that these need to hold to prove anything."""


class Seen(msgspec.Struct):
    """How a pipe began, and how much of it was dealt with; JSON."""

    prefix: list[Any] = []
    rows: int = 0
    rejects: int = 0

    def add(self, batch: Batch) -> None:
        """Count a batch that was dealt with."""
        if len(self.prefix) < PREFIX:
            self.prefix.extend(_rows(batch, PREFIX - len(self.prefix)))
        self.rows += len(batch)
        self.rejects += len(batch.rejects)

    @property
    def telling(self) -> bool:
        """Whether the first rows are different enough to know the pipe by."""
        different = len({msgspec.json.encode(row) for row in self.prefix})
        return different >= min(_VARIETY, max(1, len(self.prefix) // 2))


def unseen(batches: Iterable[Batch], seen: Seen) -> Iterator[Batch]:
    """Yield what of a new pipe's batches is new: all, or what follows the part that was dealt with.

    `seen` is emptied when the pipe turns out to be another one. Rows are held back only as long as they are equal to
    the first of the pipe before, at most `PREFIX` of them.
    """
    stream = iter(batches)
    held: list[Batch] = []
    same = seen.rows > 0 and seen.telling
    while same and sum(map(len, held)) < len(seen.prefix):
        batch = next(stream, None)
        if batch is None:
            break
        held.append(batch)
        rows = [row for part in held for row in _rows(part, PREFIX)][:PREFIX]
        same = rows[: len(seen.prefix)] == seen.prefix[: len(rows)]
    if same and any(map(len, held)):
        rows_left, rejects_left = seen.rows, seen.rejects
        held[0].notices.append(
            f"this input begins as the one before: the {rows_left + rejects_left:,} lines that were dealt with "
            "are passed over"
        )
    else:
        rows_left = rejects_left = 0
        seen.prefix, seen.rows, seen.rejects = [], 0, 0
    for batch in _chained(held, stream):
        skipped, known = min(rows_left, len(batch)), min(rejects_left, len(batch.rejects))
        rows_left, rejects_left = rows_left - skipped, rejects_left - known
        yield _without(batch, skipped, known) if skipped or known else batch


def _chained(held: list[Batch], stream: Iterator[Batch]) -> Iterator[Batch]:
    while held:
        yield held.pop(0)
    yield from stream


def _rows(batch: Batch, most: int) -> list[Any]:
    """The first rows as plain JSON values: key, time, value; NaN is null."""
    n = min(most, len(batch))
    keys: list[Any] = [None] * n
    if batch.key_codes is not None:
        keys = [batch.key_names[code] for code in batch.key_codes[:n].tolist()]
    times = [None] * n if batch.times is None else batch.times[:n].tolist()
    values = msgspec.json.decode(msgspec.json.encode(batch.values[:n].tolist()))
    return [list(row) for row in zip(keys, times, values, strict=True)]


def _without(batch: Batch, rows: int, rejects: int) -> Batch:
    """The batch without its first rows and rejects."""
    return replace(
        batch,
        values=batch.values[rows:],
        times=None if batch.times is None else batch.times[rows:],
        key_codes=None if batch.key_codes is None else batch.key_codes[rows:],
        ids=None if batch.ids is None else batch.ids[rows:],
        rejects=batch.rejects[rejects:],
    )


__all__ = ["PREFIX", "Seen", "unseen"]
