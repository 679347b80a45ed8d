"""The report on a fitted detector: one page that says how good it is, whether the graph helped, and whom to look at."""

from __future__ import annotations

import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, final

from marigram.graph.data import Graph
from marigram.graph.fidelity.fidelity import Fidelity
from marigram.graph.report.drawing import name_of
from marigram.graph.report.findings import Findings, findings_of
from marigram.graph.report.model import Fitted, Told
from marigram.graph.report.page import page_of


@final
class Report:
    """What there is to say of a fitted detector on a graph.

    Parameters
    ----------
    data
        The graph; figures are those of the test nodes of the split that it shows, or of the validation nodes when
        there is no test part. Without labels and a split the report has data and highest scores alone.
    model
        A fitted :class:`NodeDetector`.
    title
        The line above.
    top
        How many of the highest scores are told of, 0 to 50, among nodes that the model was not fitted to.
    seed
        Of the bootstrap.
    fidelity
        What to say of synthetic nodes.

    Raises
    ------
    ParameterError
        ``top`` is out of its range, or the graph has no nodes of the type that the model scores.
    """

    def __init__(
        self,
        data: Graph,
        model: Fitted,
        *,
        title: str = "Report on a graph",
        top: int = 6,
        seed: int = 0,
        fidelity: Fidelity | None = None,
    ) -> None:
        self._findings = replace(findings_of(data, model, top=top, seed=seed), fidelity=fidelity)
        self._title = title

    @property
    def html(self) -> str:
        """The page; it holds its pictures, makes no request and runs no script."""
        return page_of(self._findings, self._title)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the page."""
        Path(path).write_text(self.html, encoding="utf-8")

    def as_dict(self) -> dict[str, Any]:
        """Return the figures, warnings and highest scores as plain numbers and text, ready for JSON; None for NaN."""
        told: dict[str, Any] = _plain(_told(self._findings))
        return told

    def _repr_html_(self) -> str:
        return self.html


def _told(findings: Findings) -> dict[str, Any]:
    model, held = findings.model, findings.held
    told: dict[str, Any] = {
        "verdict": model.verdict, "reason": model.reason, "kind": model.kind, "chosen": model.chosen,
        "uses_graph": bool(model.uses_graph), "node_type": findings.node_type,
        "leaks": None if findings.leaks is None else [asdict(leak) for leak in findings.leaks],
        "figures": None,
        "top": [
            {"node": name_of(findings.graph, top.node), "score": top.score, "neighbours": top.ego.neighbours,
             "features": [list(row) for row in top.told.features]}
            for top in findings.tops
        ],
    }  # fmt: skip
    added = getattr(model, "augmentation", None)
    told["augmentation"] = None if added is None else added.as_dict()
    told["fidelity"] = None if findings.fidelity is None else findings.fidelity.as_dict()
    if held is not None:
        told["figures"] = {
            "part": held.part.name.lower(), "nodes": len(held.truth), "anomalous": int(held.truth.sum()),
            "rows": {
                row.which: {name: list(getattr(row, name)) for name in ("auc", "ap", "recall")} for row in held.rows
            },
            "gain_ap": None if held.gain is None else list(held.gain), "expected_anomalous": held.expected,
            "budgets": [list(pair) for pair in held.budgets], "resamples": held.resamples,
        }  # fmt: skip
    return told


def _plain(value: Any) -> Any:
    """NumPy's numbers as Python's, and NaN, which JSON does not have, as None."""
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and value != value else value


__all__ = ["Fitted", "Report", "Told"]
