"""The level of a stream by clipped SGD (Sankararaman and Narayanaswamy, NeurIPS 2023), scalar or vector.

The mean minimises the risk E 1/2 |x - theta|^2, whose gradient at one event is theta - x:

    theta <- Proj( theta - eta_t clip(theta - x_t, level) ),      clip(g, level) = g min(1, level/|g|).

One event moves the level by at most eta_t * level, however far out it lies, so heavy tails and corrupted events are
harmless; a step that does not vanish follows drift.  Steps: :mod:`marigram.online.steps`; levels:
:mod:`marigram.online.clips`; the first events: :mod:`marigram.online.beginning`.
"""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import msgspec
import numpy as np

from marigram.numerics.bits import prefetch
from marigram.numerics.elementary import larger
from marigram.numerics.jit import kernel, part, piece
from marigram.online import clips, steps
from marigram.online._ranges import settle
from marigram.online.beginning import FIRST, HELD, begin, distance
from marigram.online.clips import Clips, clip_factor, clip_learn, clip_level
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
from marigram.online.steps import Steps, step_size

SETTINGS = np.dtype([*steps.FIELDS, *clips.FIELDS, ("first", "f8"), ("ball", "f8")])
"""``first``: events of which the median is taken to begin with; ``ball``: radius of the projection, 0 for none."""


class MeanParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a user may choose about :class:`marigram.ClippedMean`, checked and frozen."""

    step: Steps = Steps()
    clip: Clips = Clips()
    start: float | None = None
    ball: float | None = None

    def __post_init__(self) -> None:
        if self.start is not None:
            settle(self, "start", -MAGNITUDE, MAGNITUDE)
        if self.ball is not None:
            settle(self, "ball", 0.0, MAGNITUDE, above=True)

    @property
    def first(self) -> int:
        """Events that begin: none where a start is given, one without clipping, else enough for a median."""
        if self.start is not None:
            return 0
        return 1 if self.clip.level is None else FIRST

    def settings(self) -> Array:
        """The compiled form."""
        row = np.zeros(1, SETTINGS)
        chosen = self.step.settings(averaging=self.start is None) | self.clip.settings()
        for name, value in (chosen | {"first": self.first, "ball": self.ball or 0.0}).items():
            row[name] = value
        return row

    def fields(self, d: int) -> list[Field]:
        """The first values, until there are enough."""
        return [("held", (HELD, d))] if self.first == FIRST else []

    def fresh(self, record: Array) -> None:
        """The start, where one is given."""
        if self.start is not None:
            record["value"] = self.start

    def restart(self, records: Array, value: Floats | None, n: int) -> None:
        """Go on at ``value``, or begin anew."""
        if value is not None:
            records["value"] = value
        elif self.start is not None:
            records["value"] = self.start
        records["t"] = 0 if value is None else max(n, self.first)


@part
def project(theta, ball):
    """The nearest point of the ball around the origin."""
    largest = 0.0
    for j in range(theta.shape[0]):
        largest = larger(largest, abs(theta[j]))
    if largest == 0.0:
        return
    total = 0.0
    for j in range(theta.shape[0]):
        u = theta[j] / largest
        total += u * u
    norm = largest * math.sqrt(total)
    if norm > ball:
        for j in range(theta.shape[0]):
            theta[j] *= ball / norm


@piece
def step(p, s, x, scratch):
    """Learn the vector x into the record s."""
    d = x.shape[0]
    if s[T] < p.first:
        begin(p, s, x, VALUE + d, scratch)
    else:
        theta = s[VALUE : VALUE + d]
        norm = distance(x, theta)
        factor = step_size(p, s[T]) * clip_factor(clip_level(p, s), norm)
        for j in range(d):
            theta[j] += factor * (x[j] - theta[j])
        clip_learn(p, s, norm)
        s[N] += 1.0
        s[T] += 1.0
    if p.ball > 0.0:
        project(s[VALUE : VALUE + d], p.ball)


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


class ClippedMean(ValueEstimator):
    """The level of a stream, which no event moves far: clipped SGD on the mean's loss.

    Parameters
    ----------
    step
        A number in (0, 1]: that step always (also ``step="constant", rate=…``). ``"anytime"``: (t + 1)^-alpha.
        ``"power"``: T^-alpha for a ``horizon`` of T events. ``"half-life"``: averages first, then forgets half in
        ``half_life`` events; the choice for a stream without end.
    clip
        Limit of one event's pull: ``"quantile"``, the running ``tau``-quantile of the distances; a number in the
        unit of the data; None for plain SGD, a mean that one bad event can throw.
    tau
        Share of the events that are not clipped, in [0.5, 0.999].
    rate, alpha, horizon, half_life
        See ``step``; alpha is 2/3, and 1 before a half-life, unless given.
    start
        Value of every coordinate before the first event.  By default the median of the first five events begins,
        and the step averages, 1/(t + 1), while that is larger.
    ball
        Radius of the ball around 0 that the level is kept in; None: not kept.

    Raises
    ------
    ParameterError
        A parameter outside its range, or one that the chosen step does not read.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.random.default_rng(0).normal(5.0, 1.0, 10_000)
    >>> x[::100] = 1e9
    >>> mean = ClippedMean().update_many(x)
    >>> round(mean.value, 1), mean.n
    (5.0, 10000)
    """

    METHOD: ClassVar[Method] = Method("ClippedMean", MeanParameters, run)
    parameters: MeanParameters

    def __init__(
        self,
        step: float | Literal["anytime", "constant", "power", "half-life"] = "anytime",
        clip: float | Literal["quantile"] | None = "quantile",
        *,
        tau: float = 0.95,
        rate: float | None = None,
        alpha: float | None = None,
        horizon: int | None = None,
        half_life: float | None = None,
        start: float | None = None,
        ball: float | None = None,
    ) -> None:
        chosen = Steps.of(step, rate, alpha, horizon, half_life)
        super().__init__(MeanParameters(chosen, Clips(clip, tau), start, ball))


__all__ = ["ClippedMean", "MeanParameters", "run", "step"]
