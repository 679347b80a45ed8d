"""Figures from a table of verdicts and the truth of its stream.

Every figure is a pair (numerator, denominator), so that figures of many streams pool into one ratio and the
spread over streams can still be shown. The table is any mapping with the columns of `marigram.Verdicts` that a
figure needs; rows are the events of one key in order. Only the kind `anomaly` is an alarm.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.noise import Floats
from benchmarks.quality.streams import WARM, Bools, Ints, Stream

NORMAL, ANOMALY, DRIFT, UNDECIDED, LEARNING = range(5)
TOLD_WITHIN = 1000  # events in which a shift must be told
AFTER = 200  # events after a shift that are counted by themselves

Counts = dict[str, tuple[float, float]]


class Table(Protocol):
    """Columns by name."""

    def __getitem__(self, name: str, /) -> NDArray[Any]: ...


def immediate(table: Table) -> Bools:
    """(n,) alarms as said at once."""
    alarms: Bools = table["kind"] == ANOMALY
    return alarms


def drift_rows(table: Table) -> Ints:
    """Row numbers of the drift verdicts."""
    return np.flatnonzero(np.asarray(table["kind"]) == DRIFT)


def settled(table: Table) -> Bools:
    """(n,) alarms without those that a later drift took back (`resolves` ≤ seq ≤ seq of the drift)."""
    alarms = immediate(table).copy()
    seq, resolves = np.asarray(table["seq"]), np.asarray(table["resolves"])
    for row in drift_rows(table):
        if resolves[row] >= 0:
            first = int(np.searchsorted(seq, resolves[row]))
            alarms[first : row + 1] = False
    return alarms


def after_shifts(n: int, shifts: Ints, width: int = AFTER) -> Bools:
    """(n,) events within `width` after a shift, the shift's first event included."""
    near = np.zeros(n, np.bool_)
    for start in shifts:
        near[start : start + width] = True
    return near


def rate(alarms: Bools, where: Bools) -> tuple[float, float]:
    """Alarms among the events `where`."""
    return float((alarms & where).sum()), float(where.sum())


def alarm_figures(table: Table, stream: Stream, alpha: float, start: int = WARM) -> Counts:
    """Rates over the promised one, recall of spikes, share of undecided events, from event `start` on."""
    n = len(stream)
    seen = np.arange(n) >= start
    quiet, spikes = seen & ~stream.spikes, seen & stream.spikes
    near = quiet & after_shifts(n, stream.shifts)
    said, kept, kind = immediate(table), settled(table), np.asarray(table["kind"])
    figures: Counts = {}
    for name, alarms in (("settled", kept), ("immediate", said)):
        hits, total = rate(alarms, quiet)
        figures[f"{name} rate"] = hits, total * alpha
        figures[f"{name} after shift"] = rate(alarms, near)
        figures[f"{name} recall"] = rate(alarms, spikes)
        if stream.oracle is not None:
            figures[f"{name} recall/oracle"] = rate(alarms, spikes)[0], rate(stream.oracle, spikes)[0]
    if stream.oracle is not None:
        figures["oracle recall"] = rate(stream.oracle, spikes)
        figures["oracle rate"] = rate(stream.oracle, quiet)[0], rate(stream.oracle, quiet)[1] * alpha
    figures["undecided+learning"] = rate((kind == UNDECIDED) | (kind == LEARNING), seen)
    return figures


def told(table: Table, shifts: Ints, n: int) -> list[int]:
    """For each shift the first drift verdict's row within min(1000, next shift) events, or -1."""
    drifts = drift_rows(table)
    answer = []
    for start, end in zip(shifts, np.append(shifts[1:], n), strict=True):
        inside = drifts[(drifts >= start) & (drifts < min(start + TOLD_WITHIN, end))]
        answer.append(int(inside[0]) if len(inside) else -1)
    return answer


def shift_figures(table: Table, shifts: Ints, n: int) -> Counts:
    """How the shifts were told: share, notices a shift, delay, `changed_at`, drifts no shift explains."""
    rows = told(table, shifts, n)
    changed_at = np.asarray(table["changed_at"])
    hits = [(row, int(start)) for row, start in zip(rows, shifts, strict=True) if row >= 0]
    total = float(len(drift_rows(table)))
    return {
        "shifts told": (float(len(hits)), float(len(shifts))),
        "told exactly once": (float(_once(table, shifts, n)), float(len(shifts))),
        "drifts per shift": (total, float(len(shifts))),
        "delay": (float(sum(row - start for row, start in hits)), float(len(hits))),
        "changed_at within 20": (
            float(sum(abs(changed_at[row] - start) <= 20 for row, start in hits)),
            len(shifts),
        ),
        "false drifts": (total - len(hits), 1.0),
    }


def _once(table: Table, shifts: Ints, n: int) -> int:
    """How many shifts have exactly one drift verdict in the 1,000 events after (or up to the next)."""
    drifts = drift_rows(table)
    ends = np.minimum(shifts + TOLD_WITHIN, np.append(shifts[1:], n))
    return int((np.searchsorted(drifts, ends) - np.searchsorted(drifts, shifts) == 1).sum())


def tail_figures(table: Table, start: int, levels: tuple[float, ...] = (1e-2, 1e-3)) -> Counts:
    """Share of p ≤ a over a, and drifts per 100,000 events, from event `start` on; for pure noise."""
    p = np.asarray(table["p_value"])[start:]
    figures: Counts = {f"p<={a:g}": (float((p <= a).sum()), len(p) * a) for a in levels}
    figures["false drifts /1e5"] = float((drift_rows(table) >= start).sum()), len(p) / 1e5
    return figures


def alarm_score(table: Table) -> Floats:
    """(n,) score by which alarms rank: -log10 p of normal and anomaly verdicts, 0 of every other kind."""
    kind = np.asarray(table["kind"])
    score = -np.log10(np.maximum(np.asarray(table["p_value"], np.float64), 1e-300))
    return np.where((kind == NORMAL) | (kind == ANOMALY), score, 0.0)


def ranking_figures(score: Floats, spikes: Bools) -> tuple[float, float]:
    """Average precision and best F1 over all thresholds; ties are one threshold."""
    order = np.argsort(-score, kind="stable")
    ranked, truth = score[order], spikes[order]
    last = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    hits = np.cumsum(truth)[last]
    precision, recall = hits / (last + 1), hits / truth.sum()
    average = float(np.sum(np.diff(recall, prepend=0.0) * precision))
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    return average, float(f1.max())


def widening(clean: Table, corrupted: Table, start: int = WARM) -> tuple[float, float]:
    """Median and largest over time of (band's width corrupted / clean) - 1, from event `start` on."""
    wide, narrow = (
        np.asarray(t["upper"])[start:] - np.asarray(t["lower"])[start:] for t in (corrupted, clean)
    )
    ratio = wide / narrow
    return float(np.median(ratio)) - 1, float(ratio.max()) - 1
