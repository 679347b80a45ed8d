"""What the streams of entities and of edges find without one label: calls, transactions, log lines, connections."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from experiments.common import Run
from experiments.entity_streams.rival import midas
from numpy.typing import NDArray
from scipy.stats import rankdata

from experiments import common
from marigram.bridge import EdgeStream, EntityStreams, EventVerdicts, preset
from marigram.datasets import find
from marigram.evaluate import average_precision
from marigram.events import EntitySchema

LEFT_OUT = {
    "user_agent": "the simulator names itself in it",
    "agent_kind": "made of the user agent",
    "stratus_run": "names the simulator's run",
    "by_lab_role": "tells which roles the simulator planted",
    "session": "the sessions of planted roles are named after them",
    "label": "the truth",
}
"""Columns of the CloudTrail set that give the label away."""
Bools = NDArray[np.bool_]


class Told:
    """What a person would have made of the alerts."""

    def __init__(
        self, verdicts: EventVerdicts, attack: Bools, runs: NDArray[Any], times: NDArray[Any]
    ) -> None:
        case, notice = verdicts["case"], verdicts["notice"]
        true_cases = set(case[attack].tolist()) - {-1}
        self.notices = int(notice.sum())
        self.false = sum(number not in true_cases for number in case[notice].tolist())
        hours = float(times[-1] - times[0]) / 3.6e12
        self.false_per_hour = self.false / hours
        self.runs = len(set(runs[attack]))
        self.found = len(set(runs[attack & (case >= 0)]))
        self.own = len(set(runs[attack & notice]))
        alone = {run for run in set(runs[attack]) if (runs[attack] == run).sum() == 1}
        single = np.array([run in alone for run in runs])
        calls = verdicts["action"] == "DescribeAccountAttributes"
        several = attack & ~(single & calls)
        self.others = len(set(runs[several]))
        self.found_others = len(set(runs[several & (case >= 0)]))


def calls(run: Run) -> None:
    """CloudTrail, prequentially, by the preset as it is."""
    table = pq.read_table(find("cloudtrail_stratus") / "events.parquet")
    attack = table["label"].to_numpy() == 1
    runs = np.array(table["stratus_run"].to_pylist(), object)
    schema = preset("cloudtrail").schema.leaving_out(LEFT_OUT)
    plain = msgspec.structs.replace(schema, purposes=())
    half = [msgspec.structs.replace(purpose, weight=purpose.weight**0.5) for purpose in schema.purposes]
    mild = msgspec.structs.replace(schema, purposes=tuple(half))
    reading = msgspec.structs.replace(schema, purposes=schema.purposes[-1:])
    rows = []
    for name, known, alpha in [
        *((f"preset, alpha {alpha:g}", schema, alpha) for alpha in run.config["alphas"]),
        ("square roots of the weights", mild, 0.005),
        ("only reading calls weighted", reading, 0.005),
        ("no purposes", plain, 0.005),
    ]:
        verdicts = EntityStreams(known, alpha=alpha).update(table)
        told = Told(verdicts, attack, runs, verdicts["time"])
        figure = average_precision(attack, verdicts["score"])
        if name in ("preset, alpha 0.005", "no purposes"):
            short = name if name == "no purposes" else "calls"
            run.figure(f"{short}: average precision", figure)
            run.figure(f"{short}: share of runs found", told.found / told.runs)
            run.figure(f"{short}: false alerts an hour", told.false_per_hour)
        rows.append([
            name, f"{figure:.3f}", told.notices, f"{told.false} ({told.false_per_hour:.1f})",
            f"{told.found} of {told.runs}", f"{told.found_others} of {told.others}", told.own,
        ])  # fmt: skip
    heads = ["calls", "AP of events", "alerts", "false (an hour)", "runs in an alert's case", "without one-call runs",
             "runs alerted anew"]  # fmt: skip
    run.table("CloudTrail, 2,900 events, 214 attacks, no label", heads, rows)
    by_stream(run, table, attack, schema)
    for column, why in schema.left_out.items():
        run.note(f"left out: {column}: {why}")


def by_stream(run: Run, table: pa.Table, attack: Bools, schema: EntitySchema) -> None:
    """What each stream finds alone."""
    verdicts = EntityStreams(schema).update(table)
    rows = [
        [name, f"{average_precision(attack, verdicts['surprise'][:, j]):.3f}"]
        for j, name in enumerate(verdicts.streams)
    ]
    run.table("CloudTrail by stream, no purposes", ["stream", "AP of events"], rows)


def others(run: Run) -> None:
    """Transactions and log lines, on which the streams were composed."""
    table = pq.read_table(find("sffsd") / "transactions.parquet").slice(0, run.config["sffsd"])
    known = table["label"].to_numpy() >= 0
    fraud = table["label"].to_numpy()[known] == 1
    cards = preset("cards").schema.leaving_out({"id": "not in this set"})
    score = EntityStreams(msgspec.structs.replace(cards, unit="step")).update(table)["score"][known]
    rows: list[list[object]] = [
        [
            "S-FFSD",
            f"{fraud.mean():.3f}",
            run.figure("transactions: average precision", average_precision(fraud, score)),
        ]
    ]
    lines = pq.read_table(find("syslog_labelled") / "syslog.parquet")
    lines = lines.filter(pa.compute.equal(lines["system"], "BGL"))
    schema = EntitySchema(
        time="unix_time", unit="s", entities={"host": "host", "event_id": "template"}, action="event_id",
        attributes=("component", "level"),
    )  # fmt: skip
    alert = lines["label"].to_numpy() == 1
    score = EntityStreams(schema).update(lines)["score"]
    figure = run.figure("log lines: average precision", average_precision(alert, score))
    rows.append(["BGL", f"{alert.mean():.3f}", figure])
    run.table("The sets on which the streams were composed", ["set", "share", "AP"], rows)


def edges(run: Run) -> None:
    """Connections, the whole set, one core."""
    folder = find("darpa98")
    attack = pq.read_table(folder / "edges.parquet", columns=["attack"])["attack"].to_numpy()
    scores: NDArray[np.float64] = np.empty(0)
    EdgeStream(keys=int).update([0], [1], [0])
    rows: list[list[object]] = []
    for half_life in run.config["half_lives"]:
        speeds = []
        for _ in range(run.config["repeats"]):
            begun = time.perf_counter()
            table = pq.read_table(
                folder / "edges.parquet", columns=["src", "dst", "minute"], use_threads=False
            )
            stream = EdgeStream(keys=int, half_life=half_life)
            found = stream.update(*(table[name].to_numpy() for name in ("src", "dst", "minute")))
            speeds.append(len(table) / (time.perf_counter() - begun))
        area = auc(attack > 0, found.score)
        rows.append([f"ours, half-life {half_life:,} minutes", f"{area:.4f}", f"{max(speeds) / 1e6:.2f} M"])
        if half_life == 7000:
            scores = found.score
            run.figure("edges: AUC", area)
            run.figure("edges: a second, millions", max(speeds) / 1e6)
    minutes = np.maximum.accumulate(table["minute"].to_numpy())
    theirs = midas(table["src"].to_numpy(), table["dst"].to_numpy(), minutes)
    rows.append(
        ["MIDAS-R's statistic with exact counts, written here", f"{auc(attack > 0, theirs):.4f}", "-"]
    )
    rows.append(["MIDAS-R, published", "about .95", "C++"])
    rows.append(["MIDAS-F, published", "about .98", "C++"])
    run.table("DARPA 1998, 4.55 million edges, no label", ["", "AUC of edges", "edges a second"], rows)
    names = json.loads((folder / "names.json").read_text())["attack"]
    sizes = np.bincount(attack, minlength=len(names))
    kinds = [kind for kind in np.argsort(-sizes, kind="stable").tolist() if kind and sizes[kind]]
    normal = attack == 0
    rows = []
    for kind in kinds[: run.config["attacks"]]:
        part = normal | (attack == kind)
        y = attack[part] > 0
        rows.append(
            [names[kind], f"{sizes[kind]:,}", f"{auc(y, scores[part]):.3f}", f"{auc(y, theirs[part]):.3f}"]
        )
    run.table(
        "By type of attack, against all normal edges",
        ["attack", "edges", "ours", "MIDAS-R's statistic"],
        rows,
    )


def auc(truth: Bools, scores: NDArray[np.float64]) -> float:
    """Area under the ROC curve, ties counted half."""
    ranks, ones = rankdata(scores.astype(np.float32)), int(truth.sum())
    return float((ranks[truth].sum() - ones * (ones + 1) / 2) / (ones * (len(truth) - ones)))


def measure(run: Run) -> None:
    """All sets."""
    calls(run)
    others(run)
    edges(run)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the experiment."""
    return common.main(__file__, __doc__, measure, arguments)


if __name__ == "__main__":
    sys.exit(main())
