"""A neighbourhood and a precision-recall curve as scenes, which the SVG writer of the pictures turns into text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Final

import numpy as np
from numpy.typing import NDArray

from marigram.graph.data import EdgeType, Graph
from marigram.graph.report.ego import Ego, Node
from marigram.graph.report.layout import rings
from marigram.pictures import style
from marigram.pictures.axes import number_ticks
from marigram.pictures.marks import Dot, Label, Line, Mark, Scene, Shape, text_width
from marigram.wording import clipped, number, printable

Curve = tuple[str, str, NDArray[np.float64], NDArray[np.float64]]
"""Name, colour, recall and precision."""

EDGE_COLOURS: Final = ("#8c959f", "#0072b2", "#b35900", "#6f42c1", "#009e73", "#cc79a7")
CORNERS: Final = (0, 4, 3, -4, -3, 6)
"""Corners of the shape of each node type; 0 is a disc, a negative number stands on a corner."""
NORMAL, UNKNOWN, OTHER = style.BAND, style.PAPER, "#d0d7de"

_SIZE: Final = (560, 430)
_RADII: Final = (105.0, 180.0)
_NAMED: Final = 16


def shapes_of(graph: Graph) -> dict[str, int]:
    """Return node type -> corners of its shape."""
    return dict(zip(graph.nodes, cycle(CORNERS), strict=False))


def colours_of(graph: Graph) -> dict[EdgeType, str]:
    """Return edge type -> colour of its lines."""
    return dict(zip(graph.edges, cycle(EDGE_COLOURS), strict=False))


def name_of(graph: Graph, node: Node) -> str:
    """Return the name that the source gives a node, or its number."""
    ids = graph.nodes[node[0]].ids
    return printable(str(node[1] if ids is None else ids[node[1]].as_py()))


def draw_ego(graph: Graph, ego: Ego, scores: Mapping[str, NDArray[np.float64]]) -> Scene:
    """Return the scene of a neighbourhood."""
    width, height = _SIZE
    places = rings(ego, _RADII) + np.array([width / 2, height / 2])
    centre = name_of(graph, ego.nodes[0])
    scene = Scene(width, height, centre, f"{len(ego.nodes) - 1} nodes around it, {len(ego.links)} edges")
    colours, shapes = colours_of(graph), shapes_of(graph)
    pale = float(np.clip(40 / max(1, len(ego.links)), 0.2, 0.55))
    for i, j, kind in ego.links:
        opacity = 0.9 if i == 0 else pale
        scene.marks.append(
            Line([places[[i, j]]], colours[kind], 1.5 if i == 0 else 1.0, opacity=opacity, tip=kind[1])
        )
    for node, hop, (x, y) in zip(ego.nodes, ego.hop, places.tolist(), strict=True):
        radius = (11.0, 7.5, 5.0)[hop]
        scene.marks.append(
            node_mark(x, y, radius, shapes[node[0]], _fill(graph, node), _tip(graph, node, scores))
        )
    scene.marks += _names(graph, ego, places)
    return scene


def node_mark(x: float, y: float, radius: float, corners: int, fill: str, tip: str) -> Mark:
    """Return the mark of a node: a disc or a polygon."""
    rim = style.FRAME if fill in (UNKNOWN, OTHER) else style.INK
    if not corners:
        return Dot(x, y, radius, fill, rim, tip=tip)
    sides = abs(corners)
    turn = np.pi / sides if corners in (4, -3) else 0.0
    angles = 2 * np.pi * np.arange(sides) / sides + turn
    points = np.column_stack([x + 1.25 * radius * np.sin(angles), y - 1.25 * radius * np.cos(angles)])
    return Shape(points, fill, rim, tip)


def _fill(graph: Graph, node: Node) -> str:
    labels = graph.nodes[node[0]].labels
    if labels is None:
        return OTHER
    return {1: style.ANOMALY, 0: NORMAL}.get(int(labels[node[1]]), UNKNOWN)


def _tip(graph: Graph, node: Node, scores: Mapping[str, NDArray[np.float64]]) -> str:
    lines = [f"{node[0]} {name_of(graph, node)}"]
    labels = graph.nodes[node[0]].labels
    if labels is not None:
        lines.append({1: "anomalous", 0: "normal"}.get(int(labels[node[1]]), "label unknown"))
    if node[0] in scores and not np.isnan(scores[node[0]][node[1]]):
        lines.append(f"score {number(float(scores[node[0]][node[1]]), 3)}")
    return "\n".join(lines)


def _names(graph: Graph, ego: Ego, places: NDArray[np.float64]) -> list[Mark]:
    """The names of the centre and, when they are few, of the first ring, each on the side away from the centre."""
    middle = places[0]
    marks: list[Mark] = []
    for node, hop, (x, y) in zip(ego.nodes, ego.hop, places.tolist(), strict=True):
        if hop == 0:
            marks.append(
                Label(x, y + 26, clipped(name_of(graph, node), 24), 12, anchor="middle", bold=True, halo=True)
            )
        elif hop == 1 and sum(h == 1 for h in ego.hop) <= _NAMED:
            left = x < middle[0] - 1
            text = clipped(name_of(graph, node), 12)
            marks.append(
                Label(
                    x + (-12 if left else 12),
                    y + 4,
                    text,
                    11,
                    style.MUTED,
                    "end" if left else "start",
                    halo=True,
                )
            )
    return marks


# --- precision and recall --------------------------------------------------------------------------------------------


def draw_curves(curves: Sequence[Curve], base: float) -> Scene:
    """Return the precision-recall curves of one test set.

    Parameters
    ----------
    curves
        Each with its points in rising recall; the first is drawn on top.
    base
        The share of anomalous rows: the precision of a coin.
    """
    width, height = 620, 380
    left, top, right, bottom = 62.0, 18.0, width - 20.0, height - 52.0
    scene = Scene(width, height, "Precision and recall", ", ".join(name for name, *_ in curves))

    def at(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack([left + x * (right - left), bottom - y * (bottom - top)])

    ticks = number_ticks(0.0, 1.0, 6)
    for place, text in zip(ticks.places, ticks.labels, strict=True):
        (x, y), span = at(np.array([place]), np.array([place]))[0], np.array([0.0, 1.0])
        scene.marks.append(Line([at(span, np.full(2, place))], style.GRID))
        scene.marks += [
            Label(left - 8, y + 4, text, 12, style.MUTED, "end"),
            Label(x, bottom + 18, text, 12, style.MUTED, "middle"),
        ]
    scene.marks.append(
        Line([at(np.array([0.0, 1.0]), np.full(2, base))], style.FRAME, dash=(4, 4), tip=f"chance {base:.3f}")
    )
    for name, colour, recall, precision in reversed(curves):
        scene.marks.append(Line([_thin(at(recall, precision))], colour, 2.0, tip=name))
    corner = np.array([[left, top], [left, bottom], [right, bottom]])
    scene.marks.append(Line([corner], style.FRAME))
    scene.marks.append(
        Label(right, bottom + 40, "recall: share of the anomalous nodes found", 12, style.MUTED, "end")
    )
    scene.marks.append(Label(16, (top + bottom) / 2, "precision", 12, style.MUTED, "middle", upright=True))
    scene.marks += _legend(
        [(name, colour) for name, colour, *_ in curves] + [("chance", style.FRAME)], right, top
    )
    return scene


def _thin(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """At most some two points a pixel: the highest and the lowest of each column, and the ends."""
    if len(points) < 1500:
        return points
    columns = np.floor(points[:, 0])
    starts = np.flatnonzero(np.diff(columns, prepend=-1))
    low = [
        start + int(np.argmin(part))
        for start, part in zip(starts, np.split(points[:, 1], starts[1:]), strict=True)
    ]
    high = [
        start + int(np.argmax(part))
        for start, part in zip(starts, np.split(points[:, 1], starts[1:]), strict=True)
    ]
    kept = np.unique([0, *low, *high, len(points) - 1])
    return np.asarray(points[kept])


def _legend(entries: Sequence[tuple[str, str]], right: float, top: float) -> list[Mark]:
    """Names beside a piece of their line, in the upper right corner."""
    wide = max(text_width(name, 12) for name, _ in entries)
    marks: list[Mark] = []
    for i, (name, colour) in enumerate(entries):
        y = top + 12 + 18 * i
        marks.append(Line([np.array([[right - wide - 34, y - 4], [right - wide - 12, y - 4]])], colour, 2.0))
        marks.append(Label(right - wide - 6, y, name, 12, style.INK, halo=True))
    return marks


__all__ = [
    "NORMAL",
    "OTHER",
    "UNKNOWN",
    "Curve",
    "colours_of",
    "draw_curves",
    "draw_ego",
    "name_of",
    "node_mark",
    "shapes_of",
]
