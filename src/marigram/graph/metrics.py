"""How well scores rank nodes, and how sure that figure is.

The figures are GADBench's: area under the ROC curve, average precision, and recall among the K highest scores, K being
the number of anomalous nodes. No order of the rows can change one: equal scores are one threshold, and of a group of
equal scores that K cuts through, the share that a random order would take counts.

Intervals, each for one question:

==================== ==========================================================================================
:func:`delong`       AUC on one test set: DeLong, DeLong & Clarke-Pearson, Biometrics 44 (1988)
:func:`bootstrap`    any figure on one test set, or the difference of two models on it: nodes drawn with replacement,
                     within the anomalous and within the normal ones, percentiles
:func:`over_splits`  a difference over several splits: Student's t, as it stands or corrected for splits that share
                     rows (Nadeau & Bengio, Machine Learning 52, 2003)
==================== ==========================================================================================

Nodes of a graph are not independent, so the first two say how much a figure would move with other nodes of the same
graph, not with another graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from marigram.errors import ParameterError
from marigram.evaluate.metrics import average_precision, roc_auc

Floats = NDArray[np.float64]
Figure = Literal["auc", "ap", "recall"]

_CHUNK = 4_000_000
"""Resampled rows that are held at a time."""


class Figures(NamedTuple):
    """The three figures, each in [0, 1]; NaN where one of the classes is absent."""

    auc: float
    ap: float
    recall: float


class Interval(NamedTuple):
    """A figure and the ends of its interval."""

    value: float
    low: float
    high: float


_NOWHERE = Interval(float("nan"), float("nan"), float("nan"))


def recall_at(truth: ArrayLike, score: ArrayLike, k: int | None = None) -> float:
    """Return the share of anomalous rows among the ``k`` highest scores; ``k`` None is their number.

    Examples
    --------
    >>> recall_at([1, 0, 1, 0], [4.0, 3.0, 2.0, 1.0])
    0.5
    >>> recall_at([1, 0, 1, 0], [1.0, 1.0, 1.0, 1.0])
    0.5
    """
    labels, scores = np.asarray(truth).astype(bool), np.asarray(score, np.float64)
    positives = int(labels.sum())
    if positives == 0:
        return float("nan")
    k = positives if k is None else k
    if not 1 <= k <= len(labels):
        raise ParameterError(f"k must lie in 1 .. {len(labels)}, not {k}")
    edge = np.partition(scores, len(scores) - k)[len(scores) - k]
    above, level = scores > edge, scores == edge
    room = k - int(above.sum())
    return float((labels[above].sum() + room * labels[level].mean()) / positives)


def figures(truth: ArrayLike, score: ArrayLike) -> Figures:
    """Return AUC, AP and Recall@K of scores ``(n,)`` against labels ``(n,)``, 1 anomalous and 0 normal."""
    if np.asarray(truth).astype(bool).all() or not np.asarray(truth).any():
        return Figures(float("nan"), float("nan"), float("nan"))
    return Figures(roc_auc(truth, score), average_precision(truth, score), recall_at(truth, score))


def delong(truth: ArrayLike, score: ArrayLike, *, level: float = 0.95) -> Interval:
    """Return the AUC and its interval by DeLong's variance, on the logit scale so that it stays within [0, 1].

    Parameters
    ----------
    truth, score
        ``(n,)``; with one row of a class the variance, and so the interval, is undefined: NaN.
    level
        Coverage, in (0, 1).
    """
    _check_level(level)
    labels, scores = np.asarray(truth).astype(bool), np.asarray(score, np.float64)
    area = roc_auc(labels, scores)
    positives, negatives = np.sort(scores[labels]), np.sort(scores[~labels])
    m, n = len(positives), len(negatives)
    if min(m, n) < 2:
        return Interval(area, float("nan"), float("nan"))
    beaten = _below(negatives, positives) / n  # the share of normal rows below each anomalous one
    beating = 1.0 - _below(positives, negatives) / m
    variance = float(np.var(beaten, ddof=1) / m + np.var(beating, ddof=1) / n)
    if area in (0.0, 1.0) or variance == 0.0:
        return Interval(area, area, area)
    reach = NormalDist().inv_cdf(0.5 + level / 2) * np.sqrt(variance) / (area * (1.0 - area))
    odds = np.log(area / (1.0 - area))
    low, high = (1.0 / (1.0 + np.exp(-(odds + side * reach))) for side in (-1.0, 1.0))
    return Interval(area, float(low), float(high))


def _below(sorted_values: Floats, x: Floats) -> Floats:
    """How many of the sorted values lie below each x, an equal one counting one half."""
    left, right = (np.searchsorted(sorted_values, x, side) for side in ("left", "right"))
    return np.asarray((left + right) / 2.0, np.float64)


def bootstrap(
    truth: ArrayLike,
    score: ArrayLike,
    other: ArrayLike | None = None,
    *,
    figure: Figure = "ap",
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Return a figure and its bootstrap interval; with ``other`` the gain of ``score`` over it, on the same nodes.

    Parameters
    ----------
    truth
        ``(n,)``, 1 anomalous, 0 normal. Without both classes everything is NaN.
    score, other
        ``(n,)``, higher is more anomalous, no NaN.
    figure
        ``"auc"``, ``"ap"`` or ``"recall"`` (at K = the number of anomalous rows, which resampling leaves as it is).
    resamples
        From 100; both classes keep their sizes in each.
    seed
        Of the resampling.
    level
        Coverage, in (0, 1).

    Raises
    ------
    ParameterError
        Lengths differ, a score is NaN, or a setting is out of its range.
    """
    _check_level(level)
    if figure not in ("auc", "ap", "recall") or resamples < 100:
        raise ParameterError(f"figure is auc, ap or recall and resamples >= 100, not {figure!r}, {resamples}")
    labels = np.asarray(truth).astype(bool)
    rivals = [np.asarray(values, np.float64) for values in (score, other) if values is not None]
    if any(values.shape != labels.shape or np.isnan(values).any() for values in rivals):
        raise ParameterError("labels and scores must be of one length, and no score NaN")
    if labels.all() or not labels.any():
        return _NOWHERE
    sorted_rivals = [_Sorted(labels, values) for values in rivals]
    values = _difference([one.figures(np.ones((1, len(labels))), figure) for one in sorted_rivals])
    rng, found = np.random.default_rng(seed), []
    step = max(1, _CHUNK // len(labels))
    for start in range(0, resamples, step):
        counts = _resampled(rng, labels, min(step, resamples - start))
        found.append(_difference([one.figures(counts, figure) for one in sorted_rivals]))
    low, high = np.quantile(np.concatenate(found), (0.5 - level / 2, 0.5 + level / 2))
    return Interval(float(values[0]), float(low), float(high))


def _difference(values: list[Floats]) -> Floats:
    return values[0] if len(values) == 1 else values[0] - values[1]


def _resampled(rng: np.random.Generator, labels: NDArray[np.bool_], times: int) -> Floats:
    """How often each row is drawn: ``(times, n)``, each class as often as it is large."""
    counts = np.zeros((times, len(labels)))
    for rows in (np.flatnonzero(labels), np.flatnonzero(~labels)):
        for line in counts:
            line[rows] = np.bincount(rng.integers(0, len(rows), len(rows)), minlength=len(rows))
    return counts


class _Sorted:
    """Scores in falling order, so that the figures of reweighted rows are sums along it."""

    def __init__(self, labels: NDArray[np.bool_], score: Floats) -> None:
        self.order = np.argsort(-score, kind="stable")
        self.labels = labels[self.order]
        ordered = score[self.order]
        self.last = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))

    def figures(self, counts: Floats, figure: Figure) -> Floats:
        """The figure for each line of counts ``(b, n)``, at the distinct scores."""
        weights = counts[:, self.order]
        found = np.cumsum(weights * self.labels, axis=1)[:, self.last]
        flagged = np.cumsum(weights, axis=1)[:, self.last]
        total = found[:, -1:]
        if figure == "ap":
            gained = np.diff(found, prepend=0.0, axis=1)
            precision = np.divide(found, flagged, out=np.zeros_like(found), where=flagged > 0)
            return np.asarray((gained * precision).sum(axis=1) / total[:, 0])
        if figure == "auc":
            false = flagged - found
            steps = np.diff(false, prepend=0.0, axis=1)
            middle = found - np.diff(found, prepend=0.0, axis=1) / 2.0
            return np.asarray((steps * middle).sum(axis=1) / total[:, 0] / false[:, -1])
        return _recalls(found, flagged, total[:, 0])


def _recalls(found: Floats, flagged: Floats, total: Floats) -> Floats:
    """Recall where the number flagged reaches the number of anomalous rows, straight through a group of ties."""
    recalls = [
        np.interp(k, np.append(0.0, x), np.append(0.0, y)) / k
        for k, x, y in zip(total, flagged, found, strict=True)
    ]
    return np.asarray(recalls, np.float64)


def over_splits(differences: Sequence[float], *, overlap: float = 0.0, level: float = 0.95) -> Interval:
    """Return the mean of paired differences over splits, and its interval.

    Parameters
    ----------
    differences
        One for each split, two or more: a figure of one model less that of another on the same test rows.
    overlap
        0 takes the splits for independent. Random splits of one set of rows share most of their training rows and are
        not: with test rows / training rows here, the variance of the mean is s² (1/n + overlap) rather than s²/n.
    level
        Coverage, in (0, 1).

    Examples
    --------
    >>> [round(end, 3) for end in over_splits([0.1, 0.2, 0.3])]
    [0.2, -0.048, 0.448]
    """
    from scipy.special import stdtrit

    _check_level(level)
    values = np.asarray(differences, np.float64)
    if values.ndim != 1 or len(values) < 2 or overlap < 0:
        raise ParameterError("two or more differences are needed, and overlap >= 0")
    mean = float(values.mean())
    spread = float(values.std(ddof=1)) * float(np.sqrt(1.0 / len(values) + overlap))
    reach = float(stdtrit(len(values) - 1, 0.5 + level / 2)) * spread
    return Interval(mean, mean - reach, mean + reach)


def _check_level(level: Any) -> None:
    if not 0.0 < level < 1.0:
        raise ParameterError(f"level must lie in (0, 1), not {level}")


__all__ = ["Figures", "Interval", "bootstrap", "delong", "figures", "over_splits", "recall_at"]
