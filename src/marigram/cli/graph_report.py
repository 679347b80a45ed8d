"""`marigram graph report`: one page on a fitted detector, what it is worth and whom to look at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from marigram.cli._options import Json, Quiet, command

if TYPE_CHECKING:
    from marigram.graph import Fidelity, Graph

app = command("report")


@app.command()
def report(
    data: Annotated[
        Path,
        typer.Argument(metavar="DATA", show_default=False, help="A graph: a folder, an .npz or a .mg file."),
    ],
    model: Annotated[
        Path | None,
        typer.Option(
            "--model", metavar="DIR", help="What `graph fit` wrote; without it the default is fitted here."
        ),
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="The page, HTML.")] = Path(
        "report.html"
    ),
    split: Annotated[
        int | None,
        typer.Option("--split", metavar="N", help="Which of several splits, from 0.  [default: as saved]"),
    ] = None,
    top: Annotated[
        int,
        typer.Option("--top", min=0, max=50, metavar="N", help="Nodes with the highest scores to tell of."),
    ] = 6,
    title: Annotated[str | None, typer.Option("--title", metavar="TEXT", help="The line above.")] = None,
    seed: Annotated[
        int, typer.Option("--seed", min=0, help="Of the fit, if there is one, and of the bootstrap.")
    ] = 0,
    synthetic: Annotated[
        Path | None,
        typer.Option(
            "--synthetic",
            metavar="DIR",
            help="The graph of `graph synth`: say how faithful its new nodes are.",
        ),
    ] = None,
    reject: Annotated[
        str, typer.Option("--reject", metavar="LIST", help="New nodes to leave out, from 0, such as 3,17.")
    ] = "",
    accepted: Annotated[
        Path | None,
        typer.Option("--accepted", metavar="DIR", help="Write the synthetic graph without those, to fit on."),
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write a page: data, what gives the label away, figures with intervals, gain by the graph, highest scores."""
    from marigram import graph as mgg
    from marigram.cli._edges import with_scored
    from marigram.cli._errors import say

    graph = mgg.load(data, split=split)
    if not quiet:
        say("reading the model" if model else "fitting the default detector")
    fitted = mgg.NodeDetector.load(model) if model else mgg.NodeDetector(seed=seed).fit(graph)
    graph = with_scored(graph, fitted.node_type)
    fidelity = None if synthetic is None else _fidelity(graph, synthetic, _places(reject), accepted, seed)
    page = mgg.Report(
        graph, fitted, title=title or f"Graph {data.stem}", top=top, seed=seed, fidelity=fidelity
    )
    page.save(out)
    _print(page.as_dict(), out, json=json)


def _places(text: str) -> list[int]:
    from marigram.errors import ParameterError

    try:
        return [int(part) for part in text.split(",") if part]
    except ValueError:
        raise ParameterError(f"--reject takes whole numbers with commas between, not {text!r}") from None


def _fidelity(graph: Graph, synthetic: Path, reject: list[int], accepted: Path | None, seed: int) -> Fidelity:
    """How faithful the new nodes are; the graph without the rejected ones is written where that is asked for."""
    from marigram import graph as mgg
    from marigram.graph.fidelity.fidelity import without

    joined = mgg.load(synthetic)
    found = mgg.Fidelity.of(graph, joined, reject=reject, seed=seed)
    if accepted is not None:
        target = found.classes[0].node_type
        without(joined, target, graph.nodes[target].count, reject).save(accepted)
    return found


def _print(told: dict[str, Any], out: Path, *, json: bool) -> None:
    import msgspec

    if json:
        typer.echo(msgspec.json.encode(told | {"page": str(out)}))
        return
    typer.echo(f"{told['verdict']}: {told['reason']}")
    for leak in told["leaks"] or ():
        typer.echo(f"{leak['grade']}: {leak['reason']}")
    held = told["figures"]
    if held is not None:
        best = held["rows"]["best"]
        figures = ", ".join(f"{name.upper()} {best[name][0]:.3f}" for name in ("auc", "ap", "recall"))
        typer.echo(f"{held['nodes']:,} {held['part']} nodes, {held['anomalous']:,} anomalous: {figures}")
    typer.echo(str(out))


__all__ = ["app"]
