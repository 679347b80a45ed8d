"""One event of one key, without the cost of columns: what :meth:`marigram.Detector.update` runs.

The same kernel as for a batch, called with rooms of one row that are used again and again; the verdict is built from
them directly.  A batch's columns cost a hundred small allocations, ten times the kernel's own time for one event.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from marigram.detectors.batch import NO_TIMES, Rooms, call_kernel, new_columns, new_drifts
from marigram.detectors.state import StateTable
from marigram.kinds import Kind
from marigram.verdicts import Verdict
from marigram.verdicts.fields import NO_TIME
from marigram.verdicts.table import scores

_SLOT = np.zeros(1, np.int64)


class OneRow:
    """Rooms for one event of d coordinates."""

    def __init__(self, d: int) -> None:
        self.value = np.empty((1, d))
        self._time = np.empty(1, np.int64)
        self._columns = new_columns(1, d)
        self._drifts = new_drifts(1, d)
        self._rooms = Rooms(d)

    def update(self, table: StateTable, time: int | None, key: Any, own: Any) -> Verdict:
        """Send :attr:`value` through the detector of the table's one key."""
        columns, drifts = self._columns, self._drifts
        columns["notice"][0] = False
        columns["late"][0] = False
        columns["episode"][0] = 0
        if time is not None:
            self._time[0] = time
        times = NO_TIMES if time is None else self._time
        drifted = call_kernel(table, _SLOT, self.value, times, columns, drifts, self._rooms, 0, 1) > 0
        scalar = table.d == 1

        def level(name: str) -> Any:
            return _levels(drifts[name][0, 0] if scalar else drifts[name][0]) if drifted else None

        return Verdict(
            id=own,
            key=key,
            seq=int(columns["seq"][0]),
            n=int(columns["n"][0]),
            time=None if time == NO_TIME else time,
            value=self.value[0, 0].item() if scalar else self.value[0].tolist(),
            p_value=float(columns["p_value"][0]),
            score=float(scores(columns["p_value"])[0]),
            kind=Kind(int(columns["kind"][0])),
            severity=float(columns["severity"][0]),
            episode=int(columns["episode"][0]),
            notice=bool(columns["notice"][0]),
            changed_at=int(drifts["changed_at"][0]) if drifted else None,
            resolves=int(drifts["resolves"][0]) if drifted else None,
            late=bool(columns["late"][0]),
            why=[1.0] if scalar else columns["why"][0].tolist(),
            expected=columns["expected"][0].tolist(),
            lower=columns["lower"][0].tolist(),
            upper=columns["upper"][0].tolist(),
            before=level("before"),
            after=level("after"),
        )


def _levels(level: Any) -> Any:
    """A level, or d of them; None where nothing is known."""
    plain = level.tolist()
    return None if np.all(np.isnan(level)) else plain


__all__ = ["OneRow"]
