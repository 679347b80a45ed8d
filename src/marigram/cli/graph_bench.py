"""`marigram graph bench`: ours, the no-graph control and the rivals on labelled graphs, beside published figures."""

from __future__ import annotations

import json as _json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from marigram.cli._options import Json, Quiet, command

if TYPE_CHECKING:
    from marigram.graph import Graph

app = command("bench")


class Labels(StrEnum):
    """How many labels there are to learn from."""

    FULL = "full"
    FEW = "100"


@app.command()
def bench(
    data: Annotated[
        list[Path],
        typer.Option(
            "--data",
            metavar="DIR",
            show_default=False,
            help="A graph, or a folder with one .npz; may be repeated.",
        ),
    ],
    labels: Annotated[
        list[Labels] | None,
        typer.Option(
            "--labels", metavar="N", help="full, or 100 (20 anomalous, 80 normal); both when not named."
        ),
    ] = None,
    runs: Annotated[int, typer.Option("--runs", min=1, max=10, metavar="N", help="Splits or seeds.")] = 10,
    kinds: Annotated[
        list[str] | None,
        typer.Option("--kind", metavar="KIND", help="Detector; may be repeated.  [default: trees]"),
    ] = None,
    peers: Annotated[
        bool, typer.Option("--peers/--no-peers", help="graphspot and pygod too, if installed.")
    ] = True,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write the JSON here, too.")
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option(
            "--keep",
            metavar="FILE",
            help="Write each figure here once it is known; what is there already is not measured again.",
        ),
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Measure AUC, AP and Recall@K on test nodes: mean and standard deviation over runs."""
    from marigram.cli._errors import say
    from marigram.graph.benchmark import ALL_LABELS, Cells, measure

    chosen: Any = [str(amount) for amount in labels] if labels else ALL_LABELS
    cells = Cells(keep)
    sets = [
        measure(
            _graph(place), place.stem, labels=chosen, runs=runs, kinds=tuple(kinds or ("trees",)), peers=peers,
            cells=cells, say=(lambda _: None) if quiet else say,
        )
        for place in data
    ]  # fmt: skip
    told = {"sets": sets, "machine": _machine()}
    if out is not None:
        out.write_text(_json.dumps(told, indent=1) + "\n")
    if json or not sys.stdout.isatty():
        typer.echo(_json.dumps(told))
    else:
        for each in sets:
            _print(each)


def _graph(place: Path) -> Graph:
    """The graph at a path: a folder of ours, a file, or a folder that holds one .npz file."""
    from marigram import graph as mgg
    from marigram.errors import InputError

    if place.is_dir() and not (place / "graph.toml").exists():
        files = sorted(place.glob("*.npz"))
        if len(files) != 1:
            raise InputError(
                0, f"{place} holds no graph.toml and {len(files)} .npz files; name one of the files"
            )
        place = files[0]
    return mgg.load(place)


def _machine() -> dict[str, Any]:
    import os
    import platform
    from importlib.metadata import PackageNotFoundError, version

    packages = {}
    for name in ("marigram", "numpy", "lightgbm", "scikit-learn", "torch", "graphspot", "pygod"):
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            packages[name] = "absent"
    return {"processors": os.cpu_count(), "python": platform.python_version(), "packages": packages}


def _print(found: dict[str, Any]) -> None:
    from marigram.evaluate.tables import print_table, side_by_side

    columns = ["AUC", "AP", "Recall@K", "s"]
    for protocol in found["protocols"]:
        if "left_out" in protocol:
            typer.echo(f"{found['set']}, {protocol['labels']} labels: left out, {protocol['left_out']}\n")
            continue
        rows = {name: _row(figures) for name, figures in protocol["rows"].items()}
        for row in protocol["published"]:
            rows[f"published: {row['method']} ({row['splits']})"] = {
                column: None if row[name] is None else f"{row[name]:.1f}"
                for name, column in zip(("auc", "ap", "recall"), columns, strict=False)
            }
        title = f"{found['set']}, {protocol['labels']} labels, {protocol['runs']} runs; splits: {protocol['splits']}"
        print_table(side_by_side(title, rows, columns, emphasised="marigram"))
        for kind, verdicts in protocol["verdicts"].items():
            typer.echo(f"{kind}: {_verdict(protocol['gain'][kind], verdicts)}\n")
    if found["absent_peers"]:
        typer.echo(f"not installed: {', '.join(found['absent_peers'])}\n")


def _row(figures: dict[str, Any]) -> dict[str, Any]:
    if "failed" in figures:
        return {"AUC": "did not run:", "AP": figures["failed"][:60]}
    cells = {}
    for name, column in (("auc", "AUC"), ("ap", "AP"), ("recall", "Recall@K")):
        mean, std = figures[name]["mean"], figures[name]["std"]
        cells[column] = (
            None if mean is None else f"{100 * mean:.1f}" + ("" if std is None else f" ± {100 * std:.1f}")
        )
    seconds = figures["seconds"]
    return cells | {"s": None if seconds is None else f"{seconds:.1f}"}


def _verdict(gain: dict[str, float] | None, verdicts: dict[str, int]) -> str:
    told = ", ".join(f"{verdict} in {count}" for verdict, count in verdicts.items())
    if gain is None:
        return told
    low, high = 100 * gain["low"], 100 * gain["high"]
    refuted = f"; refuted in {gain['refuted']}" if gain["refuted"] else ""
    return f"{told}; gain in AP on test {100 * gain['mean']:+.1f}, 95 % interval {low:+.1f} to {high:+.1f}{refuted}"


__all__ = ["app"]
