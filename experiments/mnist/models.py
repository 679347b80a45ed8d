"""What scores a stream of numerals, each event before it is learned."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from experiments.mnist.streams import Floats, Play

import marigram as mg

Scores = Callable[[Play], Floats]


def contrast(stream: Play, model: mg.ClippedLogistic) -> Floats:
    """How little an event looks like the stream: 1 - P(stream), by logistic regression of stream against pool.

    The model is updated by each event (label 1) and by a picture of the pool (label 0), which needs no labels of
    anomalies; what it learns is what the stream has at present and the pool has not.
    """
    n, d = stream.events.shape
    rows = np.ones((2 * n, d + 1))
    rows[0::2, :d] = stream.events
    rows[1::2, :d] = stream.pool
    labels = np.tile([1.0, 0.0], n)
    return -np.asarray(model.trace(rows, labels))[0::2]


def smoothness(stream: Play) -> float:
    """M of the loss, a quarter of the mean squared length of the pool's pictures: steps are relative to 1/M.

    The pool is clean, so this is as good for plain SGD as for clipped SGD.
    """
    return float((stream.pool**2).sum(axis=1).mean() + 1.0) / 4.0


def plain(rate: float, follow: bool = False) -> Scores:
    """SGD at a fixed step; with ``follow``, M is the larger of an event's own and the running median of all."""

    def score(stream: Play) -> Floats:
        M = "auto" if follow else smoothness(stream)
        return contrast(stream, mg.ClippedLogistic("constant", None, rate=rate, smoothness=M))

    return score


def decaying(alpha: float) -> Scores:
    """SGD at the step t^-alpha."""

    def score(stream: Play) -> Floats:
        return contrast(
            stream, mg.ClippedLogistic("anytime", None, alpha=alpha, smoothness=smoothness(stream))
        )

    return score


def clipped(rate: float, tau: float, follow: bool = False) -> Scores:
    """Clipped SGD at a fixed step, the level a running quantile of the gradients' norms; ``follow`` as for plain."""

    def score(stream: Play) -> Floats:
        M = "auto" if follow else smoothness(stream)
        model = mg.ClippedLogistic("constant", "quantile", tau=tau, rate=rate, smoothness=M)
        return contrast(stream, model)

    return score


def one_class(half_life: float | None, clip: str | None) -> Scores:
    """Distance from a running mean, which forgets in ``half_life`` events or never."""

    def score(stream: Play) -> Floats:
        step = "anytime" if half_life is None else "half-life"
        alpha = 1.0 if half_life is None else None
        model = mg.ClippedMean(step, clip, alpha=alpha, half_life=half_life)  # type: ignore[arg-type]
        mean = np.nan_to_num(np.asarray(model.trace(stream.events)))
        return np.linalg.norm(stream.events - mean, axis=1)

    return score


def joint(rank: int) -> Scores:
    """Distance of the joint detector."""

    def score(stream: Play) -> Floats:
        table = mg.Detector(joint=True, rank=rank, half_life=60.0).update_many(stream.events)
        return np.nan_to_num(np.asarray(table["value"]))

    return score
