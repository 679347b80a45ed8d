"""What the cells say: paired differences over seeds, corrected for their number, and how often a method is best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import ttest_1samp

from marigram.graph.metrics import Interval, over_splits

FIGURES = ("auc", "ap", "recall")
Table = Mapping[str, Mapping[int, Mapping[str, Any]]]
"""Kind -> seed -> cell."""


@dataclass(frozen=True)
class Difference:
    """One method less another in one cell of the table.

    Attributes
    ----------
    points
        Mean over seeds and 95 % interval, in points.
    p
        Of a paired t test of no difference.
    seeds
        How many pairs.
    """

    points: Interval
    p: float
    seeds: int


def difference(table: Table, one: str, other: str, figure: str) -> Difference:
    """Return how much better one method is than another on the seeds that both have."""
    seeds = sorted(set(table.get(one, {})) & set(table.get(other, {})))
    gaps = [100 * (table[one][s][figure] - table[other][s][figure]) for s in seeds]
    if len(gaps) < 2:
        nan = float("nan")
        return Difference(Interval(gaps[0] if gaps else nan, nan, nan), 1.0, len(gaps))
    if not np.any(gaps) or np.ptp(gaps) == 0:
        return Difference(Interval(gaps[0], gaps[0], gaps[0]), 0.0 if gaps[0] else 1.0, len(gaps))
    return Difference(over_splits(gaps), float(ttest_1samp(gaps, 0.0).pvalue), len(gaps))


def holm(p: Sequence[float], level: float = 0.05) -> list[bool]:
    """Return which hypotheses fall under Holm's step-down procedure (S. Holm, 1979).

    >>> holm([0.01, 0.04, 0.03])
    [True, False, False]
    """
    order = np.argsort(p, kind="stable")
    rejected = [False] * len(p)
    for rank, place in enumerate(order):
        if p[place] > level / (len(p) - rank):
            break
        rejected[place] = True
    return rejected


def wins_and_losses(tables: Mapping[str, Table], one: str, other: str) -> tuple[int, int, int]:
    """Return cells won, tied and lost by one method against another, Holm over all graphs and figures."""
    found = [difference(t, one, other, f) for t in tables.values() for f in FIGURES]
    sure = holm([d.p for d in found])
    won = sum(s and d.points.value > 0 for s, d in zip(sure, found, strict=True))
    lost = sum(s and d.points.value < 0 for s, d in zip(sure, found, strict=True))
    return won, len(found) - won - lost, lost


def means(table: Table, kinds: Sequence[str], figure: str) -> dict[str, float]:
    """Return each method's mean in points over the seeds that all of these methods have."""
    present = [k for k in kinds if k in table]
    seeds = set.intersection(*(set(table[k]) for k in present)) if present else set()
    return {k: 100 * float(np.mean([table[k][s][figure] for s in sorted(seeds)])) for k in present if seeds}


def best_means(tables: Mapping[str, Table], kinds: Sequence[str]) -> dict[str, int]:
    """Return in how many cells each method has the highest mean; equal ones all count."""
    count = dict.fromkeys(kinds, 0)
    for table in tables.values():
        for figure in FIGURES:
            found = means(table, kinds, figure)
            for kind, value in found.items():
                count[kind] += value >= max(found.values()) - 1e-9
    return count


def not_below(tables: Mapping[str, Table], one: str, rivals: Sequence[str]) -> int:
    """Return in how many cells a method is not significantly below the best of its rivals there.

    In each cell it meets the rival with the highest mean; Holm over all cells.
    """
    gaps = []
    for table in tables.values():
        for figure in FIGURES:
            found = means(table, rivals, figure)
            gaps.append(difference(table, one, max(found, key=lambda k: found[k]), figure) if found else None)
    known = [gap for gap in gaps if gap is not None]
    sure = holm([gap.p for gap in known])
    return sum(not (s and gap.points.value < 0) for s, gap in zip(sure, known, strict=True))


__all__ = [
    "FIGURES", "Difference", "Table", "best_means", "difference", "holm", "means", "not_below", "wins_and_losses",
]  # fmt: skip
