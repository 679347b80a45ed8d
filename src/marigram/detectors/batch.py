"""A batch of events of many keys through the detector's kernel: :func:`process`, and the columns it fills."""

from __future__ import annotations

from typing import Any

import numpy as np

from marigram.detectors.kernel import run
from marigram.detectors.scoring import SCRATCH
from marigram.detectors.state import StateTable
from marigram.errors import ParameterError
from marigram.online.season import CALENDAR
from marigram.thresholds.tail import WORK_SHAPE

Columns = dict[str, Any]
NO_TIMES = np.zeros(0, np.int64)
_NO_WHY = np.empty((0, 1), np.float32)


def process(
    table: StateTable,
    slots: np.ndarray,
    values: np.ndarray,
    times: np.ndarray | None = None,
) -> Columns:
    """Send n events of many keys through their detectors, in row order, and update ``table`` in place.

    Parameters
    ----------
    table
        States of the keys.
    slots
        (n,) int64, the key of each event as a row of ``table``.
    values
        (n, d) float64, NaN where a value is missing; not mutated.
    times
        (n,) int64 nanoseconds since 1970 UTC, the smallest int64 for none; or None.

    Returns
    -------
    dict
        The columns of :class:`~marigram.verdicts.Verdicts` that a detector decides, the drift columns sparse.
    """
    columns = new_columns(len(slots), table.d)
    drifts = process_shard(table, slots, values, times, columns, 0, 1)
    return with_drifts(columns, [drifts])


def new_columns(n: int, d: int) -> Columns:
    """Empty output columns for n events of d coordinates; shards may fill them together."""
    shape = (n,) if d == 1 else (n, d)
    columns: Columns = {name: np.empty(n, np.int64) for name in ("seq", "n")}
    columns |= {name: np.empty(n) for name in ("p_value", "severity")}
    columns |= {name: np.empty(shape) for name in ("expected", "lower", "upper")}
    columns |= {"kind": np.empty(n, np.uint8), "episode": np.zeros(n, np.int64)}
    columns |= {name: np.zeros(n, np.bool_) for name in ("notice", "late")}
    columns["why"] = np.empty((n, d), np.float32) if d > 1 else None
    return columns


def process_shard(
    table: StateTable,
    slots: np.ndarray,
    values: np.ndarray,
    times: np.ndarray | None,
    columns: Columns,
    shard: int,
    shards: int,
) -> Columns:
    """As :func:`process` for the keys with slot % shards == shard, into the rows of ``columns``; gives the drifts."""
    n, d = values.shape
    drifts = new_drifts(n, d)
    given = NO_TIMES if times is None else times
    count = call_kernel(table, slots, values, given, columns, drifts, Rooms(d), shard, shards)
    return {name: column[:count].copy() for name, column in drifts.items()}


def new_drifts(n: int, d: int) -> Columns:
    """Room for the drifts of n events; the kernel fills it from the top."""
    drifts: Columns = {name: np.empty(n, np.int64) for name in ("drift_rows", "changed_at", "resolves")}
    return drifts | {name: np.empty((n, d)) for name in ("before", "after")}


class Rooms:
    """What the kernel works in while it judges one event of d coordinates."""

    def __init__(self, d: int) -> None:
        self.scratch = np.zeros(d, SCRATCH)
        self.calendar = np.zeros(1, CALENDAR)
        self.fit = np.empty(WORK_SHAPE)


def call_kernel(
    table: StateTable,
    slots: np.ndarray,
    values: np.ndarray,
    times: np.ndarray,
    columns: Columns,
    drifts: Columns,
    rooms: Rooms,
    shard: int,
    shards: int,
) -> int:
    """Run the kernel over the rows, into ``columns`` and ``drifts``; returns the number of drifts."""
    n, d = values.shape
    if d != table.d:
        raise ParameterError(f"values have {d} coordinates, the detector was begun with {table.d}")
    if len(times) and table.parameters.season == "auto":
        table.make_seasonal()
    why = columns["why"] if d > 1 else _NO_WHY
    expected, lower, upper = (columns[name].reshape(n, d) for name in ("expected", "lower", "upper"))
    count: int = run(
        table.heads, table.coords, table.seasons, table.largest, table.pool, table.settings,
        slots, values, times, shard, shards,
        columns["seq"], columns["n"], columns["p_value"], expected, lower, upper, columns["kind"], columns["severity"],
        columns["episode"], columns["notice"], columns["late"], why,
        drifts["drift_rows"], drifts["changed_at"], drifts["before"], drifts["after"], drifts["resolves"],
        rooms.scratch, rooms.calendar, rooms.fit,
    )  # fmt: skip
    return count


def with_drifts(columns: Columns, drifts: list[Columns]) -> Columns:
    """Output columns with the drifts of all shards, in row order."""
    joined = {name: np.concatenate([part[name] for part in drifts]) for name in drifts[0]}
    order = np.argsort(joined["drift_rows"], kind="stable")
    joined = {name: column[order] for name, column in joined.items()}
    if columns["why"] is None:
        joined |= {name: joined[name][:, 0] for name in ("before", "after")}
    return columns | joined


__all__ = [
    "NO_TIMES",
    "Columns",
    "Rooms",
    "call_kernel",
    "new_columns",
    "new_drifts",
    "process",
    "process_shard",
    "with_drifts",
]
