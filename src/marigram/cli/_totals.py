"""What a run counts, and how it tells that to people and programs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from marigram.kinds import Kind
from marigram.verdicts import Verdicts


@dataclass(slots=True)
class Totals:
    """Counters of one run; `lines` are those read from the source, each either a row or a reject."""

    lines: int = 0
    rows: int = 0
    rejects: int = 0
    kinds: list[int] = field(default_factory=lambda: [0] * len(Kind))
    notices: int = 0
    alerts: int = 0
    late: int = 0
    keys: int = 0
    seconds: float = 0.0

    def add(self, verdicts: Verdicts) -> None:
        """Count the rows of one batch."""
        self.rows += len(verdicts)
        counts = np.bincount(verdicts["kind"], minlength=len(Kind)).tolist()
        self.kinds = [a + b for a, b in zip(self.kinds, counts, strict=True)]
        self.notices += int(np.count_nonzero(verdicts["notice"]))
        self.late += int(np.count_nonzero(verdicts["late"]))

    @property
    def rate(self) -> float:
        """Rows a second; 0 before any time has passed."""
        return self.rows / self.seconds if self.seconds > 0 else 0.0

    def of(self, kind: Kind) -> int:
        """How many rows were of this kind."""
        return self.kinds[kind]

    def as_object(self) -> dict[str, Any]:
        """The summary as one JSON object."""
        return {
            "lines": self.lines,
            "rows": self.rows,
            "rejects": self.rejects,
            "keys": self.keys,
            "kinds": {kind.label: self.kinds[kind] for kind in Kind},
            "notices": self.notices,
            "alerts": self.alerts,
            "late": self.late,
            "seconds": round(self.seconds, 3),
            "events_per_second": round(self.rate),
        }

    def __str__(self) -> str:
        """The summary as one line."""
        parts = [
            _count(self.rows, "event"),
            _count(self.keys, "key"),
            _count(self.alerts, "alert"),
            _count(self.of(Kind.DRIFT), "drift"),
            _count(self.rejects, "rejected line"),
        ]
        rare = [f"{self.of(kind):,} {kind.label}" for kind in (Kind.MISSING,) if self.of(kind)]
        if self.late:
            rare.append(f"{self.late:,} late")
        return f"{', '.join(parts + rare)}; {self.seconds:.1f} s, {self.rate:,.0f} events/s"


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


__all__ = ["Totals"]
