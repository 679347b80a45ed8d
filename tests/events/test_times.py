"""Times: the slow and complete reader against datetime, zones at their edges, columns against single values."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marigram.events.times import FIRST, LAST, Zone, parse_time

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SOUND = st.datetimes(datetime(1678, 1, 1), datetime(2261, 12, 31))


def nanoseconds(moment):
    return (moment - EPOCH) // timedelta(microseconds=1) * 1000


@given(SOUND, st.sampled_from(["T", " "]), st.integers(-23 * 60, 23 * 60))
def test_iso_as_datetime_reads_it(clock, parting, minutes):
    sign, (hours, rest) = ("-" if minutes < 0 else "+"), divmod(abs(minutes), 60)
    for offset in (f"{sign}{hours:02d}:{rest:02d}", f"{sign}{hours:02d}{rest:02d}"):
        text = clock.isoformat(sep=parting) + offset
        assert parse_time(text, "iso") == nanoseconds(datetime.fromisoformat(text))


@given(SOUND, st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]))
def test_wall_clocks_as_zoneinfo_reads_them(clock, name):
    expected = nanoseconds(clock.replace(tzinfo=ZoneInfo(name)).astimezone(UTC))
    assert parse_time(clock.isoformat(), "iso", Zone(name)) == expected


@given(
    st.lists(st.integers(-(2 * 10**18), 4 * 10**18), max_size=20),
    st.sampled_from(["Europe/Berlin", "Africa/Monrovia", "Europe/Amsterdam"]),
)
def test_columns_of_wall_clocks_as_single_ones(times, name):
    zone = Zone(name)
    assert zone.to_utc_many(np.array(times, np.int64)).tolist() == [zone.to_utc(time) for time in times]


def test_clock_changes():
    berlin = Zone("Europe/Berlin")
    hour = 3600 * 10**9
    skipped = parse_time("2024-03-31T02:30", "iso", berlin)
    assert skipped == parse_time("2024-03-31T03:30+02:00", "iso")
    twice = parse_time("2024-10-27T02:30", "iso", berlin)
    assert twice == parse_time("2024-10-27T02:30+02:00", "iso")
    assert parse_time("2024-10-27T03:30", "iso", berlin) - twice == 2 * hour


@pytest.mark.parametrize(
    ("text", "unit", "expected"),
    [
        ("1970-01-01", "iso", 0),
        ("1970-01-01T00:00:00.000000001Z", "iso", 1),
        ("1970-01-01T00:00:00,5z", "iso", 500_000_000),
        ("1970-01-01 01Z", "iso", 3600 * 10**9),
        ("1970-01-01 00:01:00 UTC", "iso", 60 * 10**9),
        ("1969-12-31T23:59:60Z", "iso", 0),
        ("1970-01-01T00:00:00.1234567899Z", "iso", 123_456_789),
        ("2262-04-11T23:47:16.854775807Z", "iso", LAST),
        ("1677-09-21T00:12:43.145224193Z", "iso", FIRST),
        ("1.5", "s", 1_500_000_000),
        ("-1.0000000019", "s", -1_000_000_001),
        ("1.7e3", "ms", 1_700_000_000),
        ("12", "us", 12_000),
        ("9223372036854775807", "ns", LAST),
        ("1.9", "ns", 1),
    ],
)
def test_spellings(text, unit, expected):
    assert parse_time(text, unit) == expected


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("2262-04-11T23:47:16.854775808Z", "iso"),
        ("1677-09-21T00:12:43.145224192Z", "iso"),
        ("0000-01-01", "iso"),
        ("2023-02-29", "iso"),
        ("2024-01-01T24:00", "iso"),
        ("2024-01-01T00:00:61", "iso"),
        ("2024-01-01T00:00+24:00", "iso"),
        ("2024-1-1", "iso"),
        ("20240101", "iso"),
        ("", "iso"),
        ("", "s"),
        ("1_000", "s"),
        (" 1", "s"),
        ("nan", "s"),
        ("1e999999999", "s"),
        ("9300000000", "s"),
        ("9223372036854775808", "ns"),
        ("\u0661", "s"),
    ],
)
def test_what_is_no_time(text, unit):
    with pytest.raises(ValueError, match=r"'.*'"):
        parse_time(text, unit)
