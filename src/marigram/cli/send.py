"""`marigram send`: what `watch` would read, sent to a service instead."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Any

import typer

from marigram.cli import _options as o

app = o.command("send")
_TOLD = 10
"""Lines that the service rejects which are printed."""


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
    from marigram.cli._errors import ExitCode
    from marigram.errors import ParameterError
    from marigram.events import Reject, open_rejects
    from marigram.events.source import Source
    from marigram.service.client import Client

    columns = {"time": time, "key": key, "values": value, "id": id, "tz": tz, "format": format}
    source = opened(sources, schema_of(schema, columns), follow=follow, batch_rows=batch)
    if not isinstance(source, Source):
        raise ParameterError("send reads files; a topic is read by the service itself, see [[kafka]]")
    aside = None if rejects is None else open_rejects(rejects)
    totals, told = {"accepted": 0, "duplicate": 0, "rejected": 0}, 0
    with source, Client(url, os.environ.get("MARIGRAM_TOKEN"), batch=batch) as client:
        for part in source:
            totals["rejected"] += len(part.rejects)
            if aside is not None:
                aside.write(part.rejects)
            if not len(part):
                continue
            table = _table(part, source.schema)
            answer = client.post_stream(_stream(table), _name(part.offset, table))
            refused = [
                Reject(url, 0, one.reason, msgspec.json.encode(table.slice(one.line - 1, 1).to_pylist()[0]))
                for one in answer.rejected
            ]
            for one in refused[: max(0, _TOLD - told)]:
                typer.echo(f"the service rejects {one.raw.decode()}: {one.reason}", err=True)
            told += len(refused)
            if aside is not None:
                aside.write(refused)
            totals["accepted"] += answer.accepted
            totals["duplicate"] += answer.duplicate
            totals["rejected"] += len(refused)
    if told > _TOLD:
        typer.echo(f"and {told - _TOLD:,} more; --rejects FILE has all", err=True)
    if aside is not None:
        aside.close()
    if json or not sys.stdout.isatty():
        typer.echo(msgspec.json.encode(totals))
    else:
        typer.echo(", ".join(f"{count:,} {name}" for name, count in totals.items()))
    if totals["rejected"] and not totals["accepted"] + totals["duplicate"]:
        typer.echo("marigram: no line was accepted", err=True)
        raise typer.Exit(ExitCode.BAD_INPUT)


def _table(batch: Any, schema: Any) -> Any:
    """Return the events of a batch as columns under their names."""
    import pyarrow as pa

    from marigram.events.times import FIRST

    columns: dict[str, Any] = {}
    if schema.time:
        missing = batch.times < FIRST
        columns[schema.time] = pa.array(batch.times, pa.timestamp("ns", "UTC"), mask=missing)
    if schema.key:
        columns[schema.key[0] if len(schema.key) == 1 else "key"] = pa.array(batch.keys, pa.string())
    if schema.id:
        columns[schema.id] = pa.array(batch.ids, pa.string())
    values = batch.values[:, None] if batch.values.ndim == 1 else batch.values
    for name, column in zip(schema.values, values.T, strict=True):
        columns[name] = pa.array(column, pa.float64(), from_pandas=True)  # NaN is missing
    return pa.table(columns)


def _stream(table: Any) -> bytes:
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _name(offset: Any, table: Any) -> str:
    """Return the name of a batch: the same for the same events at the same place of the same source."""
    import msgspec

    place = f"{Path(offset['path']).name}:{offset['position']}:{offset['line']}"
    known = hashlib.blake2b(place.encode(), digest_size=20)
    for name, column in zip(table.column_names, table.columns, strict=True):
        plain = column.cast("int64") if str(column.type).startswith("timestamp") else column
        known.update(msgspec.json.encode([name, plain.to_pylist()]))
    return f"send-{known.hexdigest()}"


__all__ = ["app"]
