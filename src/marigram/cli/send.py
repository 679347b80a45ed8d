"""`marigram send`: what `watch` would read, sent to a service instead."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Any

import typer

from marigram.cli import _options as o

app = o.command("send")


@app.command()
def send(
    sources: o.Sources,
    url: Annotated[str, typer.Option("--url", help="Of the service.")] = "http://127.0.0.1:8765",
    schema: o.SchemaFile = None,
    time: o.TimeColumn = None,
    key: o.KeyColumns = None,
    value: o.ValueColumns = None,
    id: o.IdColumn = None,  # noqa: A002 - the option is called so
    tz: o.Timezone = None,
    format: o.Format = None,  # noqa: A002 - the option is called so
    follow: Annotated[
        bool,
        typer.Option("--follow", "-f", help="At the end of the last file wait for more, as tail -F does."),
    ] = False,
    rejects: o.Rejects = None,
    batch: Annotated[int, typer.Option("--batch", min=1, max=50_000, help="Events of a request.")] = 1000,
    json: o.Json = False,
) -> None:
    """Send events to `marigram serve`; the token, if it needs one, is in MARIGRAM_TOKEN.

    A file that is sent again is not counted again.
    """
    import os
    import sys

    import msgspec

    from marigram.cli._columns import opened, schema_of
    from marigram.errors import ParameterError
    from marigram.events import open_rejects
    from marigram.events.source import Source
    from marigram.service.client import Client

    columns = {"time": time, "key": key, "values": value, "id": id, "tz": tz, "format": format}
    source = opened(sources, schema_of(schema, columns), follow=follow, batch_rows=batch)
    if not isinstance(source, Source):
        raise ParameterError("send reads files; a topic is read by the service itself, see [[kafka]]")
    aside = None if rejects is None else open_rejects(rejects)
    totals = {"accepted": 0, "duplicate": 0, "rejected": 0}
    with source, Client(url, os.environ.get("MARIGRAM_TOKEN"), batch=batch) as client:
        for part in source:
            totals["rejected"] += len(part.rejects)
            if aside is not None:
                aside.write(part.rejects)
            if not len(part):
                continue
            lines = _lines(part, source.schema)
            answer = client.post(lines, _name(part.offset, lines))
            totals["accepted"] += answer.accepted
            totals["duplicate"] += answer.duplicate
            totals["rejected"] += len(answer.rejected)
            for one in answer.rejected:
                typer.echo(f"the service rejects {lines[one.line - 1].decode()}: {one.reason}", err=True)
    if aside is not None:
        aside.close()
    if json or not sys.stdout.isatty():
        typer.echo(msgspec.json.encode(totals))
    else:
        typer.echo(", ".join(f"{count:,} {name}" for name, count in totals.items()))


def _lines(batch: Any, schema: Any) -> list[bytes]:
    """Return the events of a batch as JSON lines, under the names of their columns."""
    import msgspec
    import numpy as np

    columns: dict[str, list[Any]] = {}
    if schema.time:
        stamps = np.datetime_as_string(batch.times.view("datetime64[ns]"), unit="ns")
        columns[schema.time] = [f"{stamp}Z" for stamp in stamps.tolist()]
    if schema.key:
        columns[schema.key[0] if len(schema.key) == 1 else "key"] = batch.keys.tolist()
    if schema.id:
        columns[schema.id] = batch.ids.tolist()
    values = batch.values[:, None] if batch.values.ndim == 1 else batch.values
    for name, column in zip(schema.values, values.T, strict=True):
        columns[name] = [None if x != x else x for x in column.tolist()]
    return [
        msgspec.json.encode(dict(zip(columns, row, strict=True)))
        for row in zip(*columns.values(), strict=True)
    ]


def _name(offset: Any, lines: list[bytes]) -> str:
    """Return the name of a batch: the same for the same lines at the same place of the same source."""
    place = f"{Path(offset['path']).name}:{offset['position']}:{offset['line']}".encode()
    return "send-" + hashlib.blake2b(place + b"\0" + b"\n".join(lines), digest_size=20).hexdigest()


__all__ = ["app"]
