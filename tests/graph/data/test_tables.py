"""Tables in every form give one graph, and what is wrong in them is refused with its row and the reason."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marigram import graph as mgg
from marigram.errors import InputError, ParameterError
from marigram.graph.data.encode import hash_words
from marigram.graph.data.roles import encode_times

from .graphs import assert_same

USERS: dict[str, list[Any]] = {
    "id": ["ann", "bob", "eve", "dan"],
    "age": [31, 40, None, 22],
    "city": ["Wien", "Graz", None, "Wien"],
    "joined": ["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04"],
    "label": [0, 0, 1, None],
    "split": ["train", "val", "test", None],
}
PAID: dict[str, list[Any]] = {
    "source": ["ann", "eve", "eve"],
    "target": ["bob", "bob", "dan"],
    "amount": [9.5, 120.0, 80.25],
    "time": ["2024-02-01T10:00:00", "2024-02-01T11:00:00", "2024-02-02T00:00:00"],
}
SCHEMA = mgg.GraphSchema(
    nodes={
        "user": mgg.TableSchema(
            id="id", time="joined", label="label", split="split", numeric=("age",), categorical=("city",)
        )
    },
    edges={
        "user paid user": mgg.TableSchema(source="source", target="target", time="time", numeric=("amount",))
    },
)


def built(nodes: Any = USERS, edges: Any = PAID, schema: mgg.GraphSchema | None = SCHEMA) -> mgg.Graph:
    return mgg.from_tables({"user": nodes}, {("user", "paid", "user"): edges}, schema)


def without(table: dict[str, list[Any]], **columns: list[Any]) -> dict[str, list[Any]]:
    return {**table, **columns}


def test_columns_become_what_the_schema_says() -> None:
    graph = built()
    users, paid = graph.nodes["user"], graph.edges["user", "paid", "user"]
    assert users.ids.to_pylist() == USERS["id"]
    assert users.labels.tolist() == [0, 0, 1, -1]
    assert [users.train_mask.tolist(), users.val_mask.tolist(), users.test_mask.tolist()] == [
        [True, False, False, False], [False, True, False, False], [False, False, True, False]
    ]  # fmt: skip
    np.testing.assert_array_equal(users.attributes.numeric[:, 0], np.array([31, 40, np.nan, 22], np.float32))
    assert users.attributes.codes[:, 0].tolist() == [0, 1, -1, 0]
    assert users.attributes.vocabularies == (("Wien", "Graz"),)
    assert users.time[0] == pd.Timestamp("2024-01-01", tz="UTC").value
    assert (paid.src.tolist(), paid.dst.tolist()) == ([0, 2, 2], [1, 1, 3])
    assert graph.time_unit == "ns"


@pytest.mark.parametrize(
    "form",
    [pa.table, pd.DataFrame, pl.DataFrame, pa.RecordBatch.from_pydict],
    ids=["arrow", "pandas", "polars", "batch"],
)
def test_every_form_of_a_table_gives_the_same_graph(form: Callable[[Any], Any]) -> None:
    assert_same(built(form(USERS), form(PAID)), built())


def write_json(table: pa.Table, path: Path) -> None:
    path.write_text(pd.DataFrame(table.to_pydict()).to_json(orient="records", lines=True))


WRITERS: dict[str, Callable[[pa.Table, Path], object]] = {
    "csv": arrow_csv.write_csv,
    "csv.gz": lambda table, path: table.to_pandas().to_csv(path, index=False),
    "tsv": lambda table, path: table.to_pandas().to_csv(path, index=False, sep="\t"),
    "jsonl": write_json,
    "parquet": pq.write_table,
    "arrow": feather.write_feather,
}


@pytest.mark.parametrize("suffix", WRITERS)
def test_files_give_the_same_graph(tmp_path: Path, suffix: str) -> None:
    paths = [tmp_path / f"{name}.{suffix}" for name in ("users", "paid")]
    for path, columns in zip(paths, (USERS, PAID), strict=True):
        WRITERS[suffix](pa.table(columns), path)
    assert_same(built(*map(str, paths)), built())


def test_without_a_schema_the_columns_are_guessed() -> None:
    guessed = built(schema=None)
    assert guessed.nodes["user"].labels.tolist() == [0, 0, 1, -1]
    assert guessed.edges["user", "paid", "user"].attributes.numeric_names == ("amount",)
    assert guessed.time_unit == "ns"


def test_a_schema_survives_its_file(tmp_path: Path) -> None:
    path = tmp_path / "graph.toml"
    path.write_text(SCHEMA.to_toml())
    assert mgg.GraphSchema.from_toml(path) == SCHEMA
    events = mgg.EventSchema(entities={"a b": ("x", 'y"')}, labels={"yes": 1}, label="l", unit="ms")
    path.write_text(events.to_toml())
    assert mgg.EventSchema.from_toml(path) == events


def test_one_table_of_each_kind_needs_no_types() -> None:
    graph = mgg.from_tables({"id": [5, 6]}, {"src": [5], "dst": [6]})
    assert repr(graph) == "Graph(node 2; node-[edge]->node 1)"


def test_without_ids_the_ends_are_row_numbers() -> None:
    assert mgg.from_tables({"age": [5, 6]}, {"src": [1], "dst": [0]}).edges[
        "node", "edge", "node"
    ].src.tolist() == [1]
    with pytest.raises(InputError, match="target of row 0: there is no node 2"):
        mgg.from_tables({"age": [5, 6]}, {"src": [1], "dst": [2]})


def test_labels_in_words_are_named_by_the_schema() -> None:
    told = mgg.TableSchema(id="id", label="label", labels={"fraud": 1, "fine": 0, "?": -1})
    users = {"id": [1, 2, 3], "label": ["fine", "fraud", "?"]}
    graph = mgg.from_tables({"u": users}, {}, mgg.GraphSchema(nodes={"u": told}))
    assert graph.nodes["u"].labels.tolist() == [0, 1, -1]


def test_other_labels_may_share_a_meaning() -> None:
    told = mgg.TableSchema(label="attack", labels={"-": 0, "*": 1})
    hosts = {"attack": ["-", "smurf", None, "neptune"]}
    graph = mgg.from_tables({"host": hosts}, {}, mgg.GraphSchema(nodes={"host": told}))
    assert graph.nodes["host"].labels.tolist() == [0, 1, -1, 1]


def test_names_in_csv_are_not_taken_for_numbers_unless_they_are(tmp_path: Path) -> None:
    cards, paid = tmp_path / "cards.csv", tmp_path / "paid.csv.gz"
    cards.write_text(
        "id,shop,limit\n007,1,10\n7,2,20\n12345678901234567890,3,30\n12345678901234567891,10,40\n"
    )
    with gzip.open(paid, "wt") as sink:
        sink.write("source,target\n12345678901234567891,007\n7,12345678901234567890\n")
    graph = mgg.from_tables({"card": str(cards)}, {"card pays card": paid})
    assert graph.nodes["card"].ids.to_pylist() == ["007", "7", "12345678901234567890", "12345678901234567891"]
    edges = graph.edges["card", "pays", "card"]
    assert (edges.src.tolist(), edges.dst.tolist()) == ([3, 1], [0, 2])
    events = mgg.from_events(cards, mgg.EventSchema(entities={"card": ("id",), "shop": ("shop",)}))
    assert events.nodes["card"].count == 4
    assert events.nodes["shop"].ids.to_pylist() == [1, 2, 3, 10]


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "dangling edge": (
        {"edges": without(PAID, target=["bob", "bob", "zoe"])},
        "edges user-paid-user: the target of row 2: there is no node 'zoe' of type 'user'",
    ),
    "duplicate id": (
        {"nodes": without(USERS, id=["ann", "bob", "ann", "dan"])},
        "nodes 'user', row 2: duplicate id 'ann', first in row 0",
    ),
    "missing id": ({"nodes": without(USERS, id=["ann", "bob", None, "dan"])}, "the id of row 2 is missing"),
    "NaN id": (
        {"nodes": without(USERS, id=pa.array([1.0, 2.0, float("nan"), 4.0]))},
        "nodes 'user': the id of row 2 is NaN",
    ),
    "missing end": ({"edges": without(PAID, source=["ann", None, "eve"])}, "the source of row 1 is missing"),
    "label out of range": (
        {"nodes": without(USERS, label=[0, 0, 7, 1])},
        "nodes 'user', row 2: label 7 is none of 1 (anomalous), 0 (normal), -1 (unknown)",
    ),
    "label in words": ({"nodes": without(USERS, label=["0", "bad", "1", "1"])}, "row 1: label 'bad' is none"),
    "NaN label": (
        {"nodes": without(USERS, label=pa.array([0.0, float("nan"), 1.0, 1.0]))},
        "nodes 'user', row 1: the label is NaN",
    ),
    "label with a fraction": ({"nodes": without(USERS, label=[0.5, 0, 1, 1])}, "row 0: label 0.5 is none"),
    "unknown part": (
        {"nodes": without(USERS, split=["train", "tset", None, None])},
        "row 1: 'tset' is none of",
    ),
    "infinite number": (
        {"edges": without(PAID, amount=[1.0, float("inf"), 2.0])},
        "row 1: inf is not a finite",
    ),
    "number too large": ({"edges": without(PAID, amount=[1.0, 1.0, 1e39])}, "row 2: 1e+39 is not a finite"),
    "no number": ({"edges": without(PAID, amount=["1", "much", "2"])}, "row 1: 'much' is not a number"),
    "missing time": (
        {"edges": without(PAID, time=[PAID["time"][0], None, None])},
        "row 1: the time is missing",
    ),
    "no time": ({"edges": without(PAID, time=[PAID["time"][0], "soon", None])}, "row 2: the time is missing"),
    "not a time": ({"edges": without(PAID, time=[*PAID["time"][:2], "soon"])}, "row 2: 'soon' is not a time"),
    "mixed units in a column": (
        {"edges": without(PAID, time=[1_700_000_000, 1_700_000_001, 1_700_000_000_000])},
        "row 2: times of mixed units: 1700000000 (row 0) looks like s since 1970, 1700000000000 (row 2) like ms",
    ),
    "mixed units of tables": (
        {"edges": without(PAID, time=[1, 2, 3])},
        "times of mixed units: those of nodes 'user' are dates, those of edges user-paid-user whole numbers",
    ),
    "mixed offsets": (
        {"edges": without(PAID, time=["2024-01-01T00:00:00", "2024-01-01T00:00:00Z", "2024-01-01T00:00:00"])},
        "some times name their offset",
    ),
    "empty type": ({"nodes": {name: [] for name in USERS}}, "nodes 'user': the table is empty"),
    "no such column": (
        {"edges": {"source": [], "target": []}},
        "there is no column 'time' among source, target",
    ),
    "columns of two lengths": ({"edges": without(PAID, amount=[1.0])}, "the columns do not make a table"),
    "not a table": ({"edges": 7}, "int is not a table"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused_with_its_row_and_the_reason(case: str) -> None:
    tables, reason = BAD[case]
    with pytest.raises(InputError, match=re.escape(reason)):
        built(**tables)


def test_unknown_types_are_refused() -> None:
    with pytest.raises(InputError, match="edges user-owns-card: there is no node type 'card'"):
        mgg.from_tables({"user": USERS}, {"user owns card": {"source": ["ann"], "target": ["c1"]}})
    with pytest.raises(ParameterError, match="tells of 'usr'"):
        mgg.from_tables({"user": USERS}, {}, mgg.GraphSchema(nodes={"usr": mgg.TableSchema()}))
    with pytest.raises(ParameterError, match="an edge type is"):
        mgg.from_tables({"user": USERS}, {"owns": {"source": ["ann"], "target": ["ann"]}})


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    ragged = tmp_path / "ragged.csv"
    ragged.write_text("id,age\n1,2\n3\n")
    broken = tmp_path / "broken.jsonl"
    broken.write_text('{"id": 1}\n{"id": \n')
    odd = tmp_path / "table.xlsx"
    odd.touch()
    for path, reason in (
        (ragged, "Expected 2 columns, got 1"),
        (broken, "JSON parse error"),
        (odd, "tells no format"),
        (tmp_path / "none.csv", "no such file"),
    ):
        with pytest.raises(InputError, match=reason):
            mgg.from_tables(str(path), {})


def test_a_schema_with_a_wrong_setting_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "graph.toml"
    path.write_text("[entities]\nuser = ['a', 'b']\n[tme]\n")
    with pytest.raises(ParameterError, match="no setting 'tme' \\(did you mean 'time'"):
        mgg.EventSchema.from_toml(path)
    path.write_text("[nodes.user]\nunit = 'days'\n")
    with pytest.raises(ParameterError, match="days"):
        mgg.GraphSchema.from_toml(path)
    path.write_text("[nodes")
    with pytest.raises(ParameterError, match="is not TOML"):
        mgg.GraphSchema.from_toml(path)
    with pytest.raises(ParameterError, match=r"buckets must lie in 1 \.\. 4096"):
        mgg.TableSchema(buckets=0)


# --- times and text --------------------------------------------------------------------------------------------------


@given(st.sampled_from(["s", "ms", "us", "ns"]), st.integers(400_000_000, 4_000_000_000))
def test_numbers_since_1970_are_told_by_their_size(unit: str, seconds: int) -> None:
    scale = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    times, kind = encode_times(pa.array([seconds * scale, (seconds + 1) * scale]), "rows")
    assert (kind, times.tolist()) == ("ns", [seconds * 10**9, (seconds + 1) * 10**9])


@pytest.mark.parametrize(
    ("values", "unit", "expected"),
    [
        ([0, 475, 88_200], None, ([0, 475, 88_200], "step")),
        ([1_700_000_000], "step", ([1_700_000_000], "step")),
        ([0.25, 1.5], None, ([250_000_000, 1_500_000_000], "s")),
        ([0.25, 1.5], "s", ([250_000_000, 1_500_000_000], "ns")),
        ([1, 2], "ms", ([1_000_000, 2_000_000], "ns")),
        (["2024-01-01T01:00:00+01:00"], None, ([1_704_067_200_000_000_000], "ns")),
        ([pd.Timestamp("2024-01-01").to_pydatetime().date()], None, ([1_704_067_200_000_000_000], "ns")),
    ],
)
def test_times_of_every_kind(values: list[Any], unit: str | None, expected: tuple[list[int], str]) -> None:
    times, kind = encode_times(pa.array(values), "rows", unit)
    assert (times.tolist(), kind) == expected


def slow_hash(text: str | None, buckets: int) -> list[float]:
    counts = [0.0] * buckets
    for word in re.findall(r"[^\W_]+", (text or "").lower()):
        code = zlib.crc32(word.encode())
        counts[code % buckets] += -1 if code >> 31 else 1
    return counts


@given(
    st.lists(st.none() | st.text(st.characters(codec="ascii"), max_size=30), max_size=8), st.integers(1, 9)
)
def test_words_are_hashed_as_the_slow_way_does(texts: list[str | None], buckets: int) -> None:
    counts = hash_words(pa.array(texts, pa.string()), buckets)
    assert counts.tolist() == [slow_hash(text, buckets) for text in texts]
