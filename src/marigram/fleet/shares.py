"""A batch among threads: each takes the keys whose row is congruent to its number, so no state has two writers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from marigram.detectors.default import process_shard
from marigram.detectors.state import StateTable
from marigram.errors import ParameterError

Ints: TypeAlias = NDArray[np.int64]
Columns: TypeAlias = dict[str, Any]

MOST_THREADS = 256
ALONE = 4096
"""Rows below which threads cost more than they bring."""


class Shares:
    """Runs the detector's kernel, on as many threads as it is given; no verdict depends on their number.

    Parameters
    ----------
    threads
        From 1 to 256.
    """

    def __init__(self, threads: int) -> None:
        if type(threads) is not int or not 1 <= threads <= MOST_THREADS:
            raise ParameterError(f"threads must be an integer from 1 to {MOST_THREADS}, got {threads!r}")
        self.threads = threads
        self._pool: ThreadPoolExecutor | None = None

    def run(
        self, table: StateTable, rows: Ints, values: NDArray[np.float64], times: Ints | None, columns: Columns
    ) -> list[Columns]:
        """Send events (n, d) through the detectors in ``rows`` of the table, into ``columns``; return the drifts."""
        if self.threads == 1 or len(rows) < ALONE:
            return [process_shard(table, rows, values, times, columns, 0, 1)]
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self.threads, "marigram")
        work = [
            self._pool.submit(process_shard, table, rows, values, times, columns, share, self.threads)
            for share in range(self.threads)
        ]
        return [share.result() for share in work]


__all__ = ["ALONE", "MOST_THREADS", "Shares"]
