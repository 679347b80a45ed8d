"""The joint detector on wide tables and numerals beside river's and pysad's, and its rates on null streams."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import scipy.sparse
from experiments.common import Run
from experiments.high_dimension.peers import OURS, PEERS, Floats
from experiments.mnist.streams import mnist, play
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

import marigram as mg
from experiments import common
from marigram.datasets.local import find

Labelled = tuple[Floats, NDArray[np.bool_]]
ALPHA = 1e-3
HASHED = 2**18


def measure(run: Run) -> None:
    """Rates on null streams and speed, then the side by side."""
    nulls(run)
    beside(run)


def nulls(run: Run) -> None:
    """Rate of p <= 1e-3 over 1e-3 on streams without anomalies, with the vectors a second of CPU time."""
    config = run.config
    n = config["null_events"]
    streams: dict[str, Callable[[np.random.Generator], Any]] = {}
    for d in config["null_dimensions"]:
        streams[f"Gaussian, d = {d}"] = lambda rng, d=d: rng.normal(size=(n, d))
        streams[f"t(3), d = {d}"] = lambda rng, d=d: rng.standard_t(3, (n, d))
    for words in (5, 20, 60):
        streams[f"hashed, {words} words"] = lambda rng, words=words: hashed(rng, n, words)
    rows = []
    for name, make in streams.items():
        rates, drifts, speeds = [], 0, []
        for seed in range(config["null_seeds"]):
            x = make(np.random.default_rng([seed, 2024]))
            began = time.process_time()
            table = mg.Detector(joint=True).update_many(x)
            speeds.append(n / (time.process_time() - began))
            rates.append(float((table["p_value"][config["skipped"] :] <= ALPHA).mean()) / ALPHA)
            drifts += int((table["kind"] == mg.Kind.DRIFT).sum())
        rows.append(
            [name, run.figure(f"rate over alpha, {name}", rates), drifts, f"{np.median(speeds) / 1e3:,.0f}"]
        )
    heads = [
        "null stream",
        "rate / alpha at 1e-3",
        f"drifts in {config['null_seeds']} x {n:,}",
        "thousand a second",
    ]
    run.table("Null streams", heads, rows, ".2f")


def hashed(rng: np.random.Generator, n: int, words: int) -> scipy.sparse.csr_matrix:
    """Rows of Zipf words in 2^18 coordinates."""
    counts = rng.poisson(words, n) + 1
    word = np.minimum(rng.zipf(1.25, counts.sum()), 100_000)
    ends = np.concatenate([[0], np.cumsum(counts)])
    return scipy.sparse.csr_matrix((np.ones(len(word)), word * 2654435761 % HASHED, ends), shape=(n, HASHED))


def beside(run: Run) -> None:
    """Average precision and AUC of every method on every table, in as many random orders as there are seeds."""
    config = run.config
    methods = {name: score for name, score in {**OURS, **PEERS}.items() if name not in config["left_out"]}
    makes: dict[str, Callable[[int], Labelled]] = {
        name: lambda seed, name=name: table_in_order(name, seed, config["events"])
        for name in config["tables"]
    }
    makes["mnist10k, 1 numeral"] = lambda seed: numerals(seed, config["events"])
    found: dict[str, dict[str, list[tuple[float, float]]]] = {m: {t: [] for t in makes} for m in methods}
    for name, make in makes.items():
        for seed in range(config["seeds"]):
            x, y = make(seed)
            for method, score in methods.items():
                scores = np.nan_to_num(score(x, seed))[config["scored"] :]
                truth = y[config["scored"] :]
                pair = average_precision_score(truth, scores), roc_auc_score(truth, scores)
                found[method][name].append((float(pair[0]), float(pair[1])))
    for k, measure_name in enumerate(("AP", "AUC")):
        rows = []
        for method, tables in found.items():
            figures = [
                run.figure(f"{measure_name}, {name}, {method}", [pair[k] for pair in pairs])
                for name, pairs in tables.items()
            ]
            rows.append([method, *figures])
        run.table(f"{measure_name}, {config['seeds']} orders", ["method", *makes], rows, ".3f")


def table_in_order(name: str, seed: int, events: int) -> Labelled:
    """A table of ADBench in a random order, at most ``events`` rows of it."""
    columns = pq.read_table(find("adbench") / f"{name}.parquet").to_pandas()
    truth = columns.pop("label").to_numpy() == 1
    rows = np.random.default_rng([seed, 7]).permutation(len(columns))[:events]
    return columns.to_numpy(np.float64)[rows], truth[rows]


def numerals(seed: int, events: int) -> Labelled:
    """Upright pictures of one numeral among which 5 % are others."""
    stream = play(mnist(), seed, events, 1, 0.05, 0.0)
    return stream.events, stream.anomaly


def main(arguments: Sequence[str] | None = None) -> int:
    """Run in the form that the arguments ask for."""
    return common.main(__file__, __doc__, measure, arguments)


if __name__ == "__main__":
    sys.exit(main())
