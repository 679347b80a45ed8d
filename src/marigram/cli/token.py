"""`marigram token`: who may use the service of a folder."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from marigram.cli import _options as o

app = o.command("token")
State = Annotated[
    Path, typer.Option("--state", metavar="DIR", help="Folder of the service, which may be running.")
]


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="By which the audit names it.")],
    state: State,
    scope: Annotated[str, typer.Option("--scope", help="ingest, read, operate or admin.")] = "admin",
    tenant: Annotated[str, typer.Option("--tenant", help="Whose data it opens.")] = "",
    days: Annotated[float | None, typer.Option("--days", help="Until it expires.")] = None,
) -> None:
    """Make a token and print it, the only time that it can be seen."""
    from marigram.service import tokens

    def make(connection: Any, now: int) -> str:
        return tokens.create(connection, now, name, scope, tenant, days)

    typer.echo(_change(state, "token.create", {"name": name, "scope": scope, "tenant": tenant}, make))


@app.command("list")
def list_(state: State) -> None:
    """List the tokens; not their texts, which are nowhere."""
    import msgspec

    from marigram.service import tokens
    from marigram.store.database import FILE, open_reader

    connection = open_reader(state / FILE)
    for token in tokens.listed(connection):
        typer.echo(msgspec.json.encode(token))
    connection.close()


@app.command()
def revoke(number: Annotated[int, typer.Argument(help="Its id, as `list` shows it.")], state: State) -> None:
    """End a token."""
    from marigram.errors import ParameterError
    from marigram.service import tokens

    def end(connection: Any, now: int) -> str:
        if not tokens.revoke(connection, now, number):
            raise ParameterError(f"no token {number} is valid")
        return f"token {number} opens nothing any more"

    typer.echo(_change(state, "token.revoke", {"id": number}, end))


def _change(state: Path, action: str, detail: dict[str, Any], work: Any) -> str:
    """Do something to the tokens, and write it down."""
    from marigram.store import audit
    from marigram.store.database import FILE, open_writer

    state.mkdir(parents=True, exist_ok=True)
    connection = open_writer(state / FILE)
    now = time.time_ns()
    try:
        connection.execute("BEGIN IMMEDIATE")
        told: str = work(connection, now)
        audit.record(connection, now, f"local uid {os.getuid()}", action, detail)
        connection.execute("COMMIT")
        return told
    finally:
        connection.close()


__all__ = ["app"]
