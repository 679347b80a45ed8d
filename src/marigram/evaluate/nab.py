"""The score of the Numenta Anomaly Benchmark, written from its published definition.

Lavin & Ahmad, "Evaluating real-time anomaly detection algorithms", ICMLA 2015. Every label is a window of rows. With
y the place of a row relative to a window, -1 at its first row and just below 0 at its last,

    sigma(y) = 2 / (1 + exp(5 y)) - 1        (sigma = -1 beyond y = 3)

an alarm inside a window is worth sigma(y) / sigma(-1) times the profile's weight of a found window, and only the best
alarm of a window counts; a window without one costs the weight of a miss; an alarm outside costs sigma(y) times the
weight of a false alarm, y measured from the end of the last window in widths of that window (a full -1 where none
precedes). The first min(15 %, 750) rows of a series are probation and never scored. Over a corpus the sum is scaled so
that silence has 0 and a detector that alarms at the first row of each window, and nowhere else, has 100.

A detector is scored by alarms (`score_alarms`), or by row scores and a threshold found by one sort (`best_threshold`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marigram.errors import ParameterError

__all__ = [
    "PROFILES",
    "Layout",
    "Profile",
    "Tally",
    "best_threshold",
    "normalise",
    "probation",
    "score_alarms",
    "window_rows",
]

_STEEPNESS = 5.0
_FAR = 3.0


@dataclass(frozen=True, slots=True)
class Profile:
    """What one found window, one missed window and one false alarm are worth."""

    found: float = 1.0
    missed: float = 1.0
    false: float = 0.11


PROFILES: dict[str, Profile] = {
    "standard": Profile(),
    "low_fp": Profile(false=0.22),
    "low_fn": Profile(missed=2.0),
}


@dataclass(frozen=True, slots=True)
class Tally:
    """Unscaled score of one series and its rows counted one by one (probation left out)."""

    score: float
    tp: int
    tn: int
    fp: int
    fn: int


def probation(rows: int) -> int:
    """Number of first rows that are not scored."""
    return min(int(0.15 * rows), 750)


def _sigmoid(place: NDArray[np.float64]) -> NDArray[np.float64]:
    inside = 2.0 / (1.0 + np.exp(_STEEPNESS * np.minimum(place, _FAR))) - 1.0
    return np.where(place > _FAR, -1.0, inside)


def window_rows(times: NDArray[np.int64], windows: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Time windows (both ends included) as row windows (first, last), in order of time.

    An end that is no row's time takes the nearest row inside the window; a window without rows is left out. Times may
    repeat or run backward, as across a change of clock: the first row of an end counts.
    """
    rows: list[tuple[int, int]] = []
    for left, right in sorted(windows):
        inside = np.flatnonzero((times >= left) & (times <= right))
        if inside.size == 0:
            continue
        first = int(inside[0])
        ends = np.flatnonzero(times[first:] == right)
        rows.append((first, first + int(ends[0]) if ends.size else int(inside[-1])))
    return rows


class Layout:
    """The rows of one series as the scorer sees them: worth of an alarm in each, and the window it lies in.

    `gain` (rows,) is the unweighted worth: (0, 1] in a window, [-1, 0) outside. `window` (rows,) is the number of the
    window, -1 outside. Both cover probation, which `start` rows long is skipped by every score.
    """

    __slots__ = ("gain", "rows", "scored_windows", "start", "window")

    def __init__(self, rows: int, windows: Sequence[tuple[int, int]]) -> None:
        self.rows = rows
        self.start = probation(rows)
        self.window: NDArray[np.int64] = np.full(rows, -1, np.int64)
        self.gain: NDArray[np.float64] = np.full(rows, -1.0)
        top = float(_sigmoid(np.array(-1.0)))
        last_row = -1
        for number, (first, last) in enumerate(windows):
            if first <= last_row or last < first or last >= rows:
                raise ParameterError(
                    f"window {first}..{last} overlaps another or leaves the series of {rows} rows"
                )
            width = last - first + 1
            at = np.arange(first, last + 1)
            self.window[at] = number
            self.gain[at] = _sigmoid((at - last - 1) / width) / top
            after = np.arange(last + 1, rows)
            self.gain[after] = _sigmoid((after - last) / (width - 1)) if width > 1 else -1.0
            last_row = last
        self.scored_windows: NDArray[np.int64] = np.unique(self.window[self.start :])
        self.scored_windows = self.scored_windows[self.scored_windows >= 0]


def score_alarms(alarm: NDArray[np.bool_], layout: Layout, profile: Profile) -> Tally:
    """Score of alarms (rows,) on one series."""
    if alarm.shape != (layout.rows,):
        raise ParameterError(f"alarms have shape {alarm.shape}, the series has {layout.rows} rows")
    told = alarm[layout.start :]
    window = layout.window[layout.start :]
    gain = layout.gain[layout.start :]
    inside = window >= 0
    score = profile.false * float(gain[told & ~inside].sum())
    for number in layout.scored_windows:
        hits = gain[told & (window == number)]
        score += profile.found * float(hits.max()) if hits.size else -profile.missed
    return Tally(
        score=score,
        tp=int((told & inside).sum()),
        tn=int((~told & ~inside).sum()),
        fp=int((told & ~inside).sum()),
        fn=int((~told & inside).sum()),
    )


def best_threshold(
    scores: Sequence[NDArray[np.float64]], layouts: Sequence[Layout], profile: Profile
) -> tuple[float, float]:
    """The one threshold for all series with the greatest summed score, and that score.

    A row alarms when its score is at least the threshold; NaN never does. The threshold is one of the scores, or +inf
    (no alarm at all); of equally good ones the highest. One sort over all rows: O(n log n).
    """
    flat, worth, owner, windows = _scorable(scores, layouts, profile)
    order = np.argsort(-flat, kind="stable")
    flat, worth, owner = flat[order], worth[order], owner[order]
    # A row adds what it raises its window's best by; outside windows every row adds its cost.
    for number in range(windows):
        at = np.flatnonzero(owner == number)
        worth[at] = np.diff(np.maximum.accumulate(np.concatenate(([-profile.missed], worth[at]))))
    silent = -profile.missed * windows
    if flat.size == 0:
        return np.inf, silent
    total = silent + np.cumsum(worth)
    last_of_tie = np.append(flat[1:] != flat[:-1], True)
    best = int(np.argmax(total[last_of_tie]))
    if total[last_of_tie][best] <= silent:
        return np.inf, silent
    return float(flat[last_of_tie][best]), float(total[last_of_tie][best])


def _scorable(
    scores: Sequence[NDArray[np.float64]], layouts: Sequence[Layout], profile: Profile
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64], int]:
    """Scored rows of all series in one line: score, weighted worth, number of its window over the corpus or -1."""
    if len(scores) != len(layouts):
        raise ParameterError(f"{len(scores)} series of scores for {len(layouts)} layouts")
    flat, worth, owner = [np.empty(0)], [np.empty(0)], [np.empty(0, np.int64)]
    windows = 0
    for score, layout in zip(scores, layouts, strict=True):
        if score.shape != (layout.rows,):
            raise ParameterError(f"scores have shape {score.shape}, the series has {layout.rows} rows")
        window = layout.window[layout.start :]
        number = np.where(window >= 0, windows + np.searchsorted(layout.scored_windows, window), -1)
        said = ~np.isnan(score[layout.start :])
        flat.append(score[layout.start :][said])
        worth.append(
            (layout.gain[layout.start :] * np.where(window >= 0, profile.found, profile.false))[said]
        )
        owner.append(number[said])
        windows += len(layout.scored_windows)
    return np.concatenate(flat), np.concatenate(worth), np.concatenate(owner), windows


def normalise(total: float, layouts: Sequence[Layout], profile: Profile) -> float:
    """A summed score on the scale where silence is 0 and perfection 100; NaN where no window can be found."""
    windows = sum(len(layout.scored_windows) for layout in layouts)
    if windows == 0:
        return float("nan")
    silent = -profile.missed * windows
    return 100.0 * (total - silent) / (profile.found * windows - silent)
