"""Streams with a known truth, one function a kind, every draw from `default_rng([seed, family, tag])`.

A tag belongs to one kind of stream and one use of randomness, so that no two kinds share their noise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.noise import FAMILIES, Floats, Noise

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

WARM = 500  # no spike before this event, and rates are counted from it
DAY = 288  # events a day, one each five minutes
MONDAY = 1_704_067_200_000_000_000  # 2024-01-01T00:00Z, a Monday, in ns
STEP = 300_000_000_000  # five minutes in ns

GAP, WIDE, NULL, SCALE, SHIFT, BURST, SEASON = 10, 11, 20, 30, 40, 50, 60


@dataclass(frozen=True)
class Stream:
    """One series and its truth.

    values: (n,) or (n, d); times: (n,) int64 ns UTC or None; spikes: (n,) events that are anomalies;
    shifts: first events of new regimes, sorted; oracle: (n,) what true mean and exact quantile would flag.
    """

    values: Floats
    spikes: Bools
    shifts: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    oracle: Bools | None = None
    times: Ints | None = None

    def __len__(self) -> int:
        return len(self.values)


def generator(seed: int, family: int, tag: int) -> np.random.Generator:
    """The only source of randomness of the benchmark."""
    return np.random.default_rng([seed, family, tag])


def signs(rng: np.random.Generator, shape: int | tuple[int, ...]) -> Floats:
    """Independent +1 and -1."""
    return rng.choice(np.array([-1.0, 1.0]), shape)


def clock(n: int) -> Ints:
    """Times of n events, five minutes apart, from a Monday midnight."""
    return MONDAY + STEP * np.arange(n, dtype=np.int64)


def segments(rng: np.random.Generator, n: int, mean: float = 2000.0, least: int = 200) -> Ints:
    """First events of the regimes after the first; lengths least + exponential, the last no shorter."""
    starts: list[int] = []
    at = 0
    while True:
        at += least + round(rng.exponential(mean - least))
        if at > n - least:
            return np.array(starts, np.int64)
        starts.append(at)


def spike_events(rng: np.random.Generator, n: int, share: float = 0.01) -> Bools:
    """Which events are spikes: each with probability `share`, none in the first 500."""
    spikes = rng.random(n) < share
    spikes[:WARM] = False
    return spikes


def gap(noise: Noise, seed: int, n: int, d: int = 1, alpha: float = 1e-3) -> Stream:
    """Level shifts of 3 to 20 sd at random times, 1 % spikes of 6 to 30 sd, any unit and offset.

    d > 1: every coordinate shifts, one coordinate of a spiked event is spiked. The oracle knows the
    level and flags what lies beyond the (1 - alpha) quantile of the largest |noise| of the d coordinates.
    """
    rng = generator(seed, noise.index, GAP if d == 1 else WIDE)
    shifts = segments(rng, n)
    jumps = signs(rng, (len(shifts), d)) * rng.uniform(3, 20, (len(shifts), d))
    regime = np.searchsorted(shifts, np.arange(n), side="right")
    level = np.vstack([np.zeros((1, d)), np.cumsum(jumps, axis=0)])[regime]
    spikes = spike_events(rng, n)
    deviation = noise.draw(rng, (n, d))
    deviation[np.arange(n), rng.integers(0, d, n)] += spikes * signs(rng, n) * rng.uniform(6, 30, n)
    unit = 10 ** rng.uniform(-6, 6)
    values = unit * (level + deviation + rng.uniform(-1e3, 1e3))
    oracle = np.abs(deviation).max(axis=1) > noise.quantile(alpha, d)
    return Stream(values[:, 0] if d == 1 else values, spikes, shifts, oracle)


def peers(n: int, d: int, seed: int, alpha: float = 1e-3) -> Stream:
    """The stream on which the peers were measured: regimes of 2,000, t(3) noise, 1 % spikes of 8 sd."""
    rng = np.random.default_rng(seed)
    regime = 2000
    count = (n + regime - 1) // regime
    mean = np.empty((count, d))
    for r in range(count):
        drawn = rng.uniform(-10, 10, d)
        while r and (close := np.abs(drawn - mean[r - 1]) < 3).any():
            drawn[close] = rng.uniform(-10, 10, int(close.sum()))
        mean[r] = drawn
    deviation = rng.standard_t(3, (n, d)) / math.sqrt(3)
    spikes = spike_events(rng, n)
    where, size = rng.integers(0, d, n), rng.choice([-8.0, 8.0], n)
    deviation[np.arange(n), where] += spikes * size
    values = np.repeat(mean, regime, axis=0)[:n] + deviation
    oracle = np.abs(deviation).max(axis=1) > FAMILIES["t3"].quantile(alpha, d)
    shifts = np.arange(regime, n - regime + 1, regime, dtype=np.int64)
    return Stream(values[:, 0] if d == 1 else values, spikes, shifts, oracle)


def null(noise: Noise, seed: int, n: int) -> Stream:
    """Nothing but noise."""
    return Stream(noise.draw(generator(seed, noise.index, NULL), (n,)), np.zeros(n, np.bool_))


def autoregression(phi: float, seed: int, n: int) -> Stream:
    """AR(1) with Gaussian innovations, started in its stationary law."""
    rng = generator(seed, round(100 * phi), NULL)
    values = rng.standard_normal(n)
    values[0] /= math.sqrt(1 - phi * phi)
    for i in range(1, n):
        values[i] += phi * values[i - 1]
    return Stream(values, np.zeros(n, np.bool_))


def daily_null(noise: Noise, seed: int, n: int, amplitude: float = 5.0) -> Stream:
    """Noise around a daily sine of 5 sd with a random phase, times given, 288 events a day."""
    rng = generator(seed, noise.index, NULL + 1)
    phase = rng.uniform(0, 2 * math.pi)
    season = amplitude * np.sin(2 * math.pi * np.arange(n) / DAY + phase)
    return Stream(season + noise.draw(rng, (n,)), np.zeros(n, np.bool_), times=clock(n))


def scale_once(noise: Noise, factor: float, seed: int, n: int = 9000, at: int = 5000) -> Stream:
    """The noise is multiplied by `factor` from event 5,000 on."""
    values = noise.draw(generator(seed, noise.index, SCALE), (n,))
    values[at:] *= factor
    return Stream(values, np.zeros(n, np.bool_), np.array([at]))


def scale_alternating(noise: Noise, factor: float, seed: int, n: int = 40_000, length: int = 4000) -> Stream:
    """The scale is 1 and `factor` by turns, 4,000 events each."""
    values = noise.draw(generator(seed, noise.index, SCALE + 1), (n,))
    values[np.arange(n) // length % 2 == 1] *= factor
    return Stream(values, np.zeros(n, np.bool_), np.arange(length, n, length, dtype=np.int64))


def one_shift(noise: Noise, seed: int, each: int = 1000) -> Stream:
    """One level shift of 3 to 20 sd, 1,000 events before and after it."""
    rng = generator(seed, noise.index, SHIFT)
    values = noise.draw(rng, (2 * each,))
    values[each:] += signs(rng, 1) * rng.uniform(3, 20)
    return Stream(values, np.zeros(2 * each, np.bool_), np.array([each]))


def burst_runs(rng: np.random.Generator, n: int, share: float = 0.05) -> Bools:
    """Corrupted events: runs of 1 to 5, no two touch, none in the first 500, at most `share` of all."""
    corrupted = np.zeros(n, np.bool_)
    budget = int(share * n)
    at = WARM
    while budget > 0:
        at += 1 + int(rng.geometric(share / (3 - 4 * share)))
        length = min(int(rng.integers(1, 6)), budget)
        if at + length >= n:
            break
        corrupted[at : at + length] = True
        budget -= length
        at += length
    return corrupted


def bursts(noise: Noise, size: float | None, seed: int, n: int = 20_000) -> tuple[Stream, Stream]:
    """The same noise clean and corrupted; corrupted events are off by ±`size` sd (None: 20 to 1e12)."""
    rng = generator(seed, noise.index, BURST)
    values = noise.draw(rng, (n,))
    corrupted = burst_runs(rng, n)
    exponent = rng.uniform(math.log10(20), 12, n)
    off = signs(rng, n) * (10**exponent if size is None else size)
    clean = Stream(values, np.zeros(n, np.bool_))
    return clean, Stream(values + np.where(corrupted, off, 0.0), corrupted)


def _square(event: Ints, length: int) -> Floats:
    """10 in the first `length` events of each day, 0 in the others."""
    return np.where(event % DAY < length, 10.0, 0.0)


def season_shape(shape: str, n: int, rng: np.random.Generator) -> Floats:
    """A season of n events and 10 sd.

    A square steps by 10, a sine has amplitude 10, weekday levels are U(-10, 10). Edges of squares are whole hours,
    except in `daily_square_any`, where they fall on any event; `weekdays_square` is up from 8 to 18 h.
    """
    event = np.arange(n)
    grain = 1 if shape == "daily_square_any" else DAY // 24
    start = grain * int(rng.integers(DAY // grain))
    length = grain * int(rng.integers(DAY // grain // 4, DAY // grain // 2 + 1))
    phase = rng.uniform(0, 2 * math.pi)
    daily: Floats = 10 * np.sin(2 * math.pi * event / DAY + phase)
    weekly: Floats = 10 * np.sin(2 * math.pi * event / (7 * DAY) + phase)
    levels: Floats = rng.uniform(-10, 10, 7)
    match shape:
        case "daily_sine":
            return daily
        case "daily_square" | "daily_square_any":
            return _square(event - start, length)
        case "weekdays_square":
            return np.where(event // DAY % 7 < 5, _square(event - DAY // 3, 10 * DAY // 24), 0.0)
        case "weekly_sine":
            return weekly
        case "weekly_levels":
            return np.asarray(levels[event // DAY % 7], np.float64)
        case "daily_and_weekly":
            return np.add(daily, weekly)
    raise ValueError(f"no season shape named {shape!r}")


SHAPES = (
    "daily_sine",
    "daily_square",
    "daily_square_any",
    "weekdays_square",
    "weekly_sine",
    "weekly_levels",
    "daily_and_weekly",
)


def season(noise: Noise, shape: str, seed: int, alpha: float = 1e-3, days: int = 42) -> Stream:
    """Season, noise and 1 % spikes of 8 sd, times given, 288 events a day."""
    n = days * DAY
    rng = generator(seed, noise.index, SEASON + SHAPES.index(shape))
    level = season_shape(shape, n, rng)
    spikes = spike_events(rng, n)
    deviation = noise.draw(rng, (n,)) + spikes * signs(rng, n) * 8.0
    oracle = np.abs(deviation) > noise.quantile(alpha)
    return Stream(level + deviation, spikes, oracle=oracle, times=clock(n))
