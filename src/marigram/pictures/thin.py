"""Fewer points, the same picture: what a column of pixels can show is its first, last, lowest and highest event."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["pieces_of", "thinned"]

Array: TypeAlias = NDArray[Any]

_SILENCE = 20.0
"""Pauses longer than this many usual ones break a line."""


def thinned(columns: Array, value: Array, always: Array) -> Array:
    """Return the rows to draw, in order: four a column of pixels, and all that ``always`` marks.

    Parameters
    ----------
    columns
        (n,) ascending numbers of the pixel columns.
    value
        (n,) values; NaN is never the lowest or highest.
    always
        (n,) mask of rows that must not be dropped.
    """
    n = len(columns)
    if n <= 4:
        return np.arange(n)
    starts = np.flatnonzero(np.diff(columns, prepend=columns[0] - 1))
    ends = np.append(starts[1:], n) - 1
    order = np.lexsort((np.where(np.isnan(value), np.inf, value), columns))
    lowest = order[starts]
    order = np.lexsort((np.where(np.isnan(value), -np.inf, value), columns))
    return np.unique(np.concatenate([starts, ends, lowest, order[ends], np.flatnonzero(always)]))


def pieces_of(x: Array, present: Array) -> Array:
    """Return (n,) numbers of the piece of a line that each row belongs to, -1 where nothing is ``present``.

    A line is broken where a value is missing and where events paused for much longer than they usually do.
    """
    gaps = np.diff(x, prepend=x[:1])
    usual = np.median(gaps[1:]) if len(x) > 2 else 0.0
    broken = ~present
    if usual > 0:
        broken |= gaps > _SILENCE * usual
    return np.where(present, np.cumsum(broken), -1)
