"""`marigram mcp`: let an assistant ask a service why an alert fired."""

from __future__ import annotations

from typing import Annotated

import typer

from marigram.cli import _options as o

app = o.command("mcp")


@app.command()
def mcp(
    url: Annotated[str, typer.Option("--url", help="Of the service.")] = "http://127.0.0.1:8765",
) -> None:
    """Speak the Model Context Protocol on standard input and output; read-only.

    The token, of scope read, is in MARIGRAM_TOKEN.
    """
    import os
    import sys

    from marigram.service.client import Client
    from marigram.service.mcp import Server

    with Client(url, os.environ.get("MARIGRAM_TOKEN"), attempts=2) as client:
        Server(client).serve(sys.stdin.buffer, sys.stdout.buffer)


__all__ = ["app"]
