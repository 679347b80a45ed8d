"""Loops over neighbours: what a node's surroundings look like, column by column."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from marigram.numerics.jit import kernel

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]


@kernel
def gather_means(starts: Ints, stops: Ints, indices: Any, values: Floats, out: Floats) -> None:
    """Write to each row of ``out`` the means of the columns of ``values[indices[start:stop]]``; NaN is left out.

    ``starts``, ``stops`` (n,); ``values`` (m, d); ``out`` (n, d), NaN where nothing is known.
    """
    d = values.shape[1]
    total, known = np.empty(d), np.empty(d)
    for i in range(len(starts)):
        total[:] = 0
        known[:] = 0
        for slot in range(starts[i], stops[i]):
            row = values[indices[slot]]
            for j in range(d):
                if row[j] == row[j]:
                    total[j] += row[j]
                    known[j] += 1
        for j in range(d):
            out[i, j] = total[j] / known[j] if known[j] else np.nan


@kernel
def gather_spread(starts: Ints, stops: Ints, indices: Any, values: Floats, out: Floats) -> None:
    """Write standard deviation, smallest and largest value of each column to ``out`` (n, 3 d), block after block."""
    d = values.shape[1]
    known, mean, squares = np.empty(d), np.empty(d), np.empty(d)
    low, high = np.empty(d, np.float32), np.empty(d, np.float32)
    for i in range(len(starts)):
        known[:], mean[:], squares[:] = 0, 0, 0
        low[:], high[:] = np.inf, -np.inf
        for slot in range(starts[i], stops[i]):
            row = values[indices[slot]]
            for j in range(d):
                x = row[j]
                if x == x:
                    known[j] += 1
                    shift = x - mean[j]
                    mean[j] += shift / known[j]
                    squares[j] += shift * (x - mean[j])  # Welford
                    low[j] = min(low[j], x)
                    high[j] = max(high[j], x)
        for j in range(d):
            any_known = known[j] > 0
            out[i, j] = np.sqrt(squares[j] / known[j]) if any_known else np.nan
            out[i, d + j] = low[j] if any_known else np.nan
            out[i, 2 * d + j] = high[j] if any_known else np.nan


@kernel
def gather_gaps(starts: Ints, stops: Ints, times: Ints, own: Ints, out: Floats) -> None:
    """Write what the times of a node's edges tell to ``out`` (n, 5).

    Mean, standard deviation and smallest gap between one edge and the next, time from the first to the last, and from
    the last to the node's ``own`` time (n,), or NaN where ``own`` has length 0. ``times`` ascend within a row.
    """
    for i in range(len(starts)):
        first, last = starts[i], stops[i] - 1
        out[i] = np.nan
        if last < first:
            continue
        out[i, 3] = times[last] - times[first]
        if len(own):
            out[i, 4] = own[i] - times[last]
        if last == first:
            continue
        mean, squares, smallest = 0.0, 0.0, np.inf
        for slot in range(first + 1, last + 1):
            gap = float(times[slot] - times[slot - 1])
            shift = gap - mean
            mean += shift / (slot - first)
            squares += shift * (gap - mean)
            smallest = min(smallest, gap)
        out[i, 0] = mean
        out[i, 1] = np.sqrt(squares / (last - first))
        out[i, 2] = smallest


@kernel
def gather_past(indptr: Ints, indices: Any, times: Ints, values: Floats, out: Floats) -> None:
    """Write to the event of each slot what its partner had seen before: ``out`` (events, 2 d + 2).

    A row of the relation is an entity, its slots are its events in the order of time, and only strictly earlier ones
    count: how many, how long since the last, then mean and standard deviation of each column of ``values`` (events, d).
    """
    d = values.shape[1]
    known, mean, squares = np.empty(d), np.empty(d), np.empty(d)
    for row in range(len(indptr) - 1):
        known[:], mean[:], squares[:] = 0, 0, 0
        seen = indptr[row]
        for slot in range(indptr[row], indptr[row + 1]):
            while times[seen] < times[slot]:
                x = values[indices[seen]]
                for j in range(d):
                    if x[j] == x[j]:
                        known[j] += 1
                        shift = x[j] - mean[j]
                        mean[j] += shift / known[j]
                        squares[j] += shift * (x[j] - mean[j])
                seen += 1
            event = indices[slot]
            out[event, 0] = seen - indptr[row]
            out[event, 1] = times[slot] - times[seen - 1] if seen > indptr[row] else np.nan
            for j in range(d):
                out[event, 2 + j] = mean[j] if known[j] else np.nan
                out[event, 2 + d + j] = np.sqrt(squares[j] / known[j]) if known[j] else np.nan


@kernel
def rolling_means(
    asked: Ints, when: Ints, slots: Ints, seen: Ints, times: Ints, senders: Any, values: Floats, out: Floats
) -> None:
    """Write what the node of each row had received by certain moments: the means of the columns of ``values`` (m, d).

    Row i asks at ``when[asked[i]:asked[i + 1]]``, ascending, and gets its answers in the rows ``slots[...]`` of ``out``
    (m, d). It received ``values[senders[seen[i]:seen[i + 1]]]`` at the ``times`` of these slots, ascending too; without
    times, all along. One pass over both. NaN is left out, and stands where nothing is known.
    """
    d = values.shape[1]
    total, known = np.empty(d), np.empty(d)
    for i in range(len(asked) - 1):
        total[:], known[:] = 0, 0
        at = seen[i]
        for query in range(asked[i], asked[i + 1]):
            while at < seen[i + 1] and (not len(times) or times[at] <= when[query]):
                row = values[senders[at]]
                for j in range(d):
                    if row[j] == row[j]:
                        total[j] += row[j]
                        known[j] += 1
                at += 1
            for j in range(d):
                out[slots[query], j] = total[j] / known[j] if known[j] else np.nan


@kernel
def rolling_counts(asked: Ints, when: Ints, slots: Ints, seen: Ints, times: Ints, out: Floats) -> None:
    """Write log(1 + how many) instead of means: ``out`` (m,)."""
    for i in range(len(asked) - 1):
        at = seen[i]
        for query in range(asked[i], asked[i + 1]):
            while at < seen[i + 1] and (not len(times) or times[at] <= when[query]):
                at += 1
            out[slots[query]] = np.log1p(at - seen[i])


@kernel
def visible_stops(starts: Ints, stops: Ints, times: Ints, own: Ints, out: Ints) -> None:
    """Write the end of the edges no later than each node's ``own`` time to ``out`` (n,); times ascend in a row."""
    for i in range(len(starts)):
        low, high = starts[i], stops[i]
        while low < high:
            middle = (low + high) // 2
            if times[middle] <= own[i]:
                low = middle + 1
            else:
                high = middle
        out[i] = low


__all__ = [
    "gather_gaps",
    "gather_means",
    "gather_past",
    "gather_spread",
    "rolling_counts",
    "rolling_means",
    "visible_stops",
]
