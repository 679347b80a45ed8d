"""`marigram graph fit`: learn a detector from a graph with labels, and say whether the graph helped."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from marigram.cli._options import Json, Quiet, command

app = command("fit")


class Detector(StrEnum):
    """The kinds of detector."""

    TREES = "trees"
    SAGE = "sage"
    GAT = "gat"
    GIN = "gin"
    GCN = "gcn"
    BWGNN = "bwgnn"
    HGT = "hgt"
    AUTO = "auto"
    UNSUPERVISED = "unsupervised"


@app.command()
def fit(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA", show_default=False, help="Folder of `graph build`, or an .npz or .mg file."
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="DIR", show_default=False, help="Folder for the model.")
    ],
    detector: Annotated[
        Detector, typer.Option("--detector", help="What learns; auto takes what is best on validation.")
    ] = Detector.TREES,
    hops: Annotated[int, typer.Option("--hops", metavar="N", help="How far trees look.")] = 4,
    split: Annotated[
        int | None,
        typer.Option("--split", metavar="N", help="Which split of the graph; the one it was saved with."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Of everything random.")] = 0,
    self_train: Annotated[
        bool,
        typer.Option(
            "--self-train", help="Let the surest of the unlabelled nodes join, where that is better."
        ),
    ] = False,
    node_type: Annotated[
        str | None,
        typer.Option("--node-type", metavar="NAME", help="Which type is scored, when several have labels."),
    ] = None,
    edges: Annotated[
        str | None,
        typer.Option(
            "--edges",
            metavar="NAME",
            help="Score edges of this type in place of nodes, such as 'user pays shop'.",
        ),
    ] = None,
    augment: Annotated[
        str | None,
        typer.Option(
            "--augment",
            metavar="KIND",
            help="More training data: auto (where validation shows that they help), pseudo, diffusion, smote, …",
        ),
    ] = None,
    ratio: Annotated[
        float,
        typer.Option("--ratio", metavar="R", help="New anomalies for each known one; auto has its own."),
    ] = 10.0,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Learn from the training nodes, choose on the validation nodes, and compare with the same model without the graph.

    Prints the verdict: whether the graph helps, does not help, or there are too few labels to tell.
    """
    import sys

    import msgspec

    from marigram import graph as mgg
    from marigram.cli._edges import graph_of_edges
    from marigram.cli._errors import say
    from marigram.cli._steps import steps

    graph = mgg.load(data, split=split)
    if edges is not None:
        graph, node_type = graph_of_edges(graph, edges), edges
    model = mgg.NodeDetector(detector.value, hops=hops, seed=seed, self_train=self_train, node_type=node_type)
    count = model.steps + model.more_steps(augment)
    with steps(count, shown=sys.stderr.isatty() and not quiet) as tell:
        model.fit(graph, augment=augment, ratio=ratio, tell=tell)
    model.save(out)
    if json or not sys.stdout.isatty():
        typer.echo(msgspec.json.encode({"model": str(out), **model.report}))
        return
    source = f"{model.chosen}, with the graph" if model.uses_graph else "the control, without the graph"
    typer.echo(f"The graph: {model.verdict}.")
    typer.echo(f"Scores come from {source}.")
    added = model.augmentation
    if added is not None:
        used = "nothing" if added.kind == "none" else f"{added.kind} x{added.ratio:g}"
        typer.echo(f"More training data: {used}.")
    if not quiet:
        say(model.reason)
        if added is not None:
            say(added.reason)
    typer.echo(str(out))


__all__ = ["app"]
