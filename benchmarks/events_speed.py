"""How fast events are read: million lines a second of CPU time, from the file to columns with coded keys.

    python benchmarks/events_speed.py [LINES] [KEYS]

Every form holds the same events.  The columns are read to the end of the file; the first pass (compiling, page cache)
is not counted, of the following ones the best is shown.  msgspec's typed ``decode_lines`` of a whole block of the same
JSON lines, which makes a Python object a line and codes no keys, is timed in the same run for comparison.
"""

import gzip
import resource
import sys
import tempfile
import time
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from marigram.events import Schema, open_source

PASSES = 3
SCHEMA = Schema(time="ts", time_unit="iso", key=("key",), values=("value",), id="")


class Line(msgspec.Struct):
    """What msgspec decodes a line to."""

    ts: str
    key: str
    value: float


def write(folder: Path, lines: int, keys: int) -> dict[str, Path]:
    """Write the same events in all forms."""
    random = np.random.default_rng(0)
    seconds = 1_714_521_600 + np.arange(lines) // 100
    times = np.datetime_as_string(seconds.astype("datetime64[s]")).tolist()
    names = [f"key-{i:05d}" for i in random.integers(0, keys, lines).tolist()]
    values = random.normal(100, 10, lines)
    short = [f"{x:.4f}" for x in values.tolist()]
    forms = {
        "JSON lines, values of 6 digits": "".join(
            f'{{"ts":"{t}Z","key":"{k}","value":{v}}}\n' for t, k, v in zip(times, names, short, strict=True)
        ),
        "JSON lines, values of 17 digits": "".join(
            f'{{"ts":"{t}Z","key":"{k}","value":{v!r}}}\n'
            for t, k, v in zip(times, names, values.tolist(), strict=True)
        ),
        "JSON lines, epoch ms, blanks, a field more": "".join(
            f'{{"ts": {t}000, "key": "{k}", "unit": "ms", "value": {v}}}\n'
            for t, k, v in zip(seconds.tolist(), names, short, strict=True)
        ),
        "CSV": "ts,key,value\n"
        + "".join(f"{t}Z,{k},{v}\n" for t, k, v in zip(times, names, short, strict=True)),
    }
    paths = {}
    for i, (name, text) in enumerate(forms.items()):
        paths[name] = folder / f"{i}.txt"
        paths[name].write_text(text)
    first = "JSON lines, values of 6 digits"
    paths["the first, gzip"] = folder / "first.gz"
    paths["the first, gzip"].write_bytes(gzip.compress(paths[first].read_bytes(), 6))
    paths["the first, zstd"] = folder / "first.zst"
    paths["the first, zstd"].write_bytes(pa.compress(paths[first].read_bytes(), "zstd", asbytes=True))
    table = pa.table(
        {"ts": pa.array(seconds * 10**9).cast(pa.timestamp("ns", "UTC")), "key": names, "value": values}
    )
    paths["Parquet"] = folder / "table.parquet"
    pq.write_table(table, paths["Parquet"])
    paths["Arrow"] = folder / "table.arrow"
    with pa.ipc.new_file(paths["Arrow"], table.schema) as writer:
        writer.write_table(table, max_chunksize=1 << 16)
    return paths


def seconds_to_read(path: Path, **options: object) -> tuple[int, float]:
    """Rows, and CPU seconds from opening to the end."""
    schema = msgspec.structs.replace(SCHEMA, time_unit="ms") if path.name == "2.txt" else SCHEMA
    start = time.process_time()
    with open_source(path, schema, **options) as source:  # type: ignore[arg-type]
        rows = sum(len(batch) for batch in source)
    return rows, time.process_time() - start


def main() -> None:
    """Print the table."""
    lines, keys = (int(text) for text in (*sys.argv[1:], "1000000", "10000")[:2])
    print(f"{lines:,} lines, {keys:,} keys; M lines/s of CPU time, best of {PASSES}")
    with tempfile.TemporaryDirectory() as folder:
        paths = write(Path(folder), lines, keys)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for name, path in paths.items():
            seconds_to_read(path)
            rows, best = min((seconds_to_read(path) for _ in range(PASSES)), key=lambda pair: pair[1])
            size = path.stat().st_size / rows
            print(f"{name:45s} {rows / best / 1e6:6.2f}   {size:5.1f} bytes a line")
        first = next(iter(paths.values()))
        late = min(seconds_to_read(first, lateness=5 * 10**9)[1] for _ in range(PASSES))
        print(f"{'the first, with a lateness of 5 s':45s} {lines / late / 1e6:6.2f}")
        data = first.read_bytes()
        decoder = msgspec.json.Decoder(Line)
        best = 1e9
        for _ in range(PASSES):
            start = time.process_time()
            decoder.decode_lines(data)
            best = min(best, time.process_time() - start)
        print(f"{'msgspec alone on the first':45s} {lines / best / 1e6:6.2f}")
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(
            f"memory: {before / 1000:.0f} MB before, {after / 1000:.0f} MB at most (msgspec's objects included)"
        )


if __name__ == "__main__":
    main()
