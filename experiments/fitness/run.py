"""FITNESS in the setting of its reconstruction, and on tables turned into drifting streams beside the bare bases."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import LocalOutlierFactor

import marigram as mg
from experiments import common
from experiments.common import Run
from experiments.fitness.streams import Stream, from_table, gaussian
from marigram.evaluate import roc_auc

Floats = NDArray[np.float64]
Answer = tuple[Floats, NDArray[np.bool_]]
"""Scores and alarms of a stream."""
FIRST_SEED = 1000
"""Of the Gaussian setting: lower ones were looked at when the method was made."""
WARM = 64
EVERY = 50
"""Events after which a detector on a sliding window is fitted anew."""


def fitness(X: Floats, **settings: Any) -> Answer:
    """Ours."""
    table = mg.Fitness(**settings).update_many(X)
    return np.nan_to_num(np.asarray(table["score"])), np.asarray(table["p_value"]) <= settings["alpha"]


def window_mean(X: Floats, window: int, alpha: float) -> Answer:
    """Distance from the mean of the last W events; the scale, 1, is known."""
    sums = np.concatenate((np.zeros((1, X.shape[1])), np.cumsum(X, axis=0)))
    end = np.arange(1, len(X))
    start = np.maximum(end - window, 0)
    mean = np.concatenate((X[:1], (sums[end] - sums[start]) / (end - start)[:, None]))
    return _alarms(np.linalg.norm(X - mean, axis=1), X.shape[1], alpha)


def clipped(X: Floats, alpha: float) -> Answer:
    """Distance from clipped SGD with step .05 and clip level 4."""
    path = mg.ClippedMean(step=0.05, clip=4.0).trace(X)
    return _alarms(np.nan_to_num(np.linalg.norm(X - path, axis=1)), X.shape[1], alpha)


def _alarms(distance: Floats, d: int, alpha: float) -> Answer:
    return distance, distance > np.sqrt(chi2.ppf(1.0 - alpha, d))


def setting(run: Run) -> None:
    """AUC, and the share of false alarms in the 50 steps after a jump."""
    alpha, window = run.config["alpha"], run.config["window"]
    ours = partial(fitness, alpha=alpha, window=window)
    methods: dict[str, Callable[[Floats], Answer]] = {
        "window mean": partial(window_mean, window=window, alpha=alpha),
        "clipped SGD": partial(clipped, alpha=alpha),
        "FITNESS, k_min 5": partial(ours, scale=1.0, k_min=5),
        "FITNESS, k_min 3": partial(ours, scale=1.0, k_min=3),
        "FITNESS, k_min 2": partial(ours, scale=1.0, k_min=2),
        "FITNESS, scale learned": partial(ours, k_min=3),
        "20 nearest, no radius": partial(ours, scale=1.0, k=20, k_min=5),
    }
    streams = [gaussian(FIRST_SEED + i) for i in range(run.config["seeds"])]
    rows = []
    for name, method in methods.items():
        answers = [method(stream.values) for stream in streams]
        ranks = [roc_auc(s.truth[WARM:], a[0][WARM:]) for s, a in zip(streams, answers, strict=True)]
        after = [float(a[1][s.after].mean()) for s, a in zip(streams, answers, strict=True)]
        rows.append([name, run.figure(f"{name}: AUC", ranks), run.figure(f"{name}: after a jump", after)])
    heads = ["method", "AUC", "false alarms after a jump"]
    run.table("Gaussian, d = 5, 3 jumps of 12, 3 % outliers at 6 to 9 sigma, W = 200", heads, rows, ".4f")


def base(name: str) -> Any:
    """A fresh base."""
    if name == "forest":
        return IsolationForest(n_estimators=25, random_state=0)
    return LocalOutlierFactor(n_neighbors=10, novelty=True)


def frozen(name: str, X: Floats, warm: int) -> Floats:
    """Fitted once, to the first events."""
    scores = np.zeros(len(X))
    scores[warm:] = -base(name).fit(X[:warm]).score_samples(X[warm:])
    return scores


def sliding(name: str, X: Floats, warm: int, window: int) -> Floats:
    """Fitted again and again to the last W events."""
    scores = np.zeros(len(X))
    for start in range(warm, len(X), EVERY):
        model = base(name).fit(X[max(0, start - window) : start])
        scores[start : start + EVERY] = -model.score_samples(X[start : start + EVERY])
    return scores


def adapted(name: str, X: Floats, window: int) -> Floats:
    """Ours around the same base."""
    ours = mg.Fitness(
        "gaussian" if name == "gaussian" else base(name),
        window,
        k_min=3 if name == "gaussian" else 20,
        refresh=0.5,
    )
    return np.nan_to_num(np.asarray(ours.update_many(X)["score"]))


def tables(run: Run) -> None:
    """AUC on each table, the bare base beside ours around it."""
    warm, window = run.config["warm"], run.config["window"]
    methods: dict[str, Callable[[Floats], Floats]] = {
        "FITNESS(gaussian)": partial(adapted, "gaussian", window=window)
    }
    for name in run.config["bases"]:
        methods[f"{name}, frozen"] = partial(frozen, name, warm=warm)
        methods[f"{name}, sliding"] = partial(sliding, name, warm=warm, window=window)
        methods[f"FITNESS({name})"] = partial(adapted, name, window=window)
    rows = []
    for table in run.config["tables"]:
        options = {key: run.config[key] for key in ("regimes", "share")}
        streams = [
            from_table(table, seed, run.config["events"], **options)
            for seed in range(run.config["table_seeds"])
        ]
        rows.append(
            [table, *(run.figure(f"{table}: {m}", _ranks(f, streams, warm)) for m, f in methods.items())]
        )
    run.table("AUC on tables turned into drifting streams", ["table", *methods], rows, ".3f")


def _ranks(method: Callable[[Floats], Floats], streams: Sequence[Stream], warm: int) -> list[float]:
    return [roc_auc(stream.truth[warm:], method(stream.values)[warm:]) for stream in streams]


def measure(run: Run) -> None:
    """Both parts."""
    setting(run)
    tables(run)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the experiment."""
    return common.main(__file__, __doc__, measure, arguments)


if __name__ == "__main__":
    sys.exit(main())
