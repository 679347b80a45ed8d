"""How long the default detector learns from a large graph: ``python -m benchmarks.graph_fit``.

A graph is generated: 10 million edges between 1 million nodes with 10 attributes; 2 % are anomalous, seen by the
attributes of their neighbours more than by their own. All nodes have labels: 40 % to learn from, 20 % to choose by.
With ``--darpa98``: the graph of that set's 4.55 million timed connections, found through MARIGRAM_DATA, and the columns
of all hosts up to the fourth hop. Its labels of hosts prove nothing, so nothing is fitted.

Told are wall time, the processor's time and the most memory of the process, after each step.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import time
from pathlib import Path

import numpy as np

from marigram import graph as mgg
from marigram.evaluate.metrics import average_precision
from marigram.graph.hops import HopFeatures


def generated(nodes: int, edges: int, seed: int) -> mgg.Graph:
    """Anomalous nodes deal with one another in a third of their edges."""
    rng = np.random.default_rng(seed)
    guilty = rng.random(nodes) < 0.02
    bad = np.flatnonzero(guilty)
    src, dst = rng.integers(0, nodes, (2, edges))
    among = guilty[src] & (rng.random(edges) < 1 / 3)
    dst[among] = rng.choice(bad, int(among.sum()))
    x = rng.normal(size=(nodes, 10)).astype(np.float32)
    x[:, 0] += 0.7 * guilty
    users = mgg.NodeTable.bare(nodes).with_attributes(mgg.Columns.of_numbers(x))
    graph = mgg.Graph(
        nodes={"user": users.with_labels(guilty.astype(np.int8))},
        edges={("user", "pays", "user"): mgg.EdgeTable(src=src, dst=dst)},
    )
    return mgg.stratified(graph, seeds=[seed])


class Clock:
    """Wall seconds, CPU seconds and peak memory since it was made, noted under names."""

    def __init__(self) -> None:
        self.wall, self.cpu, self.noted = time.time(), time.process_time(), list[dict[str, object]]()

    def note(self, name: str) -> None:
        """Say where the time stands."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        wall, cpu = time.time() - self.wall, time.process_time() - self.cpu
        self.noted.append(
            {"step": name, "wall_s": round(wall, 1), "cpu_s": round(cpu, 1), "peak_gib": round(peak, 2)}
        )
        print(
            f"{name:40s} wall {wall:7.1f} s   CPU {cpu:7.1f} s   peak {peak:5.2f} GiB",
            file=sys.stderr,
            flush=True,
        )


def darpa98(clock: Clock) -> None:
    """From the file to the columns of every host."""
    folder = os.environ.get("MARIGRAM_DATA")
    if not folder:
        sys.exit("set MARIGRAM_DATA to the folder of the data sets")
    schema = mgg.EventSchema(
        entities={"host": ("src", "dst")}, pairs={"connects": ("src", "dst")}, time="minute", unit="step"
    )
    data = mgg.from_events(Path(folder, "darpa98", "edges.parquet"), schema)
    clock.note(f"built {data!r}")
    view = HopFeatures.fit(data, "host", hops=4).view(data)
    found = view.rows(np.arange(data.nodes["host"].count))
    clock.note(f"columns {found.shape}")


def main(arguments: list[str]) -> None:
    """Fit, and print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--nodes", type=int, default=1_000_000)
    parser.add_argument("--edges", type=int, default=10_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--darpa98", action="store_true", help="build that graph and its hosts' columns instead"
    )
    chosen = parser.parse_args(arguments)
    if chosen.darpa98:
        clock = Clock()
        darpa98(clock)
        print(json.dumps({"steps": clock.noted}))
        return
    data = generated(chosen.nodes, chosen.edges, chosen.seed)
    clock = Clock()
    clock.note("generated")
    model = mgg.NodeDetector(seed=chosen.seed).fit(data, tell=lambda step: clock.note(f"before {step}"))
    clock.note("fitted")
    users = data.nodes["user"]
    score = model.score(data)[users.test_mask]
    clock.note("all nodes scored")
    truth = np.asarray(users.labels)[users.test_mask] == 1
    found = average_precision(truth, score)
    print(
        json.dumps(
            {"steps": clock.noted, "verdict": model.verdict, "test_average_precision": round(found, 4)}
        )
    )


if __name__ == "__main__":
    main(sys.argv[1:])
