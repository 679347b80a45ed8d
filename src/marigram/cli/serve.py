"""`marigram serve`: take events over HTTP, keep them, judge them, and tell people."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from marigram.cli import _options as o

app = o.command("serve")


@app.command()
def serve(
    state: Annotated[
        Path,
        typer.Option("--state", metavar="DIR", help="Where everything is kept; made when it is not there."),
    ],
    host: Annotated[
        str, typer.Option("--host", help="Address to listen on; others than this machine's need a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; 0 takes a free one.")] = 8765,
    schema: o.SchemaFile = None,
    time: o.TimeColumn = None,
    key: o.KeyColumns = None,
    value: o.ValueColumns = None,
    id: o.IdColumn = None,  # noqa: A002 - the option is called so
    tz: o.Timezone = None,
    alpha: o.Alpha = None,
    config: o.Config = None,
    lateness: Annotated[
        str | None,
        typer.Option(
            "--lateness",
            metavar="DURATION",
            help="Hold events back so long (30s, 5m) and judge them in the order of their times; 0s ends it.",
        ),
    ] = None,
    keep: Annotated[
        str, typer.Option("--keep", metavar="DURATION", help="How long events and verdicts are kept.")
    ] = "30d",
    room: Annotated[str, typer.Option("--room", metavar="SIZE", help="What the database may take.")] = "20GB",
    rate: Annotated[
        float | None,
        typer.Option("--rate", metavar="EVENTS", help="Events a second of a tenant; more are answered 429."),
    ] = None,
    threads: o.Threads = 1,
    memory: o.Memory = None,
    silence: Annotated[bool, typer.Option(help="Tell keys that fall silent.")] = True,
) -> None:
    """Serve one machine: events in by HTTP, alerts out, a page that shows both.

    What is acknowledged is on the disk. The configuration may also hold [alerts] and [[channels]].
    """
    import gc

    gc.disable()  # a start makes many objects and no garbage: a tenth of its time
    from marigram.cli._spared import spare_pandas, spare_scipy

    spare_scipy()
    spare_pandas()
    from marigram.cli._serving import logged, settings_of
    from marigram.cli._values import duration, size
    from marigram.service.run import serve as run
    from marigram.store.retention import Keep

    logged()
    columns = {"time": time, "key": key, "values": value, "id": id, "tz": tz}
    kept = duration(keep, "--keep")
    settings = settings_of(
        state,
        config,
        alpha,
        schema,
        columns,
        keep=Keep(kept, kept, size(room, "--room")),
        rate=rate,
        memory=None if memory is None else size(memory, "--memory"),
        threads=threads,
        silence=silence,
        lateness=None if lateness is None else duration(lateness, "--lateness"),
    )
    run(settings, host, port)
