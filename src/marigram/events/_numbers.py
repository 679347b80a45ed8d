"""Decimal text to the nearest double, compiled.

A number that a program printed in full has 16 or 17 digits, too many for one exact multiplication, so the method of
D. Lemire, "Number parsing at a gigabyte per second" (Software: Practice and Experience 51, 2021) is used: for
w·10^q with w < 2^64 the product of w with the first 128 bits of 5^q decides the 53 bits of the result, except for
rare cases that it recognises.  Those, and everything that is no number, are left to the caller, who asks Python.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from marigram.numerics.bits import float_of
from marigram.numerics.jit import piece

from ._bytes import byte, digit_run, digits_value, leading_zeros, product, word

__all__ = ["LARGEST", "NOT_UNDERSTOOD", "digits", "number"]

LARGEST: Final = 1e300
"""A value beyond this in size is not usable: sums of squares of such values overflow."""
NOT_UNDERSTOOD: Final = -1
"""Returned in place of a position: the slow way must look at this line."""

_MINUS, _PLUS, _DOT, _ZERO, _E = 45, 43, 46, 48, 101
_LOWEST, _HIGHEST = -342, 308
_EXACT = np.array([10.0**k for k in range(23)])
_TENS = np.array([10**k for k in range(9)], np.uint64)
_ALL_ONES = np.uint64(0xFFFFFFFFFFFFFFFF)


def _powers_of_five() -> NDArray[np.uint64]:
    """Return (651, 2) the leading 128 bits of 5^q for q from -342 to 308, rounded as Lemire's proof needs them."""
    table = np.empty((_HIGHEST - _LOWEST + 1, 2), np.uint64)
    for row, q in enumerate(range(_LOWEST, _HIGHEST + 1)):
        bits = _leading_bits(q)
        table[row] = bits >> 64, bits & 0xFFFFFFFFFFFFFFFF
    return table


def _leading_bits(q: int) -> int:
    """128 bits of 5^q, cut off; for -27 <= q < 0, where the product can be exact, the reciprocal rounded up."""
    power: int = 5 ** abs(q)
    length = power.bit_length()
    if q >= 0:
        return power << (128 - length) if length <= 128 else power >> (length - 128)
    if q >= -27:
        return (1 << (length + 127)) // power + 1
    return (1 << (length + 127)) // power


_FIVES = _powers_of_five()


@piece
def _nearest(w: Any, q: int) -> Any:
    """The double nearest to w·10^q for w > 0; NaN where the method cannot tell, or the result is not normal."""
    if q < _LOWEST or q > _HIGHEST:
        return math.nan
    zeros = leading_zeros(w)
    w <<= np.uint64(zeros)
    row = q - _LOWEST
    high, low = product(w, _FIVES[row, 0])
    if high & np.uint64(0x1FF) == np.uint64(0x1FF):
        more, _ = product(w, _FIVES[row, 1])
        low += more
        if low < more:
            high += np.uint64(1)
        if low == _ALL_ONES and (q < -27 or q > 55):
            return math.nan
    top = np.int64(high >> np.uint64(63))
    shift = np.uint64(top + 9)
    mantissa = high >> shift
    exponent = ((217706 * q) >> 16) + 63 + top - zeros + 1
    if exponent < -1021 or exponent > 1023:
        return math.nan
    halfway = low <= np.uint64(1) and -4 <= q <= 23 and mantissa & np.uint64(3) == np.uint64(1)
    if halfway and (mantissa << shift) == high:
        mantissa &= ~np.uint64(1)
    mantissa = (mantissa + (mantissa & np.uint64(1))) >> np.uint64(1)
    # a mantissa rounded up to 2^53 carries into the exponent, as it should
    return float_of(np.int64(mantissa) + ((exponent + 1021) << 52))


@piece
def digits(at: int, w: Any) -> tuple[Any, int]:
    """Read the digits at ``at`` behind those of ``w``; return the number, wrapped at 2^64, and where they end."""
    while True:
        eight = word(at)
        run = digit_run(eight)
        if run == 0:
            return w, at
        w = w * _TENS[run] + digits_value(eight, run)
        at += run
        if run < 8:
            return w, at


@piece
def number(at: int, loose: bool) -> tuple[float, int]:
    """Read the number that starts at ``at``; return it and the position after it, or ``NOT_UNDERSTOOD``.

    The grammar is that of JSON; ``loose`` also takes ``+1``, ``.5``, ``5.`` and ``007`` as tables write them.
    The text must end in a byte that belongs to no number, and ``PADDING``.  Zero is always +0.0.
    """
    negative = byte(at) == _MINUS
    if negative or (loose and byte(at) == _PLUS):
        at += 1
    first = at
    w, at = digits(at, np.uint64(0))
    count = at - first
    if not loose and (count == 0 or (count > 1 and byte(first) == _ZERO)):
        return 0.0, NOT_UNDERSTOOD
    q = 0
    if byte(at) == _DOT:
        point = at + 1
        w, at = digits(point, w)
        q = point - at
        if q == 0 and not loose:
            return 0.0, NOT_UNDERSTOOD
        count -= q
    if count == 0 or (count > 19 and not _short(first, at)):
        return 0.0, NOT_UNDERSTOOD
    if byte(at) | 32 == _E:
        power, at = _power(at + 1)
        if at < 0:
            return 0.0, NOT_UNDERSTOOD
        q += power
    x = 0.0
    if w != np.uint64(0):
        if w <= np.uint64(1 << 53) and -22 <= q <= 22:
            x = float(w) * _EXACT[q] if q >= 0 else float(w) / _EXACT[-q]
        else:
            x = _nearest(w, q)
        if not x <= LARGEST:
            return 0.0, NOT_UNDERSTOOD
        if negative:
            x = -x
    return x, at


@piece
def _short(at: int, end: int) -> bool:
    """Whether at most 19 digits remain without the leading zeros."""
    while at < end and (byte(at) == _ZERO or byte(at) == _DOT):
        at += 1
    count = 0
    for i in range(at, end):
        if byte(i) != _DOT:
            count += 1
    return count <= 19


@piece
def _power(at: int) -> tuple[Any, int]:
    """Read what follows an e: the power of ten and the position after it."""
    negative = byte(at) == _MINUS
    if negative or byte(at) == _PLUS:
        at += 1
    power, past = digits(at, np.uint64(0))
    if past == at or past - at > 5:
        return 0, NOT_UNDERSTOOD
    return (-np.int64(power) if negative else np.int64(power)), past
