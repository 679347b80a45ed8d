"""`marigram demo`: the main job on real data that ships, through the same code as `watch` and `loop`."""

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
    state: Annotated[
        Path | None,
        typer.Option("--state", metavar="DIR", help="Where the loop is kept; normally a new folder."),
    ] = None,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Of the page; 0 takes a free one.")
    ] = 8765,
    page: Annotated[
        bool | None,
        typer.Option(
            "--page/--no-page",
            help="Show the page until stopped, in a browser; normally where a person is at the terminal.",
        ),
    ] = None,
    json: o.Json = False,
) -> None:
    """Watch real series, then go from the first event of a real log to a trained graph detector, and show the page."""
    from marigram.cli._demo import Story, series
    from marigram.cli._errors import say

    code = series(out, json=json)
    typer.echo(f"The picture is in {out.absolute()}", err=json)
    if code not in (0, None):
        raise typer.Exit(code)
    story = Story(state, quiet=json)
    story.tell()
    import sys

    person = sys.stdin.isatty() and sys.stdout.isatty()
    if person if page is None else page:
        story.show(port, browser=person)
    else:
        say(f"the page: marigram serve --state {story.state} (needs the extra [serve])")
