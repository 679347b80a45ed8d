"""Are the promises kept: false-alarm rates of a table of verdicts, said at once and settled, and calibration.

Only `anomaly` is an alarm. A `drift` verdict takes back the anomalies of its key from `resolves` to itself: they were
the first events of the change. The immediate rate counts them, the settled rate does not.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from marigram.errors import ParameterError
from marigram.kinds import Kind
from marigram.verdicts import Verdicts

__all__ = ["AlarmRates", "Level", "alarm_rates", "calibration", "settled"]

_Z95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class AlarmRates:
    """Rates over rows that are not anomalous by label; recall over those that are (NaN without labels)."""

    rows: int
    immediate: float
    settled: float
    immediate_recall: float
    settled_recall: float
    undecided: float
    learning: float


@dataclass(frozen=True, slots=True)
class Level:
    """One point of the calibration curve: how often p <= `promised` came, with a 95 % interval (Wilson)."""

    promised: float
    observed: float
    low: float
    high: float
    events: int

    @property
    def ratio(self) -> float:
        """Observed over promised: 1 is honest, above 1 too loud."""
        return self.observed / self.promised


def settled(verdicts: Verdicts) -> NDArray[np.bool_]:
    """Which rows are anomalies that no later drift of their key took back, (n,) bool.

    The table may hold many keys interleaved; what a drift beyond its end took back is not known to it.
    """
    alarm: NDArray[np.bool_] = np.asarray(verdicts["kind"]) == Kind.ANOMALY
    resolves = np.asarray(verdicts["resolves"])
    drifts = np.flatnonzero(resolves >= 0)
    if drifts.size == 0:
        return alarm
    place, first, last = _on_one_line(verdicts, resolves, drifts)
    order = np.argsort(place, kind="stable")
    # +1 where a withdrawn stretch begins, -1 after it ends: rows with a positive running sum are withdrawn.
    begin = np.searchsorted(place[order], first, side="left")
    end = np.searchsorted(place[order], last, side="right")
    steps = np.zeros(len(alarm) + 1, np.int64)
    np.add.at(steps, begin, 1)
    np.add.at(steps, end, -1)
    withdrawn = np.empty(len(alarm), bool)
    withdrawn[order] = np.cumsum(steps[:-1]) > 0
    return alarm & ~withdrawn


def _on_one_line(
    verdicts: Verdicts, resolves: NDArray[np.int64], drifts: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Places of the rows, ordered by key and then seq, and the places between which each drift withdraws.

    A place is the key's number times (number of distinct seqs + 1) plus the rank of the seq: it cannot overflow.
    """
    seq = np.asarray(verdicts["seq"])
    ranks = np.unique(seq)
    line = _key_numbers(verdicts) * (len(ranks) + 1)
    place = line + np.searchsorted(ranks, seq)
    return place, line[drifts] + np.searchsorted(ranks, resolves[drifts]), place[drifts]


def _key_numbers(verdicts: Verdicts) -> NDArray[np.int64]:
    keys = verdicts["key"]
    numbers: dict[object, int] = {}
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys.tolist()], np.int64)


def alarm_rates(
    verdicts: Verdicts, truth: ArrayLike | None = None, rows: ArrayLike | None = None
) -> AlarmRates:
    """False-alarm rates and recall, immediate and settled, and the shares of `undecided` and `learning`.

    `truth` (n,) bool marks rows that are anomalous (none when omitted); `rows` (n,) bool restricts what is counted, for
    instance to the 200 events after a shift: withdrawals are still read off the whole table.
    """
    n = len(verdicts)
    label = np.zeros(n, bool) if truth is None else np.asarray(truth).astype(bool)
    counted = np.ones(n, bool) if rows is None else np.asarray(rows).astype(bool)
    if label.shape != (n,) or counted.shape != (n,):
        raise ParameterError(f"labels {label.shape} and rows {counted.shape} must have the table's {n} rows")
    kind = np.asarray(verdicts["kind"])
    final, said = settled(verdicts), kind == Kind.ANOMALY
    return AlarmRates(
        rows=int(counted.sum()),
        immediate=_share(said, counted & ~label),
        settled=_share(final, counted & ~label),
        immediate_recall=_share(said, counted & label),
        settled_recall=_share(final, counted & label),
        undecided=_share(kind == Kind.UNDECIDED, counted),
        learning=_share(kind == Kind.LEARNING, counted),
    )


def _share(flags: NDArray[np.bool_], among: NDArray[np.bool_]) -> float:
    total = int(among.sum())
    return int((flags & among).sum()) / total if total else float("nan")


def calibration(p_value: ArrayLike, levels: Sequence[float] = (0.1, 0.01, 0.001, 0.0001)) -> list[Level]:
    """How often p <= level was observed among normal events, for each level; NaN p-values are left out.

    Examples
    --------
    >>> [(one.promised, one.observed) for one in calibration([0.05, 0.5, 0.9, 0.2], levels=[0.1, 0.5])]
    [(0.1, 0.25), (0.5, 0.75)]
    """
    p = np.asarray(p_value, np.float64)
    p = np.sort(p[~np.isnan(p)])
    if not all(0.0 < level < 1.0 for level in levels):
        raise ParameterError(f"levels must lie between 0 and 1, got {list(levels)}")
    return [_level(level, int(np.searchsorted(p, level, side="right")), p.size) for level in levels]


def _level(promised: float, hits: int, events: int) -> Level:
    if events == 0:
        return Level(promised, float("nan"), float("nan"), float("nan"), 0)
    share, z2 = hits / events, _Z95 * _Z95
    middle = (share + z2 / (2.0 * events)) / (1.0 + z2 / events)
    half = (
        _Z95
        / (1.0 + z2 / events)
        * float(np.sqrt(share * (1.0 - share) / events + z2 / (4.0 * events * events)))
    )
    return Level(promised, share, max(0.0, middle - half), min(1.0, middle + half), events)
