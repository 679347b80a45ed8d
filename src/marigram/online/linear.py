"""Linear regression by clipped SGD: predictions of y from features x, made before y is seen.

The risk E 1/2 (y - <x, theta>)^2 + mu/2 |theta|^2 has, at one event, the gradient

    g = (<x, theta> - y) x + mu theta;

what is done with it is told in :mod:`marigram.online.regression`.  Its curvature is 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np

from marigram.numerics.bits import prefetch
from marigram.numerics.jit import kernel
from marigram.online.beginning import FIRST
from marigram.online.clips import Clips
from marigram.online.estimator import TargetEstimator
from marigram.online.records import AHEAD, REJECTED, VALUE, WORD, Method
from marigram.online.regions import Regions
from marigram.online.regression import LARGEST, RegressionParameters, learn
from marigram.online.steps import Steps


class LinearParameters(RegressionParameters, frozen=True, forbid_unknown_fields=True):
    """What a user may choose about :class:`marigram.ClippedLinear`, checked and frozen."""

    CURVATURE = 1.0


@kernel
def run(settings, words, slots, X, y, out):
    """Learn rows of X and y, each into the record of its slot; predictions before each into ``out`` if it has rows."""
    p = settings[0]
    n, d = X.shape
    line = WORD * words.shape[1]
    scratch = np.empty(FIRST)
    for i in range(n):
        if i + AHEAD < n:
            prefetch(words, slots[i + AHEAD] * line)
        s = words[slots[i]]
        z = 0.0
        usable = abs(y[i]) <= LARGEST
        for j in range(d):
            z += X[i, j] * s[VALUE + j]
            usable = usable and abs(X[i, j]) <= LARGEST
        if out.shape[0] > 0:
            out[i, 0] = z
        if usable:
            learn(p, s, X[i], z - y[i], scratch)
        else:
            s[REJECTED] += 1.0


class ClippedLinear(TargetEstimator):
    """Linear regression of a stream, which no event moves far; predictions come before the target is seen.

    There is no intercept: give a column of ones for one.  :attr:`value` holds the d coefficients.

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
    >>> y = X @ [3.0, -1.0] + 0.1 * rng.normal(size=5000)
    >>> y[::50] = 1e9
    >>> ClippedLinear().update_many(X, y).value.round(1).tolist()
    [3.0, -1.0]
    """

    METHOD: ClassVar[Method] = Method("ClippedLinear", LinearParameters, run)
    parameters: LinearParameters

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
        super().__init__(LinearParameters(chosen, capped, mu, smoothness, region))


__all__ = ["ClippedLinear", "LinearParameters", "run"]
