"""`marigram demo`: the main job on real data that ships with the package, through the same code as `watch`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from marigram.cli import _options as o

app = o.command("demo")


@app.command()
def demo(
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help="Where to draw: .html, .svg or .png.")
    ] = Path("marigram-demo.html"),
    json: o.Json = False,
) -> None:
    """Watch three real series that ship with marigram, print their alerts, and draw them."""
    from marigram import datasets
    from marigram.cli._config import detector_of
    from marigram.cli._errors import say
    from marigram.cli._pipeline import Job
    from marigram.cli._run import Show, watch_job
    from marigram.events import Schema

    names = datasets.names()
    for name in names:
        say(f"{name}: {datasets.info(name).about}")
    schema = Schema(time="time", time_unit="iso", key=("key",), values=("value",), id="")
    sources = [str(datasets.path(name)) for name in names]
    job = Job(sources=sources, schema=schema, detector=detector_of(None, None))
    show = Show(json=json, human=not json, plot=out, title="marigram demo")
    code = watch_job(job, show)
    typer.echo(f"The picture is in {out.absolute()}", err=json)
    raise typer.Exit(code)
