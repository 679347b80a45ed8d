"""Charts as options for ECharts: pure functions of verdicts and counts.

Tooltips are drawn on the canvas (``richText``), so no text of an event is ever parsed as HTML.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from marigram.kinds import Kind
from marigram.pictures.axes import robust_limits
from marigram.pictures.panels import Panel, panels_of
from marigram.pictures.tips import tip_of
from marigram.service.dashboard.style import COLOURS
from marigram.verdicts import Verdicts

_MILLISECOND: Final = 1_000_000
_BAND, _SERIES, _EXPECTED = "#9fd3f2", "#3b4754", "#0072b2"
_MARKS: Final = ((Kind.ANOMALY, "anomaly", "circle", 10), (Kind.UNDECIDED, "undecided", "rect", 8))
_RING: Final = {"color": "transparent", "borderColor": "#1f2328", "borderWidth": 1.5}
_LEGEND: Final = [
    {"name": "value", "icon": "roundRect"},
    {"name": "expected", "icon": "roundRect"},
    {"name": "expected range", "icon": "roundRect"},
    {"name": "anomaly", "icon": "circle"},
    {"name": "undecided", "icon": "rect"},
    {"name": "notice", "icon": "circle", "itemStyle": _RING},
]
_TEXT: Final = {"color": "#57606a", "fontSize": 12}
_TOOLTIP: Final = {"trigger": "item", "renderMode": "richText", "formatter": "{b}", "confine": True}


def series_options(history: Verdicts, coordinate: int = 0) -> dict[str, Any]:
    """Return the chart of one key: its values, the band, what left it, and where the norm moved.

    Parameters
    ----------
    history
        Verdicts of one key.
    coordinate
        Which of d values.
    """
    panels, _ = panels_of(history, max(history.d, 1))
    panel = panels[min(coordinate, len(panels) - 1)]
    x, low, high = _x(panel), *_limits(panel)
    lower, upper = np.clip(panel.lower, low, high), np.clip(panel.upper, low, high)
    series = [
        _line("lower", x, lower, stack="band", lineStyle={"opacity": 0}, tooltip={"show": False}),
        _line(
            "expected range", x, upper - lower, stack="band", stackStrategy="all", lineStyle={"opacity": 0},
            areaStyle={"color": _BAND, "opacity": 0.55}, tooltip={"show": False}, itemStyle={"color": _BAND},
        ),
        _line("expected", x, panel.expected, lineStyle={"color": _EXPECTED, "width": 1},
              itemStyle={"color": _EXPECTED}),
        _line("value", x, np.clip(panel.value, low, high), lineStyle={"color": _SERIES, "width": 1.3},
              itemStyle={"color": _SERIES}),
    ]  # fmt: skip
    series[0]["stackStrategy"] = "all"
    series += [_marks(panel, x, low, high, *mark) for mark in _MARKS]
    series.append(_notices(panel, x, low, high))
    series[3]["markLine"] = _drifts(panel, x)
    return {
        "animation": False,
        "textStyle": _TEXT,
        "grid": {"left": 64, "right": 24, "top": 40, "bottom": 56},
        "legend": {"top": 0, "left": 56, "itemWidth": 16, "itemHeight": 9, "data": _LEGEND},
        "tooltip": _TOOLTIP,
        "xAxis": {
            "type": "time" if panel.timed else "value",
            "min": "dataMin",
            "max": "dataMax",
            "axisLabel": {"hideOverlap": True},
        },
        "yAxis": {
            "type": "value",
            "min": low,
            "max": high,
            "axisLabel": {"showMinLabel": False, "showMaxLabel": False},
        },
        "dataZoom": [{"type": "inside"}, {"type": "slider", "height": 18, "bottom": 8}],
        "useUTC": True,
        "series": series,
    }


def rate_options(counts: dict[int, dict[str, int]], first: int, hours: int) -> dict[str, Any]:
    """Return the chart of alerts by hour and kind; ``counts`` by hour since 1970, ``first`` the first hour shown."""
    kinds = [kind for kind in COLOURS if any(kind in held for held in counts.values())]
    span = range(first, first + hours)
    stamps = [hour * 3_600_000 for hour in span]
    return {
        "animation": False,
        "textStyle": _TEXT,
        "grid": {"left": 40, "right": 12, "top": 32, "bottom": 28},
        "legend": {"top": 0, "left": 32, "data": kinds},
        "tooltip": {"trigger": "axis", "renderMode": "richText", "axisPointer": {"type": "shadow"}},
        "xAxis": {
            "type": "time",
            "min": stamps[0],
            "max": stamps[-1] + 3_600_000,
            "axisLabel": {"hideOverlap": True},
        },
        "yAxis": {"type": "value", "minInterval": 1},
        "useUTC": True,
        "series": [
            {
                "name": kind,
                "type": "bar",
                "stack": "all",
                "barWidth": "70%",
                "itemStyle": {"color": COLOURS[kind]},
                "data": [
                    [stamp, counts.get(hour, {}).get(kind, 0)]
                    for hour, stamp in zip(span, stamps, strict=True)
                ],
            }
            for kind in kinds
        ],
    }


def told_in_words(history: Verdicts) -> str:
    """Return what a chart shows, for who cannot see it."""
    kinds = np.bincount(history["kind"], minlength=len(Kind))
    words = {Kind.ANOMALY: "anomalies", Kind.DRIFT: "drifts", Kind.UNDECIDED: "undecided"}
    counts = [
        f"{kinds[kind]:,} {kind.label if kinds[kind] == 1 else word}"
        for kind, word in words.items()
        if kinds[kind]
    ]
    return f"{len(history):,} events" + (
        ", of which " + ", ".join(counts) if counts else ", all within the range"
    )


def _x(panel: Panel) -> list[float]:
    """Return times in ms since 1970, or numbers of events."""
    start = panel.start / _MILLISECOND if panel.timed else panel.start
    steps = panel.x / _MILLISECOND if panel.timed else panel.x
    found: list[float] = (start + steps).tolist()
    return found


def _limits(panel: Panel) -> tuple[float, float]:
    """Return limits of the y axis that a single value cannot blow up."""
    calm = panel.kind != Kind.ANOMALY
    edges = [edge[np.isfinite(edge)] for edge in (panel.lower, panel.upper)]
    band = [np.quantile(edge, (0.02, 0.98)) for edge in edges if len(edge)]
    low, high = robust_limits(
        np.concatenate([panel.value[calm], *band]), np.concatenate([panel.value, *band])
    )
    return float(low), float(high)


def _line(name: str, x: list[float], y: Any, **look: Any) -> dict[str, Any]:
    values = [None if np.isnan(value) else value for value in y.tolist()]
    data = [list(pair) for pair in zip(x, values, strict=True)]
    plain = {
        "type": "line",
        "name": name,
        "data": data,
        "showSymbol": False,
        "silent": True,
        "connectNulls": False,
    }
    return plain | look


def _marks(
    panel: Panel, x: list[float], low: float, high: float, kind: Kind, name: str, symbol: str, size: int
) -> dict[str, Any]:
    rows = np.flatnonzero((panel.kind == kind) & np.isfinite(panel.value)).tolist()
    return {
        "type": "scatter",
        "name": name,
        "symbol": symbol,
        "symbolSize": size,
        "itemStyle": {"color": COLOURS[name]},
        "z": 5,
        "data": [_point(panel, x, row, low, high) for row in rows],
    }


def _notices(panel: Panel, x: list[float], low: float, high: float) -> dict[str, Any]:
    """Return rings around the events that people were told of."""
    rows = np.flatnonzero(panel.notice & np.isfinite(panel.value)).tolist()
    return {
        "type": "scatter",
        "name": "notice",
        "symbol": "circle",
        "symbolSize": 17,
        "itemStyle": _RING,
        "z": 6,
        "data": [_point(panel, x, row, low, high) for row in rows],
    }


def _point(panel: Panel, x: list[float], row: int, low: float, high: float) -> dict[str, Any]:
    """Return a mark, at the edge when it lies beyond, with what a pointer over it is told."""
    y = min(max(float(panel.value[row]), low), high)
    return {"value": [x[row], y], "name": tip_of(panel, row).replace("{", "(").replace("}", ")")}


def _drifts(panel: Panel, x: list[float]) -> dict[str, Any]:
    """Return a line where each drift was declared."""
    rows = np.flatnonzero(panel.kind == Kind.DRIFT).tolist()
    return {
        "silent": True,
        "symbol": "none",
        "label": {"formatter": "drift", "color": COLOURS["drift"], "position": "insideEndTop"},
        "lineStyle": {"color": COLOURS["drift"], "type": "dashed", "width": 1.5},
        "data": [{"xAxis": x[row]} for row in rows],
    }


__all__ = ["rate_options", "series_options", "told_in_words"]
