"""The section of a report on the nodes with the highest scores: why, and what lies around them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from marigram.graph.data import Graph
from marigram.graph.report import html
from marigram.graph.report.drawing import (
    NORMAL,
    OTHER,
    UNKNOWN,
    colours_of,
    draw_ego,
    name_of,
    node_mark,
    shapes_of,
)
from marigram.graph.report.findings import Findings, Top
from marigram.graph.report.html import text
from marigram.pictures import style
from marigram.pictures.marks import Line, Mark, Scene
from marigram.pictures.svg import svg_of
from marigram.wording import number

_LABELS: Mapping[int, str] = {
    1: '<span class="tag bad">anomalous</span>',
    0: '<span class="tag fine">normal</span>',
    -1: '<span class="tag">label unknown</span>',
}


def nodes_section(findings: Findings) -> str:
    """Return the section; empty when no node was asked for."""
    if not findings.tops:
        return ""
    cards = "\n".join(_card(findings, place, top) for place, top in enumerate(findings.tops, 1))
    return (
        "<h2>The highest scores</h2>\n"
        "<p>Among nodes that the model was not fitted to. The first ring are neighbours, the second theirs: those that "
        "carried the score, anomalous ones and high scores first. Point at a node to read it.</p>\n"
        f"{_legend(findings.graph)}\n{cards}"
    )


def _card(findings: Findings, place: int, top: Top) -> str:
    graph, labels = findings.graph, findings.graph.nodes[top.node[0]].labels
    drawing = svg_of(draw_ego(graph, top.ego, {findings.node_type: findings.scores}))
    label = "" if labels is None else " · " + _LABELS[int(labels[top.node[1]])]
    first = sum(hop == 1 for hop in top.ego.hop)
    drawn = f"{top.ego.neighbours:,} neighbours" + (f", {first} drawn" if first < top.ego.neighbours else "")
    if top.ego.known:
        drawn += f"; of {top.ego.known:,} with a known label {top.ego.anomalous:,} anomalous"
    return (
        f'<div class="card"><h3>{place}. {text(top.node[0])} {text(name_of(graph, top.node))}</h3>'
        f'<p>score {number(top.score, 3)}{label} · <span class="muted">{drawn}</span></p>\n'
        f'<div class="side">{drawing}<div class="why">{_features(top)}{_neighbours(graph, top)}</div></div></div>'
    )


def _features(top: Top) -> str:
    rows = [(name, value, share) for name, value, share in top.told.features if share]
    if not rows:
        return '<p class="muted">This model does not tell what carried the score.</p>'
    largest = max(abs(share) for *_, share in rows)
    heads = [("what carried the score", False), ("value", True), ("", False)]
    return html.table(
        "",
        heads,
        [[html.words(name), (number(value), True), html.bar(share, largest)] for name, value, share in rows],
    )


def _neighbours(graph: Graph, top: Top) -> str:
    rows = [row for row in top.told.neighbours if row[3]][:5]
    if not rows:
        return ""
    largest = max(abs(share) for *_, share in rows)
    heads = [("neighbours", False), ("by", False), ("", False)]
    lines = [
        [
            html.words(f"{name} {name_of(graph, (name, node))}"),
            html.words(_relation(kind)),
            html.bar(share, largest),
        ]
        for name, node, kind, share in rows
    ]
    return html.table("", heads, lines)


def _relation(kind: object) -> str:
    return str(kind[1]) if isinstance(kind, tuple) and len(kind) == 3 else str(kind)


def _legend(graph: Graph) -> str:
    """Which shape is which node type, which fill which label, which colour which edge type."""
    shapes = shapes_of(graph)
    entries = (
        [(_icon(node_mark(8, 8, 5.0, corners, OTHER, "")), name) for name, corners in shapes.items()]
        if len(shapes) > 1
        else []
    )
    fills = ((style.ANOMALY, "anomalous"), (NORMAL, "normal"), (UNKNOWN, "label unknown"))
    entries += [(_icon(node_mark(8, 8, 5.0, 0, fill, "")), name) for fill, name in fills]
    if len(shapes) > len(graph.labelled_types):
        entries.append((_icon(node_mark(8, 8, 5.0, 0, OTHER, "")), "has no labels"))
    if len(graph.edges) > 1:
        entries += [(_icon(_stroke(colour)), kind[1]) for kind, colour in colours_of(graph).items()]
    return (
        '<p class="legend muted">'
        + "".join(f"<span>{icon} {text(name)}</span>" for icon, name in entries)
        + "</p>"
    )


def _stroke(colour: str) -> Mark:
    return Line([np.array([[0.0, 8.0], [16.0, 8.0]])], colour, 2.5)


def _icon(mark: Mark) -> str:
    return (
        svg_of(Scene(16, 16, "", "", [mark]))
        .replace('role="img" aria-label=": "', 'aria-hidden="true"')
        .strip()
    )


__all__ = ["nodes_section"]
