"""Command line of the quality benchmark; see README.md beside this file."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from benchmarks.quality.metrics import Counts
from benchmarks.quality.report import Figure, markdown, misses, pool
from benchmarks.quality.rows import ROWS, Setting


def setting(detector: str, alpha: float) -> Setting:
    """The setting for "module:factory"; the factory is called with `alpha=`."""
    module, _, name = detector.partition(":")
    return Setting(partial(getattr(importlib.import_module(module), name), alpha=alpha), alpha)


def unit(row: str, family: str, seeds: Sequence[int], detector: str, alpha: float) -> list[Counts]:
    """One family of one row, all its seeds; the piece of work of a process."""
    chosen = setting(detector, alpha)
    return [ROWS[row].measure(family, seed, chosen) for seed in seeds]


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options; unknown rows end the program with status 2."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=__doc__)
    parser.add_argument(
        "rows", nargs="*", metavar="row", help=f"default: all of {', '.join(ROWS)}; a prefix is enough"
    )
    parser.add_argument(
        "--seeds", type=int, default=20, help="seeds per family, where the row does not fix them"
    )
    parser.add_argument("--first-seed", type=int, default=100)
    parser.add_argument("--detector", default="marigram:Detector", metavar="MODULE:FACTORY")
    parser.add_argument("--alpha", type=float, default=1e-3)
    parser.add_argument("--families", default="", help="only families whose name contains this")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--quick", action="store_true", help="a fifth of the streams")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of Markdown")
    options = parser.parse_args(arguments)
    known = {
        name: [name] if name in ROWS else [row for row in ROWS if row.startswith(name)]
        for name in options.rows
    }
    if unknown := [name for name, found in known.items() if not found]:
        parser.error(f"no row named {', '.join(unknown)}; rows: {', '.join(ROWS)}")
    options.rows = list(dict.fromkeys(row for found in known.values() for row in found)) or list(ROWS)
    return options


def measure(
    options: argparse.Namespace, pool_of_processes: ProcessPoolExecutor | None, name: str
) -> dict[str, object]:
    """All families of one row."""
    row = ROWS[name]
    families = [family for family in row.families if options.families in family]
    seeds = row.seeds_for(options.first_seed, options.seeds, options.quick)
    call = partial(unit, name, seeds=seeds, detector=options.detector, alpha=options.alpha)
    parts = pool_of_processes.map(call, families) if pool_of_processes else map(call, families)
    results: dict[str, dict[str, Figure]] = {
        family: pool(part) for family, part in zip(families, parts, strict=True)
    }
    return {"title": row.title, "seeds": seeds, "families": results, "misses": misses(row, results)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print; 0 when every floor holds, 1 otherwise."""
    options = parse(arguments)
    processes = ProcessPoolExecutor(options.jobs) if options.jobs > 1 else None
    answers: dict[str, dict[str, object]] = {}
    for name in options.rows:
        begun = time.perf_counter()
        answer = answers[name] = measure(options, processes, name)
        seconds = time.perf_counter() - begun
        print(f"{name}: {seconds:.1f} s", file=sys.stderr, flush=True)
        if not options.json:
            print(markdown(ROWS[name], answer["families"], answer["seeds"]), flush=True)  # type: ignore[arg-type]
    if processes:
        processes.shutdown()
    below = [line for answer in answers.values() for line in answer["misses"]]  # type: ignore[attr-defined]
    if options.json:
        print(json.dumps({"detector": options.detector, "alpha": options.alpha, "rows": answers}))
    else:
        print(
            "Below the floor:\n" + "\n".join(f"- {line}" for line in below) if below else "Every floor holds."
        )
    return 1 if below else 0


if __name__ == "__main__":
    sys.exit(main())
