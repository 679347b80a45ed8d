"""The rectangle that a panel is drawn in: its place in pixels, and the numbers at its edges."""

from dataclasses import dataclass

import numpy as np

from marigram.kinds import Kind
from marigram.pictures.axes import robust_limits
from marigram.pictures.panels import Array, Panel

__all__ = ["Plot", "plot_of"]


@dataclass(frozen=True, slots=True)
class Plot:
    """A rectangle of pixels, and the numbers that its edges stand for."""

    left: float
    top: float
    width: float
    height: float
    start: float
    end: float
    low: float
    high: float

    @property
    def right(self) -> float:
        """The x of the right edge in pixels."""
        return self.left + self.width

    @property
    def bottom(self) -> float:
        """The y of the lower edge in pixels."""
        return self.top + self.height

    def across(self, x: Array) -> Array:
        """Return the pixels at which ``x`` lies."""
        pixels: Array = self.left + (x - self.start) / (self.end - self.start) * self.width
        return pixels

    def down(self, y: Array) -> Array:
        """Return the pixels at which ``y`` lies, at an edge when it is beyond the limits."""
        inside = np.clip(y, self.low, self.high)
        pixels: Array = self.bottom - (inside - self.low) / (self.high - self.low) * self.height
        return pixels

    def beyond(self, y: float) -> int:
        """Return 1 for what lies above the picture, -1 below, 0 inside."""
        return int(y > self.high) - int(y < self.low)


def plot_of(panel: Panel, left: float, top: float, width: float, height: float) -> Plot:
    """Return the plot with limits that show this panel well."""
    calm = panel.kind != Kind.ANOMALY
    ends = [edge[np.isfinite(edge)] for edge in (panel.lower, panel.upper)]
    band = [np.quantile(edge, (0.02, 0.98)) for edge in ends if len(edge)]
    low, high = robust_limits(
        np.concatenate([panel.value[calm], *band]), np.concatenate([panel.value, *band])
    )
    end = float(panel.x[-1]) if len(panel) else 0.0
    margin = 0.01 * end if end > 0 else 0.5
    return Plot(left, top, width, height, -margin, end + margin, low, high)
