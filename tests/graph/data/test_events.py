"""Events become nodes and edges: the fast way and a slow one agree, whatever is missing."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marigram import graph as mgg
from marigram.errors import InputError, ParameterError

EVENTS: dict[str, list[Any]] = {
    "time": [10, 11, 12, 13],
    "sender": ["a", "b", "a", None],
    "receiver": ["b", "c", "", "a"],
    "device": ["d1", "d1", "d2", "d2"],
    "amount": [1.0, 2.0, None, 4.0],
    "label": [0, 1, None, 0],
}
PAIRS = mgg.EventSchema(
    entities={"account": ("sender", "receiver"), "device": ("device",)},
    time="time",
    label="label",
    numeric=("amount",),
)

names = st.none() | st.sampled_from(["", "a", "b", "c"])


@given(st.lists(st.tuples(names, names, names), min_size=1, max_size=12))
def test_pairs_are_those_that_a_loop_finds(rows: list[tuple[str | None, ...]]) -> None:
    columns = [list(column) for column in zip(*rows, strict=True)]
    table = dict(
        zip(("sender", "receiver", "device"), (pa.array(c, pa.string()) for c in columns), strict=True)
    )
    table["n"] = pa.array(range(len(rows)))
    schema = mgg.EventSchema(entities=PAIRS.entities, numeric=("n",))
    if any(not any(column[i] for i in ends for column in rows) for ends in ((0, 1), (2,))):
        with pytest.raises(InputError, match="is empty"):
            mgg.from_events(table, schema)
        return
    graph = mgg.from_events(table, schema)
    for (a, b), kind in (
        ((0, 1), ("account", "sender-receiver", "account")),
        ((0, 2), ("account", "sender-device", "device")),
        ((1, 2), ("account", "receiver-device", "device")),
    ):
        edges = graph.edges[kind]
        source, target = (graph.nodes[kind[i]].ids.to_pylist() for i in (0, 2))
        found = zip(edges.src, edges.dst, edges.attributes.numeric[:, 0], strict=True)
        assert [(source[s], target[t], n) for s, t, n in found] == [
            (row[a], row[b], n) for n, row in enumerate(rows) if row[a] and row[b]
        ]


def test_events_that_are_edges_keep_their_time_attributes_and_labels() -> None:
    graph = mgg.from_events(EVENTS, PAIRS)
    edges = graph.edges["account", "sender-device", "device"]
    assert edges.time.tolist() == [10, 11, 12]
    assert edges.labels.tolist() == [0, 1, -1]
    assert edges.attributes.numeric[:2, 0].tolist() == [1.0, 2.0]
    assert graph.labelled_types == ()


def test_only_the_pairs_that_are_named_become_edges() -> None:
    schema = mgg.EventSchema(entities=PAIRS.entities, pairs={"pays": ("sender", "receiver")})
    assert list(mgg.from_events(EVENTS, schema).edges) == [("account", "pays", "account")]


def test_events_that_are_nodes_have_an_edge_to_each_entity() -> None:
    schema = mgg.EventSchema(
        entities=PAIRS.entities, event="payment", time="time", label="label", numeric=("amount",)
    )
    graph = mgg.from_events(EVENTS, schema)
    assert list(graph.nodes) == ["payment", "account", "device"]
    assert graph.nodes["payment"].labels.tolist() == [0, 1, -1, 0]
    to_receiver = graph.edges["payment", "receiver", "account"]
    accounts = graph.nodes["account"].ids.to_pylist()
    assert [(e, accounts[a]) for e, a in zip(to_receiver.src, to_receiver.dst, strict=True)] == [
        (0, "b"), (1, "c"), (3, "a")
    ]  # fmt: skip
    assert to_receiver.time.tolist() == [10, 11, 13]


def test_a_table_of_entities_comes_first_and_those_it_does_not_know_follow() -> None:
    accounts = {"id": ["c", "z", "a"], "age": [3, 26, 1], "city": ["X", "Y", "X"], "label": [1, 0, None]}
    graph = mgg.from_events(EVENTS, PAIRS, nodes={"account": accounts})
    nodes = graph.nodes["account"]
    assert nodes.ids.to_pylist() == ["c", "z", "a", "b"]
    assert nodes.labels.tolist() == [1, 0, -1, -1]
    assert nodes.attributes.missing.tolist() == [[False, False]] * 3 + [[True, True]]
    edges = graph.edges["account", "sender-receiver", "account"]
    assert (edges.src.tolist(), edges.dst.tolist()) == ([2, 3], [3, 0])
    assert graph.labelled_types == ("account",)


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ({"id": ["a", "a"]}, "row 1: duplicate id 'a'"),
        ({"name": ["a", "b"]}, "say in the schema which column is the id"),
        ({"id": ["a"], "time": ["2024-01-01"]}, "events name 'b', whose time"),
    ],
)
def test_a_bad_table_of_entities_is_refused(table: dict[str, Any], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        mgg.from_events(EVENTS, PAIRS, nodes={"account": table})


def test_a_table_of_a_type_that_events_do_not_name_is_refused() -> None:
    with pytest.raises(InputError, match="no entities of this type, but account, device"):
        mgg.from_events(EVENTS, PAIRS, nodes={"shop": {"id": [1]}})


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"entities": {"a": ("x",)}}, "two columns that name entities"),
        ({"entities": {"a": ("x", "x")}}, "names entities twice"),
        ({"entities": {"a": ("x",)}, "event": "a"}, "no entity type of the same name"),
        ({"entities": {"a": ("x", "y")}, "pairs": {"p": ("x", "z")}}, "'z' is not a column of entities"),
        ({"entities": {"a": ("x", "y")}, "labels": {"bad": 3}}, "labels must be 1, 0 or -1"),
    ],
)
def test_a_schema_that_contradicts_itself_is_refused(settings: dict[str, Any], reason: str) -> None:
    with pytest.raises(ParameterError, match=reason):
        mgg.EventSchema(**settings)


# --- guesses -------------------------------------------------------------------------------------------------------


def many(count: int = 400) -> dict[str, list[Any]]:
    """Return events in which every meaning that is guessed occurs."""
    return {
        "event_id": [f"e{i}" for i in range(count)],
        "ts": [f"2024-01-01T00:{i // 60 % 60:02}:{i % 60:02}" for i in range(count)],
        "src": [f"h{i % 40}" for i in range(count)],
        "dst": [f"h{i % 37 + 3}" for i in range(count)],
        "api": [f"Call{i % 50}" for i in range(count)],
        "kind": ["ab"[i % 2] for i in range(count)],
        "note": [f"some words about {i}" for i in range(count)],
        "bytes": list(range(count)),
        "region": ["eu"] * count,
    }


def test_the_meaning_of_columns_is_guessed_and_explained() -> None:
    schema, reasons = mgg.infer_events(many())
    assert schema == mgg.EventSchema(
        entities={"node": ("src", "dst"), "api": ("api",)}, time="ts",
        numeric=("bytes",), categorical=("kind",), text=("note",),
    )  # fmt: skip
    assert "event_id: an id, not an attribute (its name)" in reasons
    assert "region: not read (it has one value)" in reasons
    assert len(reasons) == len(many()) + 1
    assert repr(mgg.from_events(many())).startswith("Graph(node 40, api 50; node-[src-dst]->node 400")


def test_labelled_events_become_nodes() -> None:
    schema, _ = mgg.infer_events(many() | {"is_fraud": [True, False] * 200})
    assert (schema.event, schema.label) == ("event", "is_fraud")


def test_events_without_entities_are_refused() -> None:
    with pytest.raises(InputError, match="too few seem to name entities"):
        mgg.from_events({"time": [1, 2], "amount": [3.0, 4.0]})
