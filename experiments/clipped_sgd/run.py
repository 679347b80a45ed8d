"""Clipped SGD under heavy tails, corruption and drift: errors, growth of the regret, dimension, bound, recovery."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence

import numpy as np
from benchmarks.estimators import REGIMES, ROWS, T, error, setting
from experiments.clipped_sgd.figure import draw
from experiments.clipped_sgd.streams import noise, on_a_circle, with_a_jump
from experiments.common import Figure, Run

import marigram as mg
from experiments import common
from marigram.online import EstimatorTable
from marigram.online.estimator import ValueEstimator

OURS = "ensemble, quantile clip"
DIAMETER = 6.0
FIXED = {f"plain SGD 2^-{k}": lambda k=k: mg.ClippedMean(2.0**-k, None) for k in range(1, 13)}
Make = Callable[[int], ValueEstimator]
METHODS: dict[str, Make] = {
    "T^-2/3, clip max(2G, T^1/3)": lambda T: mg.ClippedMean(
        "power", mg.optimal_clip(T, None, 1.0, DIAMETER), horizon=T, start=0.0
    ),
    "T^-2/3, quantile clip": lambda T: mg.ClippedMean("power", horizon=T),
    OURS: lambda _: mg.StepEnsemble(),
}


def measure(run: Run) -> None:
    """All parts."""
    grid(run)
    curves = regret(run)
    dimensions(run)
    coverage(run)
    recovery(run)
    if run.out is not None:
        draw(curves, run.out)


def grid(run: Run) -> None:
    """The table of errors, and plain SGD at its best fixed step, chosen in hindsight on the same streams."""
    seeds = range(run.config["seeds"])
    streams = {regime: [setting(seed, regime) for seed in seeds] for regime in REGIMES}
    found: dict[str, list[Figure]] = {}
    for name, make in (ROWS | FIXED).items():
        found[name] = [
            common.median([error(make(), *stream) for stream in streams[regime]]) for regime in REGIMES
        ]
    best = min(FIXED, key=lambda name: found[name][-1].value)
    shown = [name for name in ROWS if name not in FIXED] + [best]
    for name in shown:
        for regime, figure in zip(REGIMES, found[name], strict=True):
            run.figure(f"{'plain SGD, best fixed step' if name == best else name}, {regime}", figure)
    run.table(
        f"Time-mean error, {T:,} events, d = 5, median of {len(seeds)} seeds",
        ["method", *REGIMES],
        [[f"{name}, the best fixed step" if name == best else name, *found[name]] for name in shown],
        ".3f",
    )
    ratio = run.figure(
        "plain SGD at its best fixed step over ours", found[best][-1].value / found[OURS][-1].value
    )
    run.note(
        f"Under corruption and drift the best fixed step of plain SGD is {ratio:.1f} times as far off as ours."
    )


def total_error(make: Make, values: np.ndarray, level: np.ndarray) -> float:
    """The regret: the sum over time of the distance between the level and what was said before."""
    return len(values) * error(make(len(values)), values, level)


def regret(run: Run) -> dict[str, tuple[list[float], dict[str, list[Figure]]]]:
    """Regret against T, Phi and Lambda, each with its slope on log-log axes; returns the curves by what is varied."""
    T, seeds = run.config["horizon"], range(run.config["regret_seeds"])
    sweeps = {
        "T": (run.config["horizons"], lambda x: (int(x), 1.0, round(x ** (1 / 3)))),
        "Phi": (run.config["drifts"], lambda x: (T, float(x), 0)),
        "Lambda": (run.config["corruptions"], lambda x: (T, 0.0, int(x))),
    }
    curves: dict[str, tuple[list[float], dict[str, list[Figure]]]] = {}
    rows = []
    for what, (points, at) in sweeps.items():
        sums = {name: np.zeros((len(points), len(seeds))) for name in METHODS}
        for i, x in enumerate(points):
            for j in seeds:
                values, level = on_a_circle(j, *at(x))
                for name, make in METHODS.items():
                    sums[name][i, j] = total_error(make, values, level)
        theory = {"T": (2 / 3, 2 / 3, 2 / 3), "Phi": (1.0, 1.0, 1 / 3), "Lambda": (1.0, math.nan, math.nan)}[
            what
        ]
        curves[what] = (list(points), {name: [common.mean(s) for s in found] for name, found in sums.items()})
        for name, expected in zip(METHODS, theory, strict=True):
            slopes = np.polynomial.polynomial.polyfit(np.log(points), np.log(sums[name]), 1)[1]
            slope = run.figure(f"slope in {what}, {name}", slopes)
            rows.append([what, name, slope, "none" if math.isnan(expected) else f"{expected:.2f}"])
    run.table(
        f"Slope of the regret, {len(seeds)} seeds", ["in", "method", "slope", "theory, at most"], rows, ".2f"
    )
    return curves


def dimensions(run: Run) -> None:
    """The error does not grow with the dimension, the total variance being 1."""
    n, rows = run.config["dimension_events"], []
    for d in run.config["dimensions"]:
        errors: dict[str, list[float]] = {"plain 1/t": [], "clip 2G, 1/t": [], OURS: []}
        for seed in range(run.config["dimension_seeds"]):
            values, level = on_a_circle(seed, n, 0.0, n // 100, d)
            for name, estimator in (
                ("plain 1/t", mg.ClippedMean(clip=None, alpha=1.0)),
                ("clip 2G, 1/t", mg.ClippedMean(clip=2 * DIAMETER, alpha=1.0)),
                (OURS, mg.StepEnsemble()),
            ):
                errors[name].append(error(estimator, values, level))
        rows.append([d, *(run.figure(f"d = {d}, {name}", common.median(e)) for name, e in errors.items())])
    heads = ["d", "plain 1/t", "clip 2G, 1/t", OURS]
    run.table(f"Time-mean error with 1 % of corruption, {n:,} events", heads, rows, ".3f")


def coverage(run: Run) -> None:
    """How often an estimate leaves its radius at any event, and how wide the radius is."""
    runs, n, delta = (run.config[f"coverage_{name}"] for name in ("runs", "events", "delta"))
    rows = []
    for step, clip in ((0.001, 12.0), (0.003, 12.0), (0.01, 12.0), (0.003, 6.0), (0.05, 12.0)):
        mean = mg.ClippedMean(step=step, clip=clip, start=0.0)
        x = noise(np.random.default_rng([round(1 / step), 33]), n * runs, 5)
        said = EstimatorTable(mean, runs, 5).trace(np.tile(np.arange(runs), n), x).reshape(n, runs, 5)
        away = np.linalg.norm(said, axis=2)
        bound = np.array([mean.radius(t, delta, sigma=1.0, distance=0.0) for t in range(1, n + 1)])
        left = int((away[1:] > bound[:-1, None]).any(axis=0).sum())
        share = run.figure(f"left the radius, step {step}, clip {clip}", common.proportion(left, runs))
        end = Figure(float(np.quantile(away[-1], 1 - delta)))
        rows.append([step, clip, bound[-1], end, share])
    run.table(
        f"Radius of {n:,} events for delta = {delta}, {runs} streams",
        [
            "step",
            "clip",
            "radius",
            f"{1 - delta:.0%} quantile of the error at the end",
            "left the radius at any event",
        ],
        rows,
        ".3f",
    )


def recovery(run: Run) -> None:
    """Events until the error is within twice its steady state, after the start and after a jump."""
    n, seeds, rows = run.config["recovery_events"], range(run.config["recovery_seeds"]), []
    for jump in run.config["jumps"]:
        streams = [with_a_jump(seed, n, jump) for seed in seeds]
        ours = until_steady(mg.StepEnsemble, streams, n)
        # plain SGD begins at the first value, which is taken as the origin
        moved = [(x - x[0], level - x[0]) for x, level in streams]
        step = ours[0] ** 2 * 2.0
        for _ in range(4):
            plain = until_steady(lambda step=step: mg.ClippedMean(step, None, start=0.0), moved, n)
            step *= min(2.0, max(0.5, (ours[0] / plain[0]) ** 2))
        for i, place in ((1, "start"), (2, f"jump of {jump}")):
            share = run.figure(f"events after the {place}, jump {jump}, over plain SGD's", ours[i] / plain[i])
            rows.append([place, f"{ours[0]:.4f}", f"{plain[0]:.4f}", ours[i], plain[i], share])
    heads = ["after", "our steady error", "plain SGD's", "our events", "plain SGD's", "ratio"]
    run.table("Events until the mean error over seeds is within twice its steady state", heads, rows, ".2f")


def until_steady(
    make: Callable[[], ValueEstimator], streams: list[tuple[np.ndarray, np.ndarray]], n: int
) -> tuple[float, int, int]:
    """Steady error before the jump; events until twice that is last exceeded, from the start and from the jump."""
    away = np.mean(
        [np.linalg.norm(np.nan_to_num(make().trace(x)) - level, axis=1) for x, level in streams], axis=0
    )
    steady = float(away[n - n // 5 : n].mean())
    smooth = np.convolve(away, np.ones(20) / 20, "same")
    after = [np.flatnonzero(part > 2 * steady) for part in (smooth[: n - 20], smooth[n:-20])]
    return steady, *(int(late[-1]) + 1 if late.size else 1 for late in after)  # type: ignore[return-value]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the experiment."""
    return common.main(__file__, __doc__, measure, arguments)


if __name__ == "__main__":
    sys.exit(main())
