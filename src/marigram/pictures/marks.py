"""What a picture consists of: marks at places in pixels, from the back to the front.

A scene knows nothing of files.  The SVG writer and the PNG writer both draw the same marks, so a picture looks the same
whatever its suffix.
"""

from dataclasses import dataclass, field
from typing import Any, TypeAlias

from numpy.typing import NDArray

__all__ = ["Area", "Dot", "Label", "Line", "Mark", "Scene", "Shape", "text_width"]

Points: TypeAlias = NDArray[Any]
"""(n, 2) positions in pixels, x to the right and y downwards."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line in pieces."""

    pieces: list[Points]
    colour: str
    width: float = 1.0
    dash: tuple[float, float] | None = None
    opacity: float = 1.0
    tip: str = ""


@dataclass(frozen=True, slots=True)
class Area:
    """Filled polygons without an outline."""

    pieces: list[Points]
    colour: str
    opacity: float = 1.0
    tip: str = ""


@dataclass(frozen=True, slots=True)
class Shape:
    """A small polygon: a triangle, a diamond."""

    points: Points
    fill: str
    stroke: str = "none"
    tip: str = ""


@dataclass(frozen=True, slots=True)
class Dot:
    """A disc, or a ring when ``fill`` is the colour of the paper."""

    x: float
    y: float
    radius: float
    fill: str
    stroke: str = "none"
    opacity: float = 1.0
    tip: str = ""


@dataclass(frozen=True, slots=True)
class Label:
    """One line of text; ``y`` is its baseline."""

    x: float
    y: float
    text: str
    size: float = 12.0
    colour: str = "#24292f"
    anchor: str = "start"
    """``start``, ``middle`` or ``end``: the part of the text that lies at ``x``."""
    bold: bool = False
    upright: bool = False
    """Whether it runs from the bottom to the top."""
    halo: bool = False
    """Whether a rim in the colour of the paper keeps it readable on lines."""


Mark: TypeAlias = Line | Area | Shape | Dot | Label


def text_width(text: str, size: float) -> float:
    """Return about how many pixels a text is wide in an ordinary sans-serif face, rather more than less."""
    narrow = sum(text.count(char) for char in "ijlt.,:;|'! ")
    broad = sum(text.count(char) for char in "mwMW@%") + sum(char > "\u2fff" for char in text)
    return size * (0.58 * len(text) - 0.26 * narrow + 0.34 * broad)


@dataclass(slots=True)
class Scene:
    """A picture of ``width`` by ``height`` pixels; ``title`` and ``summary`` are for those who cannot see it."""

    width: int
    height: int
    title: str
    summary: str
    marks: list[Mark] = field(default_factory=list)
