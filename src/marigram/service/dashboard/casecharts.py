"""Charts of a case as options for ECharts; tooltips are drawn on the canvas, so no text is parsed as HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from marigram.bridge.loop.around import Neighbourhood
from marigram.wording import printable

_TEXT: Final = {"color": "#1f2328", "fontSize": 12}
_TOOLTIP: Final = {"trigger": "item", "renderMode": "richText", "formatter": "{b}", "confine": True}
COLOURS: Final = {"malicious": "#cf222e", "fine": "#1a7f37", "": "#8c959f"}
"""Of events by what people said of them."""
_ENTITY: Final = "#0072b2"
_LONGEST: Final = 44


def around_options(
    place: Neighbourhood, words: Mapping[int, str], names: Mapping[int, str]
) -> dict[str, Any]:
    """Return the drawing of a two-hop neighbourhood: the event, its entities, what these had been in before.

    Parameters
    ----------
    place
        The neighbourhood.
    words
        Row of an event -> ``malicious`` or ``fine``, where people said so.
    names
        Row of an event -> what is written beside it.
    """
    columns: dict[int, list[int]] = {0: [], 1: [], 2: []}
    for at, node in enumerate(place.nodes):
        columns[node.hop].append(at)
    nodes = []
    for hop, members in columns.items():
        for order, at in enumerate(members):
            node = place.nodes[at]
            name = names.get(node.number, node.name) if node.hop != 1 else f"{node.kind} {node.name}"
            word = words.get(node.number, "") if node.hop != 1 else ""
            nodes.append((at, _point(at, name, word, hop, (order + 0.5) / len(members))))
    ordered = [point for _, point in sorted(nodes, key=lambda pair: pair[0])]
    links = [
        {
            "source": a,
            "target": b,
            "lineStyle": {"color": "#8c959f", "width": 2 if a == 0 else 1, "opacity": 0.7},
        }
        for a, b, _ in place.edges
    ]
    return {
        "animation": False,
        "tooltip": _TOOLTIP,
        "series": [
            {
                "type": "graph",
                "layout": "none",
                "left": 170,
                "right": 330,
                "top": 16,
                "bottom": 16,
                "data": ordered,
                "links": links,
                "roam": False,
                "silent": False,
            }
        ],
    }


def timeline_options(events: Sequence[tuple[int, float, str, str, bool]]) -> dict[str, Any]:
    """Return the chart of events over time: (ns, score, name, word, whether it is of the case)."""
    series = [
        {
            "type": "scatter",
            "name": told,
            "symbol": symbol,
            "symbolSize": size,
            "itemStyle": {"color": colour},
            "data": [
                {"value": [at / 1e6, round(score, 3)], "name": _short(name)}
                for at, score, name, word, inside in events
                if _group(word, inside) == told
            ],
        }
        for told, symbol, size, colour in (
            ("other events of its entities", "circle", 5, "#8c959f"),
            ("this case", "diamond", 11, "#5e35b1"),
            ("said to be malicious", "circle", 9, COLOURS["malicious"]),
            ("said to be fine", "circle", 9, COLOURS["fine"]),
        )
    ]
    return {
        "animation": False,
        "textStyle": _TEXT,
        "grid": {"left": 56, "right": 16, "top": 36, "bottom": 32},
        "legend": {"top": 0, "left": 160},
        "tooltip": _TOOLTIP,
        "xAxis": {"type": "time", "axisLabel": {"hideOverlap": True}, "minInterval": 1000, **_span(events)},
        "yAxis": {"type": "value", "name": "evidence, nats"},
        "useUTC": True,
        "series": [one for one in series if one["data"]],
    }


def _span(events: Sequence[tuple[int, float, str, str, bool]]) -> dict[str, float]:
    """The axis of time, never shorter than a minute."""
    times = [at / 1e6 for at, *_ in events]
    spread = max((max(times) - min(times)) / 20, 30_000.0)
    return {"min": min(times) - spread, "max": max(times) + spread}


def _point(at: int, name: str, word: str, hop: int, height: float) -> dict[str, Any]:
    first = at == 0
    colour = "#5e35b1" if first else _ENTITY if hop == 1 else COLOURS[word]
    return {
        "id": str(at),
        "name": _short(name) + (f" ({word})" if word else ""),
        "x": {0: 0.0, 1: 420.0, 2: 840.0}[hop],
        "y": height * 420,
        "symbol": "diamond" if first else "roundRect" if hop == 1 else "circle",
        "symbolSize": 22 if first else 15 if hop == 1 else 8,
        "itemStyle": {"color": colour},
        "label": {
            "show": True,
            "position": "top" if first or hop == 1 else "right",
            "formatter": "{b}",
            **_TEXT,
        },
    }


def _group(word: str, inside: bool) -> str:
    if word:
        return f"said to be {word}"
    return "this case" if inside else "other events of its entities"


def _short(name: str) -> str:
    told = printable(name)
    return told if len(told) <= _LONGEST else told[: _LONGEST - 1] + "…"


__all__ = ["COLOURS", "around_options", "timeline_options"]
