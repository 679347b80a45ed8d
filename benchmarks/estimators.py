"""How well and how fast the estimators of ``marigram.online`` follow: ``python -m benchmarks.estimators``.

The stream: T = 20,000 events in d = 5 dimensions, noise of independent Pareto(2.1) coordinates, centred, of total
standard deviation 1.  Corruption replaces 1 % of the events by values at distance 50 from the level, all on one side;
drift takes the level once around the unit circle, with one jump of 2 half way.  The error is the mean over time of
the distance between the level and what was said of it before each event; the table has medians over seeds and, behind
the sign, half the distance between their quartiles.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

import marigram as mg
from marigram.online import EstimatorTable
from marigram.online.estimator import Estimator, ValueEstimator

Floats = NDArray[np.float64]

T, D = 20_000, 5
TAIL = 2.1
DIAMETER = 6.0
REGIMES = ("clean", "corrupt", "drift", "both")

ROWS: dict[str, Callable[[], ValueEstimator]] = {
    "plain SGD 1/t": lambda: mg.ClippedMean(clip=None, alpha=1.0),
    "plain SGD T^-2/3": lambda: mg.ClippedMean("power", None, horizon=T),
    "plain SGD 2^-6": lambda: mg.ClippedMean(2.0**-6, None),
    "clip 2G, 1/t": lambda: mg.ClippedMean(clip=2 * DIAMETER, alpha=1.0),
    "clip 2G, T^-1/2": lambda: mg.ClippedMean("power", 2 * DIAMETER, horizon=T, alpha=0.5),
    "clip 2G, T^-2/3": lambda: mg.ClippedMean("power", 2 * DIAMETER, horizon=T),
    "clip 2G, t^-2/3": lambda: mg.ClippedMean(clip=2 * DIAMETER),
    "clip 2G, .1": lambda: mg.ClippedMean(0.1, 2 * DIAMETER),
    "clip 2, T^-2/3": lambda: mg.ClippedMean("power", 2.0, horizon=T),
    "quantile clip, T^-2/3": lambda: mg.ClippedMean("power", horizon=T),
    "quantile clip, t^-2/3": mg.ClippedMean,
    "quantile clip, 2^-5": lambda: mg.ClippedMean(2.0**-5),
    "quantile clip, 2^-6": lambda: mg.ClippedMean(2.0**-6),
    "ensemble, clip 2G": lambda: mg.StepEnsemble(mg.ClippedMean, 2 * DIAMETER),
    "ensemble, quantile clip": lambda: mg.StepEnsemble(mg.ClippedMean, "quantile"),
}
FAST: dict[str, tuple[Callable[[], Estimator], bool]] = {
    "ClippedMean": (mg.ClippedMean, False),
    "ClippedMean, half-life": (lambda: mg.ClippedMean("half-life", half_life=700), False),
    "ClippedScale": (mg.ClippedScale, False),
    "StepEnsemble": (mg.StepEnsemble, False),
    "ClippedLinear": (mg.ClippedLinear, True),
    "ClippedLogistic": (mg.ClippedLogistic, True),
}
CHUNK = 1 << 17


def setting(seed: int, regime: str) -> tuple[Floats, Floats]:
    """The stream (T, D) of a regime, and its level (T, D)."""
    rng = np.random.default_rng([seed, 14])
    mean, variance = TAIL / (TAIL - 1), TAIL / ((TAIL - 1) ** 2 * (TAIL - 2))
    noise = (rng.pareto(TAIL, (T, D)) + 1.0 - mean) / math.sqrt(variance * D)
    level = np.zeros((T, D))
    if regime in ("drift", "both"):
        angle = 2 * np.pi * np.arange(T) / T
        level[:, 0], level[:, 1] = np.cos(angle), np.sin(angle)
        level[T // 2 :, 2] += 2.0
    values = level + noise
    if regime in ("corrupt", "both"):
        bad = rng.random(T) < 0.01
        values[bad] = level[bad] + 50.0 / math.sqrt(D)
    return values, level


def error(estimator: ValueEstimator, values: Floats, level: Floats) -> float:
    """Mean distance between the level and what was said before each event; before the first, 0 was said."""
    said = np.nan_to_num(estimator.trace(values))
    return float(np.linalg.norm(said - level, axis=1).mean())


def quality(seeds: int) -> None:
    """Print the table of errors."""
    print(f"| {T:,} events, d = {D}, {seeds} seeds | {' | '.join(REGIMES)} |\n|---|{'---|' * len(REGIMES)}")
    streams = {regime: [setting(seed, regime) for seed in range(seeds)] for regime in REGIMES}
    for name, make in ROWS.items():
        cells = []
        for regime in REGIMES:
            errors = [error(make(), *stream) for stream in streams[regime]]
            low, middle, high = np.quantile(errors, [0.25, 0.5, 0.75])
            cells.append(f"{middle:.3f} ± {(high - low) / 2:.3f}")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def rate(make: Callable[[], Estimator], targets: bool, keys: int, d: int, events: int) -> tuple[float, int]:
    """Events a second of processor time, the best of some batches over keys that are past their beginning."""
    rng = np.random.default_rng(0)
    table = EstimatorTable(make(), keys, d)
    every = np.arange(keys)
    for _ in range(6):
        table.update(every, rng.normal(size=(keys, d)), rng.integers(0, 2, keys) if targets else None)
    best = math.inf
    for _ in range(max(3, events // CHUNK)):
        slots, X = rng.integers(0, keys, CHUNK), rng.normal(size=(CHUNK, d))
        y = rng.integers(0, 2, CHUNK) if targets else None
        begun = time.process_time()
        table.update(slots, X, y)
        best = min(best, time.process_time() - begun)
    return CHUNK / best, table.bytes_per_key


def speed(events: int) -> None:
    """Print the table of speeds."""
    columns = [(10_000, 1), (1_000_000, 1), (1_000, 32)]
    heads = " | ".join(f"{keys:,} keys, d = {d}" for keys, d in columns)
    print(f"\n| M events/s, one core | bytes a key | {heads} |\n|---|---|{'---|' * len(columns)}")
    for name, (make, targets) in FAST.items():
        found = [rate(make, targets, keys, d, events) for keys, d in columns]
        print(f"| {name} | {found[0][1]} | {' | '.join(f'{r / 1e6:.1f}' for r, _ in found)} |", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print both tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.estimators", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--events", type=int, default=4_000_000, help="events of each speed")
    options = parser.parse_args(arguments)
    quality(options.seeds)
    speed(options.events)
    return 0


if __name__ == "__main__":
    sys.exit(main())
