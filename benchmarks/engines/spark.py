"""The detector on Spark: events a second once it runs, and what a batch costs that touches few of many keys.

    python -m benchmarks.engines.spark steady FOLDER --batches 7 --events 400000
    python -m benchmarks.engines.spark touched FOLDER

``steady`` judges Parquet files of events of 10,000 keys, one file a micro-batch. ``touched`` begins with a million
keys, then judges batches that touch all of them, 5 % that lie side by side, and 5 % drawn at random. Each prints one
JSON object: for each batch its kind, the seconds by the wall clock, and the seconds of processor time of this process,
Java and all workers, which other work on the machine disturbs less.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from marigram.engines.spark import detect, session
from marigram.engines.spark.detecting import PAGE

SCHEMA = "host string, ts timestamp, load double"
START = 1_700_000_000_000_000


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=("steady", "touched"))
    parser.add_argument("folder", type=Path, help="for data, state and verdicts; emptied first")
    parser.add_argument("--keys", type=float, default=None)
    parser.add_argument("--events", type=float, default=200_000, help="of a batch (steady)")
    parser.add_argument("--batches", type=int, default=6)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--buckets", type=int, default=16)
    parser.add_argument("--page", type=int, default=PAGE)
    told = parser.parse_args()
    shutil.rmtree(told.folder, ignore_errors=True)
    kinds = steady(told) if told.what == "steady" else touched(told)
    report(told, kinds, run(told, kinds))


def steady(told: argparse.Namespace) -> list[str]:
    """Write batches of events of keys drawn at random."""
    rng, n, keys = np.random.default_rng(0), int(told.events), int(told.keys or 10_000)
    kinds = ["first"] + ["steady"] * (told.batches - 1)
    for batch in range(told.batches):
        write(told.folder, batch, rng.integers(0, keys, n), rng)
    return kinds


def touched(told: argparse.Namespace) -> list[str]:
    """Write batches of one event of each key, of 5 % side by side, and of 5 % at random."""
    rng, keys = np.random.default_rng(0), int(told.keys or 1_000_000)
    some = keys // 20
    kinds = ["first", "all", *("side by side", "at random") * ((told.batches - 2) // 2)]
    for batch, kind in enumerate(kinds):
        chosen = np.arange(keys)
        if kind == "side by side":
            chosen = np.arange(some) + batch * some
        elif kind == "at random":
            chosen = rng.choice(keys, some, replace=False)
        write(told.folder, batch, chosen, rng)
    return kinds


def write(folder: Path, batch: int, keys: np.ndarray, rng: np.random.Generator) -> None:
    """Write one batch as one file."""
    (folder / "in").mkdir(parents=True, exist_ok=True)
    times = START + 60_000_000 * batch + np.arange(len(keys))
    names = pa.array(np.char.add("host-", keys.astype(str)))
    load = rng.normal(size=len(keys)) + keys % 7
    columns = {"host": names, "ts": pa.array(times, pa.timestamp("us", "UTC")), "load": load}
    path = folder / "in" / f"{batch:04d}.parquet"
    pq.write_table(pa.table(columns), path)
    os.utime(path, (batch + 1, batch + 1))


def run(told: argparse.Namespace, kinds: Sequence[str]) -> list[dict[str, Any]]:
    """Judge the files, one a micro-batch, into Parquet; return what each batch cost."""
    settings = {"spark.driver.memory": "3g", "spark.ui.showConsoleProgress": "false"}
    spark = session(f"local[{told.cores}]", partitions=told.cores, settings=settings)
    spark.sparkContext.setLogLevel("ERROR")
    folder = str(told.folder)
    stream = spark.readStream.schema(SCHEMA).option("maxFilesPerTrigger", 1).parquet(folder + "/in")
    verdicts = detect(stream, key="host", value="load", time="ts", buckets=told.buckets, page=told.page)
    writer = verdicts.writeStream.format("parquet").option("checkpointLocation", folder + "/state")
    before = processor_seconds()
    query = writer.trigger(availableNow=True).start(folder + "/out")
    while not (told.folder / "state" / "commits" / "0").exists():
        if not query.isActive:  # a driver's worker that did not start within Spark's ten seconds
            query = writer.trigger(availableNow=True).start(folder + "/out")
        time.sleep(0.1)
    commits, costs = told.folder / "state" / "commits", []
    while query.isActive or len(costs) < len(kinds):
        if (commits / str(len(costs))).exists():
            now = processor_seconds()
            costs.append(now - before)
            before = now
        elif not query.isActive and query.exception() is not None:
            raise query.exception()
        time.sleep(0.05)
    found = {one.batchId: one for one in query.recentProgress}
    rows = [
        {
            "kind": kind,
            "events": found[batch].numInputRows,
            "seconds": found[batch].durationMs["triggerExecution"] / 1000,
            "processor_seconds": round(cost, 2),
        }
        for batch, (kind, cost) in enumerate(zip(kinds, costs, strict=True))
    ]
    spark.stop()
    return rows


def processor_seconds() -> float:
    """Return the processor time of this process and all that it started and still lives."""
    me, total = psutil.Process(), 0.0
    for process in [me, *me.children(recursive=True)]:
        try:
            spent = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += spent.user + spent.system
    return total


def report(told: argparse.Namespace, kinds: Sequence[str], rows: list[dict[str, Any]]) -> None:
    """Print the figures: medians over the batches of a kind."""
    median = {}
    for kind in dict.fromkeys(kinds):
        own = [row for row in rows if row["kind"] == kind]
        wall = statistics.median(row["seconds"] for row in own)
        work = statistics.median(row["processor_seconds"] for row in own)
        events = own[0]["events"]
        median[kind] = {
            "seconds": wall,
            "processor_seconds": work,
            "events_per_s": round(events / wall),
            "events_per_processor_s": round(events / work),
        }
    spread = {
        "load": [round(x, 1) for x in os.getloadavg()],
        "cores": told.cores,
        "buckets": told.buckets,
        "page": told.page,
    }
    print(json.dumps({"what": told.what, **spread, "median": median, "batches": rows}))


if __name__ == "__main__":
    main()
