"""`marigram loop`: events, alerts and people's words in; a graph detector and its context out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from marigram.cli import _options as o

app = o.command("loop")


@app.command()
def loop(
    state: Annotated[
        Path,
        typer.Option(
            "--state", metavar="DIR", help="Where it is kept: the service's folder, or one of its own."
        ),
    ],
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="EVENTS", show_default=False, help="Files of events (Parquet, CSV, JSON lines, logs)."
        ),
    ] = None,
    preset: Annotated[
        str | None, typer.Option("--preset", help="What the events are, such as cloudtrail.")
    ] = None,
    schema: Annotated[
        Path | None,
        typer.Option("--schema", metavar="TOML", help="Which column is what, instead of a preset."),
    ] = None,
    every: Annotated[
        str | None,
        typer.Option("--every", metavar="DURATION", help="Go on until stopped, a round every so often."),
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(
            "--label", metavar="SUBJECT=WORD", help="case:3=true, event:ID=false, entity:TYPE/NAME=expected."
        ),
    ] = None,
    by: Annotated[str, typer.Option("--by", help="Who says so.")] = "local",
    queue: Annotated[int, typer.Option("--queue", min=0, help="How many questions to ask.")] = 5,
    cases: Annotated[int, typer.Option("--cases", min=0, help="How many alerts to tell.")] = 10,
    roll_back: Annotated[
        bool, typer.Option("--roll-back", help="Use the version before, and do nothing else.")
    ] = False,
    json: o.Json = False,
) -> None:
    """Take in events, learn from labels, tell alerts with their context, and ask what would teach most.

    With no label the score is that of the streams. A refit that does worse on held-out labels is not used.
    """
    from marigram.cli._loop import Round, rolled_back
    from marigram.cli._values import duration

    if roll_back:
        rolled_back(state, json=json)
        return
    work = Round(state, sources or [], preset, schema, label or [], by, queue, cases, json)
    if every is None:
        work.once()
    else:
        raise typer.Exit(work.go_on(duration(every, "--every") / 1e9))
