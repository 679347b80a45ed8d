"""Files cut into slices give the events and rejects of the files, in their order; no JVM."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from marigram import InputError
from marigram.events import Reject, Schema, open_source

pytest.importorskip("pyspark", reason="this machine lacks Spark")

from marigram.engines.spark import slices
from marigram.engines.spark.slices import events_in, sliced

COLUMNS = Schema.from_mapping({"time": "ts", "key": "host", "values": ["load"]})


def lines(n: int, form: str) -> list[str]:
    """Events, blank lines and lines that are broken."""
    draw, told = random.Random(n), []
    for i in range(n):
        luck, time = draw.random(), f"2024-05-01T00:{i // 60 % 60:02d}:{i % 60:02d}Z"
        load = draw.random() if i % 5 else None
        if luck < 0.02:
            told.append("")
        elif luck < 0.05:
            told.append("{broken" if form == "jsonl" else "a,b")
        elif form == "csv":
            told.append(f'{time},"h{i % 7}",{"" if load is None else load}')
        else:
            told.append(json.dumps({"ts": time, "host": f"h{i % 7}", "load": load}))
    return told


def files(folder: Path, form: str) -> list[str]:
    first, second = folder / f"a.{form}", folder / f"b.{form}"
    if form == "parquet":
        table = pa.table(
            {
                "ts": pa.array(np.arange(2500) * 10**9, pa.timestamp("ns", "UTC")),
                "host": [f"h{i % 7}" if i % 11 else None for i in range(2500)],
                "load": np.random.default_rng(0).normal(size=2500),
            }
        )
        pq.write_table(table, first, row_group_size=700)
        return [str(first)]
    header = "ts,host,load\n" if form == "csv" else ""
    first.write_text(header + "\n".join(lines(2000, form)) + "\n")
    second.write_text(header + "\n".join(lines(700, form)))
    packed = folder / f"c.{form}.gz"
    packed.write_bytes(gzip.compress((header + "\n".join(lines(300, form))).encode()))
    return [str(first), str(second), str(packed)]


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet"])
def test_slices_hold_what_the_files_hold(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "TEXT_BYTES", 5000)
    monkeypatch.setattr(slices, "TABLE_ROWS", 600)
    paths = files(tmp_path, form)
    events, rejects = [], []
    with open_source(paths, COLUMNS) as source:
        for batch in source:
            assert batch.keys is not None
            assert batch.times is not None
            values = map(repr, batch.values.tolist())
            events += list(zip(batch.keys, batch.times.tolist(), values, strict=True))
            rejects += batch.rejects
    found, refused = [], []
    cut = sliced(paths, source.schema)
    for piece in cut:
        for table in events_in(piece, source.schema, strict=False):
            for row in table.to_pylist():
                if row["reject"] is None:
                    found.append((row["key"], row["time"], repr(row["value"])))
                else:
                    refused.append(msgspec.json.decode(row["reject"], type=Reject))
    assert len(cut) > 4
    assert len(rejects) > 20
    assert found == events
    assert refused == rejects


def test_the_first_line_that_cannot_be_used_stops_a_strict_reader(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"host": "a", "load": 1}\n{broken\n')
    schema = Schema(time="", key=("host",), values=("load",), id="", format="jsonl")
    (piece,) = sliced([str(path)], schema)
    with pytest.raises(InputError, match="line 2: broken"):
        list(events_in(piece, schema, strict=True))


def test_a_file_that_cannot_be_read_is_one_reject(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1 and nothing else")
    schema = Schema(time="", key=("host",), values=("load",), id="", format="parquet")
    (piece,) = sliced([str(path)], schema)
    (table,) = events_in(piece, schema, strict=False)
    reject = msgspec.json.decode(table.column("reject")[0].as_py(), type=Reject)
    assert (reject.file, reject.line) == (str(path), 0)
