"""`marigram graph synth`: learn from a labelled graph, and write synthetic nodes joined to it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from marigram.cli._options import Json, Quiet, command

app = command("synth")


class Start(StrEnum):
    """Where new nodes come from."""

    NOISE = "noise"
    REAL = "real"


@app.command()
def synth(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA", show_default=False, help="Folder of `graph build`, or an .npz or .mg file."
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out", "-o", metavar="DIR", show_default=False, help="Folder for the graph with the new nodes."
        ),
    ],
    n: Annotated[int, typer.Option("-n", "--count", min=1, metavar="N", help="How many new nodes.")] = 500,
    label: Annotated[
        int, typer.Option("--label", min=0, max=1, metavar="L", help="1 anomalous, 0 normal.")
    ] = 1,
    node_type: Annotated[
        str | None, typer.Option("--node-type", metavar="NAME", help="Which type; the one with labels.")
    ] = None,
    guidance: Annotated[
        float,
        typer.Option("--guidance", metavar="W", help="1: as the class is; more: what sets it apart."),
    ] = 1.0,
    init: Annotated[
        Start, typer.Option("--init", help="Begin with noise, or with real nodes noised in part.")
    ] = Start.NOISE,
    strength: Annotated[
        float,
        typer.Option("--strength", metavar="S", help="With --init real: share of the steps that are noised."),
    ] = 0.5,
    alone: Annotated[
        bool, typer.Option("--alone", help="Write the new nodes alone, without the real graph.")
    ] = False,
    hops: Annotated[int, typer.Option("--hops", metavar="N", help="How far the encoder looks, 1 to 4.")] = 4,
    budget: Annotated[
        float, typer.Option("--budget", metavar="X", help="Multiplies the steps of learning.")
    ] = 1.0,
    batches: Annotated[
        int, typer.Option("--batches", metavar="N", help="Of a step of learning, for processes to share out.")
    ] = 1,
    processes: Annotated[
        int,
        typer.Option("--processes", metavar="N", help="Learn in so many processes; must divide --batches."),
    ] = 1,
    split: Annotated[
        int | None,
        typer.Option("--split", metavar="N", help="Which split of the graph; the one it was saved with."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Of everything random.")] = 0,
    model: Annotated[
        Path | None,
        typer.Option(
            "--model",
            "-m",
            metavar="DIR",
            help="Keep the fitted synthesizer here; draw from it if it is there.",
        ),
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option("--checkpoint", metavar="DIR", help="Keep where learning stands; go on from there."),
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Draw synthetic nodes of a class, connected to each other and to real training nodes.

    Learns how the graph's nodes of each class are distributed (a variational graph autoencoder with diffusion in its
    latent space); labels of validation and test nodes are not looked at, and no new edge leads to one.
    """
    import sys

    import msgspec

    from marigram import graph as mgg
    from marigram.cli._steps import steps
    from marigram.graph.decoders.files import NAME

    graph = mgg.load(data, split=split)
    if model is not None and (model / NAME).exists():
        fitted = mgg.Synthesizer.load(model)
    else:
        target = node_type if node_type in graph.labelled_types else None
        fitted = mgg.Synthesizer(hops=hops, seed=seed, budget=budget, batches=batches, node_type=target)
        with steps(3, shown=sys.stderr.isatty() and not quiet) as tell:
            fitted.fit(graph, checkpoint=checkpoint, processes=processes, tell=tell)
        if model is not None:
            fitted.save(model)
    extra = fitted.sample(
        n, label, node_type=node_type, guidance=guidance, init=init.value, strength=strength, seed=seed
    )
    (extra.to_graph() if alone else extra.join(graph)).save(out)
    among = {" ".join(kind): table.count for kind, table in extra.among.items()}
    edges = {" ".join(kind): table.count for kind, table in extra.edges.items()}
    joined = {name: len(nodes) for name, nodes in extra.joined.items()}
    if json or not sys.stdout.isatty():
        told = {"folder": str(out), "nodes": n, "label": label, "edges": edges, "among_new": among}
        typer.echo(msgspec.json.encode({**told, "real_nodes_joined": joined}))
        return
    typer.echo(f"{n:,} new nodes of type {extra.node_type}, label {label}")
    for kind, count in edges.items():
        typer.echo(f"{kind}: {count:,} edges, {among.get(kind, 0):,} of them among the new nodes")
    for name, count in joined.items():
        typer.echo(f"{name}: {count:,} real nodes joined")
    typer.echo(str(out))


__all__ = ["app"]
