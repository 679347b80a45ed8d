"""How often an entity, or a pair of entities, was seen in the last while, and how long ago: counts as of each event.

Of every relation of the events and every pair of relations: the number of earlier events with the same entities within
three spans of time, and the time since the last one. Rows that come later never count, nor does the row itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

SHARES: Final = (0.001, 0.01, 0.1)
"""The spans, as shares of the time that all events take."""
MOST_PAIRED: Final = 6
"""Relations of which pairs are counted: the first ones, each of which costs a pass for each other."""
_TICKS: Final = 1 << 40


def recent(codes: Mapping[str, NDArray[Any]], time: NDArray[Any]) -> tuple[list[str], Floats]:
    """Return names of columns and columns, float32 (n, D); NaN where the entity is absent or was never seen before.

    Parameters
    ----------
    codes
        Relation -> int64 (n,): which entity, -1 for none.
    time
        (n,) not decreasing, any unit.

    Examples
    --------
    >>> import numpy as np
    >>> names, x = recent({"user": np.array([0, 1, 0])}, np.array([0, 5, 1000]))
    >>> names[-1], x[2, -1].round(2)
    ('time since the last of user', np.float32(6.91))
    """
    told = {name: code for name, code in codes.items() if len(code) and code.max() > 0}
    keys = {name: _dense(code) for name, code in told.items()}
    for a, b in combinations(list(told)[:MOST_PAIRED], 2):
        both = told[a] * (int(told[b].max()) + 1) + told[b]
        keys[f"{a} and {b}"] = _dense(np.where((told[a] < 0) | (told[b] < 0), -1, both))
    spread = float(time[-1] - time[0]) if len(time) else 0.0
    ticks = (
        ((time - time[0]) * (_TICKS / max(spread, 1e-9))).astype(np.int64)
        if spread
        else np.zeros(len(time), int)
    )
    names: list[str] = []
    columns: list[Floats] = []
    for name, key in keys.items():
        found, gap = _counted(key, ticks, spread)
        names += [f"{name} in the last {share:.1%} of the time" for share in SHARES]
        names.append(f"time since the last of {name}")
        columns += [*found, gap]
    return names, np.stack(columns, 1) if columns else np.zeros((len(time), 0), np.float32)


def _dense(key: NDArray[Any]) -> Ints:
    """The same keys from 0 on; -1 stays."""
    known, inverse = np.unique(key, return_inverse=True)
    return np.asarray(inverse - int(len(known) > 0 and known[0] < 0), np.int64)


def _counted(key: Ints, ticks: Ints, spread: float) -> tuple[list[Floats], Floats]:
    order = np.argsort(key, kind="stable")
    grouped, when = key[order], ticks[order]
    place = np.arange(len(key))
    starts = np.searchsorted(grouped, grouped, "left")
    line = grouped * (2 * _TICKS) + when
    absent = grouped < 0
    found = []
    for share in SHARES:
        first = np.maximum(np.searchsorted(line, line - int(share * _TICKS), "left"), starts)
        found.append(_back(np.where(absent, np.nan, np.log1p(place - first)), order))
    before = np.where(place > starts, when - when[np.maximum(place - 1, 0)], -1) * (spread / _TICKS)
    gap = np.where((place == starts) | absent, np.nan, np.log1p(np.maximum(before, 0)))
    return found, _back(gap, order)


def _back(values: NDArray[Any], order: Ints) -> Floats:
    out = np.empty(len(order), np.float32)
    out[order] = values
    return out


__all__ = ["MOST_PAIRED", "SHARES", "recent"]
