"""What regressions share: clipped SGD on a loss of <x, theta> with ridge, in a step without a unit.

The gradient at one event is g = r x + mu theta, where r is the derivative of the loss with respect to <x, theta>:

    theta <- Proj( theta - (eta_t/M) clip(g, level) ),      level fixed, or the running quantile of |g|.

M is the smoothness of the risk.  With eta_t in (0, 1] the recursion is stable once M reaches c |x|^2 + mu, c being the
largest curvature of the loss; unless a number is given, M = c max(median of |x|^2, |x_t|^2) + mu, the median followed
as the clip level is.  So the step has no unit, and features of any magnitude will do.  A running clip level begins at
the median norm of the first five gradients, which are measured and not followed: any of them may be the anomaly.
"""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import msgspec
import numpy as np

from marigram.errors import ParameterError
from marigram.numerics.elementary import clip, exp_small, larger, median
from marigram.numerics.jit import part, piece
from marigram.online import clips, regions, steps
from marigram.online._ranges import settle
from marigram.online.beginning import FIRST
from marigram.online.clips import EARLY_GAIN, GAIN, Clips, clip_factor, clip_learn, clip_level
from marigram.online.records import CLIP, VALUE, Array, Field, Floats, N, T
from marigram.online.regions import Regions, project
from marigram.online.steps import Steps, step_size

LARGEST = 1e100
"""Features, targets and coefficients beyond this are refused or cut: a gradient has three of them as factors."""
SMALLEST = 1e-200
"""Squared lengths below this are rounding noise."""

SETTINGS = np.dtype(
    [*steps.FIELDS, *clips.FIELDS, *regions.FIELDS, ("mu", "f8"), ("smoothness", "f8"), ("curvature", "f8")]
)


class RegressionParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a user may choose about a regression, checked and frozen; one for each loss has its curvature."""

    CURVATURE: ClassVar[float]
    """Largest second derivative of the loss with respect to <x, theta>."""

    step: Steps = Steps()
    clip: Clips = Clips()
    mu: float = 0.0
    smoothness: float | Literal["auto"] = "auto"
    region: Regions = Regions(largest=LARGEST)

    def __post_init__(self) -> None:
        settle(self, "mu", 0.0, LARGEST)
        if isinstance(self.smoothness, str):
            if self.smoothness != "auto":
                raise ParameterError(f"smoothness must be 'auto' or a number, got {self.smoothness!r}")
        else:
            settle(self, "smoothness", 1 / LARGEST, LARGEST)
        if self.clip.level == "2G" and isinstance(self.smoothness, str):
            raise ParameterError("clip='2G' is 2 M G: it needs the smoothness M as a number")
        self.region.inside(0.0)

    def settings(self) -> Array:
        """The compiled form."""
        row = np.zeros(1, SETTINGS)
        known = 0.0 if isinstance(self.smoothness, str) else self.smoothness
        chosen = self.step.settings(averaging=False) | self.clip.settings(known) | self.region.settings()
        own = {"mu": self.mu, "smoothness": known, "curvature": self.CURVATURE}
        for name, value in (chosen | own).items():
            row[name] = value
        return row

    def fields(self, d: int) -> list[Field]:  # noqa: ARG002  (of one length for every d)
        """The median of |x|^2, and the first lengths and norms."""
        return [("square", ()), ("early", (2, FIRST))]

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


@piece
def smoothness(p, square, xx):
    """M, from the median of |x|^2 and that of the event, unless it is given."""
    if p.smoothness > 0.0:
        return p.smoothness
    return larger(p.curvature * larger(square, xx) + p.mu, SMALLEST)


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
def learn(p, s, x, r, scratch):
    """Learn the features x, r being the derivative of the loss at what was predicted, into the record s."""
    d = x.shape[0]
    theta = s[VALUE : VALUE + d]
    xx = 0.0
    for j in range(d):
        xx += x[j] * x[j]
    norm = gradient_norm(theta, x, r, p.mu, xx)
    young = s[N] < FIRST
    if young:
        measure(p, s, d, xx, norm, scratch)
    if not young or p.clip > 0.0:
        factor = step_size(p, s[T]) * clip_factor(clip_level(p, s), norm) / smoothness(p, s[VALUE + d], xx)
        for j in range(d):
            theta[j] = clip(theta[j] - factor * (r * x[j] + p.mu * theta[j]), LARGEST)
        if p.bounded > 0.0:
            project(p, theta)
        s[T] += 1.0
    if not young:
        follow(p, s, d, xx, norm)
    s[N] += 1.0


__all__ = ["LARGEST", "RegressionParameters", "learn"]
