"""From scores to probabilities: a logistic curve through the labels of the validation part.

    P(anomaly | s) = 1 / (1 + exp(-(a s + b))),   a > 0,

fitted by Newton's method with the targets (n1 + 1) / (n1 + 2) and 1 / (n0 + 2) in place of 1 and 0, so that few labels
promise nothing certain (J. Platt, "Probabilistic outputs for support vector machines", 1999). The order of the scores
stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]

FLATTEST = 0.05
"""Smallest slope: scores that say nothing still keep their order."""


@final
@dataclass(frozen=True)
class Calibration:
    """A curve.

    Attributes
    ----------
    slope, shift
        a and b, for scores on the scale of logits.
    """

    slope: float = 1.0
    shift: float = 0.0

    @classmethod
    def fit(cls, scores: Doubles, positive: NDArray[Any]) -> Calibration:
        """Fit a curve to finite scores (n,) and truth (n,); with one class alone the slope stays 1.

        Examples
        --------
        >>> import numpy as np
        >>> curve = Calibration.fit(np.repeat([-4.0, 4.0], 100), np.tile([0, 0, 0, 1], 50) == 1)
        >>> curve.apply(np.array([-4.0, 4.0])).round(1).tolist()
        [0.2, 0.3]
        """
        n1, n0 = int(positive.sum()), int((~positive).sum())
        if not len(scores):
            return cls()
        target = np.where(positive, (n1 + 1) / (n1 + 2), 1 / (n0 + 2))
        if not n1 or not n0:
            mean = float(target.mean())
            return cls(1.0, float(np.log(mean / (1 - mean)) - scores.mean()))
        a, b = _newton(scores, target, free_slope=True)
        if a < FLATTEST:
            a, b = FLATTEST, _newton(FLATTEST * scores, target, free_slope=False)[1]
        return cls(float(a), float(b))

    def apply(self, scores: Doubles) -> Doubles:
        """Return a probability for each score."""
        return np.asarray(1 / (1 + np.exp(-np.clip(self.slope * scores + self.shift, -50, 50))))


def _newton(scores: Doubles, target: Doubles, *, free_slope: bool) -> tuple[float, float]:
    """Minimise the logistic loss over b, and over a unless it is 1; convex, so damped steps find the minimum."""
    middle, unit = (float(scores.mean()), float(scores.std()) or 1.0) if free_slope else (0.0, 1.0)
    z = (scores - middle) / unit
    mean = float(target.mean())
    a, b = (0.0 if free_slope else 1.0), float(np.log(mean / (1 - mean)))
    loss = _loss(a * z + b, target)
    for _ in range(100):
        p = 1 / (1 + np.exp(-np.clip(a * z + b, -50, 50)))
        error, curve = p - target, p * (1 - p)
        gradient = np.array([(error * z).sum() * free_slope, error.sum()])
        cross = (curve * z).sum() * free_slope
        matrix = np.array(
            [
                [(curve * z * z).sum() * free_slope + 1e-9 + (not free_slope), cross],
                [cross, curve.sum() + 1e-9],
            ]
        )
        step, length = np.linalg.solve(matrix, gradient), 1.0
        while (
            length > 1e-8 and (new := _loss((a - length * step[0]) * z + b - length * step[1], target)) > loss
        ):
            length /= 2
        if length <= 1e-8 or loss - new < 1e-12 * len(z):
            break
        a, b, loss = a - length * step[0], b - length * step[1], new
    return (a / unit, b - a * middle / unit) if free_slope else (a, b)


def _loss(logit: Doubles, target: Doubles) -> float:
    return float((np.logaddexp(0, logit) - target * logit).sum())


__all__ = ["Calibration"]
