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
