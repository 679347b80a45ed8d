"""`marigram replay`: judge past files again, at full speed and always the same; show what other settings would do."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from marigram.cli import _options as o

app = o.command("replay")


@app.command()
def replay(
    sources: o.Sources,
    schema: o.SchemaFile = None,
    time: o.TimeColumn = None,
    key: o.KeyColumns = None,
    value: o.ValueColumns = None,
    id: o.IdColumn = None,  # noqa: A002 - the option is called so
    tz: o.Timezone = None,
    format: o.Format = None,  # noqa: A002 - the option is called so
    lateness: o.Lateness = None,
    rejects: o.Rejects = None,
    strict: o.Strict = False,
    out: o.Out = None,
    plot: o.Plot = None,
    alpha: o.Alpha = None,
    config: o.Config = None,
    compare: Annotated[
        Path | None,
        typer.Option(
            "--compare", metavar="TOML", help="Judge with these settings, too, and show what differs."
        ),
    ] = None,
    alerts: o.Tell = o.Told.NOTICES,
    everything: o.All = False,
    json: o.Json = False,
    fail_on: o.Fail = None,
    threads: o.Threads = 1,
    memory: o.Memory = None,
    quiet: o.Quiet = False,
) -> None:
    """Judge past files: the same bytes in give the same bytes out, whatever the batches, threads and memory.

    With --compare the alerts are shown that only one of two settings gives: - those of --config and --alpha alone,
    + those of the other alone; at the end the counts, by key and by day.
    """
    from marigram.cli._columns import schema_of
    from marigram.cli._config import detector_of
    from marigram.cli._pipeline import Job
    from marigram.cli._run import Show, watch_job
    from marigram.cli._values import duration, size

    columns = {"time": time, "key": key, "values": value, "id": id, "tz": tz, "format": format}
    job = Job(
        sources=sources,
        detector=detector_of(config, alpha),
        schema=schema_of(schema, columns),
        lateness=None if lateness is None else duration(lateness, "--lateness"),
        strict=strict,
        out=out,
        rejects=rejects,
        threads=threads,
        memory=None if memory is None else size(memory, "--memory"),
    )
    if compare is None:
        show = Show(
            told=alerts, everything=everything, json=json, quiet=quiet, plot=plot, fail_on=fail_on or ()
        )
        raise typer.Exit(watch_job(job, show))

    from marigram.cli._differ import compare_job

    if out or plot or everything or fail_on:
        raise typer.BadParameter(
            "--out, --plot, --all and --fail-on belong to a replay without it", param_hint="--compare"
        )
    raise typer.Exit(compare_job(job, detector_of(compare, None), told=alerts, json=json, quiet=quiet))
