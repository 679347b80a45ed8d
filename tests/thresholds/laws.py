"""Laws that every threshold obeys, whatever it decides by: given what makes one, and scores."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

EXTREMES = [0.0, -0.0, 1.0, np.nan, np.inf, -np.inf, 1e308, -1e308, 1e300, -1e300, 5e-324, 2.0**53 + 1, 1 / 3]


def lively(seed: int, n: int) -> np.ndarray:
    """Scores with a shift, ties, and values that are no numbers."""
    rng = np.random.default_rng(seed)
    x = rng.exponential(size=n)
    x[rng.integers(n) :] += rng.normal() * 3
    x[rng.random(n) < 0.2] = np.round(x[rng.random(n) < 0.2][:1].sum(), 1)
    odd = rng.random(n) < 0.03
    x[odd] = rng.choice([np.nan, np.inf, -np.inf, 1e301, 40.0, -40.0], odd.sum())
    return x


def assert_any_split_is_the_same(make: Callable[[], Any], x: np.ndarray, where: list[int]) -> None:
    whole, pieces = make(), make()
    expected = whole.update_many(x)
    cuts = [0, *sorted(where), len(x)]
    said = np.concatenate([pieces.update_many(x[a:b]) for a, b in pairwise(cuts)])
    np.testing.assert_array_equal(said, expected)
    assert pieces.to_bytes() == whole.to_bytes()


def assert_one_by_one_is_the_same(make: Callable[[], Any], x: np.ndarray) -> None:
    whole, single = make(), make()
    expected = whole.update_many(x)
    np.testing.assert_array_equal([single.update(v) for v in x], expected)
    assert single.to_bytes() == whole.to_bytes()


def assert_a_snapshot_resumes(make: Callable[[], Any], x: np.ndarray, at: int) -> None:
    whole, running = make(), make()
    expected = whole.update_many(x)[at:]
    running.update_many(x[:at])
    resumed = type(running).from_bytes(running.to_bytes())
    assert resumed.parameters == running.parameters
    assert resumed.to_bytes() == running.to_bytes()
    np.testing.assert_array_equal(resumed.update_many(x[at:]), expected)
    assert resumed.to_bytes() == whole.to_bytes()


def assert_the_callers_array_is_left_alone(make: Callable[[], Any], x: np.ndarray) -> None:
    before = x.copy()
    x.flags.writeable = False
    running, other = make(), make()
    expected = running.update_many(x)
    np.testing.assert_array_equal(x, before)
    wide = np.zeros(2 * len(x))
    wide[::2] = x
    np.testing.assert_array_equal(other.update_many(wide[::2]), expected)
    assert other.to_bytes() == running.to_bytes()
