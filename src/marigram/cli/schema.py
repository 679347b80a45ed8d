"""`marigram schema`: which column of a source is taken for what, as TOML to keep and give back.

Of one number tracked for one key (what `watch` reads), or with `infer` and `check` of what happened between whom, from
which come the streams of entities and the graph.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from marigram.cli import _options as o

if TYPE_CHECKING:
    import pyarrow as pa

_OWN_HELP = ("--help", "-h")


class _KeysUnlessSaid(TyperGroup):
    """`marigram schema FILE` is short for `marigram schema keys FILE`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put in what is left out."""
        if args and args[0] not in self.commands and args[0] not in _OWN_HELP:
            args = ["keys", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    name="schema",
    cls=_KeysUnlessSaid,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
)


@app.callback()
def _schema() -> None:
    """Show how the columns of a source are read. `marigram schema FILE` is short for `marigram schema keys FILE`."""


@app.command()
def keys(
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


Events = Annotated[
    Path, typer.Argument(metavar="EVENTS", help="Parquet, Arrow, CSV or JSON lines; gzip too.")
]


@app.command()
def infer(
    events: Events,
    preset: Annotated[
        str | None, typer.Option("--preset", metavar="NAME", help="Begin with a preset, as `watch` has it.")
    ] = None,
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> None:
    """Print which columns of events are time, entities, attributes, numbers and text, as TOML; reasons on stderr."""
    from marigram.cli._errors import say
    from marigram.events import EntitySchema

    if preset is not None:
        from marigram.bridge.presets import preset as named
        from marigram.bridge.readers import open_events

        found = named(preset)
        schema = found.fitted(next(open_events([str(events)], found)).table)
        reasons = [f"{column}: left out: {why}" for column, why in schema.left_out.items()]
    else:
        schema, reasons = EntitySchema.infer(_table(events))
    for reason in () if quiet else reasons:
        say(reason)
    if json:
        import msgspec

        typer.echo(msgspec.json.encode(schema.to_mapping()))
    else:
        typer.echo(schema.to_toml(), nl=False)


@app.command()
def check(
    events: Events,
    schema: Annotated[
        Path, typer.Option("--schema", metavar="FILE", help="TOML, as `marigram schema infer` prints it.")
    ],
    quiet: o.Quiet = False,
) -> None:
    """Make sure that a schema fits a table of events; say what of the table is not read, and what it would become.

    Exit code 3 when a column is absent or of a type that it may not have.
    """
    from marigram.bridge import graph_of
    from marigram.bridge.streams.settings import streams_of
    from marigram.cli._errors import say
    from marigram.events import EntitySchema

    known, table = EntitySchema.from_toml(schema), _table(events)
    for notice in known.check(table):
        if not quiet:
            say(notice)
    streams = ", ".join(stream.name for stream in streams_of(known, True))
    typer.echo(f"streams: {streams}\ngraph: {graph_of(table, known)}")


def _table(path: Path) -> pa.Table:
    from marigram.graph.data.frames import read_table

    return read_table(path)
