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
        both = average_precision(positive, graph), average_precision(positive, control)
        rng = np.random.default_rng([seed, 7])
        ones, zeros = np.flatnonzero(positive), np.flatnonzero(~positive)
        gains = np.empty(RESAMPLES)
        for i in range(RESAMPLES):
            drawn = np.concatenate([rng.choice(ones, len(ones)), rng.choice(zeros, len(zeros))])
            truth = positive[drawn]
            gains[i] = average_precision(truth, graph[drawn]) - average_precision(truth, control[drawn])
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


__all__ = ["FEWEST_POSITIVES", "Comparison", "Verdict"]
