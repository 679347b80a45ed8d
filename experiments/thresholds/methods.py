"""The thresholds side by side: each gives one answer per score, 1 anomaly, 0 normal, -1 abstained."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable
from typing import Any

import numpy as np
from experiments.thresholds.streams import Scores
from numpy.typing import NDArray

import marigram as mg

Answers = NDArray[np.int8]
ABSTAINED = -1


def from_kinds(kinds: NDArray[np.uint8]) -> Answers:
    """Anomaly, normal, and everything else as an abstention."""
    answers = np.full(len(kinds), ABSTAINED, np.int8)
    answers[kinds == mg.Kind.ANOMALY] = 1
    answers[kinds == mg.Kind.NORMAL] = 0
    return answers


def confidence(
    config: dict[str, Any], sequence: Any, *, shift: bool, data: bool
) -> Callable[[Scores], Answers]:
    """Algorithm 1, 3, 4 or 5."""

    def answer(scores: Scores) -> Answers:
        threshold = mg.ConfidenceThreshold(
            config["p"],
            config["alpha"],
            sequence=sequence,
            change=config["alpha"] if shift else None,
            offline=scores.offline if data else (),
        )
        return from_kinds(threshold.update_many(scores.x))

    return answer


def dspot(config: dict[str, Any]) -> Callable[[Scores], Answers]:
    """DSPOT at the rate 1 - p."""

    def answer(scores: Scores) -> Answers:
        peaks = mg.PeaksOverThreshold(
            1 - config["p"],
            level=config["dspot_level"],
            calibration=config["dspot_calibration"],
            drift=config["dspot_drift"],
        )
        return from_kinds(peaks.update_many(scores.x))

    return answer


def fixed(config: dict[str, Any]) -> Callable[[Scores], Answers]:
    """The p-quantile of the first 30 %, on which it abstains."""

    def answer(scores: Scores) -> Answers:
        first = int(config["fixed_share"] * len(scores.x))
        answers = (scores.x > np.quantile(scores.x[:first], config["p"])).astype(np.int8)
        answers[:first] = ABSTAINED
        return answers

    return answer


def running(config: dict[str, Any]) -> Callable[[Scores], Answers]:
    """The empirical p-quantile of all scores before."""

    def answer(scores: Scores) -> Answers:
        ordered: list[float] = []
        answers = np.zeros(len(scores.x), np.int8)
        for i, x in enumerate(scores.x):
            answers[i] = bool(ordered) and x > ordered[min(int(config["p"] * i), i - 1)]
            insort(ordered, x)
        return answers

    return answer


__all__ = ["ABSTAINED", "Answers", "confidence", "dspot", "fixed", "from_kinds", "running"]
