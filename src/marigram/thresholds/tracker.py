"""A threshold that keeps its rate of alerts whatever the scores do: quantile tracking and conformal PID.

Gibbs and Candès, NeurIPS 2021; Angelopoulos, Candès and Tibshirani, "Conformal PID control for time series prediction",
NeurIPS 2023.  With err_t = 1{s_t > q_t} and E_t the sum of err - alpha so far,

    q_t = P_t + K_I tan(E_t ln(t + 1) / (C (t + 1))) + forecast_t,      P_(t+1) = P_t + eta (err_t - alpha).

P is the pinball loss's online gradient.  For scores in [0, b] and P alone, q stays in [-eta alpha, b + eta], so that
for *any* scores, chosen by an adversary or not,

    |mean of err over T events - alpha| <= (b + eta) / (eta T).

The integral pulls back an error that lasts; the forecast, here a running mean, takes out what can be known beforehand.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from marigram.numerics.jit import kernel, part, piece
from marigram.online._ranges import settle
from marigram.online.records import MAGNITUDE
from marigram.thresholds.base import (
    ANOMALY,
    LEARNING,
    MISSING,
    NORMAL,
    REJECTED,
    Array,
    Counted,
    Floats,
    ScoreReader,
    taken,
)

MEMORY = 100
"""Scores that begin, and whose range is the unit of a step."""
STEEPEST = 1.57
"""The integral's tangent ends here, just short of infinity."""

SETTINGS = np.dtype([(name, "f8") for name in ("alpha", "step", "span", "integral", "saturation", "forget")])
STATE = np.dtype(
    [
        ("n", "i8"), ("rejected", "i8"), ("alerts", "i8"),
        ("tracked", "f8"), ("balance", "f8"), ("mean", "f8"), ("last", "f8", (MEMORY,)),
    ]
)  # fmt: skip
"""``tracked`` is P, ``balance`` E, ``last`` a ring of scores less their forecast."""


class TrackerParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a user may choose about :class:`marigram.QuantileTracker`, checked and frozen."""

    alpha: float = 0.01
    step: float = 0.05
    span: float | None = None
    integral: float = 0.0
    saturation: float = 1.0
    forecast: float | None = None

    def __post_init__(self) -> None:
        settle(self, "alpha", 1e-6, 0.5)
        settle(self, "step", 0.0, 10.0, above=True)
        settle(self, "integral", 0.0, 1e6)
        settle(self, "saturation", 1e-3, 1e6)
        if self.span is not None:
            settle(self, "span", 0.0, MAGNITUDE, above=True)
        if self.forecast is not None:
            settle(self, "forecast", 1.0, 1e9)

    def settings(self) -> Array:
        """The compiled form; a span of 0 is measured, and a share of 0 forgets nothing: no forecast."""
        forget = 0.0 if self.forecast is None else 1.0 - 0.5 ** (1.0 / self.forecast)
        row = (self.alpha, self.step, self.span or 0.0, self.integral, self.saturation, forget)
        return np.array([row], SETTINGS)


@piece
def threshold_of(p, s, unit):
    """q of the next event."""
    angle = 0.0
    if p.integral > 0.0:
        t = s.n + 1.0
        angle = s.balance * math.log(t) / (p.saturation * t)
        angle = min(max(angle, -STEEPEST), STEEPEST)
    return s.tracked + p.integral * unit * math.tan(angle) + s.mean


@piece
def unit_of(p, s):
    """The span that was given, or that of the last scores."""
    if p.span > 0.0:
        return p.span
    return s.last.max() - s.last.min()


@part
def begin(p, s):
    """The quantile of the first scores."""
    ordered = np.sort(s.last)
    s.tracked = ordered[MEMORY - 1 - int(p.alpha * MEMORY)]


@kernel
def run(settings, states, scores, out):
    """Answer each score into ``out``, then learn it."""
    p = settings[0]
    s = states[0]
    for i in range(scores.shape[0]):
        x = scores[i]
        if not abs(x) <= MAGNITUDE:
            s.rejected += 1
            out[i] = MISSING if math.isnan(x) else REJECTED
            continue
        if s.n == 0 and p.forget > 0.0:
            s.mean = x
        residual = x - s.mean
        out[i] = LEARNING
        if s.n >= MEMORY:
            unit = unit_of(p, s)
            error = 1.0 if x > threshold_of(p, s, unit) else 0.0
            out[i] = ANOMALY if error > 0.0 else NORMAL
            s.alerts += int(error)
            s.tracked += p.step * unit * (error - p.alpha)
            s.balance += error - p.alpha
        s.last[s.n % MEMORY] = residual
        s.mean += p.forget * (x - s.mean)
        s.n += 1
        if s.n == MEMORY:
            begin(p, s)


@kernel
def current_threshold(settings, states):
    """q of the next event."""
    p = settings[0]
    s = states[0]
    return threshold_of(p, s, unit_of(p, s))


class QuantileTracker(Counted[TrackerParameters], ScoreReader[TrackerParameters]):
    """A threshold that is passed by a share alpha of the scores in the long run, whatever they are.

    Parameters
    ----------
    alpha
        Share of alerts, in [1e-6, 0.5].
    step
        How far one event moves the threshold, in spans, in (0, 10].
    span
        Width of the scores, in their own unit; None: the range of the last 100.  With a span b, and scores in [0, b],
        the share of alerts is within (1 + step)/(step T) of alpha after T events, for any scores.
    integral, saturation
        K_I, in spans, in [0, 1e6], and C, in [1e-3, 1e6]: pulls back a rate that has been wrong for long.  0: not used.
    forecast
        Half-life in events, in [1, 1e9], of the running mean that is taken off the scores; None: nothing is.

    Raises
    ------
    ParameterError
        A parameter outside its range.

    Notes
    -----
    Answers are kinds: the first 100 ``learning``, then ``anomaly`` or ``normal``.

    Examples
    --------
    >>> import numpy as np
    >>> tracker = QuantileTracker(alpha=0.05)
    >>> scores = np.random.default_rng(0).normal(size=10_000).cumsum()
    >>> kinds = tracker.update_many(scores)
    >>> round(float((kinds == 1).mean()), 2)
    0.05
    """

    PARAMETERS: ClassVar[type[msgspec.Struct]] = TrackerParameters

    def __init__(
        self,
        alpha: float = 0.01,
        step: float = 0.05,
        *,
        span: float | None = None,
        integral: float = 0.0,
        saturation: float = 1.0,
        forecast: float | None = None,
    ) -> None:
        self._begin(TrackerParameters(alpha, step, span, integral, saturation, forecast))

    def __repr__(self) -> str:
        return f"<QuantileTracker: n={self.n}, threshold={self.threshold:g}>"

    @property
    def threshold(self) -> float:
        """A score beyond it is an anomaly; NaN while learning."""
        return float(current_threshold(self._settings, self._states)) if self.n >= MEMORY else math.nan

    @property
    def rate(self) -> float:
        """Share of alerts so far; NaN while learning."""
        return float(self._states["alerts"][0]) / (self.n - MEMORY) if self.n > MEMORY else math.nan

    def _begin(self, parameters: TrackerParameters) -> None:
        super().__init__(parameters)
        self._settings = parameters.settings()
        self._states = np.zeros(1, STATE)

    def _decide(self, scores: Floats) -> NDArray[np.uint8]:
        out = np.empty(len(scores), np.uint8)
        run(self._settings, self._states, scores, out)
        return out

    def _arrays(self) -> dict[str, Array]:
        return {"states": self._states}

    def _restore(self, arrays: Mapping[str, Any]) -> None:
        self._states = taken(arrays, "states", self._states)


__all__ = ["QuantileTracker", "TrackerParameters"]
