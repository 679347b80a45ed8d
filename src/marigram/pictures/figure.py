"""From panels to a scene: where everything of a picture lies."""

from collections.abc import Sequence

import numpy as np

from marigram.kinds import Kind
from marigram.pictures import style
from marigram.pictures.curves import background_marks, curve_marks, missing_marks
from marigram.pictures.dots import dot_marks, notice_marks
from marigram.pictures.drifts import drift_marks
from marigram.pictures.frame import frame_marks, grid_marks
from marigram.pictures.legend import legend_marks
from marigram.pictures.marks import Label, Mark, Scene
from marigram.pictures.panels import Panel, Table, panels_of
from marigram.pictures.plot import Plot, plot_of

__all__ = ["figure"]

_WIDTH, _HEIGHT = 1200, 500
_LEFT, _RIGHT, _HEAD, _FOOT = 74, 20, 98, 58
_NAME, _GAP, _PANEL = 24, 66, 150
"""When there are several panels: pixels for the first one's name, between two, and the height of one."""
_MOST = 6
"""Panels that fit a picture."""


def figure(table: Table, title: str | None = None, names: Sequence[str] | None = None) -> Scene:
    """Return the picture of a table of verdicts: one panel a key and coordinate, the most notable six.

    Parameters
    ----------
    table
        The verdicts, of one key or several.
    title
        The line above; without one it is the key, or the number of keys.
    names
        Names of the d coordinates.
    """
    panels, possible = panels_of(table, _MOST, names)
    heading = title or (panels[0].name if len(panels) == 1 else f"{possible:,} series" if panels else "")
    summary = _summary(table)
    if len(panels) < possible:
        summary += f" · the {len(panels)} most notable of {possible:,} series"
    alone = len(panels) <= 1
    top = _HEAD if alone else _HEAD + _NAME
    size = _HEIGHT - _HEAD - _FOOT if alone else _PANEL
    scene = Scene(_WIDTH, _HEIGHT, heading or "Verdicts", summary)
    if not alone:
        scene.height = top + len(panels) * (_PANEL + _GAP) - _GAP + _FOOT
    scene.marks += [
        Label(_LEFT, 28, scene.title, 18, style.INK, bold=True),
        Label(_LEFT, 48, summary, 12.5, style.MUTED),
        *legend_marks(panels, _LEFT, 72),
    ]
    if not panels:
        scene.marks.append(Label(_WIDTH / 2, _HEIGHT / 2, "no events", 16, style.MUTED, "middle"))
    for i, panel in enumerate(panels):
        plot = plot_of(panel, _LEFT, top + i * (_PANEL + _GAP), _WIDTH - _LEFT - _RIGHT, size)
        scene.marks += _panel_marks(plot, panel, lowest=i == len(panels) - 1)
        if not alone:
            scene.marks.append(
                Label(plot.left, plot.top - 14, panel.name, 13, style.INK, bold=True, halo=True)
            )
    return scene


def _panel_marks(plot: Plot, panel: Panel, lowest: bool) -> list[Mark]:
    """Return the marks of one panel, from the back to the front."""
    return [
        *background_marks(plot, panel),
        *grid_marks(plot),
        *missing_marks(plot, panel),
        *curve_marks(plot, panel),
        *frame_marks(plot, panel, lowest),
        *dot_marks(plot, panel),
        *drift_marks(plot, panel),
        *notice_marks(plot, panel),
    ]


def _summary(table: Table) -> str:
    """Return the counts of a table in words."""
    counts = np.bincount(table["kind"], minlength=len(Kind)).tolist()
    parts = [_count(len(table), "event")]
    parts += [_count(counts[kind], word) for kind, word in ((Kind.ANOMALY, "anomaly"), (Kind.DRIFT, "drift"))]
    parts.append(_count(int(np.count_nonzero(table["notice"])), "notice"))
    for kind in (Kind.UNDECIDED, Kind.MISSING, Kind.REJECTED):
        if counts[kind]:
            parts.append(f"{counts[kind]:,} {kind.label}")
    return " · ".join(parts)


def _count(n: int, word: str) -> str:
    many = {"anomaly": "anomalies"}.get(word, word + "s")
    return f"{n:,} {word if n == 1 else many}"
