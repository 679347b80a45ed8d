"""The streams of the experiment: a Gaussian that jumps, and tables cut into regimes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from marigram.datasets.local import find

AFTER = 50
"""Steps after a jump whose false alarms are counted."""


class Stream(NamedTuple):
    """Events (n, d), which of them are anomalies, and which inliers come in the 50 steps after a jump."""

    values: NDArray[np.float64]
    truth: NDArray[np.bool_]
    after: NDArray[np.bool_]


def gaussian(seed: int, n: int = 2000, d: int = 5, jumps: int = 3, size: float = 12.0) -> Stream:
    """Unit noise, jumps in random directions, 3 % outliers at 6 to 9 sigma in random directions."""
    rng = np.random.default_rng(seed)
    segment = np.arange(n) * (jumps + 1) // n
    steps = rng.normal(size=(jumps + 1, d))
    steps *= size / np.linalg.norm(steps, axis=1)[:, None]
    steps[0] = 0.0
    truth = rng.random(n) < 0.03
    noise, direction = rng.normal(size=(2, n, d))
    direction /= np.linalg.norm(direction, axis=1)[:, None]
    noise[truth] = (direction * rng.uniform(6.0, 9.0, n)[:, None])[truth]
    return Stream(noise + np.cumsum(steps, axis=0)[segment], truth, _after(segment) & ~truth)


def from_table(name: str, seed: int, n: int, regimes: int, share: float) -> Stream:
    """Normal rows, cut along their first principal component into regimes that follow in random order; a regime's
    rows are shuffled, and anomalies of the table take the places of a random ``share`` of all rows.

    Columns are divided by their standard deviation over the table's normal rows; constant ones are left out.
    """
    table = pq.read_table(find("adbench") / f"{name}.parquet").to_pandas()
    label = table.pop("label").to_numpy() == 1
    X = table.to_numpy(np.float64)
    deviation = X[~label].std(axis=0)
    X = X[:, deviation > 0] / deviation[deviation > 0]
    rng = np.random.default_rng(seed)
    normal, odd = X[~label], X[label]
    centred = normal - normal.mean(axis=0)
    along = centred @ np.linalg.svd(centred, full_matrices=False)[2][0]
    parts = np.array_split(normal[np.argsort(along)], regimes)
    each = -(-n // regimes)
    chosen = [parts[i][rng.integers(0, len(parts[i]), each)] for i in rng.permutation(regimes)]
    values = np.concatenate(chosen)[:n]
    truth = rng.random(n) < share
    values[truth] = odd[rng.integers(0, len(odd), int(truth.sum()))]
    return Stream(values, truth, _after(np.arange(n) // each) & ~truth)


def _after(segment: NDArray[np.int64]) -> NDArray[np.bool_]:
    at = np.flatnonzero(np.diff(segment)) + 1
    rows = np.arange(len(segment))[:, None]
    near: NDArray[np.bool_] = ((rows >= at) & (rows < at + AFTER)).any(axis=1)
    return near


__all__ = ["Stream", "from_table", "gaussian"]
