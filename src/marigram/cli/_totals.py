"""What a run counts, and how it tells that to people and programs."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from marigram.kinds import Kind
from marigram.verdicts import Verdicts


class Totals(msgspec.Struct):
    """Counters over the whole stream, runs that were resumed included; plain JSON values, so that a state keeps them.

    `rows` and `rejects` are what became of the lines read.
    """

    rows: int = 0
    rejects: int = 0
    kinds: list[int] = msgspec.field(default_factory=lambda: [0] * len(Kind))
    notices: int = 0
    alerts: int = 0
    late: int = 0

    def add(self, verdicts: Verdicts, rejects: int) -> None:
        """Count one batch."""
        self.rows += len(verdicts)
        self.rejects += rejects
        counts = np.bincount(verdicts["kind"], minlength=len(Kind)).tolist()
        self.kinds = [a + b for a, b in zip(self.kinds, counts, strict=True)]
        self.notices += int(np.count_nonzero(verdicts["notice"]))
        self.late += int(np.count_nonzero(verdicts["late"]))

    def join(self, other: Totals) -> None:
        """Add what another counter has counted."""
        self.kinds = [a + b for a, b in zip(self.kinds, other.kinds, strict=True)]
        for name in ("rows", "rejects", "notices", "alerts", "late"):
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def of(self, kind: Kind) -> int:
        """How many rows were of this kind."""
        return self.kinds[kind]


class Summary(msgspec.Struct, frozen=True):
    """The end of a run: the totals of the stream, and how fast this run was (`rows` of it in `seconds`)."""

    totals: Totals
    lines: int
    keys: int
    rows: int
    seconds: float

    @property
    def rate(self) -> float:
        """Rows a second in this run; 0 when it took no time."""
        return self.rows / self.seconds if self.seconds > 0 else 0.0

    def as_object(self) -> dict[str, Any]:
        """The summary as one JSON object."""
        totals = self.totals
        return {
            "lines": self.lines,
            "rows": totals.rows,
            "rejects": totals.rejects,
            "keys": self.keys,
            "kinds": {kind.label: totals.of(kind) for kind in Kind},
            "notices": totals.notices,
            "alerts": totals.alerts,
            "late": totals.late,
            "seconds": round(self.seconds, 3),
            "events_per_second": round(self.rate),
        }

    def __str__(self) -> str:
        """The summary as one line."""
        totals = self.totals
        parts = [
            _count(totals.rows, "event"),
            _count(self.keys, "key"),
            _count(totals.alerts, "alert"),
            _count(totals.of(Kind.DRIFT), "drift"),
            _count(totals.rejects, "rejected line"),
        ]
        if totals.of(Kind.MISSING):
            parts.append(f"{totals.of(Kind.MISSING):,} missing")
        if totals.late:
            parts.append(f"{totals.late:,} late")
        return f"{', '.join(parts)}; {self.seconds:.1f} s, {self.rate:,.0f} events/s"


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


__all__ = ["Summary", "Totals"]
