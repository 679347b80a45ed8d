"""What the synthesizer costs: ``python -m benchmarks.graph_synthesis [--data FILE | --nodes N --edges E]``.

Fits it to a graph, draws 500 anomalies, and tells the processor's seconds of each stage and the most memory of the
process; with ``--fidelity`` also how like real ones the new nodes are. Without ``--data`` a graph is made, 2 % of
whose nodes are anomalous. With ``--tenfold`` two such graphs are measured, each in its own process, the second with
ten times as many nodes and edges, and their ratio is told.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.graph_fit import generated
from marigram import graph as mgg


def peak() -> float:
    """Most memory so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measured(data: mgg.Graph, budget: float, *, fidelity: bool) -> dict[str, Any]:
    """Fit and sample."""
    before, begun = peak(), time.process_time()
    marks = dict[str, float]()

    def tell(stage: str) -> None:
        marks[stage] = time.process_time() - begun

    fitted = mgg.Synthesizer(budget=budget, threads=1, device="cpu").fit(data, tell=tell)
    ended = time.process_time() - begun
    extra = fitted.sample(500)
    told: dict[str, Any] = {
        "nodes": data.count, "edges": data.edge_count, "cpu_s": round(time.process_time() - begun, 1),
        "prepared_s": round(marks["autoencoder"], 1), "fitted_s": round(ended, 1),
        "peak_mib": round(peak()), "before_mib": round(before),
    }  # fmt: skip
    if fidelity:
        [found] = mgg.Fidelity.of(data, extra.join(data), node_type=fitted.target).classes
        told |= {
            "auc": found.auc, "auc_normal": found.auc_normal, "auc_real": found.auc_real,
            "degree_ratio": found.degree_ratio, "nearest_ratio": found.nearest.ratio,
            "copies_new": found.nearest.copies, "copies_real": found.copies_real, "placed_real_new": found.placed,
        }  # fmt: skip
    return told


def tenfold(nodes: int, edges: int, budget: float) -> dict[str, Any]:
    """Both sizes, and how many times the smaller the larger is."""
    runs = []
    for times in (1, 10):
        command = [sys.executable, "-m", "benchmarks.graph_synthesis", "--nodes", str(times * nodes)]
        command += ["--edges", str(times * edges), "--budget", str(budget)]
        done = subprocess.run(  # noqa: S603 - this very module
            command, cwd=Path(__file__).parent.parent, check=True, capture_output=True
        )
        runs.append(json.loads(done.stdout))
    small, large = runs
    ratio = {name: round(large[name] / small[name], 2) for name in ("cpu_s", "peak_mib")}
    return {"small": small, "large": large, "ratio": ratio}


def main(arguments: list[str]) -> None:
    """Measure, and print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, help="a graph, like tolokers.npz")
    parser.add_argument("--split", type=int, help="which split of it")
    parser.add_argument("--nodes", type=int, default=10_000)
    parser.add_argument("--edges", type=int, default=100_000)
    parser.add_argument("--budget", type=float, default=1.0)
    parser.add_argument("--fidelity", action="store_true")
    parser.add_argument("--tenfold", action="store_true")
    chosen = parser.parse_args(arguments)
    if chosen.tenfold:
        print(json.dumps(tenfold(chosen.nodes, chosen.edges, chosen.budget)))
        return
    if chosen.data is None:
        data = generated(chosen.nodes, chosen.edges, seed=0)
    else:
        data = mgg.load(chosen.data, split=chosen.split)
    print(json.dumps(measured(data, chosen.budget, fidelity=chosen.fidelity)))


if __name__ == "__main__":
    main(sys.argv[1:])
