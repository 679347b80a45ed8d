"""The logarithmic grid against counting edges."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tests.numerics import naive
from tests.numerics.pieces import callable_piece

from marigram.numerics import bits, grid

bin_of = callable_piece(grid.bin_of)
halve = callable_piece(grid.halve)
bits_of = callable_piece(bits.bits_of)
float_of = callable_piece(bits.float_of)

NEAR = [
    side for edge in naive.edges() for side in (math.nextafter(edge, 0), edge, math.nextafter(edge, math.inf))
]


def test_the_edges_are_quarter_octaves() -> None:
    np.testing.assert_allclose(grid.EDGES, naive.edges(), rtol=1e-15)
    assert len(grid.EDGES) == grid.BINS - 1


@given(st.one_of(st.floats(0, 1e300), st.floats(0.2, 600), st.floats(0.2, 600).map(lambda z: z * 2.0**-900)))
def test_a_bin_is_the_number_of_edges_not_above(z: float) -> None:
    nearest = min(abs(z - edge) / edge for edge in naive.edges())
    assert abs(bin_of(z) - naive.bin_of(z)) <= (nearest < 1e-15)


def test_bins_are_exact_to_the_last_bit_but_one() -> None:
    """Only a number within one unit of the last place of an edge may fall to the other side of it."""
    for z in NEAR:
        assert abs(bin_of(z) - naive.bin_of(z)) <= 1
    for edge in naive.edges():
        assert bin_of(edge * (1 - 1e-14)) == naive.bin_of(edge) - 1
        assert bin_of(edge * (1 + 1e-14)) == naive.bin_of(edge)


@given(st.floats(0, 1e300), st.floats(0, 1e300))
def test_bins_are_monotone(a: float, b: float) -> None:
    assert bin_of(min(a, b)) <= bin_of(max(a, b))
    assert 0 <= bin_of(a) < grid.BINS


@given(st.lists(st.integers(0, 65535), min_size=grid.BINS, max_size=grid.BINS))
def test_halving(counts: list[int]) -> None:
    array = np.array(counts, np.uint16)
    total = halve(array)
    assert array.tolist() == naive.halve(counts)
    assert total == array.sum() == sum(counts) // 2


@given(st.floats(allow_nan=False))
def test_the_bits_of_a_double_and_back(x: float) -> None:
    assert bits_of(x) == int(np.float64(x).view(np.int64))
    assert math.copysign(1, float_of(bits_of(x))) == math.copysign(1, x)
    assert float_of(bits_of(x)) == x
