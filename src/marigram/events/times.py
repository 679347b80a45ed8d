"""Times in every spelling to nanoseconds since 1970, UTC.

This is the slow and complete way; :mod:`marigram.events._moments` is the fast one for the usual spellings, and agrees
with it wherever it answers at all.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal, InvalidOperation
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import NDArray

from marigram.errors import ParameterError

__all__ = ["FIRST", "LAST", "UNITS", "Zone", "parse_time", "places_of"]

UNITS: Final = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}
"""Nanoseconds of each unit of an epoch time."""
LAST: Final = 2**63 - 1
FIRST: Final = -LAST
"""Range of a time in nanoseconds: 1677-09-21 to 2262-04-11.  The number below FIRST means "no time"."""

_ISO = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[Tt ]([0-9]{2})(?::([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]+))?)?)?"
    r" ?(Z|z|UTC|GMT|[+-][0-9]{2}(?::?[0-9]{2})?)?)?"
)
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,4})?")
_SECOND = UNITS["s"]
_QUARTER = 900 * _SECOND
_EPOCH = datetime(1970, 1, 1)
_DAY_OF_EPOCH = date(1970, 1, 1).toordinal()


def places_of(unit: str) -> int:
    """Return the power of ten of a unit in nanoseconds, -1 for ``iso``: 9 for ``s`` down to 0 for ``ns``."""
    return -1 if unit == "iso" else len(str(UNITS[unit])) - 1


class Zone:
    """A time zone that turns wall-clock times into UTC; unknown names raise :class:`ParameterError`.

    A wall-clock time that a change of the clocks skipped counts as if they had not been changed yet; one that came
    twice counts as its first coming.

    Examples
    --------
    >>> parse_time("2024-07-01T12:00", "iso", Zone("Europe/Berlin")) == parse_time("2024-07-01T10:00Z", "iso")
    True
    """

    def __init__(self, name: str = "UTC") -> None:
        self.name = name
        self._offsets: dict[int, int | None] = {}
        self._zone: tzinfo = UTC
        if name.upper() not in ("UTC", "Z", "GMT"):
            try:
                self._zone = ZoneInfo(name)
            except (ZoneInfoNotFoundError, ValueError, OSError) as error:
                raise ParameterError(
                    f"tz: {name!r} is no time zone known here; write one as in 'Europe/Berlin'"
                ) from error

    @property
    def is_utc(self) -> bool:
        """Whether wall-clock times are UTC already."""
        return self._zone is UTC

    def to_utc(self, local: int) -> int:
        """Return the UTC nanoseconds of wall-clock nanoseconds; the result may leave the range of a time."""
        if self.is_utc:
            return local
        quarter = local // _QUARTER
        offset = self._of_quarter(quarter)
        return local - (self._offset(local) if offset is None else offset)

    def to_utc_many(self, local: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return (n,) UTC nanoseconds; the times must lie two days inside the range."""
        if self.is_utc or not len(local):
            return local
        quarters, back = np.unique(local // _QUARTER, return_inverse=True)
        offsets = [self._of_quarter(quarter) for quarter in quarters.tolist()]
        utc: NDArray[np.int64] = local - np.array([offset or 0 for offset in offsets])[back]
        for i, offset in enumerate(offsets):
            if offset is None:
                rows = np.flatnonzero(back == i)
                utc[rows] = [time - self._offset(time) for time in local[rows].tolist()]
        return utc

    def _of_quarter(self, quarter: int) -> int | None:
        """Offset in ns during that quarter of an hour; None when it changes within it."""
        if quarter not in self._offsets:
            if len(self._offsets) > 100_000:
                self._offsets.clear()
            first, last = quarter * _QUARTER, (quarter + 1) * _QUARTER - 1
            offset = self._offset(first)
            self._offsets[quarter] = offset if offset == self._offset(last) else None
        return self._offsets[quarter]

    def _offset(self, local: int) -> int:
        clock = _EPOCH + timedelta(microseconds=local // 1_000)
        offset = clock.replace(tzinfo=self._zone).utcoffset() or timedelta()
        return (offset.days * 86_400 + offset.seconds) * _SECOND


_UTC = Zone()


def parse_time(text: str, unit: str, zone: Zone = _UTC) -> int:
    """Return nanoseconds since 1970 UTC of a time as text.

    Parameters
    ----------
    text
        ISO-8601 (``2024-05-01``, ``2024-05-01T12:30:00.25+02:00``, ``2024-05-01 12:30Z``) or a number of ``unit``
        since 1970.  Digits beyond nanoseconds are cut off; second 60 is the second after 59.
    unit
        ``iso``, ``s``, ``ms``, ``us`` or ``ns``.
    zone
        Of ISO times without an offset.

    Raises
    ------
    ValueError
        With the reason in words, beginning in lower case.

    Examples
    --------
    >>> parse_time("1970-01-02T00:00:00.5Z", "iso"), parse_time("1.5", "ms")
    (86400500000000, 1500000)
    """
    nanoseconds = _of_iso(text, zone) if unit == "iso" else _of_number(text, unit)
    if not FIRST <= nanoseconds <= LAST:
        raise ValueError(f"{text!r} is outside the years 1677 to 2262")
    return nanoseconds


def _of_number(text: str, unit: str) -> int:
    if _NUMBER.fullmatch(text) is None:
        raise ValueError(f"{text!r} is no number of {unit} since 1970")
    try:
        count = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text!r} is no number of {unit} since 1970") from None
    if count.adjusted() > 20:
        raise ValueError(f"{text!r} is outside the years 1677 to 2262")
    whole = int(count)
    part = count - whole
    return whole * UNITS[unit] + int(part.scaleb(places_of(unit)))


def _of_iso(text: str, zone: Zone) -> int:
    match = _ISO.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no ISO-8601 time")
    year, month, day, hour, minute, second, fraction, offset = match.groups()
    try:
        days = date(int(year), int(month), int(day)).toordinal() - _DAY_OF_EPOCH
    except ValueError:
        raise ValueError(f"{text!r} names a day that does not exist") from None
    hours, minutes, seconds = int(hour or 0), int(minute or 0), int(second or 0)
    if hours > 23 or minutes > 59 or seconds > 60:
        raise ValueError(f"{text!r} names a time of day that does not exist")
    local = (days * 86_400 + hours * 3_600 + minutes * 60 + seconds) * _SECOND
    local += int((fraction or "0")[:9].ljust(9, "0"))
    if offset is None:
        return _localized(local, zone)
    return local - _offset_of(offset, text)


def _localized(local: int, zone: Zone) -> int:
    if not FIRST <= local <= LAST:
        return local
    return zone.to_utc(local)


def _offset_of(offset: str, text: str) -> int:
    if offset in ("Z", "z", "UTC", "GMT"):
        return 0
    hours, minutes = int(offset[1:3]), int(offset[3:].lstrip(":") or 0)
    if hours > 23 or minutes > 59:
        raise ValueError(f"{text!r} has an offset that does not exist")
    return (hours * 60 + minutes) * 60 * (_SECOND if offset[0] == "+" else -_SECOND)
