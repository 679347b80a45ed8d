"""Change points: Table 1 of UAI 2023, false alarms against delta, delays, and series that people annotated."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np

from experiments import common
from experiments.change_points import annotated, methods, streams
from experiments.change_points.methods import Method
from experiments.common import Figure, Run
from marigram.datasets.local import find

SETTINGS = (
    ("Gaussian", 1, 1.0, "274 ± 38"),
    ("Gaussian", 32, 1.0, "300 ± 6"),
    ("Gaussian", 1, 0.5, "694 ± 191"),
    ("Gaussian", 32, 0.5, "1427 ± 14"),
    ("Pareto(2.01)", 1, 1.0, "296 ± 35"),
    ("Pareto(2.01)", 32, 1.0, "302 ± 7"),
    ("Pareto(2.01)", 1, 0.5, "868 ± 365"),
    ("Pareto(2.01)", 32, 0.5, "1431 ± 14"),
    ("Bernoulli", 1, 0.7, "515 ± 49"),
    ("Bernoulli", 1, 0.5, "1509 ± 53"),
)
"""Law, dimension, jump, and the paper's regret of its own algorithm."""
PRINTED_G = 12.0


def table_1(run: Run) -> None:
    """Regret of four segments of 400: the paper's algorithm with its constants, and the tests that are proved."""
    delta = run.config["delta"]
    rows = []
    for kind, d, jump, paper in SETTINGS:
        sigma = (
            0.5 if kind == "Bernoulli" else 1.0
        )  # what lies in [0, 1] has a standard deviation of at most 1/2
        tests = {f"uai G={G:g}": methods.uai("printed", sigma, delta, G) for G in (PRINTED_G, 2.0, 1.0)}
        tests |= methods.known(sigma, delta, 2.0) | methods.unknown(delta)
        del tests["CusumChangePoint"]
        row: list[object] = [f"{kind}, d={d}, D={jump:g}", paper]
        for name, method in tests.items():
            if d > 1 and not name.startswith(("uai", "Clipped")):
                row.append("–")
                continue
            regrets = []
            for seed in range(run.config["table_1_runs" if d == 1 else "table_1_runs_wide"]):
                x = streams.table_1(kind, d, jump, seed)
                regrets.append(streams.regret([seq for seq, _ in method(x)], len(x)))
            row.append(run.figure(f"regret {kind} d={d} D={jump:g} {name}", common.median(regrets)))
        rows.append(row)
    run.table(
        "Table 1: regret, median of runs (2400: nothing found)", ["setting", "paper", *tests], rows, ".0f"
    )


def false_alarms(run: Run) -> None:
    """Share of streams without a change in which one is told, against delta."""
    delta, n = run.config["delta"], run.config["null_events"]
    heads: list[str] = []
    rows = []
    for family, law in streams.FAMILIES.items():
        for scale, origin in ((1.0, 0.0), (3.0, 5.0)):
            tests = methods.known(scale, delta) | methods.unknown(delta)
            few = methods.peers(delta)
            row: list[object] = [family if scale == 1 else f"3 × {family} + 5"]
            for name, method in (tests | few).items():
                if name in few and scale != 1:  # they are told that sigma is 1, or are not equivariant
                    row.append("–")
                    continue
                runs = run.config["null_runs_peers" if name in few else "null_runs"]
                hits = 0
                for seed in range(runs):
                    x = scale * law(np.random.default_rng([seed, n]), n) + origin
                    hits += bool(method(x))
                row.append(run.figure(f"false alarms {row[0]} {name}", common.proportion(hits, runs)))
            heads = ["stream", *tests, *few]
            rows.append(row)
    run.table(
        f"False alarms: share of streams of {n} events without a change; delta = {delta:g}",
        heads,
        rows,
        ".2f",
    )


def delays(run: Run) -> None:
    """Events from a change after 400 events to its detection; never counts as all that were left."""
    delta, left = run.config["delta"], run.config["delay_events"]
    for jump in run.config["jumps"]:
        rows = []
        for name, method in (
            methods.known(1.0, delta) | methods.unknown(delta) | methods.peers(delta)
        ).items():
            peer = name in methods.peers(delta)
            row: list[object] = [name]
            for family, law in streams.FAMILIES.items():
                late = []
                for seed in range(run.config["delay_runs_peers" if peer else "delay_runs"]):
                    x = law(np.random.default_rng([seed, 7]), streams.SEGMENT + left)
                    x[streams.SEGMENT :] += jump
                    after = [seq for seq, _ in method(x) if seq >= streams.SEGMENT]
                    late.append(after[0] - streams.SEGMENT + 1 if after else left)
                row.append(run.figure(f"delay {family} D={jump:g} {name}", common.median(late)))
            rows.append(row)
        run.table(f"Median delay, D = {jump:g} standard deviations", ["test", *streams.FAMILIES], rows, ".0f")


def series(run: Run) -> None:
    """The annotated series, all standardised in the same way; nothing is tuned."""
    delta = run.config["delta"]
    every = [one for one in annotated.load(find("change_points")) if one.annotations]
    tests: dict[str, list[Method]] = {"no change": [lambda x: []]}  # noqa: ARG005
    tests |= {name: [method] for name, method in methods.known(1.0, delta).items()}
    for seed in range(run.config["seeds"]):
        for name, method in methods.unknown(delta, seed).items():
            tests.setdefault(name, []).append(method)
    tests["Detector"] = [methods.detector]
    tests |= {name: [method] for name, method in (methods.peers(delta) | methods.offline()).items()}
    rows: list[list[object]] = []
    for name, forms in tests.items():
        scores, covers = [], []
        for form in forms if "Catoni" not in name else forms[:1]:
            found = [_places(form, one) for one in every]
            scores.append(
                np.mean([annotated.f1(s.annotations, f) for s, f in zip(every, found, strict=True)])
            )
            covers.append(
                np.mean(
                    [
                        annotated.covering(s.annotations, f, len(s.values))
                        for s, f in zip(every, found, strict=True)
                    ]
                )
            )
        rows.append([name, _kept(run, f"F1 {name}", scores), _kept(run, f"covering {name}", covers)])
    run.table(f"{len(every)} annotated series (margin 5)", ["test", "F1", "covering"], rows, ".3f")


def _kept(run: Run, name: str, values: Sequence[float]) -> Figure:
    """A figure that is compared, unless it is the whole detector's: other experiments answer for that."""
    return common.mean(values) if name.endswith("Detector") else run.figure(name, values)


def _places(method: Method, one: annotated.Series) -> list[int]:
    """Estimated changes; river and changepoint-online take one number an event: coordinates one after the other."""
    x = annotated.standardised(one.values)
    if x.shape[1] == 1:
        return [place for _, place in method(x[:, 0])]
    try:
        return [place for _, place in method(x)]
    except (TypeError, ValueError):
        return sorted({place for column in x.T for _, place in method(column)})


def well_log(run: Run) -> None:
    """The 4,050 values of the well log; every sixth is annotated, so that a place is a sixth of its number."""
    delta = run.config["delta"]
    every = {one.name: one for one in annotated.load(find("change_points"))}
    raw, marks = every["well_log_full"].values[:, 0], every["well_log"].annotations
    tests = {"uai G=10, as in the paper": methods.uai("printed", 1.0, delta, 10.0)}
    rows: list[list[object]] = []
    standard = annotated.standardised(raw[:, None])[:, 0]
    tests |= methods.known(1.0, delta) | methods.unknown(delta) | {"Detector": methods.detector}
    tests |= methods.peers(delta) | methods.offline()
    for name, method in tests.items():
        x = raw / 10**4.5 if name.startswith("uai") else standard
        found = [place for _, place in method(x)]
        score = annotated.f1(marks, [place // 6 for place in found])
        changes = _kept(run, f"well-log changes {name}", [len(found)])
        rows.append([name, changes, _kept(run, f"well-log F1 {name}", [score])])
    run.table(
        "Well log: changes told, and F1 with the annotators of every sixth value",
        ["test", "changes", "F1"],
        rows,
    )


def measure(run: Run) -> None:
    """All parts."""
    if methods.absent():
        run.note(f"not compared, since not installed: {', '.join(methods.absent())}")
    table_1(run)
    false_alarms(run)
    delays(run)
    series(run)
    well_log(run)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the experiment; return the exit status."""
    return common.main(__file__, __doc__, measure, arguments)


if __name__ == "__main__":
    sys.exit(main())
