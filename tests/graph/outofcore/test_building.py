"""Graphs made by SQL are those made in memory, whatever does not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from marigram import graph as mgg
from marigram.errors import InputError, ParameterError
from marigram.graph.outofcore.building import build_mapped, node_activity

pytest.importorskip("duckdb", reason="this machine lacks DuckDB")
SCHEMA = mgg.EventSchema(
    entities={"account": ("payer", "payee"), "device": ("device",)},
    pairs={"pays": ("payer", "payee"), "uses": ("payer", "device")},
    time="at",
    numeric=("amount", "fee"),
)


def payments(seed: int, n: int = 700) -> pa.Table:
    """Rows with everything that may be missing, a name with a quote, and amounts that are no numbers."""
    rng = np.random.default_rng(seed)
    names = np.array([f"acc-{i}" for i in range(60)] + ["o'neil", "größe", ""], object)
    payer, payee = names[rng.integers(0, len(names), n)], names[rng.integers(0, len(names), n)]
    device = np.array([None, *(f"d{i}" for i in range(9))], object)[rng.integers(0, 10, n)]
    amount = rng.lognormal(2, 1, n)
    amount[rng.random(n) < 0.1] = np.nan
    fee = pa.array(rng.normal(size=n), mask=rng.random(n) < 0.1)
    at = 1_700_000_000_000_000_000 + rng.integers(0, 10**6, n) * 1000
    return pa.table(
        {"payer": payer, "payee": payee, "device": device, "amount": amount, "fee": fee,
         "at": pa.array(at).cast(pa.timestamp("ns", "UTC"))}
    )  # fmt: skip


def told(graph: mgg.Graph) -> dict[Any, list[Any]]:
    """What a graph says of each edge and node, by name and in an order of its own."""
    found: dict[Any, list[Any]] = {}
    ids: dict[str, Any] = {name: nodes.ids for name, nodes in graph.nodes.items()}
    for kind, table in graph.edges.items():
        ends = [ids[kind[i]].take(pa.array(end)).to_pylist() for i, end in ((0, table.src), (2, table.dst))]
        times = [None] * table.count if table.time is None else table.time.tolist()
        values = np.nan_to_num(table.attributes.numeric, nan=-1e9).tolist()
        found[kind] = sorted(zip(*ends, times, map(tuple, values), strict=True))
    for name, nodes in graph.nodes.items():
        labels = [None] * nodes.count if nodes.labels is None else nodes.labels.tolist()
        values = np.nan_to_num(nodes.attributes.numeric, nan=-1e9).tolist()
        found[name] = sorted(zip(ids[name].to_pylist(), labels, map(tuple, values), strict=True))
    return found


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_the_graph_is_that_of_memory(seed: int, form: str, tmp_path: Path) -> None:
    table = payments(seed)
    paths = []
    for i, part in enumerate((table[:300], table[300:])):
        paths.append(tmp_path / f"events{i}.{form}")
        if form == "parquet":
            pq.write_table(part, paths[-1])
        else:
            pa.csv.write_csv(part.set_column(5, "at", part["at"].cast(pa.int64())), paths[-1])
    schema = SCHEMA if form == "parquet" else mgg.EventSchema(**_fields(SCHEMA), unit="ns")
    graph = build_mapped(paths, tmp_path / "graph.mg", schema, memory="200MB", threads=1)
    inside = mgg.from_events(table, SCHEMA)
    assert graph.time_unit == inside.time_unit
    assert told(graph) == told(inside)
    for (sender, _, receiver), table in graph.edges.items():
        into = graph.csr((sender, _, receiver))
        assert np.array_equal(into.degrees, np.bincount(table.dst, minlength=graph.nodes[receiver].count))
        assert np.array_equal(table.src[into.edge], into.indices)
        outof = graph.csr((sender, _, receiver), reverse=True)
        assert np.array_equal(outof.degrees, np.bincount(table.src, minlength=graph.nodes[sender].count))
        assert np.array_equal(table.dst[outof.edge], outof.indices)
    assert not list(tmp_path.glob(".marigram-*"))


def _fields(schema: mgg.EventSchema) -> dict[str, Any]:
    return {name: getattr(schema, name) for name in ("entities", "pairs", "time", "numeric")}


def test_tables_of_nodes_are_joined_by_their_ids(tmp_path: Path) -> None:
    table = payments(7)
    pq.write_table(table, tmp_path / "events.parquet")
    accounts = pa.table(
        {
            "id": ["acc-1", "acc-2", "o'neil", "quiet"],
            "age": [3.0, None, 5.5, 7.0],
            "y": ["bad", "good", None, "bad"],
        }
    )
    pq.write_table(accounts, tmp_path / "accounts.parquet")
    meaning = mgg.TableSchema(id="id", numeric=("age",), label="y", labels={"bad": 1, "good": 0})
    graph = build_mapped(
        tmp_path / "events.parquet", tmp_path / "graph.mg", SCHEMA,
        nodes={"account": tmp_path / "accounts.parquet"}, node_schema={"account": meaning},
    )  # fmt: skip
    inside = mgg.from_events(table, SCHEMA, nodes={"account": accounts}, node_schema={"account": meaning})
    assert told(graph) == told(inside)


def test_what_nodes_did_agrees_with_plain_python(tmp_path: Path) -> None:
    table = payments(8)
    pq.write_table(table, tmp_path / "events.parquet")
    count = node_activity(tmp_path / "events.parquet", "account", tmp_path / "did.parquet", SCHEMA)
    rows = {row["name"]: row for row in pq.read_table(tmp_path / "did.parquet").to_pylist()}
    assert len(rows) == count
    events = table.set_column(5, "at", table["at"].cast(pa.int64())).to_pylist()
    assert set(rows) == {e[end] for e in events for end in ("payer", "payee")} - {""}
    for name in ("acc-3", "o'neil", "größe"):
        own = [e for e in events for end in ("payer", "payee") if e[end] == name]
        amounts = [e["amount"] for e in own if not np.isnan(e["amount"])]
        assert rows[name]["events"] == len(own)
        assert (rows[name]["first"], rows[name]["last"]) == (
            min(e["at"] for e in own),
            max(e["at"] for e in own),
        )
        found = [rows[name][f"{part}_amount"] for part in ("mean", "std", "min", "max")]
        np.testing.assert_allclose(found, [f(amounts) for f in (np.mean, np.std, np.min, np.max)], rtol=1e-9)


def test_what_cannot_be_made_is_refused(tmp_path: Path) -> None:
    events = tmp_path / "events.parquet"
    pq.write_table(payments(9), events)
    out = tmp_path / "graph.mg"
    with pytest.raises(InputError, match="no such file"):
        build_mapped(tmp_path / "none.parquet", out, SCHEMA)
    with pytest.raises(InputError, match="no column 'sum'"):
        build_mapped(events, out, mgg.EventSchema(**{**_fields(SCHEMA), "numeric": ("sum",)}))
    with pytest.raises(ParameterError, match="categorical of events"):
        build_mapped(events, out, mgg.EventSchema(**_fields(SCHEMA), categorical=("fee",)))
    with pytest.raises(InputError, match="payer"):
        build_mapped(events, out, mgg.EventSchema(**{**_fields(SCHEMA), "numeric": ("payer",)}))
    with pytest.raises(ParameterError, match="DuckDB"):
        build_mapped(events, out, SCHEMA, memory="much")
    with pytest.raises(ParameterError, match="no entities of type"):
        node_activity(events, "shop", tmp_path / "x.parquet", SCHEMA)
    late = payments(9).set_column(5, "at", pa.array([None, *range(699)], pa.int64()))
    pq.write_table(late, tmp_path / "late.parquet")
    with pytest.raises(ParameterError, match="say its unit"):
        build_mapped(tmp_path / "late.parquet", out, SCHEMA)
    with pytest.raises(InputError, match="1 rows have no 'at'"):
        build_mapped(tmp_path / "late.parquet", out, mgg.EventSchema(**_fields(SCHEMA), unit="s"))
    ids = tmp_path / "ids.parquet"
    pq.write_table(pa.table({"id": ["a", "a"]}), ids)
    with pytest.raises(InputError, match="occur twice"):
        build_mapped(
            events, out, SCHEMA, nodes={"account": ids}, node_schema={"account": mgg.TableSchema(id="id")}
        )
    assert not out.exists()
