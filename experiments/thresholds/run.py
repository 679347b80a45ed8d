"""Adaptive thresholds with abstention (ICML 2024, Table 1), alert budgets, and thresholds at their promised rate."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
from experiments.common import Figure, Run
from experiments.thresholds import methods
from experiments.thresholds.methods import ABSTAINED, Answers
from experiments.thresholds.streams import DAY, Mask, Scores, appendix_g, days, fleet_days, steady
from numpy.typing import NDArray

import marigram as mg
from experiments import common

WARM_UP = 5000
"""Scores that the rates of thresholds leave out."""


def mistakes(answers: Answers, scores: Scores) -> tuple[float, float, float]:
    """Per cent abstained, false decisions, and the share of anomalies that were called so."""
    wrong = (answers != ABSTAINED) & (answers != scores.anomalous)
    found = (answers == 1) & scores.anomalous
    return (
        100.0 * float((answers == ABSTAINED).mean()),
        float(wrong.sum()),
        float(found.sum()) / max(int(scores.anomalous.sum()), 1),
    )


def table_1(run: Run) -> None:
    """The four settings of the paper's table."""
    config = run.config
    for title, shift, data in (
        ("no shift", False, False),
        ("shift", True, False),
        ("offline data", False, True),
        ("shift, offline data", True, True),
    ):
        sequences = ("passage", "beta-binomial", "printed")
        contenders: dict[str, Callable[[Scores], Answers]] = {
            f"ours, {s}": methods.confidence(config, s, shift=shift, data=data) for s in sequences
        }
        contenders |= {
            "DSPOT": methods.dspot(config),
            "first 30 %": methods.fixed(config),
            "running quantile": methods.running(config),
        }
        rows = []
        streams = [
            appendix_g(seed, config["length"], config["p"], config, shift=shift)
            for seed in range(config["seeds"])
        ]
        for name, answer in contenders.items():
            measured = np.array([mistakes(answer(scores), scores) for scores in streams])
            heads = ("abstained %", "mistakes", "found")
            figures = [run.figure(f"{title}: {name}, {head}", measured[:, k]) for k, head in enumerate(heads)]
            rows.append([name, *figures])
        run.table(f"Table 1, {title}", ["threshold", "abstained, %", "FP + FN", "anomalies found"], rows)


def long_streams(run: Run) -> None:
    """What is flagged when there is time: T = 20,000, no shift."""
    config = run.config
    rows = []
    for alpha in config["long_alphas"]:
        for sequence in ("passage", "beta-binomial", "printed"):
            measured = np.array(
                [long_stream(seed, config, alpha, sequence) for seed in range(config["long_seeds"])]
            )
            name = f"T={config['long_length']}, {sequence}, alpha={alpha:g}"
            total = run.figure(f"{name}: false decisions in all", Figure(float(measured[:, 0].sum())))
            rest = [
                run.figure(f"{name}: {head}", measured[:, k])
                for k, head in (
                    (1, "abstained %"),
                    (2, "flagged"),
                    (3, "flagged, second half"),
                    (4, "settled"),
                )
            ]
            rows.append([f"{sequence}, α = {alpha:g}", total, *rest])
    run.table(
        f"T = {config['long_length']}, p = {config['p']}, {config['long_seeds']} streams",
        [
            "sequence",
            "false decisions",
            "abstained, %",
            "anomalies flagged",
            "in the second half",
            "once settled",
        ],
        rows,
    )


def long_stream(seed: int, config: dict[str, Any], alpha: float, sequence: Any) -> tuple[float, ...]:
    """One stream, with the change test as it is by default."""
    n = config["long_length"]
    x = np.random.default_rng(1000 + seed).normal(size=n)
    anomalous = x > NormalDist().inv_cdf(config["p"])
    threshold = mg.ConfidenceThreshold(config["p"], alpha, sequence=sequence)
    kinds = threshold.update_many(x)
    said = methods.from_kinds(kinds)
    events, answers = threshold.settle()
    settled = kinds.copy()
    settled[events] = answers
    later = methods.from_kinds(settled)
    wrong = ((later != ABSTAINED) & (later != anomalous)).sum()
    half = np.arange(n) >= n // 2
    return (
        float(wrong),
        100.0 * float((said == ABSTAINED).mean()),
        share_of(said == 1, anomalous),
        share_of(said == 1, anomalous & half),
        share_of(later == 1, anomalous),
    )


def share_of(flagged: Mask, anomalous: Mask) -> float:
    """Share of the anomalies that are flagged."""
    return float((flagged & anomalous).sum()) / max(int(anomalous.sum()), 1)


def fullest_day(times: NDArray[np.int64]) -> int:
    """Most alerts in any stretch of 24 hours."""
    first = np.searchsorted(times, times - DAY, side="right")
    return int((np.arange(len(times)) - first + 1).max(initial=0))


def budgets_on_noise(run: Run) -> None:
    """Streams without an anomaly: nothing but the cap stands between people and alerts."""
    config = run.config
    rows = []
    for kind in config["kinds"]:
        over, full = [], []
        for budget in config["budgets"]:
            for seed in range(config["seeds"]):
                stream = days(seed, config["days"], config["per_day"], 0.0, kind)
                told = mg.AlertBudget(budget, per="day").update_many(stream.x, stream.times)
                over.append(fullest_day(stream.times[told]) / budget)
                full.append(told.sum() / (budget * config["days"]))
        worst = run.figure(f"noise, {kind}: fullest day over budget, worst", Figure(max(over)))
        rows.append([kind, worst, run.figure(f"noise, {kind}: alerts over budget", full)])
    run.table(
        "Alerts over budget without anomalies", ["stream", "fullest 24 hours, worst", "all alerts"], rows
    )


def budgets_on_anomalies(run: Run) -> None:
    """Where there are enough anomalies: who gets the alerts."""
    config = run.config
    rows = []
    for budget in config["budgets"]:
        for enough in config["enough"]:
            for eager in (5.0, 10.0):
                spent, used = [], []
                for seed in range(config["seeds"]):
                    stream = days(100 + seed, config["days"], config["per_day"], enough * budget, "steady")
                    told = mg.AlertBudget(budget, per="day", eager=eager).update_many(stream.x, stream.times)
                    late = stream.times >= config["warm_days"] * DAY
                    allowed = budget * (config["days"] - config["warm_days"])
                    right = float((told & stream.true & late).sum())
                    spent.append(right / max(float((told & late).sum()), 1.0))
                    used.append(right / allowed)
                name = f"budget {budget}, {enough} times as many anomalies, eager {eager:g}"
                rows.append(
                    [
                        budget,
                        enough * budget,
                        f"{eager:g}",
                        run.figure(f"{name}: share of alerts that are true", spent),
                        run.figure(f"{name}: true alerts over the whole budget", used),
                    ]
                )
    heads = [
        "budget a day",
        "anomalies a day",
        "eager",
        "alerts that are true",
        "true alerts over the whole budget",
    ]
    run.table(f"{config['per_day']} normal events a day", heads, rows)


def budget_of_a_fleet(run: Run) -> None:
    """Verdicts of a fleet, as people would use it."""
    config = run.config
    budget = config["fleet_budget"]
    measured = []
    for seed in range(config["seeds"]):
        stream = fleet_days(
            seed,
            config["fleet_days"],
            config["fleet_keys"],
            config["fleet_per_day"],
            config["fleet_anomalies"],
        )
        verdicts = mg.Fleet(mg.Detector(), keys=int).update(stream.keys, stream.values, stream.times)
        told = mg.AlertBudget(budget, per="day").update_many(verdicts)
        late = stream.times >= config["fleet_days"] * DAY // 4
        drift = verdicts["kind"] == mg.Kind.DRIFT
        measured.append(
            (
                fullest_day(stream.times[told]) / budget,
                (told & stream.true & late).sum() / max((told & late).sum(), 1),
                (told & (stream.true | drift) & late).sum() / max((told & late).sum(), 1),
                (verdicts["notice"] & stream.true & late).sum() / max((verdicts["notice"] & late).sum(), 1),
                (told & late).sum() / (budget * config["fleet_days"] * 3 / 4),
            )
        )
    columns = np.array(measured).T
    heads = (
        "fullest 24 hours over budget",
        "alerts on anomalies",
        "alerts on anomalies or drifts",
        "the same of all notices: anomalies",
        "budget used",
    )
    row = [
        run.figure(f"fleet: {head}", columns[k] if k else Figure(float(columns[0].max())))
        for k, head in enumerate(heads)
    ]
    run.table(f"A fleet of {config['fleet_keys']} keys, {budget} alerts a day", heads, [row])


def discoveries(run: Run) -> None:
    """mode="fdr": decayed counts at many moments."""
    config = run.config
    rows = []
    for share in config["fdr_shares"]:
        false, alerts, found = [], [], []
        for seed in range(config["seeds"]):
            rng = np.random.default_rng(seed)
            n, memory = config["fdr_length"], config["fdr_memory"]
            true = rng.random(n) < share
            p = np.where(true, 10.0 ** -(4 + rng.exponential(1.5, n)), rng.random(n))
            told = mg.AlertBudget(config["fdr_level"], mode="fdr", memory=memory).update_many(p)
            moments = np.arange(n // 10, n, n // 10)
            ages = moments[:, None] - np.flatnonzero(told)
            weights = np.where(ages >= 0, (1 - 1 / memory) ** np.maximum(ages, 0), 0.0)
            false.append((weights * ~true[told]).sum(axis=1).mean())
            alerts.append(np.maximum(1.0, weights.sum(axis=1)).mean())
            found.append(share_of(told, true))
        ratio = float(np.mean(false) / np.mean(alerts))
        name = f"fdr, anomalies {share:g}"
        rows.append(
            [
                f"{share:g}",
                run.figure(f"{name}: decayed false share", Figure(ratio)),
                run.figure(f"{name}: found", found),
            ]
        )
    run.table(
        f"mode='fdr', level {config['fdr_level']}",
        ["share of anomalies", "E[false]/E[max(1, alerts)]", "found"],
        rows,
    )


def rates(run: Run) -> None:
    """The rate of alerts over the promised one, without anomalies."""
    config = run.config
    alpha, n = config["rate_alpha"], config["rate_length"]
    contenders: dict[str, Callable[[NDArray[np.float64]], Mask]] = {
        "SPOT": lambda x: mg.PeaksOverThreshold(alpha).update_many(x) == mg.Kind.ANOMALY,
        "DSPOT": lambda x: mg.PeaksOverThreshold(alpha, drift=100).update_many(x) == mg.Kind.ANOMALY,
        "QuantileTracker": lambda x: mg.QuantileTracker(alpha).update_many(x) == mg.Kind.ANOMALY,
        "SplicedBinnedPareto": lambda x: mg.SplicedBinnedPareto(side="upper").update_many(x) <= alpha,
    }
    rows = []
    for name, flag in contenders.items():
        row: list[object] = [name]
        for kind in config["rate_kinds"]:
            shares = [
                float(flag(steady(seed, n, kind))[WARM_UP if n > 2 * WARM_UP else 0 :].mean()) / alpha
                for seed in range(config["seeds"])
            ]
            row.append(run.figure(f"rate over alpha, {kind}: {name}", shares))
        rows.append(row)
    run.table(f"Rate of alerts over α = {alpha:g}, no anomalies", ["threshold", *config["rate_kinds"]], rows)


def measure(run: Run) -> None:
    """All tables."""
    table_1(run)
    long_streams(run)
    budgets_on_noise(run)
    budgets_on_anomalies(run)
    budget_of_a_fleet(run)
    discoveries(run)
    rates(run)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it."""
    return common.main(__file__, __doc__, measure, arguments)


if __name__ == "__main__":
    sys.exit(main())
