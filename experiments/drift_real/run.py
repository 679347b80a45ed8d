"""False alarms, events found and delay on real streams, ours beside river's, pysad's and PyOD's detectors."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from experiments import common
from experiments.common import Figure, Run
from experiments.drift_real.detectors import DETECTORS, Answer
from experiments.drift_real.streams import Stream, collections
from marigram.evaluate import episode_score, roc_auc, segments

HEADS = ["detector", "alarms on normal rows / alpha", "longest run", "precision", "recall", "delay", "AUC"]


class Marks(NamedTuple):
    """How a detector did on one stream."""

    rate: float
    """Share of normal rows with an alarm, over alpha: 1 is honest."""
    longest: float
    """Rows of the longest run of alarms that no label explains: how long it takes to get over a change."""
    precision: float
    recall: float
    delay: float
    """Median rows from the start of an event to its first alarm."""
    auc: float


def marks(stream: Stream, answer: Answer, alpha: float, gap: int) -> Marks:
    """Score one stream from its start on; figures that it does not define are NaN."""
    truth, scores, told = stream.truth[stream.start :], answer[0][stream.start :], answer[1][stream.start :]
    score = episode_score(truth, told, gap)
    runs = segments(told & ~truth, gap)
    return Marks(
        rate=float(told[~truth].mean()) / alpha,
        longest=float((runs[:, 1] - runs[:, 0]).max()) if len(runs) else 0.0,
        precision=score.precision,
        recall=score.recall,
        delay=float(np.median(score.delays)) if len(score.delays) else float("nan"),
        auc=roc_auc(truth, scores),
    )


def pooled(values: Sequence[float]) -> Figure | str:
    """The mean over the streams that define a figure; a dash where none does."""
    defined = [value for value in values if not np.isnan(value)]
    return common.mean(defined) if defined else "-"


def measure(run: Run) -> None:
    """All detectors on all sets."""
    alpha, gap = run.config["alpha"], run.config["gap"]
    for name, streams in collections(run.config):
        rows = []
        for detector, judge in DETECTORS.items():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of the peers, about constant columns
                found = [marks(stream, judge(stream.values, alpha), alpha, gap) for stream in streams]
            cells = [pooled([getattr(one, field) for one in found]) for field in Marks._fields]
            for field, cell in zip(Marks._fields, cells, strict=True):
                if isinstance(cell, Figure) and field in ("rate", "recall", "auc"):
                    run.figure(f"{name}, {detector}: {field}", cell)
            rows.append([detector, *cells])
        run.table(f"{name}: {len(streams)} streams", HEADS, rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the experiment."""
    return common.main(__file__, __doc__, measure, arguments)


if __name__ == "__main__":
    sys.exit(main())
