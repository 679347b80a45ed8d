"""Ranking metrics of scores against labels, point by point: average precision, ROC-AUC, best F1.

Equal scores are one threshold: no order of the rows can change a figure. `truth` is (n,) bool, `score` (n,) with higher
more anomalous and no NaN. Figures that the labels do not define (no positive, or no negative) are NaN.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from marigram.errors import ParameterError

__all__ = ["BestF1", "average_precision", "best_f1", "precision_recall", "roc_auc"]


class BestF1(NamedTuple):
    """The greatest F1 over all thresholds; a row is flagged when its score is at least `threshold`."""

    f1: float
    threshold: float
    precision: float
    recall: float


class Curve(NamedTuple):
    """Precision and recall at every distinct score, from the highest threshold to the lowest; all (m,)."""

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    threshold: NDArray[np.float64]


def _checked(truth: ArrayLike, score: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    labels, scores = np.asarray(truth).astype(bool), np.asarray(score, np.float64)
    if labels.ndim != 1 or labels.shape != scores.shape:
        raise ParameterError(f"labels {labels.shape} and scores {scores.shape} must be of one length")
    if np.isnan(scores).any():
        raise ParameterError(
            f"{int(np.isnan(scores).sum())} scores are NaN: leave out rows without an answer first"
        )
    return labels, scores


def precision_recall(truth: ArrayLike, score: ArrayLike) -> Curve:
    """Precision and recall at every distinct score.

    Examples
    --------
    >>> precision_recall([1, 0, 1, 0], [4.0, 3.0, 2.0, 2.0]).recall
    array([0.5, 0.5, 1. ])
    """
    labels, scores = _checked(truth, score)
    if labels.size == 0:
        return Curve(np.empty(0), np.empty(0), np.empty(0))
    order = np.argsort(-scores, kind="stable")
    labels, scores = labels[order], scores[order]
    last = np.flatnonzero(np.append(scores[1:] != scores[:-1], True))
    found = np.cumsum(labels)[last].astype(np.float64)
    total = found[-1] if found[-1] else np.nan
    return Curve(found / (last + 1.0), found / total, scores[last])


def average_precision(truth: ArrayLike, score: ArrayLike) -> float:
    """Sum over thresholds of the gain in recall times the precision there.

    Examples
    --------
    >>> average_precision([1, 0, 1], [3.0, 2.0, 1.0])
    0.8333333333333333
    """
    curve = precision_recall(truth, score)
    return (
        float(np.sum(np.diff(curve.recall, prepend=0.0) * curve.precision))
        if curve.recall.size
        else float("nan")
    )


def roc_auc(truth: ArrayLike, score: ArrayLike) -> float:
    """Chance that a positive scores above a negative, a tie counting one half.

    Examples
    --------
    >>> roc_auc([1, 0, 0, 1], [2.0, 1.0, 2.0, 3.0])
    0.875
    """
    labels, scores = _checked(truth, score)
    positives = int(labels.sum())
    negatives = labels.size - positives
    if positives == 0 or negatives == 0:
        return float("nan")
    _, group, size = np.unique(scores, return_inverse=True, return_counts=True)
    middle_rank = np.cumsum(size) - (size - 1) / 2.0
    above = float(middle_rank[group][labels].sum()) - positives * (positives + 1) / 2.0
    return above / positives / negatives


def best_f1(truth: ArrayLike, score: ArrayLike) -> BestF1:
    """The greatest F1 that any threshold reaches, an oracle's choice; of equal ones the highest threshold.

    Examples
    --------
    >>> best_f1([1, 0, 1], [3.0, 2.0, 1.0])
    BestF1(f1=0.8, threshold=1.0, precision=0.6666666666666666, recall=1.0)
    """
    curve = precision_recall(truth, score)
    if curve.recall.size == 0 or np.isnan(curve.recall[0]):
        return BestF1(float("nan"), float("nan"), float("nan"), float("nan"))
    total = curve.precision + curve.recall
    f1 = np.divide(2.0 * curve.precision * curve.recall, total, out=np.zeros_like(total), where=total > 0.0)
    at = int(np.argmax(f1))
    return BestF1(
        float(f1[at]), float(curve.threshold[at]), float(curve.precision[at]), float(curve.recall[at])
    )
