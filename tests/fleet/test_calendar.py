"""Calendars: what recurs falls on the right days, what is not understood is refused with its line."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from dateutil.rrule import rrulestr
from hypothesis import given, settings
from hypothesis import strategies as st

import marigram as mg

UNTIL = datetime(2030, 1, 1, tzinfo=UTC)


def ical(*lines: str) -> str:
    """One event with these lines."""
    return "\r\n".join(["BEGIN:VCALENDAR", "BEGIN:VEVENT", *lines, "END:VEVENT", "END:VCALENDAR", ""])


def days(calendar: mg.Calendar) -> list[str]:
    """Where the occasions begin, in UTC."""
    return [str(np.datetime64(one.start, "ns").astype("datetime64[m]")) for one in calendar.occasions]


RULES = st.one_of(
    st.builds("FREQ=DAILY;INTERVAL={}".format, st.integers(1, 40)),
    st.builds(
        lambda n, chosen: f"FREQ=WEEKLY;INTERVAL={n};BYDAY={','.join(sorted(chosen))};WKST=MO",
        st.integers(1, 5),
        st.sets(st.sampled_from(["MO", "TU", "WE", "TH", "FR", "SA", "SU"]), min_size=1),
    ),
    st.builds("FREQ=WEEKLY;COUNT={}".format, st.integers(1, 9)),
    st.builds("FREQ=MONTHLY;INTERVAL={}".format, st.integers(1, 7)),
    st.builds(
        "FREQ=MONTHLY;BYDAY={}{}".format, st.sampled_from([1, 2, 5, -1, -2]), st.sampled_from(["MO", "FR"])
    ),
    st.builds("FREQ=YEARLY;INTERVAL={}".format, st.integers(1, 3)),
    st.builds("FREQ=YEARLY;BYMONTH={};BYDAY={}TH".format, st.integers(1, 12), st.sampled_from([4, -1])),
    st.builds("FREQ=DAILY;UNTIL=2025{:02d}01T000000Z".format, st.integers(1, 12)),
)


@settings(max_examples=150, deadline=None)
@given(start=st.datetimes(datetime(2024, 1, 1), datetime(2026, 12, 31)), rule=RULES)
def test_rules_recur_as_another_implementation_says(start: datetime, rule: str) -> None:
    start = start.replace(microsecond=0, tzinfo=UTC)
    text = ical(f"DTSTART:{start:%Y%m%dT%H%M%SZ}", "DURATION:PT1H", f"RRULE:{rule}")
    expected = [d for d in rrulestr(rule, dtstart=start).between(start, UNTIL, inc=True) if d < UNTIL]
    found = mg.Calendar.from_ical(text, until=UNTIL).occasions
    assert [one.start for one in found] == [int(d.timestamp()) * 10**9 for d in expected]
    assert all(one.end - one.start == 3600 * 10**9 for one in found)


def test_zones_folds_exceptions_and_names() -> None:
    text = ical(
        "SUMMARY:Winter sale\\, ever",
        " y year",
        "DTSTART;TZID=Europe/Berlin:20251101T090000",
        "DTEND;TZID=Europe/Berlin:20251101T100000",
        "RRULE:FREQ=MONTHLY;COUNT=3",
        "EXDATE;TZID=Europe/Berlin:20251201T090000",
    )
    calendar = mg.Calendar.from_ical(text, until=UNTIL)
    assert days(calendar) == ["2025-11-01T08:00", "2026-01-01T08:00"]
    assert {one.kind for one in calendar.occasions} == {"Winter sale, every year"}
    summer = mg.Calendar.from_ical(ical("DTSTART:20250701"), until=UNTIL, zone="America/New_York")
    assert days(summer) == ["2025-07-01T04:00"]


@pytest.mark.parametrize(
    ("lines", "line", "match"),
    [
        (["SUMMARY:x"], 4, "DTSTART"),
        (["DTSTART:2025"], 3, "no date"),
        (["DTSTART;TZID=Moon/Base:20250101T000000"], 3, "no date"),
        (["DTSTART:20250101", "RRULE:FREQ=HOURLY"], 4, "HOURLY"),
        (["DTSTART:20250101", "RRULE:FREQ=DAILY;BYSETPOS=1"], 4, "BYSETPOS"),
        (["DTSTART:20250101", "RRULE:FREQ=DAILY;INTERVAL=x"], 4, "not understood"),
        (["DTSTART:20250101", "RRULE:FREQ=YEARLY;BYDAY=MO"], 4, "BYDAY=MO"),
        (["DTSTART:20250101", "DURATION:soon"], 4, "duration"),
        (["DTSTART:20250102", "DTEND:20250101"], 5, "end after"),
        (["nonsense"], 3, "colon"),
    ],
)
def test_what_is_not_understood_is_refused_with_its_line(lines: list[str], line: int, match: str) -> None:
    with pytest.raises(mg.InputError, match=match) as caught:
        mg.Calendar.from_ical(ical(*lines), until=UNTIL)
    assert caught.value.line == line


def test_a_calendar_from_toml(tmp_path: Path) -> None:
    path = tmp_path / "events.toml"
    path.write_text(
        '[[event]]\nkind = "sale"\nstart = 2025-11-28T00:00:00Z\nend = 2025-11-29T00:00:00+01:00\n'
        '[[event]]\nkind = "deploy"\nstart = "2025-11-28T10:00"\nend = "2025-11-28T11:00"\n'
    )
    calendar = mg.Calendar.from_toml(path)
    times = np.array(["2025-11-28T09:00", "2025-11-28T10:30", "2025-11-28T23:30"], "datetime64[ns]").astype(
        np.int64
    )
    assert calendar.kinds(times).tolist() == ["sale", "deploy", None], "the shortest counts"
    path.write_text('[[event]]\nkind = "sale"\n')
    with pytest.raises(mg.InputError, match="start"):
        mg.Calendar.from_toml(path)
    with pytest.raises(mg.InputError):
        mg.Calendar.from_toml(tmp_path / "none.toml")
    with pytest.raises(mg.InputError, match="cannot read"):
        mg.Calendar.from_ical(tmp_path / "none.ics", until=UNTIL)


def test_holidays_of_a_country() -> None:
    pytest.importorskip("holidays", reason="this machine lacks the extra holidays")
    calendar = mg.Calendar.from_holidays("DE", 2025, zone="Europe/Berlin", by_name=False)
    day = np.array(["2025-10-03T12:00", "2025-10-02T21:59", "2025-10-02T22:00"], "datetime64[ns]").astype(
        np.int64
    )
    assert calendar.kinds(day).tolist() == ["holiday", None, "holiday"]
    with pytest.raises(mg.ParameterError, match="XX"):
        mg.Calendar.from_holidays("XX", 2025)


def test_without_the_extra_a_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "holidays", None)
    with pytest.raises(mg.ParameterError, match=r"marigram\[holidays\]"):
        mg.Calendar.from_holidays("DE", 2025)


@pytest.mark.parametrize(
    "occasion",
    [("", 0, 1), ("a", 1, 1), ("a", "yesterday", "today"), ("a", None, 1), (3, 0, 1)],
    ids=str,
)
def test_occasions_that_are_none_are_refused(occasion: tuple[object, object, object]) -> None:
    with pytest.raises(mg.ParameterError):
        mg.Calendar([occasion])


def test_settings_of_a_calendar_are_checked() -> None:
    with pytest.raises(mg.ParameterError, match="time zone"):
        mg.Calendar.from_ical(ical("DTSTART:20250101"), until=datetime(2030, 1, 1))
    with pytest.raises(mg.ParameterError, match="Moon"):
        mg.Calendar.from_ical(ical("DTSTART:20250101"), until=UNTIL, zone="Moon/Base")
    both = mg.Calendar([("a", 0, 2)]) + mg.Calendar([("b", 1, 2)])
    assert both.kinds(np.array([0, 1, 2])).tolist() == ["a", "b", None]
    assert len(both) == 2
    assert both.occasions[0].end == 2
