"""Whether the graph helped: average precision on validation with and without it, over the same resampled nodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np
from numpy.typing import NDArray

from marigram.evaluate.metrics import average_precision

Verdict = Literal["helps", "does not help", "too few labels"]
FEWEST_POSITIVES = 10
RESAMPLES = 1000
MANY = 50_000
"""Validation nodes from which on a fifth of the resamples is enough: the interval is narrow."""


@final
@dataclass(frozen=True)
class Comparison:
    """The graph model beside its no-graph control, on validation.

    Attributes
    ----------
    graph_ap, control_ap
        Average precision; NaN without an anomaly.
    gain, gain_low, gain_high
        Their difference, and the 95 % interval of a paired bootstrap over the nodes of each class.
    positives, count
        Anomalies and nodes in validation.
    """

    graph_ap: float
    control_ap: float
    gain: float
    gain_low: float
    gain_high: float
    positives: int
    count: int

    @classmethod
    def of(
        cls, graph: NDArray[np.float64], control: NDArray[np.float64], positive: NDArray[Any], *, seed: int
    ) -> Comparison:
        """Compare scores (n,) of both with the truth (n,)."""
        found = int(positive.sum())
        if not found or found == len(positive):
            return cls(np.nan, np.nan, np.nan, np.nan, np.nan, found, len(positive))
        both = float(average_precision(positive, graph)), float(average_precision(positive, control))
        first, second = _Ranking(graph, positive), _Ranking(control, positive)
        rng = np.random.default_rng([seed, 7])
        ones, zeros = np.flatnonzero(positive), np.flatnonzero(~positive)
        gains = np.empty(RESAMPLES if len(positive) <= MANY else RESAMPLES // 5)
        for i in range(len(gains)):
            times = np.zeros(len(positive), np.int64)
            for rows in (ones, zeros):
                times[rows] = np.bincount(rng.integers(0, len(rows), len(rows)), minlength=len(rows))
            gains[i] = first.average_precision(times) - second.average_precision(times)
        low, high = np.quantile(gains, [0.025, 0.975])
        return cls(*both, both[0] - both[1], float(low), float(high), found, len(positive))

    @property
    def verdict(self) -> Verdict:
        """``"helps"`` when the whole interval lies above 0."""
        if self.positives < FEWEST_POSITIVES or self.positives == self.count:
            return "too few labels"
        return "helps" if self.gain_low > 0 else "does not help"

    @property
    def reason(self) -> str:
        """The verdict in a sentence with its figures."""
        if self.verdict == "too few labels":
            return (
                f"validation has {self.positives} anomalies among {self.count} nodes: "
                f"fewer than {FEWEST_POSITIVES} prove nothing"
            )
        shown = f"{self.graph_ap:.3f} with the graph, {self.control_ap:.3f} without"
        interval = f"{self.gain:+.3f}, 95 % interval {self.gain_low:+.3f} to {self.gain_high:+.3f}"
        return f"average precision on validation is {shown}: a gain of {interval}, {self.positives} anomalies"


@final
class _Ranking:
    """Nodes in the order of their scores, sorted once for all resamples."""

    def __init__(self, scores: NDArray[np.float64], positive: NDArray[Any]) -> None:
        self.order = np.argsort(-scores, kind="stable")
        ranked = scores[self.order]
        self.last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))  # of equal scores
        self.positive = positive[self.order]

    def average_precision(self, times: NDArray[np.int64]) -> float:
        """Average precision where node i occurs ``times[i]`` times."""
        here = times[self.order]
        found = np.cumsum(here * self.positive)[self.last]
        flagged = np.cumsum(here)[self.last]
        gained = np.diff(found, prepend=0)
        return float((gained * found / np.maximum(flagged, 1)).sum() / found[-1])


__all__ = ["FEWEST_POSITIVES", "Comparison", "Verdict"]
