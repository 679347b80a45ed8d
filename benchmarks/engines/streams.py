"""``marigram watch`` in one process and in several: events a second, with the state on the disk.

    python -m benchmarks.engines.streams make --events 20e6 --keys 1e6 --file /tmp/events.parquet
    python -m benchmarks.engines.streams run --file /tmp/events.parquet --processes 1 2
    python -m benchmarks.engines.streams run --file /tmp/events.parquet --processes 1 2 --pinned

``make`` writes events of so many keys, texts, in random order. ``run`` judges them from Parquet to Parquet with
``--state``, from the start of the processes to their end, and prints for each number of processes one JSON object:
events a second by the wall clock and by the processes' CPU seconds, and the load of the machine before. A process has
a second thread, which packs verdicts; ``--pinned`` binds each process to one core, so that one process is one core.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

CHUNK = 1 << 20
START = 1_700_000_000_000_000_000


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("make", "run"))
    parser.add_argument("--events", type=float, default=20e6)
    parser.add_argument("--keys", type=float, default=1e6)
    parser.add_argument("--file", type=Path, required=True)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pinned", action="store_true", help="give each process one core and no more")
    parser.add_argument("--folder", type=Path, default=None, help="where states and verdicts go")
    told = parser.parse_args()
    if told.what == "make":
        make(told.file, int(told.events), int(told.keys))
        return
    for _ in range(told.rounds):  # in turn, because the machine's load changes
        for processes in told.processes:
            found = measured(told.file, processes, told.threads, told.folder, pinned=told.pinned)
            print(json.dumps(found), flush=True)


def make(path: Path, events: int, keys: int) -> None:
    """Write the events."""
    rng = np.random.default_rng(7)
    names = pa.array([f"device-{i:08d}" for i in rng.permutation(keys)])
    writer: pq.ParquetWriter | None = None
    for start in range(0, events, CHUNK):
        count = min(CHUNK, events - start)
        codes = rng.integers(0, keys, count)
        table = pa.table(
            {
                "time": pa.array(
                    START + np.arange(start, start + count) * 1_000_000, pa.timestamp("ns", "UTC")
                ),
                "key": names.take(pa.array(codes)),
                "value": rng.normal(codes % 97, 1.0),
            }
        )
        writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd")
        writer.write_table(table)
    if writer is not None:
        writer.close()


def measured(
    path: Path, processes: int, threads: int, folder: Path | None, *, pinned: bool
) -> dict[str, object]:
    """Judge the file once; the processes begin together."""
    load = os.getloadavg()[0]
    scratch = Path(tempfile.mkdtemp(dir=folder))
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-m", "marigram", "watch", str(path), "--quiet", "--threads", str(threads)]
    command += ["--time", "time", "--key", "key", "--value", "value"]
    command += ["--state", str(scratch / "state"), "--out", str(scratch / "verdicts.parquet")]
    cores = sorted(os.sched_getaffinity(0))
    if pinned and processes > len(cores):
        raise SystemExit(f"{processes} processes cannot have a core each: there are {len(cores)}")
    running = []
    for i in range(processes):
        one = command if processes == 1 else [*command, "--shard", f"{i + 1}/{processes}"]
        one = ["taskset", "-c", str(cores[i]), *one] if pinned else one
        running.append(subprocess.Popen(one, stdout=subprocess.DEVNULL))  # noqa: S603 - ourselves
    codes = [process.wait() for process in running]
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    rows = sum(pq.read_metadata(file).num_rows for file in scratch.glob("verdicts*.parquet"))
    state = sum(file.stat().st_size for file in scratch.glob("state*/state-*.mg"))
    shutil.rmtree(scratch)
    if any(codes) or rows != pq.read_metadata(path).num_rows:
        raise SystemExit(f"processes ended with {codes}; {rows:,} verdicts")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "processes": processes, "pinned": pinned, "threads": threads, "events": rows, "seconds": round(seconds, 1),
        "events_per_second": round(rows / seconds), "cpu_seconds": round(cpu, 1),
        "events_per_cpu_second": round(rows / cpu), "state_bytes": state, "load_before": round(load, 1),
    }  # fmt: skip


if __name__ == "__main__":
    main()
