"""The events that stand out: a dot or a ring for each, and a triangle above those that people were told of."""

import numpy as np

from marigram.kinds import Kind
from marigram.pictures import style
from marigram.pictures.marks import Dot, Mark, Shape
from marigram.pictures.panels import Array, Panel
from marigram.pictures.plot import Plot
from marigram.pictures.tips import tip_of

__all__ = ["dot_marks", "notice_marks", "withdrawn"]

_CROWD = 200
"""Dots beyond which they are drawn smaller."""
_NOTICE = 9
"""Pixels that a triangle of a notice is wide."""
_PART = 0.2
"""Share of the surprise from which on a coordinate had a part in it."""


def withdrawn(panel: Panel) -> Array:
    """Return which alerts a later drift took back: those from the event it resolves up to its own."""
    taken = np.zeros(len(panel), bool)
    alerts = np.flatnonzero(np.isin(panel.kind, (Kind.ANOMALY, Kind.UNDECIDED)))
    seq = panel.seq[alerts]
    for i in np.flatnonzero(panel.resolves >= 0):
        taken[alerts[(seq >= panel.resolves[i]) & (seq < panel.seq[i])]] = True
    return taken


def _aside(panel: Panel) -> Array:
    """Return the events that stood out by other coordinates than this one."""
    inside = (panel.value >= panel.lower) & (panel.value <= panel.upper)
    aside: Array = inside & (panel.why < _PART)
    return aside


def dot_marks(plot: Plot, panel: Panel) -> list[Mark]:
    """Return a dot for every anomaly, a ring for every undecided event, an arrow for those beyond the edge.

    Dots that would cover each other to the pixel are drawn once, the most severe of them, and say how many they are.
    """
    rows = np.flatnonzero(np.isin(panel.kind, (Kind.ANOMALY, Kind.UNDECIDED)))
    faint = withdrawn(panel)
    severity = np.nan_to_num(panel.severity, nan=0.0)
    x, y = plot.across(panel.x), plot.down(panel.value)
    places: dict[tuple[bool, bool, int, int], list[int]] = {}
    for row in rows[np.argsort(severity[rows], kind="stable")].tolist():
        look = (bool(panel.kind[row] == Kind.ANOMALY), not faint[row])
        places.setdefault((*look, round(x[row]), round(np.nan_to_num(y[row]))), []).append(row)
    crowd = min(1.0, max(0.5, (_CROWD / max(len(places), 1)) ** 0.5))
    aside = _aside(panel)
    marks: list[Mark] = []
    for (anomaly, lasting, *_), found in sorted(places.items(), key=lambda place: place[0][:2]):
        row = found[-1]
        tip = tip_of(panel, row) + ("" if lasting else "\nwithdrawn by a later drift")
        if len(found) > 1:
            tip += f"\n+ {len(found) - 1:,} more at this place"
        radius = crowd * (3.0 + 0.35 * min(max(float(severity[row]), 0.0), 8.0))
        if aside[row]:
            marks.append(Dot(float(x[row]), float(y[row]), 2.0, style.ANOMALY, opacity=style.FAINT, tip=tip))
        elif plot.beyond(float(panel.value[row])):
            marks.append(_arrow(plot, float(x[row]), plot.beyond(float(panel.value[row])), anomaly, tip))
        elif anomaly and lasting:
            marks.append(Dot(float(x[row]), float(y[row]), radius, style.ANOMALY, style.PAPER, tip=tip))
        else:
            rim, opacity = style.ANOMALY if anomaly else style.UNDECIDED, 1.0 if lasting else style.FAINT
            marks.append(Dot(float(x[row]), float(y[row]), radius, style.PAPER, rim, opacity, tip))
    return marks


def _arrow(plot: Plot, x: float, side: int, anomaly: bool, tip: str) -> Shape:
    """Return an arrow at the edge that a value lies beyond."""
    edge, foot = (plot.top, 9.0) if side > 0 else (plot.bottom, -9.0)
    colour = style.ANOMALY if anomaly else style.UNDECIDED
    points = np.array([[x, edge], [x - 5, edge + foot], [x + 5, edge + foot]])
    return Shape(points, colour if anomaly else style.PAPER, colour, tip)


def notice_marks(plot: Plot, panel: Panel) -> list[Mark]:
    """Return a triangle above the plot for every event that people were told of; those side by side share one."""
    rows = np.flatnonzero(panel.notice)
    x = plot.across(panel.x)
    places: dict[int, list[int]] = {}
    for row in rows.tolist():
        places.setdefault(int(x[row] // _NOTICE), []).append(row)
    marks: list[Mark] = []
    for found in places.values():
        at = float(x[found[0]])
        tip = (
            "notice\n"
            + tip_of(panel, found[0])
            + (f"\n+ {len(found) - 1:,} more here" if len(found) > 1 else "")
        )
        half, high = _NOTICE / 2, plot.top - 10
        marks.append(
            Shape(np.array([[at, plot.top - 2], [at - half, high], [at + half, high]]), style.NOTICE, tip=tip)
        )
    return marks
