"""`marigram datasets`: the data that ships with the package."""

from __future__ import annotations

import typer

from marigram.cli._options import Json, command

app = command("datasets")


@app.command()
def datasets(json: Json = False) -> None:
    """List the series that ship with marigram, with their origin, licence and file."""
    from dataclasses import asdict

    import msgspec

    from marigram import datasets as shipped

    for name in shipped.names():
        about = shipped.info(name)
        if json:
            typer.echo(msgspec.json.encode(asdict(about) | {"path": str(shipped.path(name))}))
        else:
            typer.echo(f"{name}: {about.about}\n  {about.rows:,} rows, {about.origin}, {about.licence}")
            typer.echo(f"  {shipped.path(name)}")
