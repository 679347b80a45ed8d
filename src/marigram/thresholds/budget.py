"""How many alerts people can look at, turned into a decision on each event of a whole fleet.

``mode="rate"``: at most so many in any period, given to the most surprising (:mod:`marigram.thresholds.rate`).
``mode="fdr"``: as many as there are, with a bounded share of false ones (:mod:`marigram.thresholds.discoveries`).
A budget comes after the detectors and changes nothing in them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar, Literal, TypeAlias

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from marigram.errors import ParameterError
from marigram.kinds import Kind
from marigram.online._ranges import integer_in, number_in, one_of
from marigram.online.records import as_values
from marigram.thresholds import discoveries, rate
from marigram.thresholds.base import Array, Counted, Floats, as_scores, read_only, taken
from marigram.verdicts import Verdicts

Mask: TypeAlias = NDArray[np.bool_]

SECOND = 1_000_000_000
PERIODS = {
    "second": SECOND,
    "minute": 60 * SECOND,
    "hour": 3600 * SECOND,
    "day": 86_400 * SECOND,
    "week": 7 * 86_400 * SECOND,
}
LONGEST = 366 * 86_400 * SECOND
RATE_MEMORY, FDR_MEMORY = 4.0, 10_000.0
EAGER = 5.0


class BudgetParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a user chose about :class:`marigram.AlertBudget`, checked and frozen."""

    mode: Literal["rate", "fdr"]
    budget: float
    period: int
    timed: bool
    memory: float
    eager: float
    of: Literal["notices", "anomalies", "events"]

    def __post_init__(self) -> None:
        one_of("mode", self.mode, ("rate", "fdr"))
        one_of("of", self.of, ("notices", "anomalies", "events"))
        if self.mode == "rate":
            integer_in("budget", int(self.budget), 1, 10_000)
            integer_in("per", self.period, 2, LONGEST if self.timed else 10**15)
            number_in("memory", self.memory, 0.1, 1000.0)
            number_in("eager", self.eager, 1.0, 1000.0)
        else:
            number_in("budget", self.budget, 0.0, 0.5, above=True)
            number_in("memory", self.memory, 10.0, 1e12)


class AlertBudget(Counted[BudgetParameters]):
    """Which events people are told of, so that there are never more than they asked for.

    Parameters
    ----------
    budget
        ``mode="rate"``: alerts in any period, an integer in [1, 10000].  ``mode="fdr"``: largest share of false alerts
        among all, in (0, 0.5].
    per
        The period of a rate: ``"second"``, ``"minute"``, ``"hour"``, ``"day"``, ``"week"``, a ``timedelta`` up to 366
        days, or a number of events, at least 2.
    mode
        ``"rate"`` or ``"fdr"``.
    memory
        ``mode="rate"``: half-life of what is known about the scores, in periods, in [0.1, 1000]; 4.
        ``mode="fdr"``: events over which false alerts are counted, in [10, 1e12]; 10,000.
    eager
        ``mode="rate"``: an event may get an alert when events as surprising come at most ``eager`` times as often as
        alerts may, in [1, 1000].  More uses the budget up sooner and on less.
    of
        Which rows of verdicts may get an alert: ``"notices"`` (one an episode), ``"anomalies"`` (and drifts), or all
        ``"events"``.

    Raises
    ------
    ParameterError
        A parameter outside its range, or one that the mode does not read.

    Notes
    -----
    Rate: *any* half-open stretch of one period holds at most ``budget`` alerts, whatever the stream does, by a clock
    that shows the latest time seen; an event that comes late counts as of now.  Verdicts are ranked by severity.

    FDR: with p-values that are valid given the past, E[false alerts]/E[max(1, alerts)] is at most ``budget`` at every
    moment, both counted with weights (1 - 1/memory)^age.  Verdicts are judged by their p-value.

    Examples
    --------
    >>> import numpy as np
    >>> scores = np.random.default_rng(0).exponential(size=100_000)
    >>> budget = AlertBudget(3, per=1000)
    >>> told = budget.update_many(scores)
    >>> int(told.sum()) <= 300, bool(scores[told].mean() > 5)
    (True, True)
    >>> fdr = AlertBudget(0.1, mode="fdr")
    >>> fdr.update(1e-9), fdr.update(0.3)
    (True, False)
    """

    PARAMETERS: ClassVar[type[msgspec.Struct]] = BudgetParameters

    def __init__(
        self,
        budget: float,
        per: str | int | timedelta | None = None,
        *,
        mode: Literal["rate", "fdr"] = "rate",
        memory: float | None = None,
        eager: float | None = None,
        of: Literal["notices", "anomalies", "events"] = "notices",
    ) -> None:
        one_of("mode", mode, ("rate", "fdr"))
        if mode == "rate":
            period, timed = _period(per)
            chosen = float(integer_in("budget", budget, 1, 10_000))
        else:
            for name, value in (("per", per), ("eager", eager)):
                if value is not None:
                    raise ParameterError(f"{name} is read by mode 'rate' alone, got {value!r}")
            period, timed = 0, False
            chosen = number_in("budget", budget, 0.0, 0.5, above=True)
        if memory is None:
            memory = RATE_MEMORY if mode == "rate" else FDR_MEMORY
        remembered = number_in("memory", memory, 0.0, 1e12)
        keen = number_in("eager", EAGER if eager is None else eager, 1.0, 1000.0)
        self._begin(BudgetParameters(mode, chosen, period, timed, remembered, keen, of))

    def __repr__(self) -> str:
        return f"<AlertBudget: {self.alerts} alerts of {self.n} events>"

    @property
    def alerts(self) -> int:
        """Alerts given."""
        return int(self._states["alerts"][0])

    def update(self, score: float, time: Any = None) -> bool:
        """Whether the event of this score, or p-value, gets an alert.

        ``time``: nanoseconds since 1970 UTC or a ``datetime64``; needed when the period is a time.
        """
        value = as_values(score)
        if value.ndim:
            raise ParameterError(f"one score is a number, got an array of shape {value.shape}")
        return bool(self.update_many(value.reshape(1), None if time is None else [time])[0])

    def update_many(self, scores: Verdicts | ArrayLike, times: ArrayLike | None = None) -> Mask:
        """Which of n events get an alert: (n,) booleans.  The same as one by one.

        Parameters
        ----------
        scores
            (n,) scores, the larger the more surprising, or p-values in mode ``"fdr"``; or the verdicts of a fleet.
        times
            (n,) nanoseconds since 1970 UTC or ``datetime64``; those of verdicts are known.  Not a time: as of now.
        """
        if isinstance(scores, Verdicts):
            return self._of_verdicts(scores)
        values = as_scores(scores)
        return self._decide(values, self._clock(times, len(values)))

    def _of_verdicts(self, verdicts: Verdicts) -> Mask:
        rows = self._candidates(verdicts)
        column = "severity" if self.parameters.mode == "rate" else "p_value"
        told = np.zeros(len(verdicts), np.bool_)
        if self.parameters.timed and len(verdicts) and (verdicts["time"] == rate.NO_TIME).all():
            raise ParameterError(
                "the period is a time, but no verdict has one: give per as a number of events"
            )
        clock = self._clock(verdicts["time"], len(verdicts))
        told[rows] = self._decide(read_only(verdicts[column][rows]), read_only(clock[rows]))
        return told

    def _candidates(self, verdicts: Verdicts) -> Mask:
        chosen = self.parameters.of
        if chosen == "events" or self.parameters.mode == "fdr":
            return np.ones(len(verdicts), np.bool_)
        if chosen == "notices":
            found: Mask = verdicts["notice"]
            return found
        return np.isin(verdicts["kind"], (Kind.ANOMALY, Kind.DRIFT))

    def _clock(self, times: ArrayLike | None, n: int) -> Array:
        """The time of each row, in nanoseconds, or its number."""
        if not self.parameters.timed:
            if self.parameters.mode == "fdr":
                return np.zeros(n, np.int64)
            begin = int(self._states["seen"][0])
            self._states["seen"] += n
            return read_only(np.arange(begin, begin + n, dtype=np.int64))
        if times is None:
            raise ParameterError("the period is a time: events need times, or per as a number of events")
        given = np.asarray(times)
        if given.dtype.kind == "M":
            given = given.astype("datetime64[ns]").astype(np.int64)
        if given.dtype.kind not in "iu" and n:
            raise ParameterError(
                f"times must be integers (ns since 1970 UTC) or datetime64, got {given.dtype}"
            )
        if given.shape != (n,):
            raise ParameterError(f"{n} scores, but times of shape {given.shape}")
        return read_only(given.astype(np.int64, copy=False))

    def _decide(self, scores: Floats, times: Array) -> Mask:
        out = np.zeros(len(scores), np.bool_)
        if self.parameters.mode == "rate":
            rate.run(self._settings, self._states, self._given, self._surprises, self._at, scores, times, out)
        else:
            discoveries.run(self._settings, self._states, scores, out)
        return out

    def _begin(self, parameters: BudgetParameters) -> None:
        super().__init__(parameters)
        if parameters.mode == "fdr":
            self._settings = np.array([(parameters.budget, parameters.memory)], discoveries.SETTINGS)
            self._states = np.zeros(1, discoveries.STATE)
            size = alerts = 0
        else:
            row = (parameters.period, parameters.memory, parameters.eager)
            self._settings = np.array([row], rate.SETTINGS)
            self._states = np.zeros(1, rate.STATE)
            alerts = int(parameters.budget)
            size = rate.room(alerts, parameters.eager, parameters.memory)
        self._given = np.zeros(alerts, np.int64)
        self._surprises: Floats = np.zeros(size)
        self._at = np.zeros(size, np.int64)

    def _arrays(self) -> dict[str, Array]:
        return {name: getattr(self, f"_{name}") for name in ("states", "given", "surprises", "at")}

    def _restore(self, arrays: Mapping[str, Any]) -> None:
        for name in ("states", "given", "surprises", "at"):
            setattr(self, f"_{name}", taken(arrays, name, getattr(self, f"_{name}")))


def _period(per: str | int | timedelta | None) -> tuple[int, bool]:
    """The period in nanoseconds and True, or in events and False."""
    if isinstance(per, str):
        return PERIODS[one_of("per", per, tuple(PERIODS))], True
    if isinstance(per, timedelta):
        return integer_in("per", int(per / timedelta(microseconds=1)) * 1000, 1000, LONGEST), True
    if per is None:
        raise ParameterError(
            f"per is needed: one of {', '.join(PERIODS)}, a timedelta, or a number of events"
        )
    return integer_in("per", per, 2, 10**15), False


__all__ = ["AlertBudget", "BudgetParameters"]
