"""Streams of many keys for the fleet's tests, and what it means that two tables are the same."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from marigram.verdicts import FIELDS, Verdicts

MINUTE = 60 * 10**9
START = 1_700_000_000 * 10**9


def stream(
    seed: int, *, rows: int, keys: int, d: int = 1
) -> tuple[NDArray[Any], NDArray[np.float64], NDArray[np.int64]]:
    """Keys (n,) object, values (n,) or (n, d) and times (n,): shifts, spikes, nulls and late events among noise."""
    rng = np.random.default_rng(seed)
    names = np.array([f"key {k}" for k in range(keys)], object)
    chosen = rng.integers(0, keys, rows)
    values = rng.standard_t(3, size=(rows, d)) + 10.0 * (chosen % 3)[:, None]
    values[rows // 2 :] += 15.0
    values[rng.random(rows) < 0.02] *= 20.0
    values[rng.random(rows) < 0.01] = np.nan
    times = START + np.arange(rows) * MINUTE
    late = rng.random(rows) < 0.01
    times[late] -= 50 * MINUTE
    return names[chosen], values[:, 0] if d == 1 else values, times


def same(a: Verdicts, b: Verdicts, *, without: tuple[str, ...] = ()) -> bool:
    """Whether two tables agree in every field, bit for bit."""
    if len(a) != len(b):
        return False
    for name in FIELDS:
        if name in without:
            continue
        ours, theirs = a[name], b[name]
        if ours.dtype == object or theirs.dtype == object:
            if ours.tolist() != theirs.tolist():
                return False
        elif ours.tobytes() != theirs.tobytes():
            return False
    return True
