"""Streams of scores: those of ICML 2024's appendix G, and days of a fleet's alerts."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

DAY = 86_400 * 10**9


class Scores(NamedTuple):
    """n scores, which of them are anomalies by their law, and sets of scores from before."""

    x: Floats
    anomalous: Mask
    offline: list[Floats]


def appendix_g(seed: int, n: int, p: float, config: dict[str, Any], *, shift: bool) -> Scores:
    """Segments of normal laws, mean U[0, 10], variance U[0.2, 2], out of a few; an anomaly lies past its quantile."""
    rng = np.random.default_rng(seed)
    laws = [
        stats.norm(rng.uniform(0, 10), np.sqrt(rng.uniform(0.2, 2))) for _ in range(config["offline_sets"])
    ]
    offline = [law.rvs(config["offline_size"], random_state=rng) for law in laws]
    x, anomalous = np.empty(n), np.empty(n, np.bool_)
    begin, current = 0, int(rng.integers(len(laws)))
    while begin < n:
        end = min(n, begin + max(1, int(rng.poisson(config["gap"])))) if shift else n
        x[begin:end] = laws[current].rvs(end - begin, random_state=rng)
        anomalous[begin:end] = x[begin:end] > laws[current].ppf(p)
        current = (current + int(rng.integers(1, len(laws)))) % len(laws)
        begin = end
    return Scores(x, anomalous, offline)


class Days(NamedTuple):
    """Scores with times, in their order, and which of them are anomalies."""

    x: Floats
    times: Ints
    true: Mask


def days(seed: int, number: int, per_day: int, anomalies: float, kind: str) -> Days:
    """Scores -log10 p of normal events and of anomalies, which begin at 4 (1e-4) and fall off over 1.5 decades.

    ``kind``: "steady"; "jump", all scores rise by 2 for good half way; "ramp", they rise by 3 slowly; "tide", by day
    ten times as many events as by night; "burst", an hour in each fifth day in which all scores are above 6.
    """
    rng = np.random.default_rng(seed)
    normal, odd = per_day * number, int(rng.poisson(anomalies * number))
    x = np.append(-np.log10(rng.random(normal)), 4 + rng.exponential(1.5, odd))
    at = rng.random(normal + odd) * number
    if kind == "tide":
        light = rng.random(normal + odd) < 10 / 11
        at = np.floor(at) + np.where(light, 0.5, 0.0) + 0.5 * (at % 1)
    elif kind == "jump":
        x += 2.0 * (at > number / 2)
    elif kind == "ramp":
        x += 3.0 * at / number
    elif kind == "burst":
        x = np.where((at % 5 > 4) & (at % 1 < 1 / 24), 6 + x, x)
    order = np.argsort(at, kind="stable")
    return Days(x[order], (at[order] * DAY).astype(np.int64), (np.arange(normal + odd) >= normal)[order])


class FleetDays(NamedTuple):
    """Events of many keys in order of time."""

    keys: Ints
    values: Floats
    times: Ints
    true: Mask


def fleet_days(seed: int, number: int, keys: int, per_day: int, anomalies: float) -> FleetDays:
    """Each key has a level that wanders, jumps now and then, and t(4) noise; anomalies lie 12 scales off, alone."""
    rng = np.random.default_rng(seed)
    n = number * per_day
    which = rng.integers(0, keys, n)
    values = rng.standard_t(4, n)
    for key in range(keys):
        rows = np.flatnonzero(which == key)
        level = np.cumsum(rng.normal(0, 0.02, len(rows))) + np.cumsum(
            5.0 * (rng.random(len(rows)) < 1 / 3000)
        )
        values[rows] += level
    true = rng.random(n) < anomalies / per_day
    values[true] += 12.0 * rng.choice([-1.0, 1.0], int(true.sum()))
    times = np.sort(rng.random(n) * number * DAY).astype(np.int64)
    return FleetDays(which, values, times, true)


def steady(seed: int, n: int, kind: str) -> Floats:
    """Scores without anomalies: of one law, on a slow ramp, or with jumps every n/10 scores."""
    rng = np.random.default_rng(seed)
    if kind == "normal":
        return rng.normal(size=n)
    if kind == "t(3)":
        return rng.standard_t(3, n)
    if kind == "exponential":
        return rng.exponential(size=n)
    if kind == "ramp":
        return rng.normal(size=n) + np.linspace(0, 10, n)
    return rng.normal(size=n) + np.repeat(rng.uniform(0, 10, 10), -(-n // 10))[:n]


__all__ = ["DAY", "Days", "FleetDays", "Scores", "appendix_g", "days", "fleet_days", "steady"]
