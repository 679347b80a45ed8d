"""Pieces of HTML: whatever comes from outside passes through :func:`text`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from marigram.graph.metrics import Interval
from marigram.wording import printable

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
LOOK = """
body { margin: 2rem auto; max-width: 1180px; padding: 0 1rem; color: #1f2328; background: #fff;
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .25rem; } h2 { font-size: 1.2rem; margin: 2.2rem 0 .5rem; }
h3 { font-size: 1rem; margin: 0; }
p { margin: .4rem 0; max-width: 78ch; } .muted, caption, footer { color: #59636e; }
footer { margin-top: 2.5rem; border-top: 1px solid #e4e8ec; padding-top: .75rem; font-size: 13px; }
.verdict { border-left: 5px solid #59636e; background: #f6f8fa; padding: .7rem 1rem; margin: 1rem 0; }
.verdict b { font-size: 1.1rem; } .helps { border-color: #1a7f37; } .hurts { border-color: #b35900; }
.leak { border-left: 4px solid #cf222e; } .look { border-left: 4px solid #e08600; }
.leak, .look { padding: .3rem .8rem; margin: .5rem 0; background: #f6f8fa; }
.grade { font-weight: 600; } .leak .grade { color: #cf222e; } .look .grade { color: #b35900; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .5rem 0 1rem; }
caption { text-align: left; padding-bottom: .3rem; font-size: 13px; }
th, td { text-align: left; padding: .25rem .9rem .25rem 0; border-bottom: 1px solid #e4e8ec; vertical-align: top; }
th { color: #59636e; font-weight: 600; } td.n, th.n { text-align: right; white-space: nowrap; }
td.name { overflow-wrap: anywhere; } .range { color: #59636e; font-size: 12px; }
.side { display: flex; flex-wrap: wrap; gap: 1rem 3rem; align-items: flex-start; }
.side > * { min-width: 0; max-width: 100%; }
.card { border: 1px solid #d0d7de; border-radius: 6px; padding: .9rem 1rem; margin: 1rem 0; break-inside: avoid; }
.card svg { width: 520px; flex: none; } .card .why { flex: 1 1 340px; }
.card table { width: 100%; font-size: 14px; }
.bar { display: inline-block; height: .65em; background: #0072b2; border-radius: 2px; }
.bar.down { background: #b35900; } .tag { font-weight: 600; } .tag.bad { color: #cf222e; } .tag.fine { color: #0072b2; }
.legend span { margin-right: 1.2rem; white-space: nowrap; } .legend svg { vertical-align: -3px; }
"""

Cell = tuple[str, bool]
"""HTML of a cell, and whether it is a number."""


def text(value: object) -> str:
    """Return what came from outside as HTML that shows it and does nothing."""
    return escape(printable(str(value)))


def words(value: object) -> Cell:
    """Return a cell of text from outside."""
    return text(value), False


def count(value: float) -> Cell:
    """Return a cell with a whole number."""
    return f"{value:,.0f}", True


def share(value: float) -> Cell:
    """Return a cell with a percentage."""
    return f"{100 * value:.1f} %", True


def interval(value: Interval, sign: bool = False) -> Cell:
    """Return a cell with a figure in percent and the ends of its interval."""
    if value.value != value.value:
        return "–", True
    form = "+.1f" if sign else ".1f"
    ends = (
        f"{100 * value.low:{form}} to {100 * value.high:{form}}" if value.low == value.low else "no interval"
    )
    return f'{100 * value.value:{form}} <span class="range">{ends}</span>'.replace("-", "−"), True


def table(caption: str, heads: Sequence[Cell], rows: Iterable[Sequence[Cell]]) -> str:
    """Return a table; the caption is our own words."""
    lines = ["<tr>" + "".join(f"<td{_side(n)}>{cell}</td>" for cell, n in row) + "</tr>" for row in rows]
    head = "".join(f"<th{_side(n)}>{cell}</th>" for cell, n in heads)
    told = f"<caption>{caption}</caption>" if caption else ""
    return f"<table>{told}<thead><tr>{head}</tr></thead>\n<tbody>{chr(10).join(lines)}</tbody></table>"


def bar(value: float, largest: float, width: int = 90) -> Cell:
    """Return a cell with a bar, orange when the value is negative."""
    pixels = 0 if largest <= 0 else round(width * abs(value) / largest)
    return f'<span class="bar{" down" if value < 0 else ""}" style="width:{max(pixels, 1)}px"></span>', False


def _side(number: bool) -> str:
    return ' class="n"' if number else ' class="name"'


__all__ = ["LOOK", "POLICY", "Cell", "bar", "count", "interval", "share", "table", "text", "words"]
