"""A histogram on a logarithmic grid: quarter octaves from 1/4 to 512, with one bin below and one above.

Counts are 16-bit.  When they would overflow, or when the memory is full, they are halved together, which is
exponential forgetting in steps.  A bin is found from the bits of the number, without a logarithm.
"""

from __future__ import annotations

import numpy as np

from marigram.numerics.bits import bits_of, float_of
from marigram.numerics.jit import part, piece

PER_OCTAVE = 4
LOWEST, HIGHEST = -2, 9
BINS = (HIGHEST - LOWEST) * PER_OCTAVE + 2
"""Bin 0 lies below EDGES[0], bin k between EDGES[k-1] and EDGES[k], bin BINS-1 above EDGES[BINS-2]."""
EDGES = 2.0 ** (LOWEST + np.arange(BINS - 1) / PER_OCTAVE)
VECTOR = 8
"""Loops over bins run in whole vectors of this many; arrays of bins have room for one more."""
WIDTH = -(-(BINS + 1) // VECTOR) * VECTOR + VECTOR
PADDED_EDGES = 2.0 ** (LOWEST + np.arange(WIDTH) / PER_OCTAVE)
EMPTY = 255
"""Code of 'nothing' where a bin number is kept in one byte."""

_Q1, _Q2, _Q3 = 2.0**0.25, 2.0**0.5, 2.0**0.75
_MANTISSA = np.int64(0x000FFFFFFFFFFFFF)
_ONE = np.int64(0x3FF0000000000000)


@piece
def bin_of(z: float) -> int:
    """The bin of z >= 0."""
    if z < 0.25:
        return 0
    if z >= 512.0:
        return BINS - 1
    bits = bits_of(z)
    m = float_of((bits & _MANTISSA) | _ONE)
    quarter = (1 if m >= _Q1 else 0) + (1 if m >= _Q2 else 0) + (1 if m >= _Q3 else 0)
    return ((bits >> 52) - 1023 - LOWEST) * PER_OCTAVE + quarter + 1


@part
def halve(counts: np.ndarray) -> int:
    """Halve all counts; what one bin loses by rounding the next one inherits.  Returns the new total."""
    carry = 0
    total = 0
    for k in range(counts.shape[0]):
        v = int(counts[k]) + carry
        counts[k] = v >> 1
        carry = v & 1
        total += v >> 1
    return total


__all__ = ["BINS", "EDGES", "EMPTY", "HIGHEST", "LOWEST", "PER_OCTAVE", "bin_of", "halve"]
