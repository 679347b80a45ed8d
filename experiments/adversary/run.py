"""An oblivious adversary: laws, corruptions and drift are fixed beforehand, then doubled; how far does the error go?"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from benchmarks.estimators import error
from experiments.clipped_sgd.streams import TAIL, noise
from experiments.common import Figure, Run
from numpy.typing import NDArray

import marigram as mg
from experiments import common
from marigram.online.estimator import ValueEstimator

Floats = NDArray[np.float64]
PATTERNS = ("spikes", "one-sided", "clustered", "just inside the clip")
LAWS = ("Pareto 2.1", "t(3)", "normal")
METHODS: dict[str, Callable[[], ValueEstimator]] = {
    "ensemble": mg.StepEnsemble,
    "clipped, half-life 100": lambda: mg.ClippedMean("half-life", half_life=100),
    "plain SGD 2^-7": lambda: mg.ClippedMean(2.0**-7, None),
}


def law(name: str, rng: np.random.Generator, n: int, d: int) -> Floats:
    """(n, d) noise of total standard deviation 1."""
    if name == "normal":
        return rng.normal(size=(n, d)) / math.sqrt(d)
    return noise(rng, n, d) if name == f"Pareto {TAIL}" else rng.standard_t(3, (n, d)) / math.sqrt(3 * d)


def corrupted(
    pattern: str, rng: np.random.Generator, share: float, config: dict[str, float], usual: float
) -> Floats:
    """(n, d): what replaces the noise, NaN where nothing does; ``usual`` is the noise's quantile .95."""
    n, d = int(config["events"]), int(config["dimension"])
    found = np.full((n, d), np.nan)
    length = int(config["cluster"]) if pattern == "clustered" else 1
    starts = rng.choice(n // length, round(share * n / length), replace=False) * length
    where = (starts[:, None] + np.arange(length)).ravel()
    side = rng.normal(size=d)
    side /= np.linalg.norm(side)
    if pattern == "spikes":
        sides = rng.normal(size=(len(where), d))
        found[where] = config["far"] * sides / np.linalg.norm(sides, axis=1, keepdims=True)
    else:
        found[where] = side * (0.95 * usual if pattern == "just inside the clip" else config["far"])
    return found


def stream(seed: int, run: Run, family: str, pattern: str, share: float, way: float) -> tuple[Floats, Floats]:
    """Values (n, d), and their level on the unit circle."""
    config = run.config
    n, d = config["events"], config["dimension"]
    rng = np.random.default_rng([seed, LAWS.index(family), PATTERNS.index(pattern)])
    clean = law(family, rng, n, d)
    usual = float(np.quantile(np.linalg.norm(law(family, rng, 20_000, d), axis=1), 0.95))
    bad = corrupted(pattern, rng, share, config, usual)
    angle = way * np.arange(n) / n
    level = np.zeros((n, d))
    level[:, 0], level[:, 1] = np.cos(angle), np.sin(angle)
    return level + np.where(np.isnan(bad), clean, bad), level


def errors(run: Run, family: str, pattern: str, share: float, way: float) -> dict[str, Floats]:
    """Time-mean errors (seeds,) of each method."""
    streams = [stream(seed, run, family, pattern, share, way) for seed in range(run.config["seeds"])]
    return {name: np.array([error(make(), *s) for s in streams]) for name, make in METHODS.items()}


def measure(run: Run) -> None:
    """Doubles the corruptions, then the drift, for every law and pattern; then goes where the clip gives way."""
    worst: dict[str, list[Figure]] = {name: [] for name in METHODS}
    for what in ("corruption", "drift"):
        points = run.config[what]
        rows = []
        for family in LAWS:
            for pattern in PATTERNS:
                found = [
                    errors(run, family, pattern, x, run.config["usual_drift"])
                    if what == "corruption"
                    else errors(run, family, pattern, run.config["usual_corruption"], x)
                    for x in points
                ]
                for name in METHODS:
                    ratios = [common.mean(b[name] / a[name]) for a, b in pairwise(found)]
                    worst[name].append(max(ratios, key=lambda figure: figure.value))
                    if name == "ensemble":
                        cells = [common.mean(f[name]) for f in found]
                        rows.append([f"{family}, {pattern}", *cells, worst[name][-1]])
        title = f"Time-mean error of the ensemble by {what}, and the largest ratio of two neighbours"
        run.table(title, ["law, pattern", *map(str, points), "doubled"], rows, ".3f")
        for name in METHODS:
            largest = max(worst[name], key=lambda figure: figure.value)
            run.figure(f"doubling the {what}, {name}", largest)
            worst[name] = []
    rows = [
        [name, *(run.figures[f"doubling the {what}, {name}"] for what in ("corruption", "drift"))]
        for name in METHODS
    ]
    run.table("The largest ratio over laws and patterns", ["method", "corruption", "drift"], rows, ".2f")
    give_way(run)


def give_way(run: Run) -> None:
    """Where more is corrupted than the quantile leaves out, the level follows the corruption, and protection ends."""
    way, rows = run.config["usual_drift"], []
    makes = {tau: (lambda tau=tau: mg.StepEnsemble(tau=tau)) for tau in (0.95, 0.9, 0.8)}
    for share in run.config["beyond"]:
        streams = [stream(seed, run, "t(3)", "one-sided", share, way) for seed in range(run.config["seeds"])]
        cells = [
            run.figure(f"{share} corrupted, tau = {tau}", [error(make(), *s) for s in streams])
            for tau, make in makes.items()
        ]
        rows.append([f"{share:.0%}", *cells])
    heads = ["one-sided corruption", *(f"tau = {tau}" for tau in makes)]
    run.table("Towards the share that the clip level lets through, t(3)", heads, rows, ".3f")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the experiment."""
    return common.main(__file__, __doc__, measure, arguments)


if __name__ == "__main__":
    sys.exit(main())
