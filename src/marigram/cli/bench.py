"""`marigram bench`: the Numenta Anomaly Benchmark, and speed beside the peers."""

from __future__ import annotations

import json as _json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from marigram.cli._options import Json, Threads, command

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from marigram.evaluate.nab_bench import Comparison, Detect
    from marigram.verdicts import Verdicts

app = command("bench")


@app.callback()
def _bench() -> None:
    """Measure marigram on this machine."""


@app.command()
def nab(
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            metavar="DIR",
            help="Folder with nab.parquet and windows.json.  [default: nab in MARIGRAM_DATA]",
        ),
    ] = None,
    alpha: Annotated[
        float, typer.Option("--alpha", metavar="P", help="Promised false-alarm rate of the shipped alarms.")
    ] = 1e-4,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help="Write rows.parquet (series, row, score, alarm) and summary.json."
        ),
    ] = None,
    json: Json = False,
    threads: Threads = 1,
) -> None:
    """Score the default detector on the Numenta Anomaly Benchmark, beside the published detectors.

    An alarm is a row with notice; the thresholded score is its severity, 0 elsewhere. Shipped: the alarms as they are,
    no threshold chosen. In-sample: the best threshold on these labels, as NAB has it. Cross: the threshold of one half
    of the series, scored on the other.
    """
    from marigram.datasets import find
    from marigram.evaluate.nab_bench import compare
    from marigram.evaluate.nab_corpus import load_corpus

    corpus = load_corpus(find("nab") if data is None else data)
    found = compare(corpus, _fresh_detector(alpha=alpha), _fresh_detector(), threads)
    if out is not None:
        _write(found, out)
    if json or not sys.stdout.isatty():
        typer.echo(_json.dumps(found.as_dict()))
    else:
        _print(found, alpha)


def _fresh_detector(alpha: float | None = None) -> Detect:
    """Give every series its own new detector, the default one if no alpha is named."""
    from marigram.detectors.default import Detector

    def judge(values: NDArray[np.float64], times: NDArray[np.int64]) -> Verdicts:
        detector = Detector() if alpha is None else Detector(alpha=alpha)
        return detector.update_many(values, times)

    return judge


def _write(found: Comparison, folder: Path) -> None:
    import pyarrow.parquet as pq

    from marigram.evaluate.nab_bench import rows_table

    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(rows_table(found), folder / "rows.parquet", compression="zstd")
    (folder / "summary.json").write_text(_json.dumps(found.as_dict(), indent=1) + "\n")


def _print(found: Comparison, alpha: float) -> None:
    from marigram.evaluate.tables import print_table, side_by_side

    ours, published = found.ours, found.published
    rows: dict[str, dict[str, Any]] = {
        f"marigram, shipped (alpha {alpha:g})": ours["shipped"],
        "marigram, in-sample threshold": ours["in_sample"],
        "marigram, threshold of the other half": ours["cross"],
    }
    for name, figures in published.items():
        rows[f"{name}, {'in-sample' if figures['threshold'] == 'in_sample' else 'published'} threshold"] = (
            figures
        )
        if "cross" in figures:
            rows[f"{name}, threshold of the other half"] = figures["cross"]
    title = f"NAB, {len(found.corpus.series)} series: 0 is silence, 100 perfection"
    print_table(side_by_side(title, rows, list(found.corpus.profiles), emphasised="marigram"))
    extra = ours["extra"]
    typer.echo(
        f"Outside the windows, after probation ({extra['quiet_rows']:,} events): severity >= 3 in "
        f"{extra['severity_3_rate_outside_windows']:.2e} of them, shipped alarms in "
        f"{extra['shipped_alarm_rate_outside_windows']:.2e}."
    )


@app.command()
def speed(
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only", metavar="FORM", help="One form of those that --json names; may be given again."
        ),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Small streams and fewer keys: seconds, not minutes.")
    ] = False,
    budget: Annotated[
        float | None,
        typer.Option(
            "--budget", metavar="SECONDS", help="Time of each peer for each form.  [default: 3; quick: 0.3]"
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the streams.")] = 1,
    json: Json = False,
) -> None:
    """Measure events a second, ours and the installed peers, on the same streams, on one thread.

    Keys are past learning before the clock starts, and the verdicts' columns are read inside it. Ratios are of events
    a second of processor time.
    """
    from marigram.cli.speed.clock import one_thread
    from marigram.cli.speed.forms import FORMS

    unknown = sorted(set(only or ()) - FORMS.keys())
    if unknown:
        raise typer.BadParameter(f"no form is called {unknown[0]}; the forms are {', '.join(FORMS)}")
    one_thread()
    from marigram.cli.speed.run import measure

    seconds = budget if budget is not None else (0.3 if quick else 3.0)
    found = measure(only or list(FORMS), quick=quick, budget=seconds, seed=seed, say=_say)
    if json or not sys.stdout.isatty():
        typer.echo(_json.dumps(found))
    else:
        _print_speed(found)


def _say(what: str) -> None:
    """Name on a terminal what is being measured."""
    if sys.stderr.isatty():
        typer.echo(what, err=True)


def _print_speed(found: dict[str, Any]) -> None:
    from marigram.evaluate.tables import print_table, side_by_side

    columns = ["events/s", "per CPU second", "marigram is"]
    for form in found["forms"].values():
        rows: dict[str, dict[str, Any]] = {"marigram": _speed_row(form["ours"], None)}
        for name, peer in form["peers"].items():
            rows[name] = _speed_row(peer, f"{peer['ratio']:,.2f} x")
        rows["memory limit"] = _speed_row(form["memory_limit"], f"{form['memory_ratio']:.2%}")
        print_table(side_by_side(_speed_title(form), rows, columns, emphasised="marigram"))
    typer.echo(
        f"{found['machine']['processor']}, one thread; absent: {', '.join(found['absent_peers']) or 'none'}."
    )


def _speed_title(form: dict[str, Any]) -> str:
    parts = [form["about"], f"{form['keys']:,} key{'s' if form['keys'] > 1 else ''}"]
    if form["d"] > 1:
        parts.append(f"d = {form['d']}")
    if form["bytes_per_key"]:
        parts.append(f"{form['bytes_per_key']:,.0f} bytes a key")
    return ", ".join(parts)


def _speed_row(rate: dict[str, float], ratio: str | None) -> dict[str, Any]:
    return {
        "events/s": round(rate["events_per_s"]),
        "per CPU second": round(rate["events_per_cpu_s"]),
        "marigram is": ratio,
    }


__all__ = ["app"]
