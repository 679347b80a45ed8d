"""`marigram schema`: which column of a source is taken for what, as TOML to keep and give back."""

from __future__ import annotations

import typer

from marigram.cli import _options as o

app = o.command("schema")


@app.command()
def schema(
    sources: o.Sources,
    known: o.SchemaFile = None,
    time: o.TimeColumn = None,
    key: o.KeyColumns = None,
    value: o.ValueColumns = None,
    id: o.IdColumn = None,  # noqa: A002 - the option is called so
    tz: o.Timezone = None,
    format: o.Format = None,  # noqa: A002 - the option is called so
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> None:
    """Print how the columns of a source are read, as TOML for --schema; the reasons go to standard error.

    What is said with flags or --schema is checked against the source, the rest is inferred from its first rows.
    """
    from marigram.cli._columns import opened, schema_of
    from marigram.cli._errors import say

    columns = {"time": time, "key": key, "values": value, "id": id, "tz": tz, "format": format}
    source = opened(sources, schema_of(known, columns))
    source.close()
    if not quiet:
        for reason in source.reasons:
            say(reason)
    if json:
        import msgspec

        typer.echo(msgspec.json.encode(source.schema.to_mapping()))
    else:
        typer.echo(source.schema.to_toml(), nl=False)
