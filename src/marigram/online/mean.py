"""The level of a stream by clipped SGD (Sankararaman and Narayanaswamy, NeurIPS 2023), scalar or vector.

The mean minimises the risk E 1/2 |x - theta|^2, whose gradient at one event is theta - x:

    theta <- Proj( theta - eta_t clip(theta - x_t, level) ),      clip(g, level) = g min(1, level/|g|).

One event moves the level by at most eta_t * level, however far out it lies, so heavy tails and corrupted events are
harmless; a step that does not vanish follows drift.  Steps: :mod:`marigram.online.steps`; levels:
:mod:`marigram.online.clips`; the first events: :mod:`marigram.online.beginning`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import msgspec
import numpy as np

from marigram.errors import ParameterError
from marigram.numerics.bits import prefetch
from marigram.numerics.jit import kernel, piece
from marigram.online import bounds, clips, regions, steps
from marigram.online._ranges import integer_in, number_in, settle
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
from marigram.online.regions import Regions, project
from marigram.online.steps import Steps, step_size

SETTINGS = np.dtype([*steps.FIELDS, *clips.FIELDS, *regions.FIELDS, ("first", "f8")])
"""``first``: events of which the median is taken to begin with."""


class MeanParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a user may choose about :class:`marigram.ClippedMean`, checked and frozen."""

    step: Steps = Steps()
    clip: Clips = Clips()
    start: float | None = None
    region: Regions = Regions()

    def __post_init__(self) -> None:
        if self.start is not None:
            settle(self, "start", -MAGNITUDE, MAGNITUDE)
            self.region.inside(self.start)

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
        for name, value in (chosen | self.region.settings() | {"first": self.first}).items():
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


@piece
def step(p, s, x, scratch):
    """Learn the vector x into the record s."""
    d = x.shape[0]
    if s[T] < p.first:
        begin(p, s, x, VALUE + d, scratch)
    else:
        theta = s[VALUE : VALUE + d]
        norm = abs(x[0] - theta[0]) if d == 1 else distance(x, theta)
        factor = step_size(p, s[T]) * clip_factor(clip_level(p, s), norm)
        for j in range(d):
            theta[j] += factor * (x[j] - theta[j])
        clip_learn(p, s, norm)
        s[N] += 1.0
        s[T] += 1.0
    if p.bounded > 0.0:
        project(p, s[VALUE : VALUE + d])


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
        ``"power"``: T^-alpha for a ``horizon`` of T events. ``"doubling"``: the same in epochs of doubling length,
        without a horizon. ``"half-life"``: averages first, then forgets half in ``half_life`` events; the choice for
        a stream without end.
    clip
        Limit of one event's pull: ``"quantile"``, the running ``tau``-quantile of the distances; a number in the
        unit of the data; ``"2G"``, the theory's; None for plain SGD, a mean that one bad event can throw.
    tau
        Share of the events that are not clipped, in [0.5, 0.999].
    diameter
        G of ``clip="2G"``: how far apart two levels can lie; that of the ball, unless given.
    rate, alpha, horizon, half_life
        See ``step``; alpha is 2/3, and 1 before a half-life, unless given.
    start
        Value of every coordinate before the first event.  By default the median of the first five events begins,
        and the step averages, 1/(t + 1), while that is larger.
    ball, box
        Where the level is kept: radius of a ball around 0, or (low, high) of every coordinate; None: anywhere.

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
        step: float | Literal["anytime", "constant", "power", "doubling", "half-life"] = "anytime",
        clip: float | Literal["quantile", "2G"] | None = "quantile",
        *,
        tau: float = 0.95,
        diameter: float | None = None,
        rate: float | None = None,
        alpha: float | None = None,
        horizon: int | None = None,
        half_life: float | None = None,
        start: float | None = None,
        ball: float | None = None,
        box: Sequence[float] | None = None,
    ) -> None:
        chosen = Steps.of(step, rate, alpha, horizon, half_life)
        capped = Clips.of(clip, tau, diameter, ball)
        super().__init__(MeanParameters(chosen, capped, start, Regions(ball, box)))  # type: ignore[arg-type]

    def radius(
        self,
        t: int,
        delta: float,
        *,
        sigma: float = 1.0,
        distance: float | None = None,
        drift: float = 0.0,
        corrupted: int = 0,
    ) -> float:
        """How far from the level the estimate is after t events, at most, with probability 1 - delta at all of them.

        The bound of :mod:`marigram.online.bounds`, with its terms of drift and corruption.  It is proved and
        conservative, ten times and more above what is seen: it compares settings, and is no threshold.  Infinite where
        the proof says nothing, which a smaller step or a higher clip level often mends.

        Parameters
        ----------
        t
            Number of events, in [1, 10^15].
        delta
            Probability of being further away at any of them, in (0, 1).
        sigma
            Standard deviation of the noise, over all coordinates together; its tails may be as heavy as they like.
        distance
            How far the start may be from the level, in [0, clip/2]; by default clip/4, which is G/2 with
            ``clip="2G"``: it starts in the middle.
        drift
            How far the level may move from one event to the next.
        corrupted
            How many of the t events may be anything at all, wherever they are, in [0, t].

        Raises
        ------
        ParameterError
            An argument outside its range; an estimator without the step (constant or of a power of T), the fixed
            clip level or the start that the proof needs, or with a projection.

        Examples
        --------
        >>> mean = ClippedMean(step=0.003, clip="2G", diameter=2.0, start=0.0)
        >>> round(mean.radius(10_000, 0.05, sigma=1.0), 2)
        0.61
        """
        step, clip, bounded = self.parameters.step, self.parameters.clip, self.parameters.region != Regions()
        if step.kind not in {"constant", "power"} or clip.level is None or clip.follows or bounded:
            raise ParameterError(
                "radius is proved for a constant or power step and a fixed clip, without ball or box"
            )
        if self.parameters.start is None:
            raise ParameterError("radius is proved from a given start, for instance start=0.0")
        level, eta = clip.settings()["clip"], step.settings(averaging=False)["floor"]
        t = integer_in("t", t, 1, bounds.MOST)
        return bounds.mean_radius(
            t,
            number_in("delta", delta, 1e-300, 1.0 - 1e-9),
            eta,
            level,
            number_in("sigma", sigma, 0.0, bounds.LARGEST),
            level / 4.0 if distance is None else number_in("distance", distance, 0.0, level / 2.0),
            number_in("drift", drift, 0.0, bounds.LARGEST),
            integer_in("corrupted", corrupted, 0, t),
        )


__all__ = ["ClippedMean", "MeanParameters", "run", "step"]
