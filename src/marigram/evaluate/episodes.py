"""Event-wise metrics: a labelled stretch of rows is one thing to find, a run of alarms one thing to look at.

No point adjustment: an alarm inside a stretch does not turn the rest of the stretch into alarms. Recall counts
stretches with at least one alarm, precision runs of alarms that touch a stretch.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from marigram.errors import ParameterError

__all__ = ["ChangeScore", "EpisodeScore", "change_score", "episode_score", "false_alarms_per_day", "segments"]

_DAY = 86_400_000_000_000


class EpisodeScore(NamedTuple):
    """Event-wise result; `delays` (found,) are rows from a stretch's start to its first alarm, 0 at once."""

    precision: float
    recall: float
    f1: float
    episodes: int
    found: int
    runs: int
    true_runs: int
    delays: NDArray[np.int64]


class ChangeScore(NamedTuple):
    """Changes told; `delays` (told,) are rows from a change to the first word of it.

    `repeats` are further words of a change already told, `false` those that no change explains.
    """

    changes: int
    told: int
    delays: NDArray[np.int64]
    repeats: int
    false: int


def segments(flags: ArrayLike, gap: int = 0) -> NDArray[np.int64]:
    """Runs of true rows as (m, 2) half-open [start, stop); runs at most `gap` false rows apart are one.

    Examples
    --------
    >>> segments([0, 1, 1, 0, 1]).tolist()
    [[1, 3], [4, 5]]
    >>> segments([0, 1, 1, 0, 1], gap=1).tolist()
    [[1, 5]]
    """
    if gap < 0:
        raise ParameterError(f"gap is {gap}, must be at least 0")
    rows = np.flatnonzero(np.asarray(flags).astype(bool))
    if rows.size == 0:
        return np.empty((0, 2), np.int64)
    breaks = np.flatnonzero(np.diff(rows) > gap + 1)
    starts = rows[np.concatenate(([0], breaks + 1))]
    stops = rows[np.concatenate((breaks, [rows.size - 1]))] + 1
    return np.stack((starts, stops), axis=1).astype(np.int64)


def episode_score(truth: ArrayLike, alarm: ArrayLike, gap: int = 0) -> EpisodeScore:
    """Score alarms (n,) against labels (n,) stretch by stretch; alarms at most `gap` rows apart are one run.

    Precision is NaN without alarms, recall NaN without stretches.

    Examples
    --------
    >>> episode_score([0, 1, 1, 1, 0, 0], [0, 0, 1, 0, 0, 1])[:3]
    (0.5, 1.0, 0.6666666666666666)
    """
    labels, told = np.asarray(truth).astype(bool), np.asarray(alarm).astype(bool)
    if labels.ndim != 1 or labels.shape != told.shape:
        raise ParameterError(f"labels {labels.shape} and alarms {told.shape} must be of one length")
    stretches, runs = segments(labels), segments(told, gap)
    alarms = np.flatnonzero(told)
    first = np.searchsorted(alarms, stretches[:, 0])
    hit = np.searchsorted(alarms, stretches[:, 1]) > first
    delays = alarms[first[hit]] - stretches[hit, 0]
    touched = np.concatenate(([0], np.cumsum(labels & told)))
    true_runs = int((touched[runs[:, 1]] > touched[runs[:, 0]]).sum())
    found = int(hit.sum())
    recall = found / len(stretches) if len(stretches) else float("nan")
    precision = true_runs / len(runs) if len(runs) else float("nan")
    f1 = 2.0 * precision * recall / (precision + recall) if found else 0.0
    return EpisodeScore(precision, recall, f1, len(stretches), found, len(runs), true_runs, delays)


def change_score(changes: ArrayLike, told: ArrayLike, within: int) -> ChangeScore:
    """Match the rows where a change was told to the rows where one happened.

    A word at row t belongs to the last change c <= t if t - c < `within`; the first is the finding, others repeats.

    Examples
    --------
    >>> change_score([100, 200], [103, 105, 150], within=20)
    ChangeScore(changes=2, told=1, delays=array([3]), repeats=1, false=1)
    """
    truth, said = np.unique(np.asarray(changes, np.int64)), np.sort(np.asarray(told, np.int64))
    if within < 1:
        raise ParameterError(f"within is {within}, must be at least 1")
    owner = np.searchsorted(truth, said, side="right") - 1
    delay = said - truth[owner] if truth.size else said
    explained = (owner >= 0) & (delay < within)
    _, first = np.unique(owner[explained], return_index=True)
    delays = delay[explained][first]
    return ChangeScore(
        changes=truth.size,
        told=delays.size,
        delays=delays,
        repeats=int(explained.sum()) - delays.size,
        false=int((~explained).sum()),
    )


def false_alarms_per_day(truth: ArrayLike, alarm: ArrayLike, times: ArrayLike) -> float:
    """Alarms on unlabelled rows, divided by the days from the first time to the last; times (n,) int64 ns.

    NaN when the rows span no time.
    """
    labels, told = np.asarray(truth).astype(bool), np.asarray(alarm).astype(bool)
    when = np.asarray(times, np.int64)
    if not labels.shape == told.shape == when.shape:
        raise ParameterError(
            f"labels {labels.shape}, alarms {told.shape} and times {when.shape} must be of one length"
        )
    span = int(when.max() - when.min()) / _DAY if when.size else 0.0
    return int((told & ~labels).sum()) / span if span > 0.0 else float("nan")
