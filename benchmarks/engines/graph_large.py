"""A graph of so many edges from its file to the scores of all nodes, with the memory that took.

    python -m benchmarks.engines.graph_large make --edges 50e6 --folder /tmp/large
    python -m benchmarks.engines.graph_large run --folder /tmp/large

``make`` writes accounts, shops and devices with planted anomalies as one mapped file. ``run`` opens it, makes the
columns, grows the trees and scores every account range by range, and prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from marigram import graph as mgg
from marigram.evaluate.metrics import average_precision
from marigram.graph.csr import CSR
from marigram.graph.detectors.detector import NodeDetector
from marigram.graph.outofcore.ranges import RangeScores

CHUNK = 5_000_000
SHARE = {"pays": 0.7, "uses": 0.3}
FAR = {"pays": "shop", "uses": "device"}


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("make", "run"))
    parser.add_argument("--edges", type=float, default=50e6)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--hops", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    told = parser.parse_args()
    (make if told.what == "make" else run)(told)


def make(told: argparse.Namespace) -> None:
    """Write the graph, an eighth as many nodes as edges at most, to ``graph.mg``."""
    told.folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(told.seed)
    counts = {
        "account": int(told.edges * 0.08),
        "shop": int(told.edges * 0.01),
        "device": int(told.edges * 0.006),
    }
    guilty = rng.random(counts["account"]) < 0.01
    edges, sorted_edges = {}, {}
    for relation, share in SHARE.items():
        kind = ("account", relation, FAR[relation])
        table = _edges(told, rng, relation, int(told.edges * share), counts, guilty)
        edges[kind] = table
        for reverse in (False, True):
            rows, columns = (table.src, table.dst) if reverse else (table.dst, table.src)
            shape = (counts[kind[0]], counts[kind[2]]) if reverse else (counts[kind[2]], counts[kind[0]])
            path = told.folder / f"{relation}.{int(reverse)}.csr"
            chunks = partial(_chunks, table, rows, columns)
            sorted_edges[kind, reverse] = CSR.build_file(path, chunks, shape)
    graph = mgg.Graph(nodes=_nodes(rng, counts, guilty), edges=edges, time_unit="ns")
    for (kind, reverse), csr in sorted_edges.items():
        graph.adopt(kind, csr, reverse=reverse)
    graph.save_mapped(told.folder / "graph.mg")
    for path in [*told.folder.glob("*.csr"), *told.folder.glob("*.npy")]:
        path.unlink()
    print(json.dumps({"graph": repr(graph), "bytes": (told.folder / "graph.mg").stat().st_size, **_memory()}))


def _nodes(rng: np.random.Generator, counts: dict[str, int], guilty: np.ndarray) -> dict[str, mgg.NodeTable]:
    accounts = counts["account"]
    values = rng.normal(size=(accounts, 5)).astype(np.float32)
    values[:, 0] += 0.5 * guilty
    parts = np.zeros((1, accounts), np.int8)
    some = rng.permutation(accounts)[: min(200_000, accounts // 2)]
    parts[0, some] = rng.choice([1, 2, 3], len(some), p=[0.5, 0.25, 0.25])
    labels = np.where(parts[0] > 0, guilty, -1).astype(np.int8)
    bare = mgg.NodeTable.bare(accounts).with_attributes(mgg.Columns.of_numbers(values))
    return {
        "account": bare.with_labels(labels).with_splits(parts),
        "shop": mgg.NodeTable.bare(counts["shop"]).with_attributes(
            mgg.Columns.of_numbers(rng.normal(size=(counts["shop"], 2)).astype(np.float32))
        ),
        "device": mgg.NodeTable.bare(counts["device"]),
    }


def _edges(
    told: argparse.Namespace,
    rng: np.random.Generator,
    relation: str,
    count: int,
    counts: dict[str, int],
    guilty: np.ndarray,
) -> mgg.EdgeTable:
    """Edges in the order of time, in files; a third of what guilty accounts do is at the first hundredth of places."""
    arrays = {
        name: np.lib.format.open_memmap(told.folder / f"{relation}.{name}.npy", "w+", dtype, shape)
        for name, dtype, shape in (
            ("src", np.int64, (count,)), ("dst", np.int64, (count,)), ("time", np.int64, (count,)),
            ("amount", np.float32, (count, 1)),
        )
    }  # fmt: skip
    far = counts[FAR[relation]]
    for start in range(0, count, CHUNK):
        stop = min(start + CHUNK, count)
        src = rng.integers(0, counts["account"], stop - start)
        dst = (far * rng.random(stop - start) ** 2).astype(np.int64)
        bad = guilty[src] & (rng.random(stop - start) < 1 / 3)
        dst[bad] = rng.integers(0, far // 100, int(bad.sum()))
        arrays["src"][start:stop], arrays["dst"][start:stop] = src, dst
        arrays["time"][start:stop] = 1_700_000_000_000_000_000 + 1_000_000 * np.arange(start, stop)
        arrays["amount"][start:stop, 0] = rng.lognormal(3, 1, stop - start)
    amount = mgg.Columns.of_numbers(arrays["amount"], ("amount",))
    return mgg.EdgeTable(src=arrays["src"], dst=arrays["dst"], time=arrays["time"], attributes=amount)


def _chunks(table: Any, rows: np.ndarray, columns: np.ndarray) -> Iterator[Any]:
    for start in range(0, table.count, CHUNK):
        where = slice(start, start + CHUNK)
        yield np.asarray(rows[where]), np.asarray(columns[where]), table.time[where]


def run(told: argparse.Namespace) -> None:
    """Fit and score; prints seconds of each step and the peak memory."""
    start = time.perf_counter()
    found: dict[str, Any] = {"load": list(os.getloadavg()), "hops": told.hops}
    clock = start

    def done(step: str) -> None:
        nonlocal clock
        now = time.perf_counter()
        found[f"{step}_seconds"] = round(now - clock, 1)
        clock = now

    graph = mgg.load(told.folder / "graph.mg")
    done("open")
    model = NodeDetector("trees", hops=told.hops, node_type="account", seed=told.seed).fit(graph)
    done("fit")
    scores = RangeScores(told.folder / "scores", model, graph).run()
    whole = scores.gathered()
    done("score")
    table: Any = graph.nodes["account"]
    test = table.test_mask
    known = whole[: table.count]
    found |= {
        "nodes": int(table.count), "edges": graph.edge_count, "columns": len(model.feature_names),
        "scored": int(np.isfinite(known).sum()), "chosen": model.chosen, "gain": model.validation.gain,
        "test_ap": average_precision(table.labels[test] == 1, known[test]),
        "share_of_anomalies": float((table.labels[test] == 1).mean()),
        "seconds": round(time.perf_counter() - start, 1), "load_after": list(os.getloadavg()), **_memory(),
    }  # fmt: skip
    print(json.dumps(found, indent=1))


def _memory() -> dict[str, float]:
    peak = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "peak_gb": round(peak.ru_maxrss / 2**20, 2),
        "cpu_seconds": round(peak.ru_utime + peak.ru_stime, 1),
    }


if __name__ == "__main__":
    main()
