"""Limits and ticks: which part of a line of numbers a picture shows, and where it says how much that is."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Ticks", "number_ticks", "robust_limits", "time_ticks"]

_SECOND = 1_000_000_000
_DAY = 86_400 * _SECOND
_STEPS = (
    *(m * 10**k for k in range(9) for m in (1, 2, 5)),
    *(m * _SECOND for m in (1, 2, 5, 10, 15, 30)),
    *(m * 60 * _SECOND for m in (1, 2, 5, 10, 15, 30)),
    *(m * 3600 * _SECOND for m in (1, 2, 3, 6, 12)),
    *(m * _DAY for m in (1, 2, 5, 10)),
)
_MONTH_STEPS = (1, 2, 3, 6, *(12 * m * 10**k for k in range(3) for m in (1, 2, 5)))
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_HUGE = 8e307
"""Ends beyond which there is no axis: between them a difference is still a number."""
_REACH = 3.0
"""How far beyond the bulk, in widths of the bulk, a value may stretch the axis."""


@dataclass(frozen=True, slots=True)
class Ticks:
    """Places and texts along an axis."""

    places: list[float]
    labels: list[str]
    context: list[str]
    """A second line under each label, mostly empty: the day under an hour, the year under a day."""
    note: str = ""
    """What every label is to be read with: a power of ten, or an offset."""


def robust_limits(bulk: NDArray[Any], everything: NDArray[Any]) -> tuple[float, float]:
    """Return the ends of an axis that shows ``bulk`` well and as much of ``everything`` as that allows.

    Values further than three widths of the bulk (its .2 % to 99.8 % quantiles) beyond it do not stretch the axis: one
    spike of 1e12 must not flatten the rest.  Not finite values are passed over.

    Examples
    --------
    >>> low, high = robust_limits(np.arange(100.0), np.array([0.0, 150.0, 1e12]))
    >>> low < 0.0, 150.0 < high < 170.0
    (True, True)
    >>> robust_limits(np.array([5.0]), np.array([5.0]))
    (4.75, 5.25)
    """
    shown = np.clip(everything[np.isfinite(everything)], -_HUGE, _HUGE)
    inner = np.clip(bulk[np.isfinite(bulk)], -_HUGE, _HUGE)
    if not len(shown):
        return 0.0, 1.0
    if len(inner):
        low, high = np.quantile(inner, (0.002, 0.998))
        reach = min(_REACH * (high / 4 - low / 4), _HUGE / 4) * 4
        near = (shown >= low - reach) & (shown <= high + reach)
        shown = np.append(shown[near], (low, high)) if reach > 0 else shown
    bottom, top = float(shown.min()), float(shown.max())
    size = max(abs(bottom), abs(top))
    margin = 0.04 * (top - bottom)
    if top - bottom <= max(1e-12 * size, 1e-290):
        margin = 0.05 * size if size > 1e-290 else 0.5
    return bottom - margin, top + margin


def number_ticks(low: float, high: float, most: int) -> Ticks:
    """Return at most ``most`` round numbers between ``low`` and ``high``.

    Examples
    --------
    >>> number_ticks(0.0, 10.0, 6).labels
    ['0', '2', '4', '6', '8', '10']
    >>> ticks = number_ticks(0.0, 3e6, 4)
    >>> ticks.places, ticks.labels, ticks.note
    ([0.0, 1000000.0, 2000000.0, 3000000.0], ['0', '1', '2', '3'], '×10⁶')
    >>> ticks = number_ticks(1e9, 1e9 + 2, 4)
    >>> ticks.labels, ticks.note
    (['0.0', '0.5', '1.0', '1.5', '2.0'], '+1,000,000,000')
    """
    step = _round_step((high - low) / most)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    places = [i * step for i in range(first, last + 1)]
    size = max(abs(low), abs(high))
    offset = 0.0
    if high - low < 1e-4 * size and places:
        offset = places[0]
    power = (
        0
        if 1e-3 <= (high - low if offset else size) < 1e5
        else 3 * math.floor(_decade(high - low if offset else size) / 3)
    )
    decimals = max(0, power - _decade(step) + (1 if round(step / 10.0 ** _decade(step), 6) % 1 else 0))
    scaled = [(place - offset) / 10.0**power for place in places]
    labels = [f"{round(x, decimals) + 0.0:,.{decimals}f}".replace("-", "−") for x in scaled]
    notes = [f"×10{str(power).translate(_SUPERSCRIPTS)}"] if power else []
    if offset:
        notes.append(
            f"{offset:+,.0f}" if abs(offset) < 1e15 and offset == round(offset) else f"{offset:+.10g}"
        )
    return Ticks(places, labels, [""] * len(places), " ".join(notes))


def _decade(x: float) -> int:
    return math.floor(math.log10(x) + 1e-12)


def _round_step(rough: float) -> float:
    """Return the smallest of 1, 2, 2.5, 5 times a power of ten that is not below ``rough``."""
    power = 10.0 ** _decade(rough)
    return next(m * power for m in (1.0, 2.0, 2.5, 5.0, 10.0) if m * power >= rough * (1 - 1e-9))


def time_ticks(low: int, high: int, most: int) -> Ticks:
    """Return at most ``most`` round moments between ``low`` and ``high``, nanoseconds since 1970 UTC.

    Examples
    --------
    >>> day = 86_400_000_000_000
    >>> ticks = time_ticks(19_000 * day, 19_001 * day, 5)
    >>> ticks.labels, ticks.context
    (['00:00', '06:00', '12:00', '18:00', '00:00'], ['8 Jan 2022', '', '', '', '9 Jan 2022'])
    >>> time_ticks(19_000 * day, 19_400 * day, 7).labels
    ['Mar', 'May', 'Jul', 'Sep', 'Nov', 'Jan']
    """
    steps = _STEPS if high > low else (_SECOND,)
    step = next((step for step in steps if (high - low) // step < most), None)
    if step is None:
        return _month_ticks(low, high, most)
    places = list(range(-(-low // step) * step, high + 1, step))
    moments = np.array(places, "datetime64[ns]")
    days = [_day(moment) for moment in moments]
    if step >= _DAY:
        labels = [day.rsplit(" ", 1)[0] for day in days]
        context = _changes([day.rsplit(" ", 1)[1] for day in days])
    else:
        unit = (
            "m"
            if step >= 60 * _SECOND
            else "s"
            if step >= _SECOND
            else "ms"
            if step >= 10**6
            else "us"
            if step >= 1000
            else "ns"
        )
        labels = [str(moment.astype(f"datetime64[{unit}]")).split("T")[1] for moment in moments]
        context = _changes(days)
    return Ticks([float(place - low) for place in places], labels, context)


def _month_ticks(low: int, high: int, most: int) -> Ticks:
    first, last = (
        int(np.array(ns, "datetime64[ns]").astype("datetime64[M]").astype(int)) for ns in (low, high)
    )
    step = next((step for step in _MONTH_STEPS if (last - first) // step < most), _MONTH_STEPS[-1])
    months = list(range(-(-first // step) * step, last + 1, step))
    moments = np.array(months, "datetime64[M]").astype("datetime64[ns]").astype(np.int64).tolist()
    kept = [(m, ns) for m, ns in zip(months, moments, strict=True) if low <= ns <= high]
    years = [str(1970 + m // 12) for m, _ in kept]
    if step >= 12:
        return Ticks([float(ns - low) for _, ns in kept], years, [""] * len(kept))
    return Ticks([float(ns - low) for _, ns in kept], [_MONTHS[m % 12] for m, _ in kept], _changes(years))


def _day(moment: np.datetime64) -> str:
    year, month, day = str(moment.astype("datetime64[D]")).split("-")
    return f"{int(day)} {_MONTHS[int(month) - 1]} {year}"


def _changes(texts: list[str]) -> list[str]:
    """Return the texts with those that repeat their neighbour blanked."""
    return [text if i == 0 or text != texts[i - 1] else "" for i, text in enumerate(texts)]
