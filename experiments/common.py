"""What all experiments share: forms, settings, figures with their spread, and what is expected of them.

An experiment is a folder with ``run.py``, ``config.toml``, ``expected.json`` and ``README.md``.  Its ``run.py`` ends

    def measure(run: Run) -> None:
        errors = [error_of(seed) for seed in range(run.config["seeds"])]
        run.table("Errors", ["method", "error"], [["ours", run.figure("ours", errors)]])

    def main(arguments: Sequence[str] | None = None) -> int:
        return common.main(__file__, __doc__, measure, arguments)

    if __name__ == "__main__":
        sys.exit(main())

It is run in one of three forms: quick, ``--full``, or ``--smoke``, which is tiny and compared with nothing.  The
settings are those at the top of ``config.toml``, overridden by its table ``[quick]``, ``[full]`` or ``[smoke]``.
``expected.json`` holds, for each form, the figures by name: ``{"value": 0.02, "tolerance": 0.005}``, or the bounds
that hold whatever the machine, ``{"at_most": 0.026}`` and ``{"at_least": 3}``.  ``--record`` writes the values there,
with tolerances from the spread, and keeps bounds.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from marigram.datasets.local import DatasetMissingError

OUTSIDE = 1
"""Exit status: a figure is not what is expected."""
LACKING = 77
"""Exit status: data are not on this machine, so nothing was measured."""
QUANTILE = 1.96
RESAMPLES = 2000


@dataclass(frozen=True)
class Figure:
    """A number, with the half width of its 95 % interval over ``seeds`` repetitions; 0 where there is one."""

    value: float
    half: float = 0.0
    seeds: int = 1

    def __format__(self, spec: str) -> str:
        spec = spec or ".3g"
        return f"{self.value:{spec}} ± {self.half:{spec}}" if self.seeds > 1 else f"{self.value:{spec}}"


def mean(values: ArrayLike) -> Figure:
    """The mean over seeds, with its normal 95 % interval."""
    x = np.asarray(values, float).ravel()
    half = QUANTILE * float(x.std(ddof=1)) / math.sqrt(x.size) if x.size > 1 else 0.0
    return Figure(float(x.mean()), half, x.size)


def median(values: ArrayLike) -> Figure:
    """The median over seeds, with its bootstrap 95 % interval (fixed seed)."""
    x = np.asarray(values, float).ravel()
    if x.size < 2:
        return Figure(float(np.median(x)), 0.0, x.size)
    drawn = np.random.default_rng(0).integers(0, x.size, (RESAMPLES, x.size))
    low, high = np.quantile(np.median(x[drawn], axis=1), [0.025, 0.975])
    return Figure(float(np.median(x)), float(high - low) / 2, x.size)


def proportion(hits: int, trials: int) -> Figure:
    """A share, with the half width of its Wilson 95 % interval."""
    share, z = hits / trials, QUANTILE
    half = z / (1 + z * z / trials) * math.sqrt(share * (1 - share) / trials + (z / trials / 2) ** 2)
    return Figure(share, half, trials)


@dataclass
class Run:
    """One run of an experiment: its settings, and the figures and tables it has produced."""

    form: str
    config: dict[str, Any]
    out: Path | None
    figures: dict[str, Figure] = field(default_factory=dict)

    @property
    def full(self) -> bool:
        """Whether the long form was asked for."""
        return self.form == "full"

    def figure(self, name: str, value: Figure | float | ArrayLike) -> Figure:
        """Keep a figure under a name that is compared and saved; bare values over seeds become their mean."""
        if name in self.figures:
            raise ValueError(f"two figures are called {name!r}")
        self.figures[name] = value if isinstance(value, Figure) else mean(value)
        return self.figures[name]

    def table(
        self, title: str, heads: Sequence[str], rows: Sequence[Sequence[object]], spec: str = ""
    ) -> None:
        """Print a Markdown table; numbers and figures in the format ``spec``."""
        print(f"\n**{title}**\n\n| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
        for row in rows:
            print(f"| {' | '.join(_cell(value, spec) for value in row)} |", flush=True)

    def note(self, text: str) -> None:
        """Print a sentence between tables."""
        print(f"\n{text}", flush=True)


def main(
    file: str, about: str | None, measure: Callable[[Run], None], arguments: Sequence[str] | None = None
) -> int:
    """Run an experiment in the form that its arguments ask for; return the exit status.

    0: all figures are as expected; 1: some are not, each printed; 77: data are not on this machine, also printed.
    """
    folder = Path(file).parent
    options = _parser(folder.name, about).parse_args(arguments)
    form = "full" if options.full else "smoke" if options.smoke else "quick"
    run = Run(form, read_config(folder / "config.toml", form), options.out)
    print(f"# {folder.name}, {form} form")
    try:
        measure(run)
    except DatasetMissingError as error:
        print(f"not measured: {error}", file=sys.stderr)
        return LACKING
    if run.out is not None:
        run.out.mkdir(parents=True, exist_ok=True)
        (run.out / "result.json").write_text(
            _json({k: vars(v) for k, v in run.figures.items()} | {"form": form})
        )
    if form == "smoke":
        return 0
    expected = folder / "expected.json"
    if options.record:
        record(expected, form, run.figures)
    off = compare(run.figures, json.loads(expected.read_text()).get(form, {}))
    print("\n" + "\n".join(off or [f"{len(run.figures)} figures, all as expected"]))
    return OUTSIDE if off else 0


def read_config(path: Path, form: str) -> dict[str, Any]:
    """The settings of a form."""
    config = tomllib.loads(path.read_text())
    shared = {name: value for name, value in config.items() if name not in {"quick", "full", "smoke"}}
    return {**shared, **config.get(form, {})}


def compare(figures: dict[str, Figure], expected: dict[str, dict[str, float]]) -> list[str]:
    """One sentence for each figure that is not as expected, or that one of the two lacks."""
    off = [f"{name}: expected, but not measured" for name in expected if name not in figures]
    for name, figure in figures.items():
        wanted = expected.get(name)
        if wanted is None:
            off.append(f"{name}: measured {figure}, but nothing is expected of it")
            continue
        value, tolerance = figure.value, wanted.get("tolerance", 0.0)
        low = max(wanted.get("at_least", -math.inf), wanted.get("value", -math.inf) - tolerance)
        high = min(wanted.get("at_most", math.inf), wanted.get("value", math.inf) + tolerance)
        if not low <= value <= high:
            off.append(f"{name}: {value:.4g} is outside [{low:.4g}, {high:.4g}]")
    return off


def record(path: Path, form: str, figures: dict[str, Figure]) -> None:
    """Write the figures of a form as what is expected: within their interval, or 5 %; bounds that stand are kept."""
    expected = json.loads(path.read_text()) if path.exists() else {}
    before = expected.get(form, {})
    expected[form] = {
        name: {k: v for k, v in before.get(name, {}).items() if k in {"at_least", "at_most"}}
        | {"value": _rounded(figure.value), "tolerance": _rounded(max(figure.half, 0.05 * abs(figure.value)))}
        for name, figure in figures.items()
    }
    path.write_text(_json(expected))


def _parser(name: str, about: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m experiments.{name}.run",
        description=about,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--full", action="store_true", help="the long form")
    form.add_argument("--smoke", action="store_true", help="a tiny form that shows only that everything runs")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write result.json, and pictures, there")
    parser.add_argument("--record", action="store_true", help="write the figures into expected.json")
    return parser


def _cell(value: object, spec: str) -> str:
    return format(value, spec) if isinstance(value, Figure | float) else str(value)


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def _json(content: object) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


__all__ = ["LACKING", "OUTSIDE", "Figure", "Run", "compare", "main", "mean", "median", "proportion", "record"]
