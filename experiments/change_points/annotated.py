"""The series that people annotated (van den Burg and Williams, 2020), and their two metrics.

``f1``: precision against all annotators' changes together, recall averaged over annotators, within a margin of 5
events, the beginning of the series counted as a change that all know.  ``covering``: the mean Jaccard index
of each annotated segment with the best of ours, averaged over annotators.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

Floats = NDArray[np.float64]
MARGIN = 5


@dataclass(frozen=True)
class Series:
    """A series (n, d) with the changes that each annotator marked."""

    name: str
    values: Floats
    annotations: list[list[int]]


def load(folder: Path) -> list[Series]:
    """All series of the set, missing values repeated from the one before."""
    table = pq.read_table(folder / "tcpd.parquet").to_pandas()
    marks = json.loads((folder / "annotations.json").read_text())
    series = []
    for name, part in table.groupby("series", sort=True):
        wide = part.pivot(index="t", columns="dim", values="value").sort_index().ffill().bfill()
        series.append(Series(str(name), wide.to_numpy(float), list(marks.get(str(name), {}).values())))
    return series


def standardised(x: Floats) -> Floats:
    """Values over the scale of the noise: the median |difference| of neighbours, Gaussian-consistent; whole series."""
    steps = np.abs(np.diff(x, axis=0))
    scale = np.median(steps, axis=0) / (0.6745 * np.sqrt(2))
    mean_scale = steps.mean(axis=0) * np.sqrt(np.pi) / 2
    scale = np.where(scale > 0, scale, np.where(mean_scale > 0, mean_scale, 1.0))
    return np.asarray((x - np.median(x, axis=0)) / scale)


def true_positives(marked: Iterable[int], found: Iterable[int], margin: int = MARGIN) -> int:
    """Marked changes with a found one of their own within the margin."""
    left = set(found)
    count = 0
    for mark in sorted(marked):
        near = [place for place in left if abs(place - mark) <= margin]
        if near:
            left.discard(min(near, key=lambda place: abs(place - mark)))
            count += 1
    return count


def f1(annotations: list[list[int]], found: Iterable[int], margin: int = MARGIN) -> float:
    """F1 of the changes found."""
    own = {0, *found}
    together = {0}.union(*map(set, annotations))
    precision = true_positives(together, own, margin) / len(own)
    recalls = [true_positives({0, *marks}, own, margin) / len({0, *marks}) for marks in annotations]
    recall = float(np.mean(recalls))
    return 2 * precision * recall / (precision + recall)


def covering(annotations: list[list[int]], found: Iterable[int], n: int) -> float:
    """Covering of the annotated segments by those found."""
    ours = _segments(found, n)
    return float(np.mean([_cover(_segments(marks, n), ours, n) for marks in annotations]))


def _segments(changes: Iterable[int], n: int) -> list[tuple[int, int]]:
    edges = sorted({0, n, *(change for change in changes if 0 < change < n)})
    return list(pairwise(edges))


def _cover(truth: list[tuple[int, int]], ours: list[tuple[int, int]], n: int) -> float:
    total = 0.0
    for a, b in truth:
        total += (b - a) * max(max(0, min(b, d) - max(a, c)) / (max(b, d) - min(a, c)) for c, d in ours)
    return total / n
