"""What the eye is to find: anomalies, drifts with their levels, and what people were told."""

import numpy as np

from marigram.kinds import Kind
from marigram.pictures import style
from marigram.pictures.marks import Dot, Label, Line, Mark, Shape
from marigram.pictures.panels import Array, Panel
from marigram.pictures.plot import Plot
from marigram.wording import moment, number, odds, span

__all__ = ["dot_marks", "drift_marks", "notice_marks", "withdrawn"]

_BAR = 46.0
"""Pixels that the bar of a level is long."""
_CROWD = 200
"""Dots beyond which they are drawn smaller."""
_NOTICE = 9
"""Pixels that a triangle of a notice is wide."""


def withdrawn(panel: Panel) -> Array:
    """Return which alerts a later drift took back: those from the event it resolves up to its own."""
    taken = np.zeros(len(panel), bool)
    alerts = np.flatnonzero(np.isin(panel.kind, (Kind.ANOMALY, Kind.UNDECIDED)))
    seq = panel.seq[alerts]
    for i in np.flatnonzero(panel.resolves >= 0):
        taken[alerts[(seq >= panel.resolves[i]) & (seq < panel.seq[i])]] = True
    return taken


def dot_marks(plot: Plot, panel: Panel) -> list[Mark]:
    """Return a dot for every anomaly, a ring for every undecided event, an arrow for those beyond the edge.

    Dots that would cover each other to the pixel are drawn once, the most severe of them, and say how many they are.
    """
    rows = np.flatnonzero(np.isin(panel.kind, (Kind.ANOMALY, Kind.UNDECIDED)))
    taken = withdrawn(panel)
    severity = np.nan_to_num(panel.severity, nan=0.0)
    x, y = plot.across(panel.x), plot.down(panel.value)
    places: dict[tuple[int, int, int, bool], list[int]] = {}
    for row in rows[np.argsort(severity[rows], kind="stable")].tolist():
        place = (round(x[row]), round(np.nan_to_num(y[row])), int(panel.kind[row]), bool(taken[row]))
        places.setdefault(place, []).append(row)
    marks: list[Mark] = []
    size = min(1.0, max(0.5, (_CROWD / max(len(places), 1)) ** 0.5))
    for place, found in sorted(places.items(), key=lambda item: (item[0][2] == Kind.ANOMALY, not item[0][3])):
        row = found[-1]
        tip = _tip(panel, row) + ("\nwithdrawn by a later drift" if place[3] else "")
        if len(found) > 1:
            tip += f"\n+ {len(found) - 1:,} more at this place"
        marks.append(_dot(plot, panel, row, (float(x[row]), float(y[row])), size, place[3], tip))
    return marks


def _dot(
    plot: Plot, panel: Panel, row: int, at: tuple[float, float], size: float, taken: bool, tip: str
) -> Mark:
    x, y = at
    colour = style.ANOMALY if panel.kind[row] == Kind.ANOMALY else style.UNDECIDED
    side = plot.beyond(float(panel.value[row]))
    if side:
        edge, foot = (plot.top, 9.0) if side > 0 else (plot.bottom, -9.0)
        arrow = np.array([[x, edge], [x - 5, edge + foot], [x + 5, edge + foot]])
        return Shape(arrow, colour if panel.kind[row] == Kind.ANOMALY else style.PAPER, colour, tip)
    radius = size * (3.0 + 0.35 * min(max(float(np.nan_to_num(panel.severity[row])), 0.0), 8.0))
    if panel.kind[row] == Kind.ANOMALY and not taken:
        return Dot(x, y, radius, colour, style.PAPER, tip=tip)
    return Dot(x, y, radius, style.PAPER, colour, style.FAINT if taken else 1.0, tip)


def drift_marks(plot: Plot, panel: Panel) -> list[Mark]:
    """Return a line where the norm moved, the levels before and after it, and a diamond where that was said."""
    marks: list[Mark] = []
    texts: list[Label] = []
    for row in np.flatnonzero(panel.kind == Kind.DRIFT).tolist():
        since = np.flatnonzero(panel.seq == panel.changed_at[row])
        x = float(plot.across(panel.x[since[0] if len(since) else row]))
        tip = _tip(panel, row)
        marks.append(
            Line([np.array([[x, plot.top], [x, plot.bottom]])], style.DRIFT, 1.4, (5.0, 3.0), tip=tip)
        )
        for level, left, anchor in ((panel.before[row], x - _BAR, "end"), (panel.after[row], x, "start")):
            if np.isfinite(level) and not plot.beyond(float(level)):
                y = float(plot.down(np.asarray(level)))
                bar = np.clip([left, left + _BAR], plot.left, plot.right)
                marks.append(Line([np.array([[bar[0], y], [bar[1], y]])], style.DRIFT, 2.6, tip=tip))
                place = x - 5 if anchor == "end" else x + 5
                texts.append(
                    Label(place, y - 6, number(float(level)), 11, style.DRIFT, anchor, True, halo=True)
                )
        told = (float(plot.across(panel.x[row])), float(plot.down(np.nan_to_num(panel.value[row]))))
        diamond = np.array([[0, -5.5], [4.5, 0], [0, 5.5], [-4.5, 0]]) + told
        marks.append(Shape(diamond, style.DRIFT, style.PAPER, tip))
    return [*marks, *_apart(texts, plot)]


def _apart(labels: list[Label], plot: Plot) -> list[Label]:
    """Return the labels that fit inside the plot and touch no earlier one; the others are in the tips."""
    kept: list[tuple[float, float, float, float]] = []
    shown = []
    for label in labels:
        width = 6.6 * len(label.text)
        left = label.x - width if label.anchor == "end" else label.x
        box = (left, label.y - 11, left + width, label.y + 3)
        if box[0] < plot.left or box[2] > plot.right or box[1] < plot.top - 4:
            continue
        if all(box[0] > b[2] or box[2] < b[0] or box[1] > b[3] or box[3] < b[1] for b in kept):
            kept.append(box)
            shown.append(label)
    return shown


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
            + _tip(panel, found[0])
            + (f"\n+ {len(found) - 1:,} more here" if len(found) > 1 else "")
        )
        half, high = _NOTICE / 2, plot.top - 10
        marks.append(
            Shape(np.array([[at, plot.top - 2], [at - half, high], [at + half, high]]), style.NOTICE, tip=tip)
        )
    return marks


def _tip(panel: Panel, row: int) -> str:
    """Return what a pointer over a mark is told."""
    when = moment(panel.start + int(panel.x[row])) if panel.timed else ""
    value, lower, upper, p = (
        float(column[row]) for column in (panel.value, panel.lower, panel.upper, panel.p_value)
    )
    kind = Kind(int(panel.kind[row]))
    lines = [f"{when} #{int(panel.seq[row])}".strip(), f"{kind.label} {number(value, 6)}"]
    if not np.isnan(lower) and not np.isnan(upper):
        lines.append(f"expected {span(lower, upper)}")
    if not np.isnan(p):
        lines.append(odds(p))
    if kind is Kind.DRIFT:
        before, after = float(panel.before[row]), float(panel.after[row])
        lines.append(f"level {number(before)} -> {number(after)} since #{int(panel.changed_at[row])}")
    return "\n".join(lines)
