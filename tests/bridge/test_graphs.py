"""The graph of the same events."""

from __future__ import annotations

import numpy as np
import pytest

from marigram.bridge import graph_of, preset
from marigram.datasets import cloudtrail
from marigram.errors import InputError
from marigram.events import EntitySchema

SCHEMA = EntitySchema(
    time="at", unit="s", entities={"user": "account", "peer": "account", "ip": "address"}, attributes=("ok",),
    numbers=("bytes",), label="bad", hashed=("user", "peer"),
)  # fmt: skip
EVENTS = {
    "at": [0, 5, 9],
    "user": ["ann", "bob", "ann"],
    "peer": ["bob", "", None],
    "ip": ["10.0.0.1", "10.0.0.1", "10.0.0.2"],
    "ok": [True, False, True],
    "bytes": [1.0, 2.0, None],
    "bad": [0, 1, 0],
}


def test_rows_are_nodes_with_edges_to_their_entities() -> None:
    graph = graph_of(EVENTS, SCHEMA)
    assert {kind: table.count for kind, table in graph.nodes.items()} == {
        "event": 3,
        "account": 2,
        "address": 2,
    }
    edges = {relation: len(table.src) for (_, relation, _), table in graph.edges.items()}
    assert edges == {"user": 3, "peer": 1, "ip": 3}
    assert graph.nodes["event"].labels.tolist() == [0, 1, 0]
    times = graph.edges["event", "user", "account"].time
    assert times is not None
    assert times.tolist() == [0, 5_000_000_000, 9_000_000_000]
    assert not any("ann" in str(name) for name in graph.nodes["account"].ids)
    assert graph.nodes["account"].attributes.code_names == ("kind",)


def test_labels_can_be_given_or_absent() -> None:
    unlabelled = {name: column for name, column in EVENTS.items() if name != "bad"}
    assert graph_of(unlabelled, SCHEMA).nodes["event"].labels is None
    given = graph_of(EVENTS, SCHEMA, labels=np.array([-1, -1, 1]))
    assert given.nodes["event"].labels.tolist() == [-1, -1, 1]
    with pytest.raises(InputError, match="there are 3 events"):
        graph_of(EVENTS, SCHEMA, labels=[1])


def test_the_shipped_events_have_the_entities_of_the_published_graph() -> None:
    graph = graph_of(cloudtrail().events, preset("cloudtrail").schema)
    counts = {kind: table.count for kind, table in graph.nodes.items()}
    assert counts["event"] == 2900
    assert (counts["principal"], counts["source_ip"], counts["region"], counts["resource"]) == (
        20,
        16,
        1,
        215,
    )
