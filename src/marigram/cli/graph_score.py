"""`marigram graph score`: give every node of a graph the probability that a fitted detector sees."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from marigram.cli._options import Json, command

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from marigram.graph import Graph, NodeDetector

app = command("score")


@app.command()
def score(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA", show_default=False, help="Folder of `graph build`, or an .npz or .mg file."
        ),
    ],
    model: Annotated[
        Path, typer.Option("--model", "-m", metavar="DIR", show_default=False, help="Folder of `graph fit`.")
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="Write all scores: .csv, .parquet or .jsonl."),
    ] = None,
    top: Annotated[
        int, typer.Option("--top", min=0, metavar="N", help="Print so many, the highest first.")
    ] = 20,
    explain: Annotated[
        int, typer.Option("--explain", min=0, metavar="N", help="Say for the first N of them why.")
    ] = 0,
    keep: Annotated[
        Path | None,
        typer.Option(
            "--keep", metavar="DIR", help="Keep what is done there, range by range, and go on from it."
        ),
    ] = None,
    rows: Annotated[
        int, typer.Option("--rows", min=1, metavar="N", help="With --keep: nodes of a range.")
    ] = 1 << 17,
    shard: Annotated[
        str | None,
        typer.Option("--shard", metavar="I/N", help="With --keep: be process I of N that share the ranges."),
    ] = None,
    json: Json = False,
) -> None:
    """Score the nodes of a graph, which need not be the one that was learned from; or its edges, if the model does."""
    import sys

    from marigram import graph as mgg
    from marigram.cli._edges import with_scored

    detector = mgg.NodeDetector.load(model)
    graph = with_scored(mgg.load(data), detector.node_type)
    if keep is None and shard is not None:
        raise typer.BadParameter("processes share what --keep holds", param_hint="--shard")
    scores = detector.score(graph) if keep is None else _kept(keep, detector, graph, rows, shard)
    if scores is None:
        return
    if out is not None:
        _write(out, graph, detector.node_type, scores)
    as_json = json or not sys.stdout.isatty()
    for row, node in enumerate(_highest(scores, top)):
        why = detector.explain(node, graph, top=5) if row < explain else None
        _print(graph, detector, node, float(scores[node]), why, as_json=as_json)


def _kept(
    folder: Path, detector: NodeDetector, graph: Graph, rows: int, shard: str | None
) -> NDArray[np.float64] | None:
    """Score range by range; None while ranges of other processes are missing."""
    from marigram.cli._errors import say
    from marigram.cli._shard import Shard
    from marigram.graph.outofcore.ranges import RangeScores

    part = Shard(1, 1) if shard is None else Shard.parse(shard)
    scores = RangeScores(folder, detector, graph, rows=rows).run(part.number, part.count)
    if scores.missing:
        say(f"{len(scores.missing):,} of {len(scores.ranges):,} ranges are left to other processes")
        return None
    return scores.gathered()


def _highest(scores: NDArray[np.float64], top: int) -> list[int]:
    import numpy as np

    known = np.flatnonzero(~np.isnan(scores))
    return [int(i) for i in known[np.argsort(-scores[known], kind="stable")[:top]]]


def _print(graph: Graph, detector: NodeDetector, node: int, value: float, why: Any, *, as_json: bool) -> None:
    """One node, and, when known, what carried its score."""
    import msgspec
    import numpy as np

    row = int(np.flatnonzero(graph.places(detector.node_type) == node)[0])
    name = _name(graph, detector.node_type, row)
    if as_json:
        told: dict[str, Any] = {"node": node, "type": detector.node_type, "id": name, "score": value}
        if why is not None:
            told |= {
                "features": [{"name": n, "value": _plain(v), "logit": c} for n, v, c in why.features],
                "neighbours": [
                    {"type": t, "number": u, "by": "-".join(kind), "logit": c}
                    for t, u, kind, c in why.neighbours
                ],
                "edges": [{"type": "-".join(kind), "row": r, "logit": c} for kind, r, c in why.edges],
            }
        typer.echo(msgspec.json.encode(told))
        return
    typer.echo(f"{value:.4f}  {detector.node_type} {name}")
    if why is not None:
        for column, v, c in why.features:
            typer.echo(f"        {c:+.2f}  {column} = {v:.6g}")
        for kind, number, edge_type, c in why.neighbours:
            typer.echo(f"        {c:+.2f}  {kind} {number} by {'-'.join(edge_type)}")


def _name(graph: Graph, node_type: str, row: int) -> str:
    """A node's id, or its number; of an edge also its ends."""
    table = graph.nodes[node_type]
    if table.ids is not None:
        return str(table.ids[row])
    ends = _ends(graph, node_type)
    if not ends:
        return str(graph.places(node_type)[row])
    return f"{row}: " + " -> ".join(str(names[row]) for names in ends.values())


def _ends(graph: Graph, node_type: str) -> dict[str, Any]:
    """Where scored edges lead from and to, by id or number; nothing for nodes."""
    import pyarrow as pa

    from marigram.graph.data.lifted import FROM, TO

    found: dict[str, Any] = {}
    for kind, table in graph.edges.items():
        if kind[0] == node_type and kind[1] in (FROM, TO) and f"{node_type}: pair" in graph.nodes:
            ids = graph.nodes[kind[2]].ids
            found["source" if kind[1] == FROM else "target"] = (
                table.dst if ids is None else ids.take(pa.array(table.dst))
            )
    return found


def _plain(value: float) -> float | None:
    """JSON has no NaN."""
    return value if value == value else None


def _write(path: Path, graph: Graph, node_type: str, scores: NDArray[np.float64]) -> None:
    """All nodes of the scored type, in the order of their table."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    from marigram.errors import ParameterError

    table, places = graph.nodes[node_type], graph.places(node_type)
    ends = _ends(graph, node_type)
    columns: dict[str, Any] = {"edge": np.arange(table.count)} | ends if ends else {"node": places}
    if table.ids is not None:
        columns["id"] = table.ids
    rows = pa.table({**columns, "score": scores[places]})
    if path.suffix == ".csv":
        pyarrow.csv.write_csv(rows, path)
    elif path.suffix in (".parquet", ".pq"):
        pyarrow.parquet.write_table(rows, path)
    elif path.suffix == ".jsonl":
        with path.open("wb") as sink:
            sink.writelines(_lines(rows))
    else:
        raise ParameterError(f"--out takes .csv, .parquet or .jsonl, not {path.name!r}")


def _lines(rows: Any) -> Iterator[bytes]:
    import msgspec

    for batch in rows.to_batches(65_536):
        for row in batch.to_pylist():
            yield msgspec.json.encode(row) + b"\n"


__all__ = ["app"]
