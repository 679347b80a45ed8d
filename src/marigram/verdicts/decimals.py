"""The shortest decimal of a binary number, as compiled pieces.

Of all decimals that read back as the same double there is one with the fewest digits, and among those one closest to
the double; that is what ``repr`` prints and what a JSON file should hold.  Found here by Schubfach (R. Giulietti, "The
Schubfach way to render doubles", 2020): with v = c 2^q and k = floor(log10 of the width of v's rounding interval), the
interval scaled by 10^-k is between 1 and 10 wide, so it holds a multiple of 10 at most once and an integer at least
once.  One table lookup of a 128-bit power of ten and three multiplications, rounded to odd, decide which is closest.
"""

from typing import Any, TypeAlias

import numpy as np
from llvmlite import ir
from numba import types
from numba.core.cgutils import create_struct_proxy
from numba.extending import intrinsic

from marigram.numerics.jit import piece

__all__ = ["shortest_decimal", "store", "write_decimal", "write_digits"]

_machine: Any = intrinsic
_struct: Any = create_struct_proxy
Word: TypeAlias = Any
"""A uint64 inside a kernel."""

_K_MIN, _K_MAX = -324, 292


def _floor_log2_pow10(e: int) -> int:
    """Return floor(e log2(10)), exact for |e| <= 1233."""
    return (e * 1741647) >> 19


def _powers() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return high and low words of g(k) = floor(10^-k 2^(127 - floor(log2 10^-k))) + 1 for every k."""
    high, low = [], []
    for k in range(_K_MIN, _K_MAX + 1):
        shift = 127 - _floor_log2_pow10(-k)
        if k <= 0:
            power = 10**-k
            g = power << shift if shift >= 0 else power >> -shift
        else:
            g = (1 << shift) // 10**k
        g += 1
        high.append(g >> 64)
        low.append(g & (2**64 - 1))
    return np.array(high, np.uint64), np.array(low, np.uint64)


_HIGH, _LOW = _powers()
_SCALES = np.array([10**i for i in range(17)], np.uint64)
_LEADING = np.frombuffer(b"0.000000", np.uint64)[0]
_ZEROS = np.frombuffer(b"00000000", np.uint64)[0]
_HUNDREDS, _TENS = np.uint64(0x0000007F0000007F), np.uint64(0x000F000F000F000F)
_U0, _U1, _U2, _U4, _U8, _U10, _U16, _U20, _U32, _U40 = (
    np.uint64(i) for i in (0, 1, 2, 4, 8, 10, 16, 20, 32, 40)
)
_U100, _U103, _U10486 = (np.uint64(i) for i in (100, 103, 10486))
_U1E4, _U1E8, _U1E9, _U1E15, _U1E16 = (np.uint64(10**i) for i in (4, 8, 9, 15, 16))
_U56 = np.uint64(56)
_ZERO, _POINT, _E, _PLUS, _MINUS = (np.uint8(ord(char)) for char in "0.e+-")


@_machine
def _high_product(typing_context: Any, a: Any, b: Any) -> Any:
    """``_high_product(a, b)``: the upper 64 bits of the product of two uint64."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        wide = ir.IntType(128)
        product = builder.mul(builder.zext(args[0], wide), builder.zext(args[1], wide))
        return builder.trunc(builder.lshr(product, ir.Constant(wide, 64)), ir.IntType(64))

    return types.uint64(types.uint64, types.uint64), codegen


@_machine
def store(typing_context: Any, out: Any, at: Any, word: Any) -> Any:
    """``store(out, at, word)``: put the eight bytes of a uint64 at that byte of ``out``, aligned or not."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        view = _struct(signature.args[0])(context, builder, value=args[0])
        place = builder.gep(builder.bitcast(view.data, ir.PointerType(ir.IntType(8))), [args[1]])
        builder.store(args[2], builder.bitcast(place, ir.PointerType(ir.IntType(64))), align=1)
        return context.get_dummy_value()

    return types.void(out, types.int64, types.uint64), codegen


@piece
def _round_to_odd(high: Word, low: Word, x: Word) -> Word:
    """Return floor(g x / 2^128), its last bit set when the quotient is not whole."""
    below = _high_product(low, x)
    middle = high * x
    total = middle + below
    carry = _U1 if total < below else _U0
    above = _high_product(high, x) + carry
    return above | (_U1 if total > _U1 else _U0)


@piece
def _shortest(c: Word, q: int, lopsided: bool) -> tuple[Word, int]:
    """Return (digits, exponent) of the shortest decimal in the rounding interval of c 2^q.

    ``lopsided`` says that the next smaller number is only half as far away as the next larger.
    """
    odd = c & _U1
    middle = c << _U2
    upper = middle + _U2
    if lopsided:
        lower = middle - _U1
        k = (q * 1262611 - 524031) >> 22  # floor(log10(3/4 2^q))
    else:
        lower = middle - _U2
        k = (q * 1262611) >> 22  # floor(log10(2^q))
    h = np.uint64(q + ((-k * 1741647) >> 19) + 1)
    high, low = _HIGH[k - _K_MIN], _LOW[k - _K_MIN]
    v_lower = _round_to_odd(high, low, lower << h) + odd
    v = _round_to_odd(high, low, middle << h)
    v_upper = _round_to_odd(high, low, upper << h) - odd
    s = v >> _U2
    if s >= _U10:
        tens = s // _U10
        down_in = v_lower <= tens * _U40
        up_in = tens * _U40 + _U40 <= v_upper
        if down_in != up_in:
            return tens + _U1 if up_in else tens, k + 1
    down_in = v_lower <= s << _U2
    up_in = (s << _U2) + _U4 <= v_upper
    if down_in != up_in:
        return s + _U1 if up_in else s, k
    half = (s << _U2) + _U2
    if v > half or (v == half and s & _U1 == _U1):
        return s + _U1, k
    return s, k


@piece
def shortest_decimal(magnitude: int, single: bool) -> tuple[Word, int]:
    """Return (digits, exponent) with value digits 10^exponent, of a finite, non-zero float64 given by its bits.

    With ``single`` the bits are those of a float32, and the decimal is the shortest that reads back as one.
    """
    size = 23 if single else 52
    bias = 150 if single else 1075
    fraction = np.uint64(magnitude & ((1 << size) - 1))
    biased = magnitude >> size
    lopsided = fraction == _U0 and biased > 1
    if biased == 0:
        biased = 1
    else:
        fraction |= _U1 << np.uint64(size)
    return _shortest(fraction, biased - bias, lopsided)


@piece
def _eight(x: Word) -> Word:
    """Return the eight decimal digits of ``x`` < 10^8 as eight bytes of text, the first digit in the lowest byte.

    Two numbers of four digits, then four of two, then eight of one, side by side in one register.
    """
    upper = x // _U1E4
    fours = upper | (x - upper * _U1E4) << _U32
    hundreds = (fours * _U10486) >> _U20 & _HUNDREDS
    twos = hundreds | (fours - hundreds * _U100) << _U16
    tens = (twos * _U103) >> _U10 & _TENS
    return (tens | (twos - tens * _U10) << _U8) + _ZEROS


@piece
def write_digits(out: Any, at: int, x: Word, count: int) -> int:
    """Write the last ``count`` decimal digits of ``x`` (uint64), zeros in front; return the position after them."""
    end = at + count
    for left in range(end - 1, at - 1, -1):
        rest = x // _U10
        out[left] = _ZERO + np.uint8(x - rest * _U10)
        x = rest
    return end


@piece
def digit_count(x: Word) -> int:
    """Return how many decimal digits ``x`` (uint64, below 10^19) has; 0 has one."""
    count, bound = (16, _U1E16) if x >= _U1E15 else (1, _U10)
    while count < 19 and x >= bound:
        count += 1
        bound *= _U10
    return count


@piece
def _write_seventeen(out: Any, at: int, x: Word) -> None:
    """Write the 17 decimal digits of ``x`` >= 10^16."""
    upper = x // _U1E8
    first = upper // _U1E8
    out[at] = _ZERO + np.uint8(first)
    store(out, at + 1, _eight(upper - first * _U1E8))
    store(out, at + 9, _eight(x - upper * _U1E8))


@piece
def _write_pointed(out: Any, at: int, x: Word, bits: Word) -> None:
    """Write the 17 decimal digits of ``x`` >= 10^16 with a point behind the first ``bits`` / 8 < 8 of them."""
    upper = x // _U1E9
    rest = x - upper * _U1E9
    middle = rest // _U10
    first = _eight(upper)
    whole = (_U1 << bits) - _U1
    store(out, at, first & whole | np.uint64(_POINT) << bits | (first & ~whole) << _U8)
    out[at + 8] = np.uint8(first >> _U56)
    store(out, at + 9, _eight(middle))
    out[at + 17] = _ZERO + np.uint8(rest - middle * _U10)


@piece
def _stripped(out: Any, first: int, end: int) -> int:
    """Return the end of the text without the zeros at it, but not less than ``first``."""
    while end > first and out[end - 1] == _ZERO:
        end -= 1
    return end


@piece
def write_decimal(out: Any, at: int, digits: Word, exponent: int) -> int:
    """Write digits 10^exponent (at most 17 digits) as ``repr`` does: 0.0001 to 1e16 in full, others with an exponent.

    Returns the position behind; up to 24 bytes there may be overwritten.
    """
    count = 16 + int(digits >= _U1E16) if digits >= _U1E15 else digit_count(digits)
    point = count + exponent
    digits *= _SCALES[17 - count]
    if 0 < point < 8:
        _write_pointed(out, at, digits, np.uint64(8 * point))
        return _stripped(out, at + point + 2, at + 18)
    if 0 < point <= 16:
        _write_seventeen(out, at + 1, digits)
        for i in range(at, at + point):
            out[i] = out[i + 1]
        out[at + point] = _POINT
        return _stripped(out, at + point + 2, at + 18)
    if -4 < point <= 0:
        store(out, at, _LEADING)
        _write_seventeen(out, at + 2 - point, digits)
        return _stripped(out, at, at + 19 - point)
    _write_pointed(out, at, digits, _U8)
    end = _stripped(out, at + 1, at + 18)
    return _write_exponent(out, end if end > at + 2 else at + 1, point - 1)


@piece
def _write_exponent(out: Any, at: int, scale: int) -> int:
    """Write e+dd or e-dd, of at least two digits."""
    out[at] = _E
    out[at + 1] = _MINUS if scale < 0 else _PLUS
    scale = abs(scale)
    return write_digits(out, at + 2, np.uint64(scale), 3 if scale >= 100 else 2)
