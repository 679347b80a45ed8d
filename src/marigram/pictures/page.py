"""A picture as a page: one file that shows the SVG, lists the notices, and asks nobody for anything."""

from html import escape

import numpy as np

from marigram.kinds import Kind
from marigram.pictures.marks import Scene
from marigram.pictures.panels import Table
from marigram.pictures.svg import svg_of
from marigram.wording import moment, number, odds, printable, span

__all__ = ["page_of"]

_MOST = 1000
"""Notices that a page lists."""
_NO_TIME = int(np.iinfo(np.int64).min)
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"
_LOOK = """
body { margin: 1.5rem auto; max-width: 1240px; padding: 0 1rem; color: #1f2328; background: #fff;
  font: 14px/1.45 system-ui, -apple-system, "Segoe UI", "Helvetica Neue", Arial, sans-serif; }
figure { margin: 0; overflow: hidden; }
figure svg { display: block; width: 100%; height: auto; touch-action: pan-y; }
figcaption, caption, footer { color: #59636e; }
caption { text-align: left; padding: .75rem 0 .25rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .3rem .75rem; border-bottom: 1px solid #e4e8ec; white-space: nowrap; }
th { color: #59636e; font-weight: 600; }
td.number, th.number { text-align: right; }
td.why { white-space: normal; }
.anomaly { color: #cf222e; font-weight: 600; }
.drift { color: #6f42c1; font-weight: 600; }
.undecided { color: #b35900; font-weight: 600; }
"""
_ZOOM = """
const svg = document.querySelector("figure svg");
const whole = svg.viewBox.baseVal, full = [whole.x, whole.y, whole.width, whole.height];
let view = full.slice(), held = null;
const show = () => svg.setAttribute("viewBox", view.join(" "));
const place = e => { const box = svg.getBoundingClientRect();
  return [(e.clientX - box.left) / box.width, (e.clientY - box.top) / box.height]; };
svg.addEventListener("wheel", e => {
  if (!e.ctrlKey && !e.metaKey) return;
  e.preventDefault();
  const [x, y] = place(e), size = Math.min(1, Math.max(1 / 40, view[2] / full[2] * Math.exp(e.deltaY / 400)));
  const w = full[2] * size, h = full[3] * size;
  view = [view[0] + x * (view[2] - w), view[1] + y * (view[3] - h), w, h];
  if (size === 1) view = full.slice();
  show();
}, { passive: false });
svg.addEventListener("pointerdown", e => {
  if (view[2] < full[2]) { held = place(e); svg.setPointerCapture(e.pointerId); }
});
svg.addEventListener("pointermove", e => { if (!held) return;
  const now = place(e); view[0] -= (now[0] - held[0]) * view[2]; view[1] -= (now[1] - held[1]) * view[3];
  held = now; show(); });
svg.addEventListener("pointerup", () => { held = null; });
svg.addEventListener("dblclick", () => { view = full.slice(); show(); });
"""


def page_of(scene: Scene, table: Table) -> str:
    """Return a whole HTML page; everything that came from outside is escaped, and a policy forbids every request."""
    title = escape(printable(scene.title))
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{title}</title>\n'
        f"<style>{_LOOK}</style>\n</head>\n<body>\n<figure>\n{svg_of(scene)}"
        "<figcaption>Point at a mark to read it; Ctrl and the wheel zoom, dragging moves, a double click goes back."
        f"</figcaption>\n</figure>\n{_notices(table)}\n<script>{_ZOOM}</script>\n</body>\n</html>\n"
    )


def _notices(table: Table) -> str:
    """Return the table of the notices, the events that people were told of."""
    rows = np.flatnonzero(table["notice"])
    if not len(rows):
        return "<p>No notices.</p>"
    caption = f"{len(rows):,} notices" if len(rows) != 1 else "1 notice"
    if len(rows) > _MOST:
        caption += f", of which the first {_MOST:,} are listed"
    heads = ["time", "key", "number", "kind", "value", "expected", "how surprising", "severity", "level"]
    numeric = {"number", "value", "severity"}
    head = "".join(f"<th{_side(name in numeric)}>{name}</th>" for name in heads)
    body = "\n".join(_row(table, row) for row in rows[:_MOST].tolist())
    return f"<table>\n<caption>{caption}</caption>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"


def _side(numeric: bool) -> str:
    return ' class="number"' if numeric else ""


def _row(table: Table, row: int) -> str:
    time, key, p = int(table["time"][row]), table["key"][row], float(table["p_value"][row])
    kind = Kind(int(table["kind"][row]))
    top = _top(table, row)
    value, lower, upper, before, after = (
        float(np.atleast_1d(table[name][row])[top]) for name in ("value", "lower", "upper", "before", "after")
    )
    severity = float(table["severity"][row])
    moved = (
        f"{number(before)} → {number(after)} since #{int(table['changed_at'][row])}"
        if kind is Kind.DRIFT
        else ""
    )
    cells = [
        "" if time == _NO_TIME else moment(time),
        "" if key is None else printable(str(key)),
        str(int(table["seq"][row])),
        kind.label,
        (f"x{top} = " if table["value"].ndim == 2 else "") + number(value, 6),
        "" if np.isnan(lower) or np.isnan(upper) else span(lower, upper),
        "" if np.isnan(p) else odds(p),
        "" if np.isnan(severity) else f"{severity:.1f}",
        moved,
    ]
    classes = ["", "", "number", kind.label, "number", "", "", "number", ""]
    told = (f' class="{name}"' if name else "" for name in classes)
    return (
        "<tr>"
        + "".join(f"<td{name}>{escape(cell)}</td>" for name, cell in zip(told, cells, strict=True))
        + "</tr>"
    )


def _top(table: Table, row: int) -> int:
    """Return the coordinate with the largest share in the surprise."""
    return int(np.argmax(np.nan_to_num(table["why"][row], nan=-1.0)))
