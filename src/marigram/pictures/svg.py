"""A scene as SVG: text that any browser shows, without a request to anywhere."""

from xml.sax.saxutils import escape, quoteattr

import numpy as np

from marigram.pictures import style
from marigram.pictures.marks import Area, Dot, Label, Line, Mark, Points, Scene, Shape
from marigram.wording import printable

__all__ = ["svg_of"]

_FONT = "system-ui, -apple-system, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif"


def svg_of(scene: Scene) -> str:
    """Return the scene as one ``<svg>`` element, a function of the scene alone."""
    body = "\n".join(_element(mark) for mark in scene.marks)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {scene.width} {scene.height}" width="{scene.width}" '
        f'height="{scene.height}" role="img" aria-label={quoteattr(_text(f"{scene.title}: {scene.summary}"))} '
        f'font-family="{_FONT}" style="max-width:100%;height:auto;background:{style.PAPER}">\n'
        f'<rect width="100%" height="100%" fill="{style.PAPER}"/>\n{body}\n</svg>\n'
    )


def _element(mark: Mark) -> str:
    if isinstance(mark, Label):
        return _label(mark)
    if isinstance(mark, Line):
        dash = f' stroke-dasharray="{mark.dash[0]:g} {mark.dash[1]:g}"' if mark.dash else ""
        look = (
            f'fill="none" stroke="{mark.colour}" stroke-width="{mark.width:g}" stroke-linejoin="round"{dash}'
        )
        return _tipped(f'path d="{_path(mark.pieces)}" {look}{_opacity(mark.opacity)}', "path", mark.tip)
    if isinstance(mark, Area):
        return _tipped(
            f'path d="{_path(mark.pieces, "Z")}" fill="{mark.colour}"{_opacity(mark.opacity)}',
            "path",
            mark.tip,
        )
    if isinstance(mark, Shape):
        return _tipped(
            f'path d="{_path([mark.points], "Z")}" fill="{mark.fill}" stroke="{mark.stroke}"',
            "path",
            mark.tip,
        )
    look = f'fill="{mark.fill}" stroke="{mark.stroke}" stroke-width="{_rim(mark):g}"{_opacity(mark.opacity)}'
    return _tipped(
        f'circle cx="{mark.x:.1f}" cy="{mark.y:.1f}" r="{mark.radius:.1f}" {look}', "circle", mark.tip
    )


def _rim(dot: Dot) -> float:
    return 1.8 if dot.fill == style.PAPER else 0.8


def _opacity(opacity: float) -> str:
    return "" if opacity == 1.0 else f' opacity="{opacity:g}"'


def _tipped(element: str, name: str, tip: str) -> str:
    """Return the element, with what a pointer over it is told."""
    return f"<{element}><title>{_text(tip)}</title></{name}>" if tip else f"<{element}/>"


def _text(text: str) -> str:
    """Return text that XML may hold: no control characters but line feeds."""
    return escape("\n".join(printable(line) for line in text.split("\n")))


def _path(pieces: list[Points], close: str = "") -> str:
    return "".join(_moves(piece) + close for piece in pieces)


def _moves(points: Points) -> str:
    """Return the path through points, in tenths of a pixel and relative to each other, which is shortest."""
    tenths = np.rint(points * 10).astype(np.int64)
    steps = np.diff(tenths, axis=0).tolist()
    x, y = tenths[0].tolist()
    return f"M{x / 10:g} {y / 10:g}" + "".join(f"l{dx / 10:g} {dy / 10:g}" for dx, dy in steps if dx or dy)


def _label(label: Label) -> str:
    turn = f' transform="rotate(-90 {label.x:.1f} {label.y:.1f})"' if label.upright else ""
    bold = ' font-weight="600"' if label.bold else ""
    anchor = "" if label.anchor == "start" else f' text-anchor="{label.anchor}"'
    halo = (
        f' stroke="{style.PAPER}" stroke-width="3" stroke-linejoin="round" paint-order="stroke"'
        if label.halo
        else ""
    )
    return (
        f'<text x="{label.x:.1f}" y="{label.y:.1f}" font-size="{label.size:g}" fill="{label.colour}"'
        f"{anchor}{bold}{halo}{turn}>{_text(label.text)}</text>"
    )
