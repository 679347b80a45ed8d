"""The queries that make graphs give on Spark what they give on DuckDB."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from marigram import graph as mgg
from marigram.graph.outofcore.building import Build
from marigram.graph.outofcore.engine import DuckEngine, Paths

pytest.importorskip("pyspark", reason="this machine lacks Spark")
pytest.importorskip("duckdb", reason="this machine lacks DuckDB")
SCHEMA = mgg.EventSchema(
    entities={"account": ("payer", "payee"), "device": ("device",)},
    pairs={"pays": ("payer", "payee"), "uses": ("payer", "device")},
    time="at",
    numeric=("amount",),
    unit="ns",
)


class SparkEngine:
    """The same on Spark: views, and results as Arrow."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def expose(self, view: str, paths: Paths, columns: Mapping[str, tuple[str, str, str | None]]) -> None:
        types = {"text": "STRING", "number": "DOUBLE", "time": "BIGINT"}
        cells = [
            f"CAST(`{theirs}` AS {types[kind]}) AS {name}" for name, (theirs, kind, _) in columns.items()
        ]
        self._session.read.parquet(str(paths)).selectExpr(*cells).createOrReplaceTempView(view)

    def define(self, name: str, query: str) -> None:
        self._session.sql(query).createOrReplaceTempView(name)

    def rows(self, query: str) -> Iterator[pa.RecordBatch]:
        yield from self._session.sql(query).toArrow().to_batches()


@pytest.fixture
def events(tmp_path: Path) -> Path:
    rng = np.random.default_rng(3)
    names = np.array([f"acc-{i}" for i in range(40)] + ["größe", ""], object)
    amount = rng.lognormal(2, 1, 400)
    amount[rng.random(400) < 0.1] = np.nan
    table = pa.table(
        {
            "payer": names[rng.integers(0, 42, 400)],
            "payee": names[rng.integers(0, 42, 400)],
            "device": np.array([None, "d1", "d2", "d3"], object)[rng.integers(0, 4, 400)],
            "amount": amount,
            "at": rng.permutation(400),
        }
    )
    pq.write_table(table, tmp_path / "events.parquet")
    return tmp_path / "events.parquet"


@pytest.mark.slow
def test_graph_and_features_are_the_same(spark: Any, events: Path, tmp_path: Path) -> None:
    made = {}
    for name in ("duck", "spark"):
        scratch = tmp_path / name
        scratch.mkdir()
        engine = SparkEngine(spark) if name == "spark" else DuckEngine(scratch / "engine", "200MB", 1)
        work = Build(engine, SCHEMA, scratch)
        work.read(events, {}, {})
        work.activity("account", scratch / "did.parquet")
        made[name] = work.graph(), pq.read_table(scratch / "did.parquet")
    (graph, did), (other, did_there) = made["duck"], made["spark"]
    for kind, table in graph.edges.items():
        there = other.edges[kind]
        assert all(np.array_equal(getattr(table, c), getattr(there, c)) for c in ("src", "dst", "time"))
        assert np.array_equal(table.attributes.numeric, there.attributes.numeric, equal_nan=True)
    for node_type, nodes in graph.nodes.items():
        assert nodes.ids.to_pylist() == other.nodes[node_type].ids.to_pylist()  # type: ignore[union-attr]
    assert did.column_names == did_there.column_names
    for column in did.column_names:
        ours, theirs = did[column].to_pylist(), did_there[column].to_pylist()
        if column.startswith(("mean", "std")):
            np.testing.assert_allclose(np.array(ours, float), np.array(theirs, float), rtol=1e-12)
        else:
            assert ours == theirs
