"""Where the norm moved: a line, the levels before and after it, and the event that proved it."""

import math

import numpy as np

from marigram.kinds import Kind
from marigram.pictures import style
from marigram.pictures.marks import Label, Line, Mark, Shape, text_width
from marigram.pictures.panels import Panel
from marigram.pictures.plot import Plot
from marigram.pictures.tips import tip_of
from marigram.wording import number

__all__ = ["drift_marks"]

_BAR = 46.0
"""Pixels that the bar of a level is long."""
_LETTER = 11.0
_UNMOVED = 0.02
"""Share of the plot's height below which a level did not visibly move: other coordinates did."""


def drift_marks(plot: Plot, panel: Panel) -> list[Mark]:
    """Return a line where each drift began, its levels, and a diamond at the event that proved it."""
    marks: list[Mark] = []
    texts: list[Label] = []
    for row in np.flatnonzero(panel.kind == Kind.DRIFT).tolist():
        since = np.flatnonzero(panel.seq == panel.changed_at[row])
        x = float(plot.across(panel.x[since[0] if len(since) else row]))
        tip = tip_of(panel, row)
        upright = np.array([[x, plot.top], [x, plot.bottom]])
        marks.append(Line([upright], style.DRIFT, 1.4, (5.0, 3.0), tip=tip))
        before, after = float(panel.before[row]), float(panel.after[row])
        if not abs(after - before) < _UNMOVED * (plot.high - plot.low):
            for level, side in ((before, -1), (after, 1)):
                bars, labels = _level(plot, level, x, side, tip)
                marks += bars
                texts += labels
        told = (float(plot.across(panel.x[row])), float(plot.down(np.nan_to_num(panel.value[row]))))
        diamond = np.array([[0, -5.5], [4.5, 0], [0, 5.5], [-4.5, 0]]) + told
        marks.append(Shape(diamond, style.DRIFT, style.PAPER, tip))
    return [*marks, *_apart(texts, plot)]


def _level(plot: Plot, level: float, x: float, side: int, tip: str) -> tuple[list[Mark], list[Label]]:
    """Return a bar at a level to one side of ``x`` and what it is, nothing when it is out of sight."""
    if not math.isfinite(level) or plot.beyond(level):
        return [], []
    y = float(plot.down(np.asarray(level)))
    ends = np.clip([x, x + side * _BAR], plot.left, plot.right)
    bar = Line([np.array([[ends[0], y], [ends[1], y]])], style.DRIFT, 2.6, tip=tip)
    decimals = max(0, min(6, -math.floor(math.log10((plot.high - plot.low) / 100))))
    text = number(round(level, decimals), 6)
    anchor = "start" if side > 0 else "end"
    return [bar], [Label(x + 5 * side, y - 6, text, _LETTER, style.DRIFT, anchor, bold=True, halo=True)]


def _apart(labels: list[Label], plot: Plot) -> list[Label]:
    """Return the labels that fit inside the plot and touch no earlier one; the others are in the tips."""
    kept: list[tuple[float, float, float, float]] = []
    shown = []
    for label in labels:
        width = 1.1 * text_width(label.text, label.size)
        left = label.x - width if label.anchor == "end" else label.x
        box = (left, label.y - 11, left + width, label.y + 3)
        if box[0] < plot.left or box[2] > plot.right or box[1] < plot.top - 4:
            continue
        if all(box[0] > b[2] or box[2] < b[0] or box[1] > b[3] or box[3] < b[1] for b in kept):
            kept.append(box)
            shown.append(label)
    return shown
