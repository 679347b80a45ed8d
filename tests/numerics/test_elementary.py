"""The fast elementary functions against the library's."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.numerics import naive
from tests.numerics.pieces import callable_piece

from marigram.numerics import elementary

log = callable_piece(elementary.log)
exp_small = callable_piece(elementary.exp_small)
decay = callable_piece(elementary.decay)
clip = callable_piece(elementary.clip)
larger = callable_piece(elementary.larger)
smaller = callable_piece(elementary.smaller)
median = callable_piece(elementary.median)
uniform = callable_piece(elementary.uniform)

finite = st.floats(allow_nan=False, allow_infinity=False)
normal_doubles = st.floats(min_value=2.3e-308, allow_infinity=False, exclude_min=True)


@given(normal_doubles)
def test_log_of_every_positive_normal_double(x: float) -> None:
    assert log(x) == pytest.approx(math.log(x), abs=2e-9, rel=1e-12)


@given(normal_doubles.filter(lambda x: 1e-150 < x < 1e150), st.integers(-400, 400))
def test_log_of_a_power_of_two_multiple_differs_by_a_constant(x: float, k: int) -> None:
    """The mantissa's part does not depend on the exponent."""
    assert log(x * 2.0**k) - log(x) == pytest.approx(k * math.log(2), rel=1e-13, abs=1e-13)


@given(st.floats(-1, 1))
def test_exp_small(x: float) -> None:
    assert exp_small(x) == pytest.approx(math.exp(x), rel=2e-9)


@given(st.floats(0, 1))
def test_decay(x: float) -> None:
    assert decay(x) == pytest.approx(math.exp(-x), abs=x**6 / 720 + 1e-15)
    assert 0 < decay(x) <= 1


@given(st.floats(allow_nan=False), st.floats(0, allow_nan=False))
def test_clip(x: float, bound: float) -> None:
    assert clip(x, bound) == max(-bound, min(bound, x))


@given(finite, finite)
def test_larger_and_smaller(a: float, b: float) -> None:
    assert larger(a, b) == max(a, b)
    assert smaller(a, b) == min(a, b)


@given(st.lists(finite.filter(lambda x: abs(x) < 1e307), min_size=1, max_size=16))
def test_median(values: list[float]) -> None:
    given_values = np.array(values)
    assert median(given_values, len(values)) == pytest.approx(naive.median(values), rel=1e-12, abs=1e-300)
    assert given_values.tolist() == sorted(values)


@given(st.lists(st.floats(-100, 100), min_size=4, max_size=16), st.integers(1, 3))
def test_median_looks_at_the_first_entries_alone(values: list[float], n: int) -> None:
    assert median(np.array(values), n) == pytest.approx(naive.median(values[:n]))


@given(st.integers(0, 2**62))
def test_uniform_is_splitmix64(counter: int) -> None:
    assert uniform(counter) == naive.splitmix64(counter)


def test_uniform_is_uniform() -> None:
    """Kolmogorov distance of 20,000 numbers below 1.63/sqrt(n): one good generator in 100 is worse."""
    numbers = np.sort([uniform(i) for i in range(20_000)])
    distance = np.abs(numbers - (np.arange(20_000) + 0.5) / 20_000).max()
    assert distance < 1.63 / math.sqrt(20_000)
    assert numbers[0] >= 0
    assert numbers[-1] < 1
