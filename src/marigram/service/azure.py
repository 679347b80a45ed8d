"""The univariate routes of Azure Anomaly Detector, retired in October 2026, answered by the default detector.

Reference: the REST reference of Anomaly Detector 1.1 (``entire``, ``last``, ``changepoint``).  A client's own
arithmetic stays right: the bounds that it derives, ``expected + (100 - sensitivity) * margin``, are those of our
band.  The sensitivity, 0 to 99, chooses alpha: 95, the default, is 1e-3, and 30 less is a tenth of it.

What differs: the first 64 points are learned from and judged cautiously; each point is judged by those before it.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from marigram.detectors.default import Detector
from marigram.errors import ParameterError
from marigram.events import parse_time
from marigram.kinds import Kind
from marigram.verdicts import Verdicts

FEWEST: Final = 12
MOST: Final = 8640
_DEFAULT: Final = 95
_FLAGGED: Final = (Kind.ANOMALY, Kind.UNDECIDED)


class Point(BaseModel):
    """One value of the series."""

    timestamp: str | None = None
    value: float | None


class Series(BaseModel):
    """What is asked; settings that are not named here are taken and have no effect."""

    model_config = ConfigDict(extra="allow")

    series: list[Point] = Field(max_length=MOST)
    granularity: str | None = None
    period: int | None = Field(default=None, ge=0)
    sensitivity: int = Field(default=_DEFAULT, ge=0, le=99)


class ChangeSeries(Series):
    """The same, for change points."""

    threshold: float = Field(default=0.9, ge=0, le=1)


def entire(asked: Series) -> dict[str, Any]:
    """Return the answer about every point."""
    verdicts = judged(asked)
    scale = 100 - asked.sensitivity
    expected, value = _filled(verdicts["expected"], verdicts["value"]), verdicts["value"]
    flagged = np.isin(verdicts["kind"], _FLAGGED)
    return {
        "period": asked.period or 0,
        "expectedValues": expected.tolist(),
        "upperMargins": (_gap(verdicts["upper"], expected) / scale).tolist(),
        "lowerMargins": (_gap(expected, verdicts["lower"]) / scale).tolist(),
        "isAnomaly": flagged.tolist(),
        "isNegativeAnomaly": (flagged & (value < expected)).tolist(),
        "isPositiveAnomaly": (flagged & (value > expected)).tolist(),
        "severity": np.where(flagged, np.clip(_numbers(verdicts["score"]) / 10.0, 0.0, 1.0), 0.0).tolist(),
    }


def last(asked: Series) -> dict[str, Any]:
    """Return the answer about the newest point."""
    told = entire(asked)
    names = {
        "expectedValues": "expectedValue",
        "upperMargins": "upperMargin",
        "lowerMargins": "lowerMargin",
    }
    found = {names.get(name, name): value[-1] for name, value in told.items() if name != "period"}
    return {"period": told["period"], "suggestedWindow": len(asked.series), **found}


def changepoint(asked: ChangeSeries) -> dict[str, Any]:
    """Return where the norm moved, each at the point where the shift began."""
    verdicts = judged(asked)
    confidence = np.zeros(len(verdicts))
    for row in np.flatnonzero(verdicts["kind"] == Kind.DRIFT).tolist():
        began = int(np.flatnonzero(verdicts["seq"] == verdicts["resolves"][row])[0])
        confidence[began] = 1.0 - alpha_of(asked)
    points = (confidence > 0) & (confidence >= asked.threshold)
    return {
        "period": asked.period or 0,
        "isChangePoint": points.tolist(),
        "confidenceScores": np.where(points, confidence, 0.0).tolist(),
    }


def alpha_of(asked: Series) -> float:
    """Return the probability of calling a normal point an anomaly that a sensitivity stands for."""
    return float(10.0 ** (-3.0 - (_DEFAULT - asked.sensitivity) / 30.0))


def judged(asked: Series) -> Verdicts:
    """Return the verdicts of the series.

    Raises
    ------
    ParameterError
        It has too few points, some have a time and others none, or times that are none or do not grow.
    """
    if len(asked.series) < FEWEST:
        raise ParameterError(f"the series has {len(asked.series)} points; at least {FEWEST} are needed")
    stamps = [point.timestamp for point in asked.series]
    times = None
    if any(stamp is not None for stamp in stamps):
        try:
            times = np.array([parse_time(stamp or "", "iso") for stamp in stamps], np.int64)
        except ValueError as error:
            raise ParameterError(f"a timestamp is no ISO-8601 time: {error}") from error
        if np.any(np.diff(times) <= 0):
            raise ParameterError("the timestamps must grow")
    values = [np.nan if point.value is None else point.value for point in asked.series]
    return Detector(alpha=alpha_of(asked)).update_many(np.array(values, np.float64), times)


def _filled(column: Any, value: Any) -> Any:
    """Return a column whose absent numbers are the values, or zero."""
    return np.where(np.isfinite(column), column, np.where(np.isfinite(value), value, 0.0))


def _gap(high: Any, low: Any) -> Any:
    with np.errstate(invalid="ignore", over="ignore"):
        return np.clip(_numbers(high - low), 0.0, 1e300)


def _numbers(column: Any) -> Any:
    return np.nan_to_num(column, nan=0.0, posinf=1e300, neginf=0.0)


__all__ = ["ChangeSeries", "Series", "changepoint", "entire", "last"]
