"""Known events: when each kind of them takes place, from iCalendar, TOML, or the public holidays of a country."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from marigram.errors import InputError, ParameterError
from marigram.fleet._ical import occurrences
from marigram.fleet.columns import time_column
from marigram.verdicts.fields import NO_TIME

_EPOCH = datetime(1970, 1, 1, tzinfo=ZoneInfo("UTC"))


class Occasion(NamedTuple):
    """One event: its kind, and [start, end) in nanoseconds since 1970 UTC."""

    kind: str
    start: int
    end: int


class Calendar:
    """Occasions of several kinds; where they overlap, the shortest counts.

    Parameters
    ----------
    occasions
        (kind, start, end) each; the times are int64 ns since 1970 UTC, datetimes, or texts that NumPy reads, end
        excluded.

    Examples
    --------
    >>> import marigram as mg
    >>> sale = mg.Calendar([("sale", "2025-11-28", "2025-11-29")])
    >>> sale.kinds(np.array(["2025-11-28T12", "2025-11-29T12"], "datetime64[ns]").astype("i8")).tolist()
    ['sale', None]
    """

    def __init__(self, occasions: Iterable[tuple[Any, Any, Any]] = ()) -> None:
        self._occasions = [_occasion(*one) for one in occasions]

    def __len__(self) -> int:
        return len(self._occasions)

    def __add__(self, other: Calendar) -> Calendar:
        return Calendar([*self._occasions, *other._occasions])

    @property
    def occasions(self) -> list[Occasion]:
        """All occasions, as given."""
        return list(self._occasions)

    def kinds(self, times: np.ndarray) -> np.ndarray:
        """The kind of event that each time, (n,) int64 ns, falls into; (n,) object, None for none."""
        found = np.full(len(times), None, object)
        for one in sorted(self._occasions, key=lambda o: o.start - o.end):  # the longest first
            found[(times >= one.start) & (times < one.end)] = one.kind
        return found

    @classmethod
    def from_ical(cls, source: str | os.PathLike[str], *, until: datetime, zone: str = "UTC") -> Calendar:
        """Read the events of an iCalendar file, or of its text; the kind of an event is its SUMMARY.

        Parameters
        ----------
        source
            A path, or a text that begins with BEGIN:VCALENDAR.
        until
            Moment with a time zone; no event that begins later is read, however often it repeats.
        zone
            Time zone of dates and of times that name none.

        Raises
        ------
        InputError
            A line that is not understood; recurrence rules are known as far as :mod:`marigram.fleet._ical` tells.
        """
        if until.tzinfo is None:
            raise ParameterError("until must be a datetime with a time zone")
        found = occurrences(_text(source, "BEGIN:VCALENDAR"), until, _zone(zone))
        return cls([(one.name, _nanoseconds(one.start), _nanoseconds(one.end)) for one in found])

    @classmethod
    def from_toml(cls, path: str | os.PathLike[str]) -> Calendar:
        """Read a TOML file of tables ``[[event]]`` with ``kind``, ``start`` and ``end``; times are UTC unless they say.

        Raises
        ------
        InputError
            The file cannot be read, or an event lacks something.
        """
        try:
            events = tomllib.loads(Path(path).read_text("utf-8")).get("event", [])
            return cls([(event["kind"], event["start"], event["end"]) for event in events])
        except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError, ParameterError) as error:
            raise InputError(0, f"{path} is no calendar of events: {error!r}") from error

    @classmethod
    def from_holidays(
        cls,
        country: str,
        years: int | Sequence[int],
        *,
        subdivision: str | None = None,
        zone: str = "UTC",
        by_name: bool = True,
    ) -> Calendar:
        """Public holidays of a country (ISO 3166, such as ``"DE"``) as whole days in ``zone``.

        Needs the extra ``holidays``.  Each holiday is a kind of its own, or with ``by_name=False`` all are
        ``"holiday"``.
        """
        try:
            import holidays
        except ImportError as error:
            raise ParameterError(
                'holidays of a country need an extra: pip install "marigram[holidays]"'
            ) from error
        wanted = [years] if isinstance(years, int) else list(years)
        try:
            found = holidays.country_holidays(country, subdiv=subdivision, years=wanted)
        except NotImplementedError as error:
            raise ParameterError(
                f"no holidays are known for {country!r}, {subdivision!r}: {error}"
            ) from error
        where = _zone(zone)
        days = [(name, datetime(day.year, day.month, day.day, tzinfo=where)) for day, name in found.items()]
        return cls(
            (name if by_name else "holiday", _nanoseconds(day), _nanoseconds(day + timedelta(days=1)))
            for name, day in days
        )


def _occasion(kind: Any, start: Any, end: Any) -> Occasion:
    if not isinstance(kind, str) or not kind:
        raise ParameterError(f"the kind of an event is a text, got {kind!r}")
    bounds = [_nanoseconds(x) if isinstance(x, datetime) else int(_column(x)[0]) for x in (start, end)]
    if bounds[1] <= bounds[0]:
        raise ParameterError(f"the event {kind!r} must end after it begins, got {start!r} and {end!r}")
    return Occasion(kind, bounds[0], bounds[1])


def _column(x: Any) -> np.ndarray:
    try:
        times = time_column(np.array([x], "datetime64[ns]") if isinstance(x, str) else [x])
    except ValueError as error:
        raise ParameterError(f"{x!r} is no time: {error}") from error
    if times is None or times[0] == NO_TIME:
        raise ParameterError(f"{x!r} is no time")
    return times


def _nanoseconds(moment: datetime) -> int:
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=_EPOCH.tzinfo)
    since = aware - _EPOCH
    return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1000


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ParameterError(f"no time zone is called {name!r}") from error


def _text(source: str | os.PathLike[str], mark: str) -> str:
    if isinstance(source, str) and source.lstrip().upper().startswith(mark):
        return source
    try:
        return Path(source).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(0, f"cannot read the calendar {source}: {error}") from error


__all__ = ["Calendar", "Occasion"]
