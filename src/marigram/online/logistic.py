"""Logistic regression by clipped SGD: the probability of a label from features x, said before the label is seen.

The risk E log(1 + exp(-y <x, theta>)) + mu/2 |theta|^2, for labels y of -1 and 1, has at one event the gradient

    g = (P(1 | x) - 1{y = 1}) x + mu theta,      P(1 | x) = 1/(1 + exp(-<x, theta>));

what is done with it is told in :mod:`marigram.online.regression`.  Its curvature is at most 1/4.  The loss is
Lipschitz in <x, theta>, so a wrong label does bounded harm by itself; clipping guards against long features.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np

from marigram.numerics.bits import prefetch
from marigram.numerics.elementary import clip
from marigram.numerics.jit import kernel, piece
from marigram.online.beginning import FIRST
from marigram.online.clips import Clips
from marigram.online.estimator import TargetEstimator
from marigram.online.records import AHEAD, REJECTED, VALUE, WORD, Floats, Method
from marigram.online.regions import Regions
from marigram.online.regression import LARGEST, RegressionParameters, learn
from marigram.online.steps import Steps

FAR = 700.0
"""Beyond this, in <x, theta>, a probability is told apart from 0 or 1 no more."""


class LogisticParameters(RegressionParameters, frozen=True, forbid_unknown_fields=True):
    """What a user may choose about :class:`marigram.ClippedLogistic`, checked and frozen."""

    CURVATURE = 0.25


@piece
def probability(z):
    """1/(1 + exp(-z))."""
    return 1.0 / (1.0 + math.exp(-clip(z, FAR)))


@piece
def share(y):
    """A label as the probability that it is 1: -1 is 0; NaN for what is no label."""
    if y == -1.0:
        return 0.0
    return y if 0.0 <= y <= 1.0 else math.nan


@kernel
def run(settings, words, slots, X, y, out):
    """Learn rows of X and y, each into the record of its slot; probabilities before each into ``out`` if it has any."""
    p = settings[0]
    n, d = X.shape
    line = WORD * words.shape[1]
    scratch = np.empty(FIRST)
    for i in range(n):
        if i + AHEAD < n:
            prefetch(words, slots[i + AHEAD] * line)
        s = words[slots[i]]
        z = 0.0
        wanted = share(y[i])
        usable = wanted == wanted
        for j in range(d):
            z += X[i, j] * s[VALUE + j]
            usable = usable and abs(X[i, j]) <= LARGEST
        said = probability(z)
        if out.shape[0] > 0:
            out[i, 0] = said
        if usable:
            learn(p, s, X[i], said - wanted, scratch)
        else:
            s[REJECTED] += 1.0


class ClippedLogistic(TargetEstimator):
    """Logistic regression of a stream, which no event moves far; probabilities come before the label is seen.

    Labels are 1 for one class and 0 or -1 for the other; between 0 and 1 a label is the probability of being 1, and
    anything else is counted as rejected.  ``predict`` and ``trace`` give the probability of 1.  There is no intercept:
    give a column of ones for one.  :attr:`value` holds the d coefficients.

    Parameters
    ----------
    step
        As for :class:`marigram.ClippedMean`, relative to 1/M.
    clip
        Limit of one event's pull: ``"quantile"``, the running ``tau``-quantile of the gradients' norms; a number in
        their unit; ``"2G"``, the theory's 2 M G; None for plain SGD.
    tau
        Share of the events that are not clipped, in [0.5, 0.999].
    diameter
        G of ``clip="2G"``: how far apart two coefficient vectors can lie; that of the ball, unless given.
    mu
        Weight of the ridge, in [0, 1e100], in the unit of |x|^2.
    smoothness
        M, in [1e-100, 1e100]; ``"auto"`` follows the lengths of the features, which keeps any step stable.
    ball, box
        Where the coefficients are kept: radius of a ball around 0, or (low, high) of each; None: anywhere.
    rate, alpha, horizon, half_life
        See ``step``.

    Raises
    ------
    ParameterError
        A parameter outside its range, or one that the chosen step does not read.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(5000, 2))
    >>> y = rng.random(5000) < 1 / (1 + np.exp(-X @ [2.0, -1.0]))
    >>> X[::50] *= 1e9
    >>> model = ClippedLogistic(mu=1e-3).update_many(X, y)
    >>> model.predict([[1.0, 0.0], [0.0, 1.0]]).round(1).tolist()
    [0.9, 0.3]
    """

    METHOD: ClassVar[Method] = Method("ClippedLogistic", LogisticParameters, run)
    parameters: LogisticParameters

    def __init__(
        self,
        step: float | Literal["anytime", "constant", "power", "doubling", "half-life"] = "anytime",
        clip: float | Literal["quantile", "2G"] | None = "quantile",
        *,
        tau: float = 0.95,
        diameter: float | None = None,
        mu: float = 0.0,
        smoothness: float | Literal["auto"] = "auto",
        ball: float | None = None,
        box: Sequence[float] | None = None,
        rate: float | None = None,
        alpha: float | None = None,
        horizon: int | None = None,
        half_life: float | None = None,
    ) -> None:
        chosen = Steps.of(step, rate, alpha, horizon, half_life)
        capped = Clips.of(clip, tau, diameter, ball)
        region = Regions(ball, box, LARGEST)  # type: ignore[arg-type]  # checked in __post_init__
        super().__init__(LogisticParameters(chosen, capped, mu, smoothness, region))

    def _respond(self, z: Floats) -> Floats:
        return 1.0 / (1.0 + np.exp(-np.clip(z, -FAR, FAR)))


__all__ = ["ClippedLogistic", "LogisticParameters", "run"]
