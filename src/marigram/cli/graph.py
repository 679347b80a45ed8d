"""`marigram graph`: names its commands; each is in its own file, and imported when it is asked for."""

from __future__ import annotations

from typing import ClassVar

import typer

from marigram.cli._lazy import Entry, LazyGroup


class _GraphCommands(LazyGroup):
    entries: ClassVar = {
        "build": Entry(
            "marigram.cli.graph_build:app", "Make a graph from rows of events, or from a public file."
        ),
        "fit": Entry("marigram.cli.graph_fit:app", "Learn a detector, and say whether the graph helped."),
        "synth": Entry(
            "marigram.cli.graph_synth:app", "Draw synthetic nodes of a class, joined to the real ones."
        ),
        "score": Entry("marigram.cli.graph_score:app", "Score every node with a fitted detector."),
        "report": Entry(
            "marigram.cli.graph_report:app", "Write a page on a fitted detector and its highest scores."
        ),
        "bench": Entry("marigram.cli.graph_bench:app", "Measure detectors and rivals on labelled graphs."),
    }


app = typer.Typer(
    name="graph",
    cls=_GraphCommands,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
)


@app.callback()
def _graph() -> None:
    """Learn from events as nodes and edges, with a few labels."""


__all__ = ["app"]
