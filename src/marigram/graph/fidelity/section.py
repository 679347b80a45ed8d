"""The fidelity of new nodes as a section of the report: figures, and the distributions that differ most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from marigram.graph.report import html
from marigram.graph.report.html import text
from marigram.pictures import style
from marigram.pictures.marks import Label, Line, Scene
from marigram.pictures.svg import svg_of
from marigram.wording import clipped, number

if TYPE_CHECKING:
    from marigram.graph.fidelity.fidelity import Distribution, Fidelity, Likeness

_MOST = 8
"""Attributes, and means over neighbours, that are shown of a class."""
_NAMES = {1: "anomalous", 0: "normal"}
_REAL, _NEW = style.INK, "#b35900"


def section(fidelity: Fidelity) -> str:
    """Return HTML: a heading, and for each class a table of figures, a table of distributions, and pictures."""
    rejected = f"<p>{len(fidelity.rejected)} new nodes were rejected.</p>" if fidelity.rejected else ""
    return "<h2>New nodes beside real ones</h2>" + rejected + "".join(_class(one) for one in fidelity.classes)


def _class(one: Likeness) -> str:
    held = "validation and test" if one.held_out else "training"
    intro = (
        f"<h3>{text(one.node_type)}, {_NAMES[one.label]}</h3><p>{one.new:,} new nodes beside {one.real:,} real ones of "
        f"{held}. A forest tells them apart with AUC {_figure(one.auc)} (0.5: it cannot), new from real normal nodes "
        f"with {_figure(one.auc_normal)}, where real ones of the class come to {_figure(one.auc_real)}.</p>"
    )
    rows = [
        ("edges of a node, new over real", _figure(one.degree_ratio)),
        ("anomalous among labelled neighbours, real and new", " and ".join(map(_figure, one.homophily))),
        ("relations, total variation distance", _figure(one.relations)),
        ("distance to the nearest training node over the usual one", _figure(one.nearest.ratio)),
        ("attributes exactly of a training node, real and new", _shares(one.copies_real, one.nearest.copies)),
        ("also its degrees and means over neighbours", _shares(*one.placed)),
    ]
    figures = html.table(
        "", [("", False), ("", True)], [[(name, False), (value, True)] for name, value in rows]
    )
    shown = [*one.degrees, *one.times, *_worst(one.features), *_worst(one.neighbours)]
    heads = [
        ("", False),
        *((name, True) for name in ("KS", "Wasserstein", "mean, real", "mean, new", "missing")),
    ]
    table = html.table(
        "Degrees, times, and the attributes and means over neighbours that differ most",
        heads,
        map(_row, shown),
    )
    pictures = "".join(
        svg_of(draw_quantiles(d)) for d in shown[:_MOST] if d.real_quantiles and d.new_quantiles
    )
    legend = (
        f'<p class="muted">Distribution functions: <span style="color:{_REAL}">real</span>, '
        f'<span style="color:{_NEW}">new</span>.</p>'
    )
    return f'{intro}<div class="side">{figures}{table}</div>{legend}<div class="side">{pictures}</div>'


def _worst(found: Sequence[Distribution]) -> list[Distribution]:
    return sorted(found, key=lambda d: -d.ks if d.ks == d.ks else 0.0)[:_MOST]


def _row(d: Distribution) -> list[html.Cell]:
    cells = [_figure(d.ks), _figure(d.wasserstein), number(d.real), number(d.new)]
    missing = f"{100 * d.missing_real:.0f} and {100 * d.missing_new:.0f} %"
    return [html.words(d.name), *((cell, True) for cell in cells), (missing, True)]


def _shares(real: float, new: float) -> str:
    return f"{100 * real:.1f} and {100 * new:.1f} %"


def _figure(value: float) -> str:
    return "–" if value != value else f"{value:.2f}"


def draw_quantiles(d: Distribution) -> Scene:
    """Return a small picture of both distribution functions."""
    width, height, left, top, bottom = 250, 150, 12.0, 26.0, 122.0
    scene = Scene(width, height, d.name, f"real and new, KS {_figure(d.ks)}")
    low = min(d.real_quantiles[0], d.new_quantiles[0])
    high = max(d.real_quantiles[-1], d.new_quantiles[-1])
    span = high - low or 1.0
    scene.marks.append(Label(left, 16, clipped(d.name, 34), 12, style.INK))
    for quantiles, colour in ((d.real_quantiles, _REAL), (d.new_quantiles, _NEW)):
        share = np.linspace(0, 1, len(quantiles))
        x = left + (np.asarray(quantiles) - low) / span * (width - 2 * left)
        scene.marks.append(Line([np.column_stack([x, bottom - share * (bottom - top)])], colour, 1.8))
    frame = np.array([[left, top], [left, bottom], [width - left, bottom]])
    scene.marks.append(Line([frame], style.FRAME))
    scene.marks.append(Label(left, bottom + 16, number(low), 11, style.MUTED))
    scene.marks.append(Label(width - left, bottom + 16, number(high), 11, style.MUTED, "end"))
    return scene


__all__ = ["draw_quantiles", "section"]
