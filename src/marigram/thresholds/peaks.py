"""Peaks over threshold: SPOT and DSPOT (Siffer, Fouque, Termier and Largouët, KDD 2017).

Beyond a high quantile t of the first scores exceedances follow a generalised Pareto law (Pickands), and the score that
is passed with probability alpha is

    z = t + beta/xi ((alpha k/N)^(-xi) - 1),     N of k scores beyond t.

A score beyond z is an anomaly and not learned; one between t and z is a new exceedance, and the law is fitted anew.
DSPOT does the same to x_t - M_t, M_t the mean of the last ``drift`` scores that were no anomalies.

Of the original the fit differs: :mod:`marigram.thresholds.gpd` in place of Grimshaw's, over the last ``memory``
exceedances in place of all; and it knows that what lay beyond z was not learned.  Fitted as if nothing had been taken
away, as in the original, the law shrinks by its own decisions: at alpha a tenth of 1 - t's level it then flags five
times too much.  As in the original a score that rises for good is an anomaly for good, unless ``drift``
takes it out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from marigram.errors import ParameterError
from marigram.numerics.grid import BINS
from marigram.numerics.jit import kernel, part, piece
from marigram.online._ranges import integer_in, one_of, settle
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
from marigram.thresholds.exceedances import WORK, fit_exceedances
from marigram.thresholds.gpd import quantile, survival

FEWEST = 8.0
"""Exceedances that the calibration must be expected to hold."""
STATE = np.dtype(
    [
        ("n", "i8"), ("rejected", "i8"), ("normal", "i8"), ("beyond", "i8"), ("calibrated", "i8"), ("pushed", "i8"),
        ("start", "f8"), ("xi", "f8"), ("beta", "f8"), ("limit", "f8"), ("sum", "f8"),
    ]
)  # fmt: skip
"""``normal`` scores that were no anomalies (k), ``beyond`` of them past ``start`` (N); ``limit`` is z.

``calibrated`` first scores have been held, ``pushed`` have entered the window.
"""
SETTINGS = np.dtype([("alpha", "f8"), ("level", "f8"), ("sign", "f8")])


class PeaksParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a user may choose about :class:`marigram.PeaksOverThreshold`, checked and frozen."""

    alpha: float = 1e-3
    level: float = 0.98
    calibration: int = 1000
    drift: int | None = None
    side: Literal["upper", "lower"] = "upper"
    memory: int = 1000

    def __post_init__(self) -> None:
        settle(self, "alpha", 1e-12, 0.2)
        settle(self, "level", 0.5, 0.9999)
        integer_in("calibration", self.calibration, 16, 10_000_000)
        integer_in("memory", self.memory, 16, 10_000_000)
        one_of("side", self.side, ("upper", "lower"))
        if self.drift is not None:
            integer_in("drift", self.drift, 1, 10_000_000)
        if self.calibration * (1.0 - self.level) < FEWEST:
            least = math.ceil(FEWEST / (1.0 - self.level))
            raise ParameterError(
                f"calibration must be at least {least} at level {self.level:g}, got {self.calibration}"
            )
        if self.alpha >= 1.0 - self.level:
            raise ParameterError(f"alpha must lie below 1 - level = {1.0 - self.level:g}, got {self.alpha:g}")


@part
def set_limit(p, s, exceedances, rooms, counts, work):
    """Fit the law of the exceedances held, and move z."""
    held = min(s.beyond, exceedances.shape[0])
    cut = s.limit - s.start if s.normal > s.calibrated else math.inf
    s.xi, s.beta = fit_exceedances(exceedances[:held], cut, rooms, counts, work)
    if s.beta <= 0.0:
        s.limit = s.start
        return
    beyond = s.beyond / max(1.0 - survival(cut, s.xi, s.beta), 0.1)  # with those that were taken away
    log_survival = math.log(p.alpha * (s.normal - s.beyond + beyond) / beyond)
    s.limit = s.start + (quantile(log_survival, s.xi, s.beta) if log_survival < 0.0 else 0.0)


@part
def calibrate(p, s, first, exceedances, rooms, counts, work):
    """Choose t from the first scores."""
    ordered = np.sort(first)
    m = ordered.shape[0]
    s.start = ordered[min(int(p.level * m), m - 1)]
    s.normal = m
    for i in range(m):
        if first[i] > s.start:
            exceedances[s.beyond % exceedances.shape[0]] = first[i] - s.start
            s.beyond += 1
    s.beyond = max(s.beyond, 1)  # all alike: t itself, once
    set_limit(p, s, exceedances, rooms, counts, work)


@piece
def learn(p, s, x, exceedances, rooms, counts, work):
    """A score that was no anomaly."""
    s.normal += 1
    if x > s.start:
        exceedances[s.beyond % exceedances.shape[0]] = x - s.start
        s.beyond += 1
        set_limit(p, s, exceedances, rooms, counts, work)


@part
def push(s, window, x):
    """Put x into the window of which the mean is taken; its sum is taken anew each time it has been gone round."""
    k = s.pushed % window.shape[0]
    s.pushed += 1
    s.sum += x - window[k]
    window[k] = x
    if k == window.shape[0] - 1:
        s.sum = window.sum()


@kernel
def run(settings, states, window, first, exceedances, scores, out):
    """Answer each score into ``out``, then learn it.  A ``window`` without room: SPOT."""
    p = settings[0]
    s = states[0]
    depth = window.shape[0]
    rooms = np.empty(exceedances.shape[0])
    counts = np.zeros(BINS, np.int64)
    work = np.empty(WORK)
    for i in range(scores.shape[0]):
        raw = scores[i]
        if not abs(raw) <= MAGNITUDE:
            s.rejected += 1
            out[i] = MISSING if math.isnan(raw) else REJECTED
            continue
        raw *= p.sign
        s.n += 1
        out[i] = LEARNING
        if s.pushed < depth:
            push(s, window, raw)
            continue
        x = raw - s.sum / depth if depth > 0 else raw
        if s.calibrated < first.shape[0]:
            first[s.calibrated] = x
            s.calibrated += 1
            if s.calibrated == first.shape[0]:
                calibrate(p, s, first, exceedances, rooms, counts, work)
        elif x > s.limit:
            out[i] = ANOMALY
            continue
        else:
            out[i] = NORMAL
            learn(p, s, x, exceedances, rooms, counts, work)
        if depth > 0:
            push(s, window, raw)


class PeaksOverThreshold(Counted[PeaksParameters], ScoreReader[PeaksParameters]):
    """The score that is passed with probability alpha, extrapolated from exceedances: SPOT, and DSPOT with ``drift``.

    Parameters
    ----------
    alpha
        Probability that a normal score is called an anomaly, in [1e-12, 0.2] and below 1 - level.
    level
        Quantile of the first scores beyond which exceedances are learned, in [0.5, 0.9999].
    calibration
        Number of first scores, at least 8/(1 - level).
    drift
        Number of last scores, at least 1, whose mean is taken off each score (DSPOT); None: nothing is (SPOT).
    side
        ``"upper"`` or ``"lower"``: where anomalies are.
    memory
        Exceedances remembered, at least 16.

    Raises
    ------
    ParameterError
        A parameter outside its range.

    Examples
    --------
    >>> import numpy as np
    >>> peaks = PeaksOverThreshold(alpha=1e-3)
    >>> kinds = peaks.update_many(np.random.default_rng(0).exponential(size=50_000))
    >>> round(float((kinds == 1).mean()), 3), bool(abs(peaks.threshold - np.log(1000)) < 0.3)
    (0.001, True)
    """

    PARAMETERS: ClassVar[type[msgspec.Struct]] = PeaksParameters

    def __init__(
        self,
        alpha: float = 1e-3,
        *,
        level: float = 0.98,
        calibration: int = 1000,
        drift: int | None = None,
        side: Literal["upper", "lower"] = "upper",
        memory: int = 1000,
    ) -> None:
        self._begin(PeaksParameters(alpha, level, calibration, drift, side, memory))

    def __repr__(self) -> str:
        return f"<PeaksOverThreshold: n={self.n}, threshold={self.threshold:g}>"

    @property
    def threshold(self) -> float:
        """Where anomalies begin at present; NaN while learning."""
        s = self._states[0]
        if s["normal"] == 0:
            return math.nan
        mean = s["sum"] / len(self._window) if len(self._window) else 0.0
        return float(self._settings["sign"][0] * (s["limit"] + mean))

    @property
    def tail(self) -> tuple[float, float]:
        """(xi, beta) of the exceedances; NaN while learning."""
        s = self._states[0]
        return (float(s["xi"]), float(s["beta"])) if s["normal"] else (math.nan, math.nan)

    def _begin(self, parameters: PeaksParameters) -> None:
        super().__init__(parameters)
        sign = 1.0 if parameters.side == "upper" else -1.0
        self._settings = np.array([(parameters.alpha, parameters.level, sign)], SETTINGS)
        self._states = np.zeros(1, STATE)
        self._window: Floats = np.zeros(parameters.drift or 0)
        self._first: Floats = np.zeros(parameters.calibration)
        self._exceedances: Floats = np.zeros(parameters.memory)

    def _decide(self, scores: Floats) -> NDArray[np.uint8]:
        out = np.empty(len(scores), np.uint8)
        run(self._settings, self._states, self._window, self._first, self._exceedances, scores, out)
        return out

    def _arrays(self) -> dict[str, Array]:
        return {name: getattr(self, f"_{name}") for name in ("states", "window", "first", "exceedances")}

    def _restore(self, arrays: Mapping[str, Any]) -> None:
        for name in ("states", "window", "first", "exceedances"):
            setattr(self, f"_{name}", taken(arrays, name, getattr(self, f"_{name}")))


__all__ = ["PeaksOverThreshold", "PeaksParameters"]
