"""A scene as PNG, drawn by matplotlib; the marks and their places are those of the SVG."""

import io
import warnings
from itertools import groupby
from typing import Any

from marigram.errors import MarigramError
from marigram.pictures import style
from marigram.pictures.marks import Area, Dot, Label, Line, Mark, Scene, Shape
from marigram.wording import printable

__all__ = ["png_of"]

_DOTS_PER_PIXEL = 2
_INCH = 100.0
"""Pixels of a scene to an inch of matplotlib."""
_POINT = 72.0 / _INCH
"""Pixels to points, the unit of matplotlib's widths and letters."""
_SIDE = {"start": "left", "middle": "center", "end": "right"}


def png_of(scene: Scene) -> bytes:
    """Return the scene as a PNG of twice its width and height in pixels.

    Raises :class:`MarigramError` when matplotlib, the extra ``plot``, is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise MarigramError(
            "a .png needs matplotlib, which the extra [plot] brings: pip install 'marigram[plot]'; "
            "pictures as .svg and .html need nothing"
        ) from error
    figure = Figure(
        (scene.width / _INCH, scene.height / _INCH), dpi=_INCH * _DOTS_PER_PIXEL, facecolor=style.PAPER
    )
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_axis_off()
    axes.set_xlim(0, scene.width)
    axes.set_ylim(scene.height, 0)
    for order, (_, marks) in enumerate(groupby(scene.marks, _alike)):
        _draw(axes, list(marks), order)
    out = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # a key may hold letters that the font lacks
        canvas: Any = FigureCanvasAgg(figure)
        canvas.print_png(out, metadata={"Software": None})
    return out.getvalue()


def _alike(mark: Mark) -> object:
    """Return what neighbouring marks must share to be drawn at once; only dots come in thousands."""
    return (mark.fill, mark.stroke, mark.opacity) if isinstance(mark, Dot) else id(mark)


def _draw(axes: Any, marks: list[Mark], order: int) -> None:
    """Draw one mark, or dots that are alike."""
    mark = marks[0]
    if isinstance(mark, Label):
        _label(axes, mark, order)
    elif isinstance(mark, Line):
        dash = (0, tuple(part / mark.width for part in mark.dash)) if mark.dash else "solid"
        look = {
            "color": mark.colour,
            "linewidth": mark.width * _POINT,
            "alpha": mark.opacity,
            "zorder": order,
        }
        for piece in mark.pieces:
            axes.plot(piece[:, 0], piece[:, 1], linestyle=dash, solid_joinstyle="round", **look)
    elif isinstance(mark, Area):
        for piece in mark.pieces:
            axes.fill(
                piece[:, 0], piece[:, 1], color=mark.colour, alpha=mark.opacity, linewidth=0, zorder=order
            )
    elif isinstance(mark, Shape):
        look = {"facecolor": mark.fill, "edgecolor": mark.stroke, "linewidth": _POINT, "zorder": order}
        axes.fill(mark.points[:, 0], mark.points[:, 1], **look)
    else:
        _dots(axes, mark, [dot for dot in marks if isinstance(dot, Dot)], order)


def _dots(axes: Any, like: Dot, dots: list[Dot], order: int) -> None:
    axes.scatter(
        [dot.x for dot in dots],
        [dot.y for dot in dots],
        s=[(2 * dot.radius * _POINT) ** 2 for dot in dots],
        facecolor=like.fill,
        edgecolor=like.stroke,
        linewidth=(1.8 if like.fill == style.PAPER else 0.8) * _POINT,
        alpha=like.opacity,
        zorder=order,
        clip_on=False,
    )


def _label(axes: Any, label: Label, order: int) -> None:
    from matplotlib.patheffects import withStroke

    text = axes.text(
        label.x,
        label.y,
        printable(label.text),
        fontsize=label.size * _POINT,
        color=label.colour,
        ha=_SIDE[label.anchor],
        va="baseline",
        weight="bold" if label.bold else "normal",
        rotation=90 if label.upright else 0,
        rotation_mode="anchor",
        zorder=order,
        parse_math=False,
    )
    if label.halo:
        text.set_path_effects([withStroke(linewidth=3 * _POINT, foreground=style.PAPER)])
