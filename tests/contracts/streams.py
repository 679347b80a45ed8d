"""Streams with everything in them, and the hypothesis strategies that draw hostile ones."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MINUTE = 60 * 10**9
BEGIN = 1_700_000_000 * 10**9
NAT = np.iinfo(np.int64).min
MANY = 24
"""Most keys among which a stream is shared out."""


class Stream(NamedTuple):
    """n events: values (n,) or (n, d), times (n,) in ns or None, keys (n,)."""

    values: Floats
    times: Ints | None
    keys: Ints

    def part(self, begin: int, end: int) -> Stream:
        """Events begin..end-1."""
        times = None if self.times is None else self.times[begin:end]
        return Stream(self.values[begin:end], times, self.keys[begin:end])

    def take(self, rows: NDArray[np.bool_]) -> Stream:
        """The events of a mask."""
        times = None if self.times is None else self.times[rows]
        return Stream(self.values[rows], times, self.keys[rows])

    def valued(self, values: Floats) -> Stream:
        """The same times and keys with other values."""
        return self._replace(values=values)


def shaped(values: Floats, d: int) -> Floats:
    """(n, 1) as (n,)."""
    return values[:, 0] if d == 1 else values


def clean_times(n: int) -> Ints:
    """One event a minute."""
    return BEGIN + np.arange(n) * MINUTE


def restless_times(rng: np.random.Generator, n: int) -> Ints:
    """Duplicates, gaps, backward steps and events without a time."""
    steps = rng.choice(
        [0, 1, 1, 1, 1, 2, 600, 60 * 24 * 9], n, p=[0.1, 0.2, 0.2, 0.2, 0.2, 0.08, 0.015, 0.005]
    )
    times = BEGIN + np.cumsum(steps) * MINUTE
    late = rng.random(n) < 0.02
    times[late] -= 90 * MINUTE
    times[rng.random(n) < 0.02] = NAT
    return times


def noise(rng: np.random.Generator, n: int, d: int) -> Floats:
    """(n, d) of a family chosen at random: Gaussian, t(3), Laplace, lognormal, whole numbers, AR(1)."""
    family = rng.integers(6)
    if family == 0:
        return rng.normal(size=(n, d))
    if family == 1:
        return rng.standard_t(3, size=(n, d))
    if family == 2:
        return rng.laplace(size=(n, d))
    if family == 3:
        return rng.lognormal(0.0, 0.5, size=(n, d))
    if family == 4:
        return rng.poisson(3.0, size=(n, d)).astype(np.float64)
    x = rng.normal(size=(n, d))
    for i in range(1, n):
        x[i] += 0.8 * x[i - 1]
    return x


def eventful(rng: np.random.Generator, n: int, d: int) -> Floats:
    """(n, d): noise with level shifts, a wider and a narrower stretch, spikes and a constant stretch."""
    x = noise(rng, n, d)
    for begin in rng.integers(70, max(n, 71), 3):
        x[begin:] += rng.choice([-1, 1]) * rng.uniform(4, 25)
    if n > 400:
        a, b, c = np.sort(rng.integers(100, n, 3))
        x[a:b] *= rng.choice([0.1, 4.0])
        x[c : c + rng.integers(1, 60)] = x[c]
    spikes = rng.random(n) < 0.01
    x[spikes] += rng.choice([-1, 1], (int(spikes.sum()), 1)) * rng.uniform(6, 40, (int(spikes.sum()), d))
    return x


def broken(rng: np.random.Generator, x: Floats) -> Floats:
    """The same with nulls, infinities, huge and tiny numbers among it."""
    x = x.copy()
    x[rng.random(x.shape) < 0.02] = np.nan
    x[rng.random(len(x)) < 0.01] = np.nan
    pool = np.array([np.inf, -np.inf, 1e301, -1e308, 1e299, -1e299, 5e-324, -1e-310, 0.0])
    hostile = rng.random(x.shape) < 0.01
    x[hostile] = rng.choice(pool, int(hostile.sum()))
    return x


def lively(seed: int, n: int, d: int, *, timed: bool, sane: bool = False) -> Stream:
    """A stream with everything in it; ``sane`` ones hold finite numbers of one magnitude and clean times."""
    rng = np.random.default_rng(seed)
    x = eventful(rng, n, d)
    if not sane:
        x = broken(rng, x)
    times = None
    if timed:
        times = clean_times(n) if sane else restless_times(rng, n)
    return Stream(shaped(x, d), times, rng.integers(0, MANY, n))


seeds = st.integers(0, 2**32 - 1)


@st.composite
def cuts(draw: st.DrawFn, n: int) -> list[int]:
    """Ways to cut n events: 0 = c0 <= c1 <= … <= n, empty pieces included."""
    inner = draw(st.lists(st.integers(0, n), max_size=8))
    return [0, *sorted(inner), n]
