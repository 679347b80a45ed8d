"""The rows of the quality table: which streams, which figures, what each must reach."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from benchmarks.quality import metrics, streams
from benchmarks.quality.metrics import Counts, Table
from benchmarks.quality.noise import FAMILIES, Floats
from benchmarks.quality.streams import Ints, Stream


class Watcher(Protocol):
    """A detector as the benchmark uses it: a fresh one for every series."""

    def update_many(self, values: Floats, times: Ints | None = None, /) -> Table:
        """Verdicts of all events, in order; times are int64 ns UTC."""
        ...


@dataclass(frozen=True)
class Setting:
    """What is measured: `make()` gives a fresh detector that promises `alpha`."""

    make: Callable[[], Watcher]
    alpha: float = 1e-3

    def run(self, stream: Stream) -> Table:
        """Verdicts of a fresh detector on the whole stream."""
        watcher = self.make()
        if stream.times is None:
            return watcher.update_many(stream.values)
        return watcher.update_many(stream.values, stream.times)


@dataclass(frozen=True)
class Target:
    """Bounds of one pooled figure: `floor` must hold, `reach` is aimed at; each (least, most)."""

    figure: str
    floor: tuple[float, float]
    reach: tuple[float, float]

    def mark(self, value: float) -> str:
        """One of "++" (within reach), "ok" (above the floor), "LOW"."""
        if self.reach[0] <= value <= self.reach[1]:
            return "++"
        return "ok" if self.floor[0] <= value <= self.floor[1] else "LOW"


@dataclass(frozen=True)
class Row:
    """One row of the table. `seeds` fixes the seeds; `streams` how many are drawn from the first seed on."""

    name: str
    title: str
    families: tuple[str, ...]
    measure: Callable[[str, int, Setting], Counts]
    targets: tuple[Target, ...]
    also: tuple[str, ...] = ()
    seeds: tuple[int, ...] | None = None
    streams: int | None = None

    def seeds_for(self, first: int, count: int, quick: bool) -> tuple[int, ...]:
        """The seeds of this row."""
        if self.seeds is not None:
            return self.seeds
        chosen = self.streams or count
        return tuple(range(first, first + (max(chosen // 5, 2) if quick else chosen)))


INF = float("inf")


def within(figure: str, floor: tuple[float, float], reach: tuple[float, float]) -> Target:
    """Both ends bounded."""
    return Target(figure, floor, reach)


def most(figure: str, floor: float, reach: float) -> Target:
    """Bounded above."""
    return Target(figure, (-INF, floor), (-INF, reach))


def least(figure: str, floor: float, reach: float) -> Target:
    """Bounded below."""
    return Target(figure, (floor, INF), (reach, INF))


def gap(family: str, seed: int, setting: Setting, d: int = 1) -> Counts:
    """Level shifts, spikes, units: alarms and shifts. 40,000 events, 20,000 when d > 1."""
    stream = streams.gap(FAMILIES[family], seed, 40_000 if d == 1 else 20_000, d, setting.alpha)
    table = setting.run(stream)
    return metrics.alarm_figures(table, stream, setting.alpha) | metrics.shift_figures(
        table, stream.shifts, len(stream)
    )


def gap10(family: str, seed: int, setting: Setting) -> Counts:
    """The same with ten coordinates."""
    return gap(family, seed, setting, 10)


def peers(task: str, seed: int, setting: Setting) -> Counts:
    """Tasks `fpr` (50,000 events) and `cpd` (40,000) of the peers' run."""
    stream = streams.peers(50_000 if task == "fpr" else 40_000, 1, seed, setting.alpha)
    table = setting.run(stream)
    figures = metrics.shift_figures(table, stream.shifts, len(stream))
    rows = np.array(metrics.told(table, stream.shifts, len(stream)))
    delays = (rows - stream.shifts)[rows >= 0]
    figures["median delay"] = float(np.median(delays)) if len(delays) else INF, 1.0
    return metrics.alarm_figures(table, stream, setting.alpha) | figures


def ranking(task: str, seed: int, setting: Setting) -> Counts:
    """Tasks `acc1` and `acc10` of the peers' run: 20,000 events, scored from event 500 on as they come."""
    stream = streams.peers(20_000, 10 if task.startswith("acc10") else 1, seed, setting.alpha)
    table = setting.run(stream)
    truth = stream.spikes[streams.WARM :]
    kinds = metrics.ranking_figures(metrics.alarm_score(table)[streams.WARM :], truth)
    plain = metrics.ranking_figures(-np.log10(np.maximum(table["p_value"], 1e-300))[streams.WARM :], truth)
    values = {
        "average precision": kinds[0],
        "best F1": kinds[1],
        "AP of p alone": plain[0],
        "F1 of p alone": plain[1],
    }
    return {name: (value, 1.0) for name, value in values.items()}


def calibration(family: str, seed: int, setting: Setting) -> Counts:
    """Rates of small p-values and drifts on streams without anomalies and shifts."""
    n, start = 20_000, 1000
    if family.startswith("ar"):
        stream = streams.autoregression(float(family[2:]), seed, n)
    elif family.startswith("daily "):
        stream, start = streams.daily_null(FAMILIES[family[6:]], seed, n), 14 * streams.DAY
    else:
        stream = streams.null(FAMILIES[family], seed, n)
    table = setting.run(stream)
    figures = metrics.tail_figures(table, start)
    figures["settled rate"] = metrics.alarm_figures(table, stream, setting.alpha, start)["settled rate"]
    return figures


def scale(family: str, seed: int, setting: Setting) -> Counts:
    """`family` is "noise factor once" (five streams a seed, one change each) or "noise factor turns"."""
    noise, factor, form = family.split()
    value = 1 / float(factor[1:]) if factor[0] == "/" else float(factor[1:])
    if form == "turns":
        drawn = [streams.scale_alternating(FAMILIES[noise], value, seed)]
    else:
        drawn = [streams.scale_once(FAMILIES[noise], value, 1000 * seed + k) for k in range(5)]
    parts = [_scale_figures(setting.run(stream), stream, setting.alpha) for stream in drawn]
    return {name: (sum(p[name][0] for p in parts), sum(p[name][1] for p in parts)) for name in parts[0]}


def _scale_figures(table: Table, stream: Stream, alpha: float) -> Counts:
    n, shifts = len(stream), stream.shifts
    late = (np.arange(n) >= shifts[0]) & ~metrics.after_shifts(n, shifts, 50)
    figures = metrics.shift_figures(table, shifts, n)
    for name, alarms in (("settled", metrics.settled(table)), ("immediate", metrics.immediate(table))):
        hits, total = metrics.rate(alarms, late)
        figures[f"{name} rate"] = hits, total * alpha
    hits, _ = metrics.rate(metrics.settled(table), metrics.after_shifts(n, shifts, 50))
    figures["alarms in the first 50"] = hits, len(shifts)
    return figures


def one_shift(family: str, seed: int, setting: Setting) -> Counts:
    """One stream with one shift."""
    stream = streams.one_shift(FAMILIES[family], seed)
    return metrics.shift_figures(setting.run(stream), stream.shifts, len(stream))


def bursts(family: str, seed: int, setting: Setting) -> Counts:
    """`family` is "noise size"; the same noise is watched clean and corrupted."""
    noise, size = family.split()
    clean, corrupted = streams.bursts(FAMILIES[noise], None if size == "mixed" else float(size), seed)
    table = setting.run(corrupted)
    median, largest = metrics.widening(setting.run(clean), table)
    alarms = metrics.alarm_figures(table, corrupted, setting.alpha)
    return {
        "widening": (median, 1.0),
        "widening, largest in time": (largest, 1.0),
        "false drifts": (float(len(metrics.drift_rows(table))), 1.0),
        "settled rate": alarms["settled rate"],
        "settled recall": alarms["settled recall"],
    }


def season(family: str, seed: int, setting: Setting) -> Counts:
    """`family` is "noise shape"; 42 days, figures from day 28 on."""
    noise, shape = family.split()
    stream = streams.season(FAMILIES[noise], shape, seed, setting.alpha)
    start = 28 * streams.DAY
    table = setting.run(stream)
    figures = metrics.alarm_figures(table, stream, setting.alpha, start)
    for name in ("settled rate", "immediate rate"):
        hits, total = figures[name]
        figures[name] = hits, total / setting.alpha  # the row states plain rates
    drifts = metrics.drift_rows(table)
    figures["false drifts"] = float((drifts >= start).sum()), 1.0
    figures["drifts before day 28"] = float((drifts < start).sum()), 1.0
    return figures


NOISES = tuple(FAMILIES)
PEER_ALARMS = (within("settled rate", (0.5, 2), (0.8, 1.25)), least("settled recall", 0.66, 0.75))
PEER_SHIFTS = (
    least("shifts told", 1, 1),
    most("median delay", 6, 3),
    most("false drifts", 0, 0),
)
PEER_ALSO = (
    "settled after shift",
    "immediate rate",
    "immediate after shift",
    "immediate recall",
    "oracle recall",
    "undecided+learning",
)
RANKING_ALSO = ("AP of p alone", "F1 of p alone")
ACC1 = (least("average precision", 0.72, 0.76), least("best F1", 0.87, 0.90))
ACC10 = (least("average precision", 0.30, 0.33), least("best F1", 0.55, 0.60))

ROWS: dict[str, Row] = {
    row.name: row
    for row in (
        Row(
            "gap",
            "The gap nobody fills, d = 1: 40,000 events a seed",
            NOISES,
            gap,
            (
                within("settled rate", (0.5, 2), (0.8, 1.25)),
                most("settled after shift", 5e-3, 2e-3),
                most("immediate after shift", 8e-3, 4e-3),
                least("settled recall/oracle", 0.85, 0.95),
                least("shifts told", 0.95, 0.99),
                most("drifts per shift", 1.1, 1.0),
                most("undecided+learning", 0.01, 0.003),
            ),
            (
                "immediate rate",
                "immediate recall/oracle",
                "delay",
                "false drifts",
                "changed_at within 20",
                "oracle rate",
            ),
        ),
        Row(
            "gap10",
            "The same, d = 10: 20,000 events a seed",
            NOISES,
            gap10,
            (within("settled rate", (0.4, 2.5), (0.8, 1.25)), least("settled recall/oracle", 0.35, 0.8)),
            (
                "settled after shift",
                "immediate after shift",
                "shifts told",
                "drifts per shift",
                "delay",
                "undecided+learning",
                "oracle recall",
                "oracle rate",
            ),
        ),
        Row("peers-fpr", "The peers' stream, task fpr", ("fpr",), peers, PEER_ALARMS, PEER_ALSO, (1, 2, 3)),
        Row("peers-cpd", "The peers' stream, task cpd", ("cpd",), peers, PEER_SHIFTS, PEER_ALSO, (7,)),
        Row(
            "peers-fresh",
            "The peers' stream, fresh seeds, 40,000 events",
            ("cpd",),
            peers,
            PEER_ALARMS + PEER_SHIFTS,
            PEER_ALSO,
        ),
        Row("acc1", "The peers' stream, task acc1", ("acc1",), ranking, ACC1, RANKING_ALSO, (1, 2, 3)),
        Row("acc1-fresh", "Task acc1, fresh seeds", ("acc1",), ranking, ACC1, RANKING_ALSO),
        Row("acc10", "The peers' stream, task acc10", ("acc10",), ranking, ACC10, RANKING_ALSO, (1, 2, 3)),
        Row("acc10-fresh", "Task acc10, fresh seeds", ("acc10",), ranking, ACC10, RANKING_ALSO),
        Row(
            "calibration",
            "Calibration without shifts or anomalies: events 1,000 to 20,000 (a season: from day 14)",
            (*NOISES, "ar0.5", "ar0.9", "daily gaussian", "daily t3"),
            calibration,
            (
                within("p<=0.01", (0.5, 2), (0.8, 1.25)),
                within("p<=0.001", (0.5, 2), (0.8, 1.25)),
                most("false drifts /1e5", 2, 0),
            ),
            ("settled rate",),
            streams=50,
        ),
        Row(
            "scale",
            "Changes of scale, once or by turns each 4,000 events; alarms after the first 50 events",
            tuple(
                f"{noise} {change}"
                for noise in ("gaussian", "t3", "laplace")
                for change in ("x3 once", "x10 once", "/3 once", "/10 once", "x3 turns", "x10 turns")
            ),
            scale,
            (most("settled rate", 3, 1.5), least("told exactly once", 0.9, 0.99)),
            (
                "immediate rate",
                "shifts told",
                "drifts per shift",
                "false drifts",
                "delay",
                "alarms in the first 50",
            ),
        ),
        Row(
            "shifts",
            "1,000 level shifts of 3 to 20 sd, one a stream",
            ("t3", "gaussian"),
            one_shift,
            (most("drifts per shift", 1.05, 1.0), least("changed_at within 20", 0.95, 0.99)),
            ("shifts told", "told exactly once", "delay", "false drifts"),
            streams=1000,
        ),
        Row(
            "bursts",
            "At most 5 % corrupted events in runs of at most 5; the band against that of clean noise",
            tuple(
                f"{noise} {size}"
                for noise in ("t3", "gaussian")
                for size in ("20", "100", "1e4", "1e12", "mixed")
            ),
            bursts,
            (most("widening", 0.10, 0.03),),
            ("widening, largest in time", "false drifts", "settled rate", "settled recall"),
        ),
        Row(
            "season",
            "A daily and a weekly season of 10 sd, 1 % spikes of 8 sd, times given, from day 28",
            tuple(f"{noise} {shape}" for noise in ("t3", "gaussian") for shape in streams.SHAPES),
            season,
            (
                most("settled rate", 2e-3, 1.25e-3),
                least("settled recall", 0.80, 0.90),
                most("false drifts", 0.5, 0),
            ),
            ("immediate rate", "oracle recall", "drifts before day 28", "undecided+learning"),
        ),
    )
}
