"""The look of a picture: colours that stay apart for colour-blind readers, each beside a shape or place of its own."""

from typing import Final

__all__ = [
    "ANOMALY",
    "BAND",
    "DRIFT",
    "EXPECTED",
    "FAINT",
    "FRAME",
    "GRID",
    "INK",
    "LEARNING",
    "MISSING",
    "MUTED",
    "NOTICE",
    "PAPER",
    "SERIES",
    "UNDECIDED",
]

PAPER: Final = "#ffffff"
INK: Final = "#1f2328"
MUTED: Final = "#59636e"
FRAME: Final = "#8c959f"
GRID: Final = "#e4e8ec"
SERIES: Final = "#3b4754"
BAND: Final = "#56b4e9"
EXPECTED: Final = "#0072b2"
ANOMALY: Final = "#cf222e"
UNDECIDED: Final = "#e08600"
DRIFT: Final = "#6f42c1"
NOTICE: Final = "#1f2328"
LEARNING: Final = "#eef1f4"
MISSING: Final = "#b6bec8"
FAINT: Final = 0.4
"""Opacity of an alert that a later drift withdrew."""
