"""Linear regression by clipped SGD: predictions of y from features x, made before y is seen.

The risk E 1/2 (y - <x, theta>)^2 + mu/2 |theta|^2 has, at one event, the gradient g = (<x, theta> - y) x + mu theta:

    theta <- Proj( theta - (eta_t/M) clip(g, level) ),      level fixed, or the running quantile of |g|.

M is the smoothness of the risk.  With eta_t in (0, 1] the recursion is stable once M reaches |x|^2 + mu; unless a
number is given, M = max(median of |x|^2, |x_t|^2) + mu, the median followed as the clip level is.  So the step has no
unit, and features of any magnitude will do.  A running clip level begins at the median norm of the first five
gradients, which are measured and not followed: any of them may be the anomaly.
"""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import msgspec
import numpy as np

from marigram.errors import ParameterError
from marigram.numerics.bits import prefetch
from marigram.numerics.elementary import clip, exp_small, larger, median
from marigram.numerics.jit import kernel, part, piece
from marigram.online import clips, steps
from marigram.online._ranges import settle
from marigram.online.beginning import FIRST
from marigram.online.clips import EARLY_GAIN, GAIN, Clips, clip_factor, clip_learn, clip_level
from marigram.online.estimator import TargetEstimator
from marigram.online.mean import project
from marigram.online.records import AHEAD, CLIP, REJECTED, VALUE, WORD, Array, Field, Floats, Method, N, T
from marigram.online.steps import Steps, step_size

LARGEST = 1e100
"""Features, targets and coefficients beyond this are refused or cut: a gradient has three of them as factors."""
SMALLEST = 1e-200
"""Squared lengths below this are rounding noise."""

SETTINGS = np.dtype([*steps.FIELDS, *clips.FIELDS, ("mu", "f8"), ("smoothness", "f8"), ("ball", "f8")])


class LinearParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a user may choose about :class:`marigram.ClippedLinear`, checked and frozen."""

    step: Steps = Steps()
    clip: Clips = Clips()
    mu: float = 0.0
    smoothness: float | Literal["auto"] = "auto"
    ball: float | None = None

    def __post_init__(self) -> None:
        settle(self, "mu", 0.0, LARGEST)
        if isinstance(self.smoothness, str):
            if self.smoothness != "auto":
                raise ParameterError(f"smoothness must be 'auto' or a number, got {self.smoothness!r}")
        else:
            settle(self, "smoothness", 1 / LARGEST, LARGEST)
        if self.ball is not None:
            settle(self, "ball", 0.0, LARGEST, above=True)

    def settings(self) -> Array:
        """The compiled form."""
        row = np.zeros(1, SETTINGS)
        chosen = self.step.settings(averaging=False) | self.clip.settings()
        own = {
            "mu": self.mu,
            "smoothness": 0.0 if isinstance(self.smoothness, str) else self.smoothness,
            "ball": self.ball or 0.0,
        }
        for name, value in (chosen | own).items():
            row[name] = value
        return row

    def fields(self, d: int) -> list[Field]:  # noqa: ARG002  (of one length for every d)
        """The median of |x|^2, and the first lengths and norms."""
        return [("square", ()), ("held", (2, FIRST))]

    def fresh(self, record: Array) -> None:
        """Nothing depends on anything."""
        record["value"] = 0.0

    def restart(self, records: Array, value: Floats | None, n: int) -> None:
        """Go on at the coefficients ``value``, or at 0."""
        records["value"] = 0.0 if value is None else np.clip(value, -LARGEST, LARGEST)
        records["t"] = n


@part
def gradient_norm(theta, x, r, mu, xx):
    """|r x + mu theta|, in units of a bound of it, so that no square overflows."""
    bound = abs(r) * math.sqrt(xx)
    if mu == 0.0:
        return bound
    square = 0.0
    for j in range(theta.shape[0]):
        square += theta[j] * theta[j]
    bound += mu * math.sqrt(square)
    if bound == 0.0:
        return 0.0
    square = 0.0
    for j in range(theta.shape[0]):
        u = (r * x[j] + mu * theta[j]) / bound
        square += u * u
    return bound * math.sqrt(square)


@part
def measure(p, s, d, xx, norm, scratch):
    """The first events: clip level and squared length are the medians of those seen."""
    n = int(s[N])
    held = VALUE + d + 1
    s[held + n] = norm
    s[held + FIRST + n] = xx
    for i in range(n + 1):
        scratch[i] = s[held + FIRST + i]
    s[VALUE + d] = median(scratch, n + 1)
    if p.clip == 0.0:
        for i in range(n + 1):
            scratch[i] = s[held + i]
        s[CLIP] = median(scratch, n + 1)


@piece
def follow(p, s, d, xx, norm):
    """Later events: both are followed as quantiles."""
    clip_learn(p, s, norm)
    gain = larger(GAIN, EARLY_GAIN / (s[N] + 2.0))
    s[VALUE + d] *= exp_small(gain * (0.5 - (1.0 if xx <= s[VALUE + d] else 0.0)))


@piece
def step(p, s, x, y, prediction, scratch):
    """Learn the target y of the features x, for which ``prediction`` was said, into the record s."""
    d = x.shape[0]
    theta = s[VALUE : VALUE + d]
    xx = 0.0
    for j in range(d):
        xx += x[j] * x[j]
    r = prediction - y
    norm = gradient_norm(theta, x, r, p.mu, xx)
    young = s[N] < FIRST
    if young:
        measure(p, s, d, xx, norm, scratch)
    if not young or p.clip > 0.0:
        m = p.smoothness if p.smoothness > 0.0 else larger(larger(s[VALUE + d], xx) + p.mu, SMALLEST)
        factor = step_size(p, s[T]) * clip_factor(clip_level(p, s), norm) / m
        for j in range(d):
            theta[j] = clip(theta[j] - factor * (r * x[j] + p.mu * theta[j]), LARGEST)
        if p.ball > 0.0:
            project(theta, p.ball)
        s[T] += 1.0
    if not young:
        follow(p, s, d, xx, norm)
    s[N] += 1.0


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
        prediction = 0.0
        usable = abs(y[i]) <= LARGEST
        for j in range(d):
            prediction += X[i, j] * s[VALUE + j]
            usable = usable and abs(X[i, j]) <= LARGEST
        if out.shape[0] > 0:
            out[i, 0] = prediction
        if usable:
            step(p, s, X[i], y[i], prediction, scratch)
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
        their unit; None for plain SGD.
    tau
        Share of the events that are not clipped, in [0.5, 0.999].
    mu
        Weight of the ridge, in [0, 1e100], in the unit of |x|^2.
    smoothness
        M, in [1e-100, 1e100]; ``"auto"`` follows the lengths of the features, which keeps any step stable.
    ball
        Radius of the ball around 0 that the coefficients are kept in; None: not kept.
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
        step: float | Literal["anytime", "constant", "power", "half-life"] = "anytime",
        clip: float | Literal["quantile"] | None = "quantile",
        *,
        tau: float = 0.95,
        mu: float = 0.0,
        smoothness: float | Literal["auto"] = "auto",
        ball: float | None = None,
        rate: float | None = None,
        alpha: float | None = None,
        horizon: int | None = None,
        half_life: float | None = None,
    ) -> None:
        chosen = Steps.of(step, rate, alpha, horizon, half_life)
        super().__init__(LinearParameters(chosen, Clips(clip, tau), mu, smoothness, ball))


__all__ = ["ClippedLinear", "LinearParameters", "run", "step"]
