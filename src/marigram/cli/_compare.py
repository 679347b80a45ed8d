"""How the alerts of two configurations differ over the same events: which only the first gives, which only the other.

Both judge the same rows, so row by row is the comparison: an alert of both is the same event. Only counts are kept,
and as many keys and days as there are alerts; the differing alerts themselves are printed as they come.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marigram.cli._alerts import told_rows
from marigram.cli._options import Told
from marigram.verdicts import Verdict, Verdicts
from marigram.wording import clipped, padded, printable

_KEYS_SHOWN = 20


class Side(StrEnum):
    """Who gives an alert."""

    BOTH = "both"
    FIRST = "only_first"
    SECOND = "only_second"


class Comparison:
    """Counts alerts of two configurations, `first` and `second` in the order of the columns.

    Parameters
    ----------
    told
        What counts as an alert.
    """

    def __init__(self, told: Told) -> None:
        self._told = told
        self.counts: Counter[Side] = Counter()
        self.by_key: dict[Any, Counter[Side]] = {}
        self.by_day: dict[str, Counter[Side]] = {}

    def differences(self, first: Verdicts, second: Verdicts) -> Iterator[tuple[Side, Verdict]]:
        """Count one batch, judged by both; yield the alerts that only one of them gives, in the order of events."""
        sides = _sides(_told(first, self._told), _told(second, self._told))
        for row, side in sides:
            verdict = (second if side is Side.SECOND else first)[row]
            self.counts[side] += 1
            self.by_key.setdefault(verdict.key, Counter())[side] += 1
            if verdict.time is not None:
                day = str(np.datetime64(verdict.time, "ns").astype("datetime64[D]"))
                self.by_day.setdefault(day, Counter())[side] += 1
            if side is not Side.BOTH:
                yield side, verdict

    def as_object(self) -> dict[str, Any]:
        """The counts as one JSON object."""
        return {
            "alerts": _counts(self.counts),
            "by_key": [{"key": key} | _counts(counts) for key, counts in self._ranked()],
            "by_day": [{"day": day} | _counts(self.by_day[day]) for day in sorted(self.by_day)],
        }

    def lines(self) -> Iterator[str]:
        """The counts as a table for people: all, by key (those that differ most), by day."""
        yield f"{'':24}  {'both':>9}  {'only 1st':>9}  {'only 2nd':>9}"
        yield _line("alerts", self.counts)
        ranked = self._ranked()
        for key, counts in ranked[:_KEYS_SHOWN]:
            yield _line("(no key)" if key is None else str(key), counts)
        if len(ranked) > _KEYS_SHOWN:
            yield f"and {len(ranked) - _KEYS_SHOWN:,} keys more"
        for day in sorted(self.by_day):
            yield _line(day, self.by_day[day])

    def _ranked(self) -> list[tuple[Any, Counter[Side]]]:
        """Keys, those that differ most first."""
        return sorted(self.by_key.items(), key=lambda item: item[1][Side.BOTH] - item[1].total())


def _told(verdicts: Verdicts, told: Told) -> NDArray[np.bool_]:
    mask = np.zeros(len(verdicts), np.bool_)
    mask[told_rows(verdicts, told)] = True
    return mask


def _sides(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> Iterator[tuple[int, Side]]:
    for row in np.flatnonzero(first | second).tolist():
        yield row, Side.BOTH if first[row] and second[row] else Side.FIRST if first[row] else Side.SECOND


def _counts(counts: Counter[Side]) -> dict[str, int]:
    return {side.value: counts[side] for side in Side}


def _line(name: str, counts: Counter[Side]) -> str:
    both, first, second = (f"{counts[side]:9,}" for side in Side)
    return f"{padded(clipped(printable(name), 24), 24)}  {both}  {first}  {second}"


__all__ = ["Comparison", "Side"]
