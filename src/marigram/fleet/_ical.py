"""Events of an iCalendar file (RFC 5545): VEVENT with DTSTART, DTEND or DURATION, SUMMARY, RRULE and EXDATE.

Of recurrence rules it knows FREQ=DAILY, WEEKLY, MONTHLY and YEARLY with INTERVAL, COUNT, UNTIL, BYDAY in weeks, and
BYMONTH with one BYDAY such as 4TH or -1MO in months and years.  What it does not know it refuses; it guesses nothing.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from marigram.errors import InputError

DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_UTC = ZoneInfo("UTC")
_DURATION = re.compile(r"\+?P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")
_NTH = re.compile(r"([+-]?\d+)(" + "|".join(DAYS) + ")")
_PARTS = {"FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "BYMONTH", "WKST"}
_MOST = 100_000
"""Repetitions that are looked at."""


class Line(NamedTuple):
    """One property: its line in the file, name, parameters and value."""

    number: int
    name: str
    parameters: dict[str, str]
    value: str


class Repeated(NamedTuple):
    """One occurrence: its name, and [start, end) as aware datetimes."""

    name: str
    start: datetime
    end: datetime


def occurrences(text: str, until: datetime, zone: ZoneInfo) -> Iterator[Repeated]:
    """All occurrences that begin before ``until``; times without a zone are in ``zone``."""
    inside: list[Line] | None = None
    for line in _lines(text):
        mark = (line.name, line.value.upper())
        if mark == ("BEGIN", "VEVENT"):
            inside = []
        elif mark == ("END", "VEVENT") and inside is not None:
            yield from _event(inside, line.number, until, zone)
            inside = None
        elif inside is not None:
            inside.append(line)


def _lines(text: str) -> Iterator[Line]:
    """The unfolded lines."""
    folded: list[tuple[int, str]] = []
    for number, raw in enumerate(text.splitlines(), 1):
        if raw[:1] in (" ", "\t") and folded:
            folded[-1] = (folded[-1][0], folded[-1][1] + raw[1:])
        elif raw.strip():
            folded.append((number, raw))
    for number, content in folded:
        head, colon, value = content.partition(":")
        if not colon:
            raise InputError(number, f"a calendar line has a colon, got {content[:40]!r}")
        name, *rest = head.split(";")
        pairs = (item.partition("=") for item in rest)
        yield Line(number, name.upper(), {key.upper(): v.strip('"') for key, _, v in pairs}, value.strip())


def _event(lines: list[Line], number: int, until: datetime, zone: ZoneInfo) -> Iterator[Repeated]:
    found = {line.name: line for line in lines}
    if "DTSTART" not in found:
        raise InputError(number, "an event has no DTSTART")
    start, whole_day = _moment(found["DTSTART"], zone)
    name = found["SUMMARY"].value.replace("\\,", ",") if "SUMMARY" in found else "event"
    if "DTEND" in found:
        length = _moment(found["DTEND"], zone)[0] - start
    elif "DURATION" in found:
        length = _duration(found["DURATION"])
    else:
        length = timedelta(days=1) if whole_day else timedelta(0)
    if length <= timedelta(0):
        raise InputError(number, f"the event {name!r} does not end after it begins")
    without = {
        _moment(line._replace(value=one), zone)[0]
        for line in lines
        if line.name == "EXDATE"
        for one in line.value.split(",")
    }
    begins = _repeat(start, found["RRULE"], until, zone) if "RRULE" in found else iter([start])
    for begin in begins:
        if begin not in without and begin < until:
            yield Repeated(name, begin, begin + length)


def _moment(line: Line, zone: ZoneInfo) -> tuple[datetime, bool]:
    """A DATE or DATE-TIME, and whether it was a date."""
    value = line.value
    try:
        own = ZoneInfo(line.parameters["TZID"]) if "TZID" in line.parameters else zone
        if "T" not in value:
            return datetime.strptime(value, "%Y%m%d").replace(tzinfo=own), True
        if value.endswith("Z"):
            return datetime.strptime(value, "%Y%m%dT%H%M%SZ").replace(tzinfo=_UTC), False
        return datetime.strptime(value, "%Y%m%dT%H%M%S").replace(tzinfo=own), False
    except (ValueError, ZoneInfoNotFoundError) as error:
        raise InputError(line.number, f"{value!r} is no date of a calendar: {error}") from error


def _duration(line: Line) -> timedelta:
    match = _DURATION.fullmatch(line.value)
    if match is None:
        raise InputError(line.number, f"{line.value!r} is no duration")
    weeks, days, hours, minutes, seconds = (int(group or 0) for group in match.groups())
    return timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)


def _repeat(start: datetime, line: Line, until: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    """The beginnings that a rule gives, in order."""
    rule = dict(part.upper().split("=", 1) for part in line.value.split(";") if "=" in part)
    unknown = sorted(set(rule) - _PARTS)
    if unknown:
        raise InputError(
            line.number, f"the recurrence rule has {', '.join(unknown)}, which is not understood"
        )
    try:
        interval, count = int(rule.get("INTERVAL", "1")), int(rule.get("COUNT", str(_MOST)))
        month = int(rule["BYMONTH"]) if "BYMONTH" in rule else None
    except ValueError as error:
        raise InputError(line.number, f"the recurrence rule is not understood: {error}") from error
    last = _moment(line._replace(value=rule["UNTIL"], parameters={}), zone)[0] if "UNTIL" in rule else until
    given = 0
    for day in _days(start, rule, interval, month, line.number):
        begin = datetime.combine(day, start.timetz())
        if begin < start:
            continue
        if begin > last or begin >= until or given == count:
            return
        given += 1
        yield begin


def _days(
    start: datetime, rule: dict[str, str], interval: int, month: int | None, number: int
) -> Iterator[date]:
    """Candidates in order, some before the start."""
    frequency, by_day, first = rule.get("FREQ", ""), rule.get("BYDAY", ""), start.date()
    if interval < 1:
        raise InputError(number, "INTERVAL is at least 1")
    weekly = frequency == "WEEKLY" and set(by_day.split(",")) <= {*DAYS, ""}
    nth = _NTH.fullmatch(by_day) if frequency in ("MONTHLY", "YEARLY") else None
    if not weekly and (frequency not in ("DAILY", "WEEKLY", "MONTHLY", "YEARLY") or (by_day and nth is None)):
        raise InputError(number, f"FREQ={frequency};BYDAY={by_day} is not understood")
    if month is not None and frequency != "YEARLY":
        raise InputError(number, f"BYMONTH in FREQ={frequency} is not understood")
    for step in range(0, _MOST * interval, interval):
        if frequency == "DAILY":
            yield first + timedelta(days=step)
        elif frequency == "WEEKLY":
            monday = first - timedelta(days=first.weekday()) + timedelta(weeks=step)
            chosen = sorted(DAYS.index(day) for day in by_day.split(",")) if by_day else [first.weekday()]
            yield from (monday + timedelta(days=day) for day in chosen)
        else:
            months = first.month - 1 + step if frequency == "MONTHLY" else (month or first.month) - 1
            year = first.year + (months // 12 if frequency == "MONTHLY" else step)
            yield from _in_month(year, months % 12 + 1, first.day, nth)


def _in_month(year: int, month: int, day: int, nth: re.Match[str] | None) -> Iterator[date]:
    """The day of a month, or its n-th Monday ...; none where the month has none."""
    if year > 9999:
        return
    length = calendar.monthrange(year, month)[1]
    if nth is not None:
        n, weekday = int(nth[1]), DAYS.index(nth[2])
        days = [d for d in range(1, length + 1) if date(year, month, d).weekday() == weekday]
        if n != 0 and abs(n) <= len(days):
            yield date(year, month, days[n - 1 if n > 0 else n])
    elif day <= length:
        yield date(year, month, day)


__all__ = ["Repeated", "occurrences"]
