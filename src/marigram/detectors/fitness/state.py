"""The state of :class:`marigram.Fitness`: one record, and the ring buffer of the last W samples."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from marigram.detectors.state import record
from marigram.errors import SnapshotError
from marigram.thresholds.tail import TAIL, WORK_SHAPE

Array = np.ndarray[Any, Any]

HEAD = record(
    [
        ("seq", "i8"), ("n", "i8"), ("time", "i8"), ("timed", "u1"), ("tail", TAIL),
        ("episode", "i4"), ("quiet", "i4"), ("peak", "f4"),
        ("drift", "i8"), ("due", "i8"), ("width", "f8"), ("judged", "u1"), ("moving", "u1"), ("first", "i8"),
    ]
)  # fmt: skip
"""``drift``: the event after the last drift; ``due``: n at which the scale is read anew; ``width``: half the last
band, in scales; ``judged``: whether ``level`` holds an expected value; ``moving``, ``first``: whether most samples
similar to the event at hand were outside, and the first of these."""


class Buffer(NamedTuple):
    """The last W samples of d coordinates, raw and in units of the scale, and what is known of each.

    About 16 d + 33 bytes a sample.
    """

    head: Array
    """(1,) HEAD."""
    rows: Array
    """(W, d) samples; number n lies in row n mod W."""
    scaled: Array
    """(W, d) the same over the scale."""
    keys: Array
    """(W,) their distances to the pivot."""
    outside: Array
    """(W,) whether they were outside when they came."""
    seqs: Array
    """(W,) their numbers in the stream."""
    scale: Array
    """(d,) standard deviation of the noise."""
    pivot: Array
    """(d,) a sample, over the scale."""
    level: Array
    """(d,) what was expected of the last event that had similar ones."""
    chosen: Array
    """(W,) rows that are similar to the event at hand."""
    squares: Array
    """(W,) their squared distances, and room for sorting."""
    x: Array
    """(d,) the event at hand over the scale."""
    mean: Array
    """(d,) the mean of what is similar."""
    work: Array
    """Room for a fit of the tail."""

    @property
    def d(self) -> int:
        """Number of coordinates."""
        return int(self.rows.shape[1])


SAVED = ("head", "rows", "scaled", "keys", "outside", "seqs", "scale", "pivot", "level")


def new_buffer(window: int, scale: Array) -> Buffer:
    """An empty buffer for events with as many coordinates as the scale has."""
    d = len(scale)
    return Buffer(
        head=np.zeros(1, HEAD),
        rows=np.zeros((window, d)),
        scaled=np.zeros((window, d)),
        keys=np.zeros(window),
        outside=np.zeros(window, np.uint8),
        seqs=np.zeros(window, np.int64),
        scale=scale,
        pivot=np.zeros(d),
        level=np.zeros(d),
        chosen=np.zeros(window, np.int64),
        squares=np.zeros(window),
        x=np.zeros(d),
        mean=np.zeros(d),
        work=np.empty(WORK_SHAPE),
    )


def saved_arrays(buffer: Buffer) -> dict[str, Array]:
    """All that a snapshot needs."""
    return {name: getattr(buffer, name) for name in SAVED}


def put_arrays(buffer: Buffer, arrays: dict[str, Array]) -> None:
    """Take over what :func:`saved_arrays` gave; ``SnapshotError`` if it is something else."""
    for name in SAVED:
        own, given = getattr(buffer, name), arrays.get(name)
        if given is None or given.shape != own.shape or given.dtype != own.dtype:
            raise SnapshotError(f"the array {name} is not that of this version")
        own[...] = given


class Answers(NamedTuple):
    """The columns of the verdicts of n events, filled row by row."""

    seq: Array
    n: Array
    p_value: Array
    severity: Array
    kind: Array
    episode: Array
    notice: Array
    late: Array
    expected: Array
    lower: Array
    upper: Array
    why: Array
    changed_at: Array
    resolves: Array
    before: Array
    after: Array


def new_answers(n: int, d: int) -> Answers:
    """Columns for n events of d coordinates; vectors (n, d) whatever d is."""
    nan, none = np.full((n, d), np.nan), np.full(n, -1, np.int64)
    return Answers(
        seq=np.zeros(n, np.int64),
        n=np.zeros(n, np.int64),
        p_value=np.full(n, np.nan),
        severity=np.full(n, np.nan),
        kind=np.zeros(n, np.uint8),
        episode=np.zeros(n, np.int64),
        notice=np.zeros(n, np.bool_),
        late=np.zeros(n, np.bool_),
        expected=nan,
        lower=nan.copy(),
        upper=nan.copy(),
        why=np.zeros((n, d), np.float32),
        changed_at=none,
        resolves=none.copy(),
        before=nan.copy(),
        after=nan.copy(),
    )


__all__ = ["Answers", "Buffer", "new_answers", "new_buffer", "put_arrays", "saved_arrays"]
