"""`marigram watch`: judge a stream as it comes, tell its alerts, and go on where it stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from marigram.cli import _options as o

app = o.command("watch")


@app.command()
def watch(
    sources: o.Sources,
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
    lateness: o.Lateness = None,
    rejects: o.Rejects = None,
    strict: o.Strict = False,
    out: o.Out = None,
    state: Annotated[
        Path | None,
        typer.Option(
            "--state", metavar="DIR", help="Keep the state there, and go on exactly where it stopped."
        ),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(
            "--shard",
            metavar="I/N",
            help="Be process I of N: judge the keys that are its own. Files and state get I-of-N into their names.",
        ),
    ] = None,
    engine: Annotated[
        o.Engine,
        typer.Option(
            "--engine",
            help="Where the work is done: in this process, or on Spark, whose checkpoint --state keeps.",
        ),
    ] = o.Engine.EMBEDDED,
    spark: Annotated[
        list[str] | None,
        typer.Option(
            "--spark",
            metavar="NAME=VALUE",
            help="A setting of Spark, as spark.master=local[2]; may be repeated.",
        ),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            "--preset",
            metavar="NAME",
            help="Logs of what happened between whom: cloudtrail, vpc-flow, syslog, connections or cards.",
        ),
    ] = None,
    plot: o.Plot = None,
    alpha: o.Alpha = None,
    config: o.Config = None,
    alerts: o.Tell = o.Told.NOTICES,
    everything: o.All = False,
    json: o.Json = False,
    fail_on: o.Fail = None,
    threads: o.Threads = 1,
    memory: o.Memory = None,
    quiet: o.Quiet = False,
) -> None:
    """Judge a stream: tell anomalies from drift, each with the range that was expected.

    A SOURCE and --out may also be a topic of Kafka, kafka://HOST:PORT/TOPIC, of JSON objects.

    Alerts go to standard output, one readable line each on a terminal, one JSON object each in a pipe. Everything
    else goes to standard error.
    """
    if preset is not None:
        from marigram.cli._preset import PresetJob, refuse_with_preset, watch_preset

        named = {"--schema": schema, "--time": time, "--key": key, "--value": value, "--id": id, "--tz": tz}
        other = {
            "--format": format,
            "--lateness": lateness,
            "--shard": shard,
            "--plot": plot,
        }
        refuse_with_preset(named | other | {"--config": config, "--spark": spark, "--memory": memory})
        security = PresetJob(
            sources=sources, name=preset, alpha=alpha, out=out, rejects=rejects, state=state, strict=strict,
            everything=everything, json=json, quiet=quiet, follow=follow, fail_on=fail_on or (),
        )  # fmt: skip
        raise typer.Exit(watch_preset(security))
    from marigram.cli._columns import schema_of
    from marigram.cli._config import detector_of
    from marigram.cli._pipeline import Job
    from marigram.cli._run import Show, check_embedded, watch_job
    from marigram.cli._shard import Shard
    from marigram.cli._values import duration, size

    part = None if shard is None else Shard.parse(shard)
    out, rejects, plot = (
        path if part is None or path is None else part.beside(path) for path in (out, rejects, plot)
    )
    columns = {"time": time, "key": key, "values": value, "id": id, "tz": tz, "format": format}
    job = Job(
        sources=sources,
        detector=detector_of(config, alpha),
        schema=schema_of(schema, columns),
        follow=follow,
        lateness=None if lateness is None else duration(lateness, "--lateness"),
        strict=strict,
        out=out,
        rejects=rejects,
        state=state if part is None or state is None else part.beside(state),
        threads=threads,
        memory=None if memory is None else size(memory, "--memory"),
        shard=part,
    )
    show = Show(told=alerts, everything=everything, json=json, quiet=quiet, plot=plot, fail_on=fail_on or ())
    if engine is o.Engine.SPARK:
        from marigram.cli._spark import watch_on_spark

        raise typer.Exit(watch_on_spark(job, show, spark or ()))
    check_embedded(job, spark or ())
    raise typer.Exit(watch_job(job, show))
