"""The numerals of the article: rotated pictures of one are normal, others are anomalies, the base numeral switches."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
from experiments.common import Run
from experiments.mnist import models
from experiments.mnist.figure import draw
from experiments.mnist.models import Scores
from experiments.mnist.streams import Floats, Numerals, Play, digits, mnist, play
from sklearn.metrics import roc_auc_score

from experiments import common
from marigram.datasets.local import DatasetMissingError

CHOICE_SEED, REPORT_SEED = 1000, 0
FOLLOWED = ", M followed"


def measure(run: Run) -> None:
    """Settings are chosen on scikit-learn's digits; the figures are of other digits streams, and of MNIST."""
    config = run.config
    rate, tau, plain_rate = chosen(config)
    run.note(f"Chosen on digits: clipped at rate {rate}, tau {tau}; plain at rate {plain_rate}.")
    report(run, "digits", digits(), rate, tau, plain_rate)
    try:
        numerals = mnist()
    except DatasetMissingError as error:
        run.note(f"MNIST was not measured: {error}")
        raise
    report(run, "mnist", numerals, rate, tau, plain_rate)


def chosen(config: dict[str, Any]) -> tuple[float, float, float]:
    """The rate and tau of the clipped model, and the rate of the plain one, that are best on digits."""
    streams = [stream_of(config, digits(), CHOICE_SEED + s) for s in range(config["choice_seeds"])]

    def quality(score: Scores) -> float:
        return float(np.mean([auc(stream, score(stream), config["skipped"]) for stream in streams]))

    pairs = list(product(config["rates"], config["taus"]))
    rate, tau = max(pairs, key=lambda pair: quality(models.clipped(*pair)))
    return rate, tau, max(config["rates"], key=lambda r: quality(models.plain(r)))


def stream_of(config: dict[str, Any], numerals: Numerals, seed: int, corrupted: float = 0.0) -> Play:
    """One stream of the setting; with ``corrupted`` a part of its anomalies is far too bright."""
    c = config
    return play(numerals, seed, c["events"], c["segments"], c["share"], c["degrees"], corrupted, c["gain"])


def auc(stream: Play, scores: Floats, skipped: int) -> float:
    """Area under the ROC curve over the whole stream."""
    return float(roc_auc_score(stream.anomaly[skipped:], scores[skipped:]))


def compared(config: dict[str, Any], rate: float, tau: float, plain_rate: float) -> dict[str, Scores]:
    """What scores each stream, by the names of the table."""
    methods: dict[str, Scores] = {"clipped": models.clipped(rate, tau), "plain": models.plain(plain_rate)}
    methods |= {f"plain, rate {r:g}": models.plain(r) for r in config["rates"]}
    methods |= {f"decaying, t^-{a:.2g}": models.decaying(a) for a in (1 / 2, 2 / 3, 1.0)}
    methods["clipped" + FOLLOWED] = models.clipped(rate, tau, follow=True)
    methods |= {f"plain, rate {r:g}" + FOLLOWED: models.plain(r, follow=True) for r in config["rates"]}
    methods |= {
        "one class: mean, half-life 20, clipped": models.one_class(20.0, "quantile"),
        "one class: mean, half-life 20, plain": models.one_class(20.0, None),
        "one class: mean of all, plain": models.one_class(None, None),
        "one class: joint detector": models.joint(0),
    }
    return methods


def report(run: Run, name: str, numerals: Numerals, rate: float, tau: float, plain_rate: float) -> None:
    """The table of one set of numerals: every method on the same streams, clean and corrupted."""
    config = run.config
    methods = compared(config, rate, tau, plain_rate)
    found: dict[str, list[list[float]]] = {method: [] for method in methods}
    for corrupted in (0.0, 0.5):
        streams = [stream_of(config, numerals, REPORT_SEED + s, corrupted) for s in range(config["seeds"])]
        for method, score in methods.items():
            found[method].append([auc(stream, score(stream), config["skipped"]) for stream in streams])
    labels = ("clean", "corrupted")
    rows = [
        [
            method,
            *(run.figure(f"{name}, {method}, {label}", v) for label, v in zip(labels, values, strict=True)),
        ]
        for method, values in found.items()
    ]
    for followed in ("", FOLLOWED):
        plain = [m for m in found if m.startswith("plain") and m.endswith(FOLLOWED) == bool(followed)]
        ahead = []
        for k, label in enumerate(labels):
            best = max(plain, key=lambda m: np.mean(found[m][k]))
            lead = np.subtract(found["clipped" + followed][k], found[best][k])
            ahead.append(run.figure(f"{name}, clipped ahead of the best plain{followed}, {label}", lead))
        rows.append([f"clipped ahead of the best plain{followed}", *ahead])
    run.table(f"AUC over the stream, {name}, {config['seeds']} seeds", ["method", *labels], rows, ".4f")
    if run.out is not None:
        stream = stream_of(config, numerals, REPORT_SEED)
        curves = {m: methods[m](stream) for m in ("clipped", "plain", "decaying, t^-0.67")}
        draw(name, stream, numerals.images.shape[1:], curves, run.out)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run in the form that the arguments ask for."""
    return common.main(__file__, __doc__, measure, arguments)


if __name__ == "__main__":
    sys.exit(main())
