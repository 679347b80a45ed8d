"""The options that several commands share, each with its help in one place."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Told(StrEnum):
    """Which verdicts are told to people."""

    NOTICES = "notices"
    ALL = "all"


class Engine(StrEnum):
    """Where a stream is judged."""

    EMBEDDED = "embedded"
    SPARK = "spark"


class FailOn(StrEnum):
    """What makes a finished run exit with 1."""

    ANOMALY = "anomaly"
    DRIFT = "drift"
    REJECT = "reject"


def command(name: str) -> typer.Typer:
    """An application of one command, or of a few, that `LazyGroup` mounts as `name`."""
    return typer.Typer(
        name=name,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        no_args_is_help=True,
    )


Sources = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE",
        show_default=False,
        help="Files (CSV, JSON lines, Parquet, Arrow IPC; also .gz and .zst), or - for stdin.",
    ),
]
SchemaFile = Annotated[
    Path | None,
    typer.Option("--schema", metavar="TOML", help="Which column is what, as `marigram schema` prints it."),
]
TimeColumn = Annotated[
    str | None, typer.Option("--time", metavar="COLUMN", help="Column that holds the time.")
]
KeyColumns = Annotated[
    list[str] | None,
    typer.Option("--key", metavar="COLUMN", help="Column that names the entity; several are joined."),
]
ValueColumns = Annotated[
    list[str] | None,
    typer.Option("--value", metavar="COLUMN", help="Column to watch; several are watched together."),
]
IdColumn = Annotated[
    str | None, typer.Option("--id", metavar="COLUMN", help="Column with the event's own id.")
]
Timezone = Annotated[
    str | None,
    typer.Option("--tz", metavar="ZONE", help="Time zone of times that name none, e.g. Europe/Vienna."),
]
Format = Annotated[
    str | None,
    typer.Option("--format", metavar="NAME", help="csv, jsonl, parquet or arrow, when the name hides it."),
]
Lateness = Annotated[
    str | None,
    typer.Option(
        "--lateness", metavar="DURATION", help="Wait this long (30s, 5m) for late events and sort them in."
    ),
]
Rejects = Annotated[
    Path | None,
    typer.Option("--rejects", metavar="FILE", help="Write every line that could not be read there."),
]
Strict = Annotated[bool, typer.Option("--strict", help="Stop at the first line that cannot be read.")]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out", "-o", metavar="FILE", help="Write the verdict of every event: .jsonl, .csv or .parquet."
    ),
]
Plot = Annotated[
    Path | None, typer.Option("--plot", metavar="FILE", help="Draw the gravest keys: .html, .svg or .png.")
]
Alpha = Annotated[
    float | None,
    typer.Option(
        "--alpha",
        metavar="P",
        help="Promised probability of calling a normal event an anomaly.  [default: 0.001]",
    ),
]
Config = Annotated[
    Path | None,
    typer.Option("--config", metavar="TOML", help="Parameters of the detector, under [detector]."),
]
Threads = Annotated[int, typer.Option("--threads", min=1, metavar="N", help="Threads that judge.")]
Memory = Annotated[
    str | None,
    typer.Option(
        "--memory", metavar="SIZE", help="Cap on the keys in memory (512MB); the rest wait on disk."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="JSON on a terminal, too.")]
Tell = Annotated[
    Told,
    typer.Option("--alerts", help="Tell notices (one an episode) and drifts, or all anomalies and drifts."),
]
All = Annotated[bool, typer.Option("--all", help="Print the verdict of every event rather than alerts.")]
Fail = Annotated[
    list[FailOn] | None,
    typer.Option(
        "--fail-on",
        metavar="WHAT",
        help="anomaly, drift or reject: exit with 1 when such an alert was told or a line rejected; may be repeated.",
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Only alerts and errors.")]

__all__ = [
    "All",
    "Alpha",
    "Config",
    "Engine",
    "Fail",
    "FailOn",
    "Format",
    "IdColumn",
    "Json",
    "KeyColumns",
    "Lateness",
    "Memory",
    "Out",
    "Plot",
    "Quiet",
    "Rejects",
    "SchemaFile",
    "Sources",
    "Strict",
    "Tell",
    "Threads",
    "TimeColumn",
    "Timezone",
    "Told",
    "ValueColumns",
    "command",
]
