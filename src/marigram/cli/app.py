"""The entry point: names the commands; everything else is in their own files."""

from __future__ import annotations

from typing import Annotated, ClassVar

import typer

from marigram.cli._lazy import Entry, LazyGroup


class _Commands(LazyGroup):
    entries: ClassVar = {
        "watch": Entry("marigram.cli.watch:app", "Judge a stream: a file, many files, or stdin (-)."),
        "replay": Entry("marigram.cli.replay:app", "Judge past files again; compare two configurations."),
        "serve": Entry(
            "marigram.cli.serve:app", "Take events over HTTP, keep them, judge them, tell people."
        ),
        "send": Entry("marigram.cli.send:app", "Send files, or what comes, to a service."),
        "audit": Entry("marigram.cli.audit:app", "Who did what to a service; whether the record is whole."),
        "token": Entry("marigram.cli.token:app", "Make, list and end tokens of a service."),
        "mcp": Entry("marigram.cli.mcp:app", "Let an assistant ask a service; read-only."),
        "demo": Entry("marigram.cli.demo:app", "Watch real data that ships with marigram, and draw it."),
        "schema": Entry("marigram.cli.schema:app", "Show how the columns of a source are read."),
        "graph": Entry("marigram.cli.graph:app", "Learn from events as nodes and edges, with a few labels."),
        "loop": Entry(
            "marigram.cli.loop:app", "Learn from what people say of alerts, and tell them with context."
        ),
        "datasets": Entry("marigram.cli.datasets:app", "List the data that ships with marigram."),
        "bench": Entry("marigram.cli.bench:app", "Measure: the NAB benchmark, and speed beside the peers."),
        "doctor": Entry("marigram.cli.doctor:app", "Check that this installation works."),
    }


def _version(asked: bool) -> None:
    if asked:
        from marigram import __version__

        typer.echo(f"marigram {__version__}")
        raise typer.Exit()


app = typer.Typer(
    cls=_Commands,
    rich_markup_mode=None,  # plain help: rich's costs a tenth of a second at every --help
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(
    epilog="Exit codes: 0 done; 1 found what --fail-on asks for; 2 usage; 3 bad input; 130 interrupted.",
)
def _marigram(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Tells anomalies from drift in streams of events, with the range that was expected."""


__all__ = ["app"]
