"""The look of the pages: one style sheet, contrasts of at least 4.5 to 1, no font and no picture from elsewhere."""

from __future__ import annotations

from typing import Final

SHEET: Final = """
:root { color-scheme: light; --ground: #fff; --soft: #f6f8fa; --hover: #e7ecf0; --track: #e4e8ec; --line: #d8dee4;
  --edge: #8c959f; --ink: #1f2328; --muted: #57606a; --off: #6e7781; --strong: #1f2328; --stronger: #3b424a;
  --on-strong: #fff; --link: #0550ae; --focus: #0969da; --red: #a40e26; --violet: #5e35b1; --amber: #7d4e00;
  --green: #116329; --teal: #0a5c5c; --alarm: #a40e26; }
:root[data-theme=dark] { color-scheme: dark; --ground: #0d1117; --soft: #161b22; --hover: #262c36; --track: #30363d;
  --line: #30363d; --edge: #6e7681; --ink: #e6edf3; --muted: #9aa4af; --off: #8b949e; --strong: #e6edf3;
  --stronger: #c9d1d9; --on-strong: #0d1117; --link: #79b8ff; --focus: #58a6ff; --red: #ff8f88; --violet: #c4a7ff;
  --amber: #e3b341; --green: #56d364; --teal: #5fd3d3; --alarm: #b62324; }
body { color: var(--ink); background: var(--ground); margin: 0;
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "Helvetica Neue", Arial, sans-serif; }
.nicegui-content.nicegui-content { display: block; padding: 0; }
a { color: var(--link); text-decoration: underline; text-underline-offset: .15em; }
:focus-visible { outline: 3px solid var(--focus); outline-offset: 2px; }
.skip { position: absolute; left: -999px; top: 0; background: var(--ground); padding: .5rem 1rem; z-index: 10; }
.skip:focus { left: 0; }
header.top { display: flex; flex-wrap: wrap; align-items: center; gap: .25rem 1.5rem; padding: .6rem 1.5rem;
  border-bottom: 1px solid var(--line); background: var(--soft); }
header.top .brand { font-weight: 700; font-size: 1.05rem; letter-spacing: .01em; }
header.top nav { display: flex; flex-wrap: wrap; gap: .25rem; flex: 1; }
header.top nav a { color: var(--ink); text-decoration: none; padding: .25rem .7rem; border-radius: 6px; }
header.top nav a:hover { background: var(--hover); }
header.top nav a[aria-current] { background: var(--strong); color: var(--on-strong); }
header.top .who { color: var(--muted); }
:root[data-theme=dark] .to-dark, :root:not([data-theme=dark]) .to-light { display: none; }
main.q-page { min-height: 0 !important; }
.content { max-width: 1400px; margin: 0 auto; padding: 1.25rem 1.5rem 3rem; }
h1 { font-size: 1.45rem; line-height: 1.25; font-weight: 650; margin: 0 0 .9rem; overflow-wrap: anywhere; }
h2 { font-size: 1.08rem; line-height: 1.3; font-weight: 650; margin: 1.9rem 0 .6rem; }
p { margin: 0 0 .75rem; } p.muted, .muted { color: var(--muted); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: .75rem; margin: 0; }
.tile { border: 1px solid var(--line); border-radius: 8px; padding: .65rem .9rem; display: flex;
  flex-direction: column-reverse; justify-content: flex-end; }
.tile dt { color: var(--muted); font-size: .85rem; } .tile dd { margin: 0; font-size: 1.5rem; font-weight: 650;
  line-height: 1.25; font-variant-numeric: tabular-nums; } .tile.bad dd { color: var(--red); }
.scroll { overflow-x: auto; margin-bottom: .6rem; }
table.rows { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
table.rows th, table.rows td { text-align: left; padding: .42rem .7rem; border-bottom: 1px solid var(--line);
  vertical-align: top; }
table.rows th { color: var(--muted); font-weight: 600; font-size: .87rem; white-space: nowrap; }
table.rows td.number, table.rows th.number { text-align: right; white-space: nowrap; }
table.rows td.time { white-space: nowrap; } table.rows td.key, table.rows td.text { overflow-wrap: anywhere; }
table.rows td.key { min-width: 9rem; } table.rows td.finding { min-width: 23rem; }
table.rows td.text { min-width: 13rem; color: var(--muted); }
table.rows tbody tr:hover { background: var(--soft); }
.badge { display: inline-block; padding: .05rem .55rem; border-radius: 999px; font-size: .83rem; font-weight: 600;
  border: 1px solid currentColor; white-space: nowrap; }
.badge.anomaly, .badge.undecided { color: var(--red); } .badge.drift { color: var(--violet); }
.badge.missing { color: var(--amber); } .badge.unusual { color: var(--teal); }
.badge.open { color: #fff; background: var(--alarm); border-color: var(--alarm); }
.badge.acknowledged, .badge.snoozed { color: var(--amber); } .badge.closed { color: var(--muted); }
button.act, .actlink { font: inherit; color: var(--ink); background: var(--ground); border: 1px solid var(--edge);
  border-radius: 6px; padding: .25rem .75rem; cursor: pointer; text-decoration: none; display: inline-block; }
button.act:hover, .actlink:hover { background: var(--hover); }
button.main { background: var(--strong); color: var(--on-strong); border-color: var(--strong); }
button.main:hover { background: var(--stronger); }
button.act:disabled { color: var(--off); border-color: var(--line); cursor: default; background: var(--soft); }
.bar { display: flex; flex-wrap: wrap; gap: .5rem .75rem; align-items: end; margin: 0 0 1rem; }
.bar.middle { align-items: center; }
.field { display: flex; flex-direction: column; gap: .1rem; } .field label { color: var(--muted); font-size: .85rem; }
.field input, .field select, .field textarea { font: inherit; color: var(--ink); background: var(--ground);
  padding: .25rem .5rem; border: 1px solid var(--edge); border-radius: 6px; min-height: 2.05rem; }
input[type=checkbox] { width: 1.05rem; height: 1.05rem; accent-color: var(--strong); }
dl.facts { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.25rem; margin: 0; }
dl.facts dt { color: var(--muted); } dl.facts dd { margin: 0; overflow-wrap: anywhere; }
pre { background: var(--soft); border: 1px solid var(--line); border-radius: 8px; padding: .75rem; overflow: auto;
  font: 13px/1.45 ui-monospace, Menlo, Consolas, monospace; margin: 0; max-height: 30rem; }
.chart { width: 100%; height: 340px; } .chart.low { height: 200px; }
.meter { display: block; width: 100%; min-width: 6rem; height: .5rem; border-radius: 4px; background: var(--track);
  overflow: hidden; margin-top: .45rem; } .meter > span { display: block; height: 100%; background: var(--strong); }
.note { border-left: 4px solid var(--link); background: var(--soft); padding: .5rem .9rem; margin: 0 0 1rem; }
.empty { color: var(--muted); padding: .75rem 0; }
.sr { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.two { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); gap: 0 2.5rem; }
td .bar { margin: .5rem 0 .25rem; gap: .4rem; } td > .bar:first-child { margin: 0; flex-wrap: nowrap; }
td button.act { font-size: .87rem; padding: .15rem .55rem; white-space: nowrap; }
@media (max-width: 700px) { header.top nav { order: 3; flex-basis: 100%; } header.top .who { margin-left: auto; } }
@media (max-width: 900px) { .two { grid-template-columns: minmax(0, 1fr); } .content { padding: 1rem; } }
@media (prefers-reduced-motion: reduce) { * { transition: none !important; animation: none !important; } }
"""

COLOURS: Final = {
    "anomaly": "#cf222e",
    "undecided": "#e08600",
    "drift": "#6f42c1",
    "missing": "#9a6700",
    "unusual": "#0a7a7a",
}

__all__ = ["COLOURS", "SHEET"]
