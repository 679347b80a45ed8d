"""What the colours and shapes mean: only those that a picture has."""

from collections.abc import Callable

import numpy as np

from marigram.kinds import Kind
from marigram.pictures import style
from marigram.pictures.dots import withdrawn
from marigram.pictures.marks import Area, Dot, Label, Line, Mark, Shape, text_width
from marigram.pictures.panels import Panel

__all__ = ["legend_marks"]


def legend_marks(panels: list[Panel], left: float, baseline: float) -> list[Mark]:
    """Return the legend as one row that starts at ``left``."""
    marks: list[Mark] = []
    for text, swatch in _entries(panels):
        marks += swatch(left, baseline - 4)
        marks.append(Label(left + 24, baseline, text, 12, style.MUTED))
        left += 24 + text_width(text, 12) + 20
    return marks


def _entries(panels: list[Panel]) -> list[tuple[str, Callable[[float, float], list[Mark]]]]:
    def seen(kind: Kind) -> bool:
        return any(panel.count(kind) for panel in panels)

    entries: list[tuple[bool, str, Callable[[float, float], list[Mark]]]] = [
        (True, "value", lambda x, y: [_dash(x, y, style.SERIES, 1.6)]),
        (
            True,
            "expected, and its range",
            lambda x, y: [_patch(x, y, style.BAND, 0.28), _dash(x, y, style.EXPECTED, 1.0)],
        ),
        (seen(Kind.ANOMALY), "anomaly", lambda x, y: [Dot(x + 9, y, 4.5, style.ANOMALY)]),
        (
            any(withdrawn(panel).any() for panel in panels),
            "withdrawn",
            lambda x, y: [Dot(x + 9, y, 4.5, style.PAPER, style.ANOMALY, style.FAINT)],
        ),
        (seen(Kind.UNDECIDED), "undecided", lambda x, y: [Dot(x + 9, y, 4.5, style.PAPER, style.UNDECIDED)]),
        (
            seen(Kind.DRIFT),
            "drift, level before and after",
            lambda x, y: [
                _dash(x, y, style.DRIFT, 2.6),
                Line([np.array([[x + 9, y - 8], [x + 9, y + 8]])], style.DRIFT, 1.4, (5.0, 3.0)),
            ],
        ),
        (
            any(panel.notice.any() for panel in panels),
            "notice",
            lambda x, y: [
                Shape(np.array([[x + 9, y + 4], [x + 4.5, y - 4], [x + 13.5, y - 4]]), style.NOTICE)
            ],
        ),
        (seen(Kind.LEARNING), "learning", lambda x, y: [_patch(x, y, style.LEARNING, 1.0)]),
        (
            seen(Kind.MISSING) or seen(Kind.REJECTED),
            "no value",
            lambda x, y: [_patch(x, y + 4, style.MISSING, 1.0, 3.0)],
        ),
    ]
    return [(text, swatch) for present, text, swatch in entries if present]


def _dash(x: float, y: float, colour: str, width: float) -> Line:
    return Line([np.array([[x, y], [x + 18, y]])], colour, width)


def _patch(x: float, y: float, colour: str, opacity: float, half: float = 6.0) -> Area:
    corners = [[x, y - half], [x + 18, y - half], [x + 18, y + half], [x, y + half]]
    return Area([np.array(corners)], colour, opacity)
