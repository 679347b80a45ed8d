"""What the compiled pieces compute, said slowly."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

PER_OCTAVE, LOWEST, HIGHEST = 4, -2, 9


def edges() -> list[float]:
    """Quarter octaves from 1/4 to 512."""
    return [2.0 ** (LOWEST + k / PER_OCTAVE) for k in range((HIGHEST - LOWEST) * PER_OCTAVE + 1)]


def bin_of(z: float) -> int:
    """Number of edges that are not above z."""
    return sum(edge <= z for edge in edges())


def halve(counts: Sequence[int]) -> list[int]:
    """Every count halved; an odd one leaves its remainder to the next."""
    out, carry = [], 0
    for count in counts:
        out.append((count + carry) // 2)
        carry = (count + carry) % 2
    return out


def median(values: Sequence[float]) -> float:
    """The middle, or the mean of the two in the middle."""
    return float(np.median(values))


def splitmix64(counter: int) -> float:
    """Steele, Lea and Flood (2014): the finaliser of SplittableRandom on counter + golden ratio, as a fraction."""
    mask = 2**64 - 1
    z = (counter + 0x9E3779B97F4A7C15) & mask
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    z ^= z >> 31
    return math.ldexp(z >> 11, -53)
