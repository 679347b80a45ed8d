"""What lies behind the flags: the series, its band, where it was learning and where nothing came."""

import numpy as np

from marigram.kinds import Kind
from marigram.pictures import style
from marigram.pictures.marks import Area, Dot, Line, Mark, Points
from marigram.pictures.panels import Array, Panel
from marigram.pictures.plot import Plot
from marigram.pictures.thin import pieces_of, thinned

__all__ = ["background_marks", "curve_marks", "missing_marks", "stretches"]

_DASH = np.array([[-1.5, 0.0], [1.5, 0.0]])
_FEW = 80
"""Events that are few enough to be seen one by one."""
_FLAGGED = (Kind.ANOMALY, Kind.DRIFT, Kind.UNDECIDED)


def curve_marks(plot: Plot, panel: Panel) -> list[Mark]:
    """Return the band, the expected line and the series, thinned to what the pixels can show."""
    columns = np.floor(plot.across(panel.x))
    rows = thinned(columns, panel.value, np.isin(panel.kind, _FLAGGED))
    x = plot.across(panel.x[rows])
    banded = pieces_of(panel.x, ~(np.isnan(panel.lower) | np.isnan(panel.upper)))[rows]
    expected = pieces_of(panel.x, np.isfinite(panel.expected))[rows]
    valued = pieces_of(panel.x, np.isfinite(panel.value))[rows]
    above, below = plot.down(panel.upper[rows]), plot.down(panel.lower[rows])
    bands = [
        np.concatenate([over, under[::-1]])
        for over, under in zip(_split(x, above, banded), _split(x, below, banded), strict=True)
    ]
    few = [] if len(panel) > _FEW else np.flatnonzero(np.isfinite(panel.value)).tolist()
    places = zip(plot.across(panel.x[few]).tolist(), plot.down(panel.value[few]).tolist(), strict=True)
    return [
        Area(bands, style.BAND, 0.28),
        Line(_split(x, plot.down(panel.expected[rows]), expected), style.EXPECTED, 1.0, opacity=0.85),
        Line(_split(x, plot.down(panel.value[rows]), valued), style.SERIES, 1.1),
        *(Dot(x, y, 2.0, style.SERIES) for x, y in places),
    ]


def _split(x: Array, y: Array, pieces: Array) -> list[Points]:
    """Return the points of each piece; a piece of one point is drawn as a short dash, so that it is seen."""
    points = np.column_stack([x, y])
    present = np.flatnonzero(pieces >= 0)
    cuts = np.flatnonzero(np.diff(pieces[present])) + 1
    found = [points[rows] for rows in np.split(present, cuts) if len(rows)]
    return [piece if len(piece) > 1 else piece + _DASH for piece in found]


def background_marks(plot: Plot, panel: Panel) -> list[Mark]:
    """Return the learning period as a grey ground."""
    marks: list[Mark] = []
    for first, last in stretches(panel.kind == Kind.LEARNING):
        left, right = plot.across(panel.x[[first, last]])
        left = plot.left if first == 0 else left
        right = plot.right if last == len(panel) - 1 else right
        corners = [[left, plot.top], [right, plot.top], [right, plot.bottom], [left, plot.bottom]]
        marks.append(Area([np.array(corners)], style.LEARNING, tip=f"learning: {last - first + 1:,} events"))
    return marks


def missing_marks(plot: Plot, panel: Panel) -> list[Mark]:
    """Return runs of events without a value as strips at the foot."""
    marks: list[Mark] = []
    for first, last in stretches(np.isin(panel.kind, (Kind.MISSING, Kind.REJECTED))):
        left, right = plot.across(panel.x[[first, last]]) + np.array([-1.0, 1.0])
        corners = [
            [left, plot.bottom - 7],
            [right, plot.bottom - 7],
            [right, plot.bottom],
            [left, plot.bottom],
        ]
        marks.append(Area([np.array(corners)], style.MISSING, tip=f"no value: {last - first + 1:,} events"))
    return marks


def stretches(mask: Array) -> list[tuple[int, int]]:
    """Return the first and last row of every run of true.

    Examples
    --------
    >>> stretches(np.array([True, True, False, True]))
    [(0, 1), (3, 3)]
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]])))
    return [(int(first), int(last) - 1) for first, last in zip(edges[::2], edges[1::2], strict=True)]
