"""`marigram graph build`: from rows of events, or a public data set's own file, to a folder with a graph."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from marigram.cli._options import Json, Quiet, command

if TYPE_CHECKING:
    from marigram.graph import EventSchema, Graph

app = command("build")


class Split(StrEnum):
    """How labelled rows are divided."""

    AUTO = "auto"
    TIME = "time"
    STRATIFIED = "stratified"
    NONE = "none"


@app.command()
def build(
    events: Annotated[
        Path,
        typer.Argument(
            metavar="EVENTS",
            show_default=False,
            help="CSV, TSV, JSON lines, Parquet or Arrow IPC (also .gz, .zst), or - for stdin; with --published, its "
            "publisher's file.",
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="DIR", show_default=False, help="Folder for the graph.")
    ],
    schema: Annotated[
        Path | None,
        typer.Option(
            "--schema", metavar="TOML", help="Which columns are entities; without it they are inferred."
        ),
    ] = None,
    nodes: Annotated[
        list[str] | None,
        typer.Option(
            "--nodes",
            metavar="TYPE=FILE",
            help="A table with ids, attributes and labels of entities of this type; may be repeated.",
        ),
    ] = None,
    published: Annotated[
        str | None,
        typer.Option(
            "--published",
            metavar="NAME",
            help="It is of weibo, questions, tolokers, elliptic, dgraphfin, yelpchi, amazon, tfinance or gadbench.",
        ),
    ] = None,
    split: Annotated[
        Split,
        typer.Option(
            "--split", help="How to divide what is labelled; auto: by time if it has one, else stratified."
        ),
    ] = Split.AUTO,
    seeds: Annotated[
        str, typer.Option("--seeds", metavar="LIST", help="Seeds of stratified splits, one split for each.")
    ] = "0,1,2,3,4,5,6,7,8,9",
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Make a graph: entities become nodes, events edges between them, or nodes of their own when they have labels.

    Prints which column was taken for what, as TOML to edit and give back with --schema.
    """
    from marigram.cli._errors import say
    from marigram.errors import ParameterError

    if published and (schema or nodes):
        raise ParameterError("--published files have their own columns: no --schema, no --nodes")
    with _on_disk(events) as file:
        graph, used, reasons = _made(file, schema, nodes or [], published)
    graph, divided = _divided(graph, split, _seeds(seeds))
    graph.save(out)
    if not quiet:
        for reason in (*reasons, *divided):
            say(reason)
    _print(graph, used, out, json=json)


@contextmanager
def _on_disk(events: Path) -> Iterator[Path]:
    """The file itself; what stands for stdin is written to a temporary one, named after what it holds."""
    import shutil
    import sys
    from tempfile import TemporaryDirectory

    if str(events) != "-":
        yield events
        return
    with TemporaryDirectory() as folder:
        plain = Path(folder, "stdin")
        with plain.open("wb") as sink:
            shutil.copyfileobj(sys.stdin.buffer, sink)
        yield plain.rename(Path(folder, "stdin" + _suffix(plain)))


def _suffix(file: Path) -> str:
    """The ending that tells the format of a file, found in its first bytes."""
    import gzip

    from marigram.errors import InputError

    with file.open("rb") as source:
        start = source.read(65_536)
    packed = start[:2] == b"\x1f\x8b"
    if packed:
        with gzip.open(file) as source:
            start = source.read(65_536)
    if not start.strip():
        raise InputError(0, "stdin holds no events")
    if start[:4] == b"PAR1":
        return ".parquet"
    if start[:6] == b"ARROW1":
        return ".arrow"
    heading = start.lstrip().partition(b"\n")[0]
    text = ".jsonl" if heading[:1] == b"{" else ".tsv" if b"\t" in heading and b"," not in heading else ".csv"
    return text + ".gz" * packed


def _made(
    events: Path, schema: Path | None, nodes: list[str], published: str | None
) -> tuple[Graph, EventSchema | None, tuple[str, ...]]:
    """The graph, the schema it was made by, and why this one."""
    from marigram import graph as mgg

    if published:
        return mgg.read_published(published, events), None, ()
    told, reasons = (mgg.EventSchema.from_toml(schema), ()) if schema else mgg.infer_events(events)
    return mgg.from_events(events, told, nodes=_tables(nodes)), told, reasons


def _tables(nodes: list[str]) -> dict[str, str]:
    from marigram.errors import ParameterError

    pairs = [text.partition("=") for text in nodes]
    for kind, _, file in pairs:
        if not kind or not file:
            raise ParameterError("--nodes takes TYPE=FILE, such as user=users.csv")
    return {kind: file for kind, _, file in pairs}


def _seeds(text: str) -> list[int]:
    from marigram.errors import ParameterError

    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise ParameterError(f"--seeds takes whole numbers with commas between, not {text!r}") from None


def _divided(graph: Graph, split: Split, seeds: list[int]) -> tuple[Graph, tuple[str, ...]]:
    """The graph with the split that was asked for, and what was done."""
    from marigram import graph as mgg
    from marigram.errors import ParameterError

    labelled = graph.labelled_types
    if split is Split.AUTO:
        if len(labelled) != 1 or graph.split_count:
            return graph, ()
        split = Split.STRATIFIED if graph.nodes[labelled[0]].time is None else Split.TIME
    if split is Split.NONE:
        return graph, ()
    if len(labelled) != 1:
        raise ParameterError(f"--split needs one node type with labels; there are {len(labelled)}")
    if split is Split.TIME:
        return mgg.by_time(graph), (f"{labelled[0]}: train, val and test (60/20/20) in the order of time",)
    return mgg.stratified(graph, seeds=seeds), (
        f"{labelled[0]}: {len(seeds)} stratified splits into train, val and test (40/20/40), seeds {seeds}",
    )


def _print(graph: Graph, schema: EventSchema | None, out: Path, *, json: bool) -> None:
    """Say what is in the graph."""
    import msgspec

    nodes = {
        name: _about(table.count, table.attributes.width, table.labels) for name, table in graph.nodes.items()
    }
    edges = {
        " ".join(kind): _about(table.count, table.attributes.width, table.labels)
        for kind, table in graph.edges.items()
    }
    if json:
        told = None if schema is None else msgspec.to_builtins(schema)
        about = {
            "folder": str(out),
            "schema": told,
            "nodes": nodes,
            "edges": edges,
            "splits": graph.split_count,
        }
        typer.echo(msgspec.json.encode(about))
        return
    if schema is not None:
        typer.echo(schema.to_toml())
    for name, counts in (nodes | edges).items():
        typer.echo(f"{name}: " + ", ".join(f"{value:,} {word}" for word, value in counts.items()))
    typer.echo(f"{out}/graph.toml")


def _about(count: int, width: int, labels: object) -> dict[str, int]:
    import numpy as np

    about = {"rows": count, "attributes": width}
    if labels is None:
        return about
    known = np.asarray(labels)
    return about | {"anomalous": int((known == 1).sum()), "normal": int((known == 0).sum())}


__all__ = ["app"]
