"""A report as one HTML page: it holds its pictures, asks nobody for anything and runs nothing."""

from __future__ import annotations

from importlib.metadata import version

import numpy as np

from marigram.evaluate.metrics import precision_recall
from marigram.graph.data import Graph, NodeTable, Part
from marigram.graph.data.tables import EdgeTable
from marigram.graph.report import html
from marigram.graph.report.drawing import Curve, draw_curves
from marigram.graph.report.findings import Findings, Held
from marigram.graph.report.html import text
from marigram.graph.report.model import Fitted
from marigram.graph.report.nodes import nodes_section
from marigram.pictures import style
from marigram.pictures.marks import Scene
from marigram.pictures.svg import svg_of
from marigram.wording import moment

_MOST = 20
_COLOURS = {"best": style.INK, "graph": style.EXPECTED, "control": "#b35900"}


def page_of(findings: Findings, title: str) -> str:
    """Return the page; a policy in it forbids every request and every script."""
    sections = (_verdict(findings), _data(findings), _leaks(findings), _figures(findings), _columns(findings))
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{html.POLICY}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{text(title)}</title>\n'
        f"<style>{html.LOOK}</style>\n</head>\n<body>\n<h1>{text(title)}</h1>\n"
        + "\n".join(sections)
        + ("" if findings.fidelity is None else findings.fidelity.html)
        + f"\n{nodes_section(findings)}\n{_footer(findings)}\n</body>\n</html>\n"
    )


def _verdict(findings: Findings) -> str:
    model = findings.model
    told = {"helps": "The graph helps", "does not help": "The graph does not help"}.get(
        model.verdict, "Too few labels"
    )
    look = {"helps": " helps", "does not help": " hurts"}.get(model.verdict, "")
    used = "graph model" if model.uses_graph else "model without the graph"
    return (
        f'<div class="verdict{look}"><b>{told}.</b> {text(model.reason)}<br>'
        f'<span class="muted">Decided on the validation nodes. Scores come from the {used} '
        f"({text(model.chosen)}).</span></div>" + _added(model)
    )


def _added(model: Fitted) -> str:
    """What came of more training data, where they were asked for."""
    added = getattr(model, "augmentation", None)
    if added is None:
        return ""
    look, told = (
        ("helps", "More training data help") if added.helps else ("hurts", "More training data do not help")
    )
    return f'<div class="verdict {look}"><b>{told}.</b> {text(added.reason)}</div>'


# --- data ------------------------------------------------------------------------------------------------------------


def _data(findings: Findings) -> str:
    graph = findings.graph
    counted = ("rows", "attributes", "missing", "anomalous", "normal", "unknown")
    heads = [("", False), *((name, True) for name in counted), ("times", False)]
    rows = [_about(graph, text(name), table) for name, table in graph.nodes.items()]
    rows += [_about(graph, text(" – ".join(kind)), table) for kind, table in graph.edges.items()]
    parts = _parts(graph.nodes[findings.node_type], graph)
    return f"<h2>Data</h2>\n{html.table('Nodes and edges by type', heads, rows)}{parts}"


def _about(graph: Graph, name: str, table: NodeTable | EdgeTable) -> list[html.Cell]:
    columns, labels = table.attributes, table.labels
    empty = columns.missing.mean() if columns.missing.size else np.nan
    known: list[html.Cell] = [("–", True)] * 3
    if labels is not None:
        known = [html.count((labels == label).sum()) for label in (1, 0, -1)]
    missing = ("–", True) if np.isnan(empty) else html.share(float(empty))
    return [
        (name, False),
        html.count(table.count),
        html.count(columns.width),
        missing,
        *known,
        (_times(graph, table), False),
    ]


def _times(graph: Graph, table: NodeTable | EdgeTable) -> str:
    if table.time is None or not table.count:
        return ""
    low, high = int(table.time.min()), int(table.time.max())
    if graph.time_unit == "ns":
        return f"{moment(low)} to {moment(high)}"
    if graph.time_unit == "s":
        return f"{low / 1e9:,.0f} s to {high / 1e9:,.0f} s"
    return f"{low:,} to {high:,}"


def _parts(table: NodeTable, graph: Graph) -> str:
    if table.labels is None or table.splits is None:
        return "<p>There is no split into train, validation and test, so nothing is measured.</p>"
    heads = [("", False), ("labelled nodes", True), ("anomalous", True), ("share", True)]
    masks = (("train", table.train_mask), ("validation", table.val_mask), ("test", table.test_mask))
    rows = []
    for name, mask in masks:
        labels = table.labels[mask & (table.labels >= 0)]
        rate = html.share(float((labels == 1).mean())) if len(labels) else ("–", True)
        rows.append([(name, False), html.count(len(labels)), html.count((labels == 1).sum()), rate])
    which = f"Split {table.split + 1} of {graph.split_count}" if graph.split_count > 1 else "The split"
    return html.table(which, heads, rows)


def _leaks(findings: Findings) -> str:
    head = "<h2>What may give the label away</h2>\n"
    if findings.leaks is None:
        return f"{head}<p>Not checked: that needs labels and a split.</p>"
    if not findings.leaks:
        return (
            f"{head}<p>Nothing found: no column, time, degree or row order ranks held-out nodes by itself, no twins "
            "across the split, no edges from the future of a split by time.</p>"
        )
    words = {"leak": "Leak", "look": "Look at this"}
    lines = [
        f'<div class="{leak.grade}"><span class="grade">{words[leak.grade]}</span> – {text(leak.reason)}.</div>'
        for leak in findings.leaks[:_MOST]
    ]
    more = f"<p>And {len(findings.leaks) - _MOST:,} more.</p>" if len(findings.leaks) > _MOST else ""
    return head + "\n".join(lines) + more


# --- figures ---------------------------------------------------------------------------------------------------------


def _figures(findings: Findings) -> str:
    head = "<h2>How well held-out nodes are ranked</h2>\n"
    held = findings.held
    if held is None:
        return f"{head}<p>Not measured: no held-out nodes with both labels.</p>"
    total, base = int(held.truth.sum()), float(held.truth.mean())
    heads = [("", False), ("AUC", True), ("AP", True), (f"recall at {total:,}", True)]
    rows = [
        [(row.name, False), *(html.interval(x) for x in (row.auc, row.ap, row.recall))] for row in held.rows
    ]
    if held.gain is not None:
        rows.append(
            [("gain by the graph", False), ("", True), html.interval(held.gain, sign=True), ("", True)]
        )
    rows.append(
        [('<span class="muted">chance</span>', False), ("50.0", True), *([(f"{100 * base:.1f}", True)] * 2)]
    )
    part = "test" if held.part is Part.TEST else "validation"
    caption = (
        f"{len(held.truth):,} {part} nodes, {total:,} of them anomalous; in percent, with 95 % intervals"
    )
    return (
        f"{head}{'' if held.part is Part.TEST else _OPTIMISTIC}{html.table(caption, heads, rows)}"
        f'<div class="side"><div>{svg_of(_curves(held))}</div>{_budgets(held)}</div>'
    )


_OPTIMISTIC = (
    "<p>There is no test part; the model was chosen by these nodes, so the figures are too good.</p>"
)


def _curves(held: Held) -> Scene:
    curves: list[Curve] = []
    for row in held.rows:
        if row.which != "best" or not _same(held):
            curve = precision_recall(held.truth, held.scores[row.which])
            recall = np.append(0.0, curve.recall)
            curves.append(
                (row.name, _COLOURS[row.which], recall, np.append(curve.precision[0], curve.precision))
            )
    return draw_curves(curves, float(held.truth.mean()))


def _same(held: Held) -> bool:
    """Whether the model that scores is one of the two compared, score for score."""
    return any(
        np.array_equal(held.scores["best"], score) for which, score in held.scores.items() if which != "best"
    )


def _budgets(held: Held) -> str:
    heads = [("looking at", True), ("finds", True), ("of these", True)]
    rows = [[html.count(k), html.count(hits), html.share(hits / k)] for k, hits in held.budgets]
    told = (
        f"<p>The probabilities add up to {held.expected:,.0f} anomalous nodes; {held.truth.sum():,} are.</p>"
    )
    return f"<div>{html.table('The highest scores of the model', heads, rows)}{told}</div>"


def _columns(findings: Findings) -> str:
    shares = sorted(findings.model.importances.items(), key=lambda item: -item[1])[:_MOST]
    if not shares:
        return ""
    largest = shares[0][1]
    rows = [[html.words(name), html.share(value), html.bar(value, largest, 220)] for name, value in shares]
    listed = html.table("Share of the gain in the trees", [("", False), ("", True), ("", False)], rows)
    return f"<h2>What the model looks at</h2>\n{listed}"


def _footer(findings: Findings) -> str:
    held = findings.held
    how = (
        f" AUC: DeLong. AP, recall and gain: {held.resamples:,} bootstrap resamples of the nodes within each class."
        " Nodes of one graph depend on each other, so the intervals speak of other nodes of this graph, not of another "
        "graph."
        if held is not None
        else ""
    )
    return (
        f"<footer>marigram {text(version('marigram'))}, detector {text(findings.model.kind)}. <i>The model</i> is "
        "refitted on train and validation nodes after the choice, <i>with</i> and <i>without the graph</i> on train "
        "nodes."
        f"{how}</footer>"
    )


__all__ = ["page_of"]
