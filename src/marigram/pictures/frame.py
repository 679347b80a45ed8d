"""The frame of a plot: its grid, its two axes, and what they are called."""

import numpy as np

from marigram.pictures import style
from marigram.pictures.axes import Ticks, number_ticks, time_ticks
from marigram.pictures.marks import Label, Line, Mark
from marigram.pictures.panels import Panel
from marigram.pictures.plot import Plot

__all__ = ["frame_marks", "grid_marks"]

_UPRIGHT, _ALONG = 75, 94
"""Pixels for a further tick of the upright axis, and for each of the other."""


def grid_marks(plot: Plot) -> list[Mark]:
    """Return a pale line at every number of the upright axis; it lies behind the curves."""
    levels = plot.down(np.array(_upright(plot).places))
    return [Line([np.array([[plot.left, y], [plot.right, y]])], style.GRID) for y in levels.tolist()]


def frame_marks(plot: Plot, panel: Panel, lowest: bool) -> list[Mark]:
    """Return both axes with their ticks; the name of the x axis only at the ``lowest`` panel of a picture."""
    corner = [[plot.left, plot.top], [plot.left, plot.bottom], [plot.right, plot.bottom]]
    marks: list[Mark] = [Line([np.array(corner)], style.FRAME), *_left(plot), *_below(plot, panel)]
    if lowest:
        name = "time, UTC" if panel.timed else "event number"
        marks.append(Label(plot.right, plot.bottom + 47, name, 12, style.MUTED, "end"))
    return marks


def _left(plot: Plot) -> list[Mark]:
    ticks = _upright(plot)
    marks: list[Mark] = []
    for y, text in zip(plot.down(np.array(ticks.places)).tolist(), ticks.labels, strict=True):
        marks.append(Line([np.array([[plot.left - 4, y], [plot.left, y]])], style.FRAME))
        marks.append(Label(plot.left - 8, y + 4, text, 12, style.MUTED, "end"))
    if ticks.note:
        marks.append(Label(8, plot.top - 12, ticks.note, 11, style.MUTED))
    middle = plot.top + plot.height / 2
    return [*marks, Label(18, middle, "value", 12, style.MUTED, "middle", upright=True)]


def _below(plot: Plot, panel: Panel) -> list[Mark]:
    ticks = _along(plot, panel)
    marks: list[Mark] = []
    places = plot.across(np.array(ticks.places)).tolist()
    for x, text, context in zip(places, ticks.labels, ticks.context, strict=True):
        marks.append(Line([np.array([[x, plot.bottom], [x, plot.bottom + 4]])], style.FRAME))
        marks.append(Label(x, plot.bottom + 18, text, 12, style.MUTED, "middle"))
        if context:
            marks.append(Label(x, plot.bottom + 33, context, 11, style.MUTED, "middle"))
    return marks


def _upright(plot: Plot) -> Ticks:
    return number_ticks(plot.low, plot.high, 3 + round(plot.height / _UPRIGHT))


def _along(plot: Plot, panel: Panel) -> Ticks:
    """Return the ticks of the x axis in the units of the panel's x; event numbers are whole."""
    most = max(2, round(plot.width / _ALONG))
    last = min(panel.start + int(panel.x[-1]), np.iinfo(np.int64).max)
    if panel.timed:
        return time_ticks(panel.start, last, most)
    places = number_ticks(panel.start, max(last, panel.start + 1), most).places
    whole = [int(place) for place in places if place == round(place) and place <= last]
    return Ticks([float(n - panel.start) for n in whole], [f"{n:,}" for n in whole], [""] * len(whole))
