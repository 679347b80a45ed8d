"""Elementary functions at the accuracy a score needs, several times faster than the library's.

``log`` follows the classical reduction x = 2^k m, sqrt(1/2) <= m < sqrt(2), log m = 2 artanh((m-1)/(m+1)); the series
is cut after the 9th power, an absolute error below 1e-9.  All are pure arithmetic on doubles without a branch: a
power of two in the data changes no bit of what follows, and a loop over an array becomes vector instructions.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from marigram.numerics.bits import bits_of, float_of
from marigram.numerics.jit import part, piece

LN2 = math.log(2.0)
_SQRT2 = math.sqrt(2.0)
_MANTISSA = np.int64(0x000FFFFFFFFFFFFF)
_ONE = np.int64(0x3FF0000000000000)
_SHIFT = 1.5 * 2.0**52
_SHIFT_BITS = np.int64(np.float64(_SHIFT).view(np.int64))
_BIASED_BITS = np.int64(_SHIFT_BITS - 1023)
"""A double near _SHIFT holds a small integer in its low bits: conversions without a conversion instruction."""
_PER_LN2 = 1.0 / LN2
_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10


@piece
def log(x: float) -> float:
    """Natural logarithm of a positive normal double, to 1e-9."""
    bits = bits_of(x)
    m = float_of((bits & _MANTISSA) | _ONE)
    above = m > _SQRT2
    k = (bits >> 52) + (_BIASED_BITS + (1 if above else 0))
    m = 0.5 * m if above else m
    s = (m - 1.0) / (m + 1.0)
    q = s * s
    series = 1.0 + q * (1 / 3 + q * (1 / 5 + q * (1 / 7 + q * (1 / 9))))
    return (float_of(k) - _SHIFT) * LN2 + 2.0 * s * series


@piece
def exp(x: float) -> float:
    """exp(x) for |x| <= 700, to 1e-11 relative: 2^k exp(r), |r| <= log(2)/2, by its series."""
    shifted = x * _PER_LN2 + _SHIFT
    k = bits_of(shifted) - _SHIFT_BITS
    whole = shifted - _SHIFT
    r = (x - whole * _LN2_HIGH) - whole * _LN2_LOW
    rest = 1 / 120 + r * (1 / 720 + r * (1 / 5040 + r * (1 / 40320 + r * (1 / 362880))))
    e = 1.0 + r * (1.0 + r * (1 / 2 + r * (1 / 6 + r * (1 / 24 + r * rest))))
    return float_of(bits_of(e) + (k << 52))


@piece
def exp_small(x: float) -> float:
    """exp(x) for |x| <= 1, to 2e-9 relative: exp(x/4) by its series, squared twice."""
    y = 0.25 * x
    e = 1.0 + y * (
        1.0 + y * (1 / 2 + y * (1 / 6 + y * (1 / 24 + y * (1 / 120 + y * (1 / 720 + y * (1 / 5040))))))
    )
    e *= e
    return e * e


@piece
def clip(x: float, bound: float) -> float:
    """x limited to [-bound, bound]: the influence one sample may have."""
    return bound if x > bound else (-bound if x < -bound else x)


@piece
def larger(a: float, b: float) -> float:
    """max(a, b) of two numbers neither of which is NaN: one instruction."""
    return a if a > b else b


@piece
def smaller(a: float, b: float) -> float:
    """min(a, b) of two numbers neither of which is NaN: one instruction."""
    return a if a < b else b


@piece
def decay(x: float) -> float:
    """exp(-x) for 0 <= x <= 1, to 2e-3 (5e-4 up to 0.85): enough for a weight."""
    return 1.0 - x * (1.0 - x * (1 / 2 - x * (1 / 6 - x * (1 / 24 - x * (1 / 120)))))


@part
def median(values: np.ndarray, n: int) -> float:
    """Median of the first n <= 16 entries, which are sorted in place (insertion sort)."""
    for i in range(1, n):
        v = values[i]
        k = i - 1
        while k >= 0 and values[k] > v:
            values[k + 1] = values[k]
            k -= 1
        values[k + 1] = v
    half = n >> 1
    if n & 1:
        return values[half]
    return values[half - 1] + 0.5 * (values[half] - values[half - 1])


@part
def lane_sum(values: np.ndarray, n: int) -> float:
    """Sum of the first n entries in eight lanes: the same bits on every machine, and no add waits for the last."""
    a = b = c = d = e = f = g = h = 0.0
    whole = n // 8 * 8
    for j in range(0, whole, 8):
        a += values[j]
        b += values[j + 1]
        c += values[j + 2]
        d += values[j + 3]
        e += values[j + 4]
        f += values[j + 5]
        g += values[j + 6]
        h += values[j + 7]
    total = ((a + b) + (c + d)) + ((e + f) + (g + h))
    for j in range(whole, n):
        total += values[j]
    return total


@piece
def mix(z: Any) -> Any:
    """Finaliser of splitmix64 on uint64: every bit of the result depends on every bit of z."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@piece
def uniform(counter: int) -> float:
    """A fixed pseudo-random number in [0, 1) for every integer (splitmix64): randomness without a state."""
    z = mix(np.uint64(counter) + np.uint64(0x9E3779B97F4A7C15))
    return float(z >> np.uint64(11)) * (1.0 / 9007199254740992.0)


__all__ = [
    "LN2", "clip", "decay", "exp", "exp_small", "lane_sum", "larger", "log", "median", "mix",
    "smaller", "uniform",
]  # fmt: skip
