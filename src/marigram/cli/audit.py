"""`marigram audit`: who did what to a service, and whether anybody touched the record of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from marigram.cli import _options as o

app = o.command("audit")
State = Annotated[
    Path, typer.Option("--state", metavar="DIR", help="Folder of the service, which may be running.")
]


@app.command()
def verify(
    state: State,
    head: Annotated[
        str | None,
        typer.Option("--head", help="The end of the chain as it was noted earlier: must be part of it."),
    ] = None,
) -> None:
    """Walk the chain of the audit log; exit 3 when a row was changed, removed or put in."""
    from marigram.errors import SnapshotError
    from marigram.store import audit
    from marigram.store.database import FILE, open_reader

    connection = open_reader(state / FILE)
    try:
        found, wrong = audit.verify(connection, head)
    finally:
        connection.close()
    if wrong is not None:
        raise SnapshotError(f"the audit log was tampered with: {wrong}")
    typer.echo(f"{found.rows} rows, whole; head {found}")


@app.command("list")
def list_(
    state: State, last: Annotated[int, typer.Option("--last", min=1, help="So many rows.")] = 50
) -> None:
    """Print the newest rows, one JSON object each, the oldest first."""
    import msgspec

    from marigram.store.database import FILE, open_reader

    connection = open_reader(state / FILE)
    names = ("id", "at", "actor", "action", "detail")
    rows = connection.execute(
        "SELECT id, at, actor, action, detail FROM audit ORDER BY id DESC LIMIT ?", (last,)
    )
    for row in reversed(rows.fetchall()):
        told = dict(zip(names, row, strict=True))
        typer.echo(msgspec.json.encode({**told, "detail": msgspec.Raw(str(told["detail"]).encode())}))
    connection.close()


__all__ = ["app"]
