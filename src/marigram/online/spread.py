"""The scale of a stream by clipped SGD on log s, beside a level by clipped SGD, coordinate by coordinate.

The Cauchy M-scale solves E[(z^2 - 1)/(z^2 + 1)] = 0 for z = (x - m)/s.  Its influence function is bounded by 1, so

    log s <- log s + GAIN eta_t (z^2 - 1)/(z^2 + 1),        m <- m + eta_t clip(x - m, CLIP s)

moves the scale by at most the factor exp(GAIN eta_t) whatever comes; no separate clip is needed.  What is reported is
s/NORMAL, which is the standard deviation if the noise is normal.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import msgspec
import numpy as np

from marigram.errors import ParameterError
from marigram.numerics.bits import prefetch
from marigram.numerics.elementary import clip, exp_small, larger, median, smaller
from marigram.numerics.jit import kernel, part, piece
from marigram.online import regions, steps
from marigram.online._ranges import settle
from marigram.online.beginning import FIRST, HELD
from marigram.online.estimator import ValueEstimator
from marigram.online.records import (
    AHEAD,
    MAGNITUDE,
    REJECTED,
    VALUE,
    WORD,
    Array,
    Field,
    Floats,
    Method,
    N,
    T,
    usable,
)
from marigram.online.regions import Regions, project
from marigram.online.steps import Steps, step_size

NORMAL = 0.6120031809624807
"""The Cauchy M-scale of the standard normal distribution: the root of E[2/(1 + z^2)] = 1."""
MEDIAN_TO_NORMAL = 1.482602218505602
"""Standard deviation of a normal distribution in units of its median absolute deviation."""
GAIN = 1.5
"""Step of log s in units of eta: the influence function's mean slope is about -1/2 there."""
CLIP = 3.4 * NORMAL
"""Influence cap of the level, in reported scales."""
RELATIVE_FLOOR = 1e-9
"""A scale below this part of the level is rounding noise."""
SMALLEST, LARGEST = 1e-300, 1e300
FAR = 1e15
"""Distances are cut at this many scales before they are squared."""

SETTINGS = np.dtype([*steps.FIELDS, *regions.FIELDS, ("centre", "f8"), ("fixed", "f8")])


class ScaleParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a user may choose about :class:`marigram.ClippedScale`, checked and frozen."""

    step: Steps = Steps("half-life", half_life=700.0)
    centre: float | None = None
    region: Regions = Regions()

    def __post_init__(self) -> None:
        if self.centre is not None:
            settle(self, "centre", -MAGNITUDE, MAGNITUDE)
        if self.region.box is not None and self.region.box[0] < 0.0:
            raise ParameterError(f"box must be (low, high) with low at least 0, got {self.region.box!r}")

    def settings(self) -> Array:
        """The compiled form."""
        row = np.zeros(1, SETTINGS)
        fixed = {"centre": self.centre or 0.0, "fixed": 0.0 if self.centre is None else 1.0}
        for name, value in (self.step.settings(averaging=True) | self.region.settings() | fixed).items():
            row[name] = value
        return row

    def fields(self, d: int) -> list[Field]:
        """The level, and the first values, until there are enough."""
        return [("level", (d,)), ("held", (HELD, d))]

    def fresh(self, record: Array) -> None:
        """A fixed centre is known, else nothing."""
        record["level"] = np.nan if self.centre is None else self.centre

    def restart(self, records: Array, value: Floats | None, n: int) -> None:
        """Go on at the scale ``value`` and the present level, or begin anew."""
        if value is not None:
            records["value"] = np.abs(value)
            records["level"] = np.where(np.isnan(records["level"]), 0.0, records["level"])
        records["t"] = 0 if value is None else max(n, FIRST)


@piece
def influence(z):
    """(z^2 - 1)/(z^2 + 1)."""
    q = smaller(abs(z), FAR)
    q *= q
    return (q - 1.0) / (q + 1.0)


@part
def begin(p, s, x, scratch):
    """Learn one of the first values: level and scale are medians of those held."""
    d = x.shape[0]
    held = VALUE + 2 * d
    t = int(s[T])
    for j in range(d):
        if t < HELD:
            s[held + t * d + j] = x[j]
        if p.fixed == 0.0:
            gather(s, x, held, j, t, scratch)
            s[VALUE + d + j] = median(scratch, t + 1)
        gather(s, x, held, j, t, scratch)
        for i in range(t + 1):
            scratch[i] = abs(scratch[i] - s[VALUE + d + j])
        s[VALUE + j] = MEDIAN_TO_NORMAL * median(scratch, t + 1)


@piece
def gather(s, x, held, j, t, scratch):
    """Coordinate j of the t values held, and of x."""
    for i in range(t):
        scratch[i] = s[held + i * x.shape[0] + j]
    scratch[t] = x[j]


@piece
def step(p, s, x, scratch):
    """Learn the vector x into the record s."""
    d = x.shape[0]
    if s[T] < FIRST:
        begin(p, s, x, scratch)
    else:
        eta = step_size(p, s[T])
        for j in range(d):
            learn(p, s, VALUE + j, VALUE + d + j, x[j], eta)
    if p.bounded > 0.0:
        project(p, s[VALUE : VALUE + d])
    s[N] += 1.0
    s[T] += 1.0


@piece
def learn(p, s, scale, level, x, eta):
    """Learn one coordinate.  After a constant history the first other value sets the scale, and moves nothing."""
    e = x - s[level]
    own = s[scale]
    if own == 0.0:
        s[scale] = abs(e)
        return
    moved = own * exp_small(smaller(GAIN * eta, 1.0) * influence(e / (NORMAL * own)))
    s[scale] = smaller(larger(larger(moved, RELATIVE_FLOOR * abs(s[level])), SMALLEST), LARGEST)
    if p.fixed == 0.0:
        s[level] += eta * clip(e, CLIP * own)


@kernel
def run(settings, words, slots, X, y, out):  # noqa: ARG001  (all loops are called alike)
    """Learn the rows of X, each into the record of its slot; estimates before each into ``out`` where it has rows."""
    p = settings[0]
    n, d = X.shape
    line = WORD * words.shape[1]
    scratch = np.empty(FIRST)
    for i in range(n):
        if i + AHEAD < n:
            prefetch(words, slots[i + AHEAD] * line)
        s = words[slots[i]]
        x = X[i]
        if out.shape[0] > 0:
            for j in range(d):
                out[i, j] = s[VALUE + j]
        if usable(x):
            step(p, s, x, scratch)
        else:
            s[REJECTED] += 1.0


class ClippedScale(ValueEstimator):
    """The scale of a stream, coordinate by coordinate, which no event changes by more than a small factor.

    Parameters
    ----------
    step
        As for :class:`marigram.ClippedMean`; by default a half-life of 700 events.
    centre
        What deviations are taken from; None: from a level that is learned alongside, see :attr:`level`.
    box
        (low, high): what the scale is kept between, low at least 0; None: not kept.
    rate, alpha, horizon, half_life
        See ``step``.

    Raises
    ------
    ParameterError
        A parameter outside its range, or one that the chosen step does not read.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.random.default_rng(0).normal(5.0, 2.0, 10_000)
    >>> x[::100] = 1e9
    >>> scale = ClippedScale().update_many(x)
    >>> round(scale.value, 1), round(scale.level)
    (2.0, 5)
    """

    METHOD: ClassVar[Method] = Method("ClippedScale", ScaleParameters, run)
    parameters: ScaleParameters

    def __init__(
        self,
        step: float | Literal["anytime", "constant", "power", "doubling", "half-life"] = "half-life",
        *,
        rate: float | None = None,
        alpha: float | None = None,
        horizon: int | None = None,
        half_life: float | None = None,
        centre: float | None = None,
        box: Sequence[float] | None = None,
    ) -> None:
        if step == "half-life" and half_life is None:
            half_life = 700.0
        region = Regions(box=box)  # type: ignore[arg-type]  # checked in __post_init__
        super().__init__(ScaleParameters(Steps.of(step, rate, alpha, horizon, half_life), centre, region))

    @property
    def level(self) -> float | Floats:
        """The level, or the centre that was given: a number, or (d,)."""
        if self._records is None:
            return np.nan if self.parameters.centre is None else self.parameters.centre
        found: float | Floats = self._shaped(self._records.array["level"][0])
        return found

    def _score(self, record: Array, x: Floats) -> float:
        """The largest distance from the level, in scales."""
        away = np.abs(x - record["level"])
        return float(np.max(np.where(away == 0.0, 0.0, away / record["value"])))


__all__ = ["ClippedScale", "ScaleParameters", "run", "step"]
