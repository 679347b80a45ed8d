"""What the default detector promises, on enough generated events that chance hardly fails a good one.

Each test states the probability that a detector which does what it should fails by chance.  The seeds are fixed, so
that for one state of the code the outcome is always the same.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

import marigram as mg
from marigram import Kind

Floats = NDArray[np.float64]
NOISE: dict[str, Callable[[np.random.Generator, int], Floats]] = {
    "gaussian": lambda rng, n: rng.normal(size=n),
    "t3": lambda rng, n: rng.standard_t(3, n),
    "laplace": lambda rng, n: rng.laplace(size=n),
    "lognormal": lambda rng, n: rng.lognormal(0.0, 0.5, n),
    "pareto3": lambda rng, n: rng.pareto(3.0, n),
}
SD = {"gaussian": 1.0, "t3": 3.0**0.5}
every_noise = pytest.mark.parametrize("noise", NOISE)


@every_noise
def test_the_rate_of_small_p_is_the_promised_one(noise: str) -> None:
    """Pooled over 190,000 events: 1,900 are expected at 1e-2 and 190 at 1e-3, and [.5, 2] times that is passed.

    A detector whose true rate lies within [.8, 1.25] of the promise fails with probability below 1e-6 (Poisson).
    """
    p = []
    for seed in range(10):
        rng = np.random.default_rng([seed, 1])
        p.append(mg.Detector().update_many(NOISE[noise](rng, 20_000))["p_value"][1000:])
    pooled = np.concatenate(p)
    for alpha in (1e-2, 1e-3):
        assert 0.5 <= (pooled <= alpha).mean() / alpha <= 2.0, f"at {alpha}"


@every_noise
def test_no_drift_is_invented(noise: str) -> None:
    """At most 2 in 100,000 events are passed.

    At a true rate of .2 in 100,000 the chance of 4 or more in 190,000 is below 1e-3 (Poisson).
    """
    drifts = 0
    for seed in range(10):
        rng = np.random.default_rng([seed, 2])
        kind = mg.Detector().update_many(NOISE[noise](rng, 20_000))["kind"][1000:]
        drifts += int((kind == Kind.DRIFT).sum())
    assert drifts <= 3


@pytest.mark.parametrize("noise", SD)
def test_a_shift_is_told_once_and_soon(noise: str) -> None:
    """One drift within 20 events, and no other, in at least 95 % of 200 streams with a shift of 3 to 20 sd.

    A detector that does so in 98.5 % fails with probability below 1e-3 (binomial).
    """
    good = 0
    for seed in range(200):
        rng = np.random.default_rng([seed, 3])
        x = NOISE[noise](rng, 1500)
        x[1000:] += rng.choice([-1, 1]) * rng.uniform(3, 20) * SD[noise]
        table = mg.Detector().update_many(x)
        told = np.flatnonzero(table["kind"] == Kind.DRIFT)
        good += len(told) == 1 and 1000 <= told[0] < 1020
    assert good >= 190


@pytest.mark.parametrize("noise", SD)
def test_drift_says_when_and_from_where_to_where(noise: str) -> None:
    """``changed_at`` within 20 events of the truth in 95 % of 100 streams; levels within 1.5 sd in 95 %."""
    when = levels = 0
    for seed in range(100):
        rng = np.random.default_rng([seed, 4])
        x = NOISE[noise](rng, 1300) + 50.0
        size = rng.choice([-1, 1]) * rng.uniform(6, 20) * SD[noise]
        x[1000:] += size
        table = mg.Detector().update_many(x)
        told = table[table["kind"] == Kind.DRIFT]
        if len(told):
            when += abs(int(told["changed_at"][0]) - 1000) <= 20
            miss = max(abs(told["before"][0] - 50.0), abs(told["after"][0] - 50.0 - size))
            levels += miss < 1.5 * SD[noise]
    assert when >= 95
    assert levels >= 95


def median_width(x: Floats) -> float:
    """Median width of the band after 2,000 events."""
    table = mg.Detector().update_many(x)
    return float(np.median(table["upper"][2000:] - table["lower"][2000:]))


@pytest.mark.parametrize("noise", ["gaussian", "t3", "laplace"])
@pytest.mark.parametrize("size", [20.0, 1e3, 1e12])
def test_bursts_do_not_widen_the_band(noise: str, size: float) -> None:
    """5 % of the events corrupted, in runs of at most 5 with independent signs: the median band grows below 10 %."""
    ratios = []
    for seed in range(6):
        rng = np.random.default_rng([seed, 5])
        x = NOISE[noise](rng, 8000)
        y = x.copy()
        for begin in range(300, 8000, 60):
            run = rng.integers(1, 6)
            y[begin : begin + run] = rng.choice([-1, 1], run) * size * x.std()
        ratios.append(median_width(y) / median_width(x))
    assert np.median(ratios) < 1.10
    assert max(ratios) < 1.25


def test_an_anomaly_of_any_size_leaves_the_next_band_alone() -> None:
    rng = np.random.default_rng(6)
    x = rng.normal(size=3000)
    y = x.copy()
    y[2000] = 1e200
    a, b = mg.Detector().update_many(x), mg.Detector().update_many(y)
    assert b["kind"][2000] == Kind.ANOMALY
    for bound in ("lower", "upper"):
        assert np.abs(a[bound][2001:] - b[bound][2001:]).max() < 0.1
