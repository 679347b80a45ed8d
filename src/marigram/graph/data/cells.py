"""Labels and times as sources write them, turned into what a graph holds; what cannot be is refused with its row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marigram.errors import InputError
from marigram.graph.data.graph import TimeUnit
from marigram.graph.data.tables import Labels, Times, refuse_first

NANOSECONDS = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}
"""Nanoseconds in each unit in which sources count from 1970."""

_LIKELY = (315_532_800, 4_102_444_800)
"""Seconds of 1980 and of 2100: whole numbers between them, in some unit, are probably counted from 1970."""


def read_labels(values: NDArray[Any], what: str, mapping: Mapping[Any, int] | None = None) -> Labels:
    """Return labels as int8: 1 anomalous, 0 normal, -1 unknown.

    Parameters
    ----------
    values
        Booleans or whole numbers ``(n,)`` or ``(n, 1)``.
    what
        Whose labels, for messages.
    mapping
        The source's labels -> ours, where they differ, such as ``{1: 1, 2: 0, 0: -1}``; those not named stay.

    Raises
    ------
    InputError
        A label is NaN, not whole, or none of 1, 0 and -1.
    """
    column = np.asarray(values)
    if column.ndim == 2 and column.shape[1] == 1:
        column = column[:, 0]
    if column.ndim != 1 or column.dtype.kind not in "biuf":
        raise InputError(
            0, f"{what}: labels must be one number a row, not {column.dtype} of shape {column.shape}"
        )
    if column.dtype.kind == "f":
        refuse_first(
            np.isnan(column), lambda row: f"{what}, row {row}: the label is NaN; write -1 for unknown"
        )
        refuse_first(
            column != np.round(column), lambda row: f"{what}, row {row}: label {column[row]} is not whole"
        )
    known = column
    if mapping:
        known = column.astype(np.int64)
        for theirs, ours in mapping.items():
            known[column == theirs] = ours
    refuse_first(
        (known < -1) | (known > 1) if known.dtype.kind != "b" else np.zeros(len(known), bool),
        lambda row: (
            f"{what}, row {row}: label {column[row]} is none of 1 (anomalous), 0 (normal), -1 (unknown); "
            "say which is which with labels={theirs: ours}"
        ),
    )
    return known.astype(np.int8)


def read_times(values: NDArray[Any], what: str) -> tuple[Times, TimeUnit]:
    """Return times as int64, and what they count.

    Dates become nanoseconds of UTC (``"ns"``), whole numbers stay as they are (``"step"``), numbers with a fraction
    are seconds and become nanoseconds (``"s"``).

    Raises
    ------
    InputError
        A time is missing or NaN, too far away, or the column mixes seconds since 1970 with milliseconds and the like.
    """
    column = np.asarray(values)
    if column.ndim != 1:
        raise InputError(0, f"{what}: times must be one a row, not of shape {column.shape}")
    if column.dtype.kind == "M":
        refuse_first(np.isnat(column), lambda row: f"{what}, row {row}: the time is missing")
        return column.astype("datetime64[ns]").astype(np.int64), "ns"
    if column.dtype.kind not in "iuf":
        raise InputError(0, f"{what}: {column.dtype} is not a time")
    if column.dtype.kind == "f":
        return _from_floats(column, what)
    refuse_first(
        column > np.iinfo(np.int64).max, lambda row: f"{what}, row {row}: time {column[row]} is too large"
    )
    whole = column.astype(np.int64)
    epoch_unit(whole, what)
    return whole, "step"


def _from_floats(column: NDArray[np.floating[Any]], what: str) -> tuple[Times, TimeUnit]:
    refuse_first(~np.isfinite(column), lambda row: f"{what}, row {row}: time {column[row]} is not a number")
    if (column == np.round(column)).all():
        refuse_first(
            np.abs(column) > 2**53, lambda row: f"{what}, row {row}: time {column[row]} is not exact"
        )
        return read_times(column.astype(np.int64), what)
    nanoseconds = np.round(column.astype(np.float64) * NANOSECONDS["s"])
    refuse_first(
        np.abs(nanoseconds) >= 2**63, lambda row: f"{what}, row {row}: time {column[row]} is too large"
    )
    return nanoseconds.astype(np.int64), "s"


def epoch_unit(column: NDArray[np.int64], what: str) -> str | None:
    """Tell in which unit whole numbers count from 1970; None when they do not look as if they did.

    Raises
    ------
    InputError
        Some look like one unit and some like another.
    """
    found: dict[str, NDArray[np.bool_]] = {}
    for unit, scale in NANOSECONDS.items():
        low, high = (bound * (NANOSECONDS["s"] // scale) for bound in _LIKELY)
        inside = (column >= low) & (column <= high)
        if inside.any():
            found[unit] = inside
    if len(found) > 1:
        (first, ours), (second, theirs) = list(found.items())[:2]
        a, b = int(np.argmax(ours)), int(np.argmax(theirs))
        raise InputError(
            0,
            f"{what}, row {max(a, b)}: times of mixed units: {column[a]} (row {a}) looks like {first} since 1970, "
            f"{column[b]} (row {b}) like {second}",
        )
    for unit, inside in found.items():
        if inside.all():
            return unit
    return None


def one_unit(units: Mapping[str, TimeUnit]) -> TimeUnit:
    """Return what all times of a graph count.

    Parameters
    ----------
    units
        Whose times -> what they count; ``""`` for those without.

    Raises
    ------
    InputError
        Some are dates and others are numbers.
    """
    timed = {what: unit for what, unit in units.items() if unit}
    if not timed:
        return ""
    first = next(iter(timed))
    for what, unit in timed.items():
        if unit != timed[first]:
            raise InputError(
                0,
                f"times of mixed units: those of {first} are {_WORDS[timed[first]]}, those of {what} {_WORDS[unit]}",
            )
    return timed[first]


_WORDS = {"ns": "dates", "s": "seconds with a fraction", "step": "whole numbers without a unit"}

Reason = Callable[[int], str]

__all__ = ["NANOSECONDS", "epoch_unit", "one_unit", "read_labels", "read_times"]
