"""Confidence sequences and Algorithms 1 to 5 of ICML 2024, written down plainly: slow, and easy to believe."""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

from marigram.kinds import Kind
from marigram.thresholds.sequences import EVERY, bounds


def passage_probabilities(looks: np.ndarray, r: float, lower: np.ndarray) -> np.ndarray:
    """P(K_m <= lower(m) at one of the looks up to each), K_m ~ Bin(m, r), by convolution with SciPy's masses."""
    alive = np.ones(1)
    found = []
    passed = 0.0
    before = 0
    for look, bound in zip(looks, lower, strict=True):
        step = int(look) - before
        before = int(look)
        alive = np.convolve(alive, stats.binom.pmf(np.arange(step + 1), step, r))
        passed += alive[: bound + 1].sum()
        alive[: bound + 1] = 0.0
        found.append(passed)
    return np.array(found)


class NaiveConfidence:
    """Algorithms 1 to 5 with every suffix and sorted lists; the interval is intersected over time."""

    def __init__(self, p, alpha, sequence, change, offline=()):
        self.p, self.alpha, self.sequence, self.change = p, alpha, sequence, change
        self.offline = [sorted(s) for s in offline]
        self.segment: list[float] = []
        self.forget()

    def forget(self) -> None:
        self.segment = []
        self.low, self.high = -math.inf, math.inf
        self.joint = (-math.inf, math.inf)
        self.joined = None

    def interval(self, scores: list[float], alpha: float) -> tuple[float, float]:
        table = bounds(self.sequence, self.p, alpha, max(len(scores), 1))
        look = np.searchsorted(table.looks, len(scores), side="right") - 1
        if look < 0:
            return -math.inf, math.inf
        ordered = sorted(scores)
        low, high = table.low[look], table.high[look]
        return (
            ordered[low] if low >= 0 else -math.inf,
            ordered[len(ordered) - 1 - high] if high >= 0 else math.inf,
        )

    def changed(self) -> bool:
        if self.change is None or not self.segment:
            return False
        if self.low > self.high:
            return True
        for start in range(len(self.segment)):
            length = len(self.segment) - start
            low, high = self.interval(self.segment[start:], self.change)
            if length <= EVERY and (low > self.high or high < self.low):
                return True
        return False

    def update(self, x: float) -> Kind:
        low, high = max(self.low, self.joint[0]), min(self.high, self.joint[1])
        if low > high:
            said = Kind.UNDECIDED
        elif x > high:
            said = Kind.ANOMALY
        else:
            said = Kind.UNDECIDED if x >= low else Kind.NORMAL
        if self.changed():
            said = Kind.DRIFT
            self.forget()
        self.segment.append(x)
        low, high = self.interval(self.segment, self.alpha)
        self.low, self.high = max(self.low, low), min(self.high, high)
        self.join()
        return said

    def join(self) -> None:
        ends = [self.interval(s, self.alpha) for s in self.offline]
        fit = [j for j, (low, high) in enumerate(ends) if low <= self.high and high >= self.low]
        only = fit[0] if len(fit) == 1 else None
        if only != self.joined:
            self.joined, self.joint = only, (-math.inf, math.inf)
        if only is not None:
            low, high = self.interval(self.offline[only] + self.segment, self.alpha)
            self.joint = max(self.joint[0], low), min(self.joint[1], high)
