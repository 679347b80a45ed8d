"""Times as people and programs write them to nanoseconds since 1970, compiled.

Only the usual spellings are understood here; whatever else there may be (hours alone, leap seconds, years at the ends
of the range, exponents) is left to :mod:`marigram.events.times`, which reads every spelling and says what is wrong.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from marigram.numerics.jit import piece

from ._bytes import byte, digit_run, digits_value, put, word
from ._numbers import NOT_UNDERSTOOD, digits

__all__ = ["LOCAL", "UTC", "epoch", "moment"]

UTC: Final = 0
LOCAL: Final = 1
"""What :func:`moment` says of a time: it names its offset, or it is a wall clock's."""

_DASH, _PLUS, _DOT, _COMMA, _COLON, _SPACE, _T, _Z, _ZERO, _E = 45, 43, 46, 44, 58, 32, 84, 90, 48, 101
_DAYS_BEFORE = np.array([0, 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365])
_DAYS_TO_1970 = 719162
_SECOND = 1_000_000_000
_NO_DAY = 1 << 40
_UNITS = np.array([10**k for k in range(10)], np.uint64)
_LAST = np.uint64(9_200_000_000_000_000_000)


@piece
def _two(at: int) -> int:
    """The two digits at ``at`` as a number; some number above 99 when they are none."""
    tens, ones = byte(at) - _ZERO, byte(at + 1) - _ZERO
    return tens * 10 + ones if 0 <= tens <= 9 and 0 <= ones <= 9 else 1_000


@piece
def _day(at: int) -> Any:
    """Days since 1970 of YYYY-MM-DD between 1678 and 2261, or ``_NO_DAY``."""
    century, years, month, day = _two(at), _two(at + 2), _two(at + 5), _two(at + 8)
    year = century * 100 + years
    dashes = byte(at + 4) == _DASH and byte(at + 7) == _DASH
    if not (dashes and 1678 <= year <= 2261 and years <= 99 and 1 <= month <= 12 and 1 <= day <= 31):
        return _NO_DAY
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    length = _DAYS_BEFORE[month + 1] - _DAYS_BEFORE[month] + (1 if leap and month == 2 else 0)
    if day > length:
        return _NO_DAY
    past = year - 1
    days = 365 * past + past // 4 - past // 100 + past // 400 + _DAYS_BEFORE[month] + day - 1
    return days + (1 if leap and month > 2 else 0) - _DAYS_TO_1970


@piece
def _minute(at: int, memory: int) -> Any:
    """Seconds since 1970 of YYYY-MM-DDTHH:MM, or ``_NO_DAY``; the one before is remembered at ``memory``."""
    high, low = word(at), word(at + 8)
    if high == word(memory) and low == word(memory + 8):
        return np.int64(word(memory + 16))
    days, hour, minute = _day(at), _two(at + 11), _two(at + 14)
    parting = byte(at + 10) == _T or byte(at + 10) == _SPACE
    if days == _NO_DAY or not parting or byte(at + 13) != _COLON or hour > 23 or minute > 59:
        return _NO_DAY
    seconds = days * 86_400 + hour * 3600 + minute * 60
    put(memory, high)
    put(memory + 8, low)
    put(memory + 16, np.int64(seconds))
    return seconds


@piece
def moment(at: int, end: int, memory: int) -> tuple[int, int]:
    """Read the ISO-8601 time that fills ``text[at:end]``: nanoseconds, and UTC, LOCAL or ``NOT_UNDERSTOOD``."""
    if end - at == 10:
        days = _day(at)
        return days * 86_400 * _SECOND, NOT_UNDERSTOOD if days == _NO_DAY else LOCAL
    if end - at < 16:
        return 0, NOT_UNDERSTOOD
    seconds = _minute(at, memory)
    if seconds == _NO_DAY:
        return 0, NOT_UNDERSTOOD
    at += 16
    fraction = 0
    if end - at >= 3 and byte(at) == _COLON:
        second = _two(at + 1)
        if second > 59:
            return 0, NOT_UNDERSTOOD
        seconds += second
        at += 3
        if at < end and (byte(at) == _DOT or byte(at) == _COMMA):
            fraction, at = _fraction(at + 1, 9)
            if at < 0:
                return 0, NOT_UNDERSTOOD
    nanoseconds = seconds * _SECOND + fraction
    if at == end:
        return nanoseconds, LOCAL
    if end - at == 1 and byte(at) == _Z:
        return nanoseconds, UTC
    if end - at == 6 and byte(at + 3) == _COLON:
        hour, minute = _two(at + 1), _two(at + 4)
        if hour <= 23 and minute <= 59:
            offset = (hour * 3600 + minute * 60) * _SECOND
            if byte(at) == _PLUS:
                return nanoseconds - offset, UTC
            if byte(at) == _DASH:
                return nanoseconds + offset, UTC
    return 0, NOT_UNDERSTOOD


@piece
def _fraction(at: int, places: int) -> tuple[Any, int]:
    """Read digits as a fraction in units of 10^-places, further digits cut off, and the position after them."""
    run = digit_run(word(at))
    if run == 0:
        return 0, NOT_UNDERSTOOD
    value = np.int64(digits_value(word(at), run))
    at += run
    while run > places:
        value //= 10
        run -= 1
    digit = byte(at) - _ZERO
    while 0 <= digit <= 9:
        if run < places:
            value = value * 10 + digit
            run += 1
        at += 1
        digit = byte(at) - _ZERO
    while run < places:
        value *= 10
        run += 1
    return value, at


@piece
def epoch(at: int, places: int, loose: bool) -> tuple[Any, int]:
    """Read a time in units of 10^places nanoseconds since 1970: nanoseconds, and the position after it.

    The grammar is that of a JSON number without an exponent; ``loose`` also takes leading zeros.
    """
    negative = byte(at) == _DASH
    if negative:
        at += 1
    whole, past = digits(at, np.uint64(0))
    count = past - at
    if count == 0 or count + places > 19 or (count > 1 and byte(at) == _ZERO and not loose):
        return 0, NOT_UNDERSTOOD
    fraction = 0
    if byte(past) == _DOT:
        fraction, past = _fraction(past + 1, places)
        if past < 0:
            return 0, NOT_UNDERSTOOD
    if byte(past) | 32 == _E:
        return 0, NOT_UNDERSTOOD
    nanoseconds = whole * np.uint64(_UNITS[places]) + np.uint64(fraction)
    if nanoseconds > _LAST:
        return 0, NOT_UNDERSTOOD
    signed = np.int64(nanoseconds)
    return (-signed if negative else signed), past
