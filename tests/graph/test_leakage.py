"""Leaks that were put in are found and named; clean data of any kind are left alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from marigram import graph as mgg
from marigram.errors import ParameterError
from marigram.graph.leakage import Leak, find_leaks

COUNT = 1500


def world(seed: int = 0, **columns: Any) -> mgg.Graph:
    """Return users with three noisy columns, one of them honestly useful, and what the test adds."""
    rng = np.random.default_rng(seed)
    labels = (rng.random(COUNT) < 0.15).astype(np.int8)
    plain = {
        "age": rng.normal(size=COUNT),
        "spent": rng.normal(size=COUNT) + labels,
        "visits": rng.poisson(3, COUNT),
    }
    made = {name: make(labels, rng) for name, make in columns.items()}
    codes = {name: values for name, values in made.items() if values.dtype == np.int32}
    numbers = plain | {name: values for name, values in made.items() if name not in codes and name != "time"}
    attributes = mgg.Columns(
        numeric=np.column_stack(list(numbers.values())).astype(np.float32), numeric_names=tuple(numbers),
        codes=np.column_stack([np.empty((COUNT, 0), np.int32), *codes.values()]), code_names=tuple(codes),
        vocabularies=tuple(("shop", "web", "desk") for _ in codes), text=np.empty((COUNT, 0), np.float32),
    )  # fmt: skip
    users = mgg.NodeTable(attributes=attributes, labels=labels, time=made.get("time"))
    src, dst = rng.integers(0, COUNT, (2, 3000))
    graph = mgg.Graph(
        nodes={"user": users}, edges={("user", "pays", "user"): mgg.EdgeTable(src=src, dst=dst)},
        time_unit="step" if "time" in made else "",
    )  # fmt: skip
    return mgg.stratified(graph, seeds=[seed])


def told(graph: mgg.Graph) -> list[tuple[str, str, str]]:
    return [(leak.kind, leak.grade, leak.what) for leak in find_leaks(graph)]


@pytest.mark.parametrize("seed", range(20))
def test_clean_data_are_left_alone(seed: int) -> None:
    assert told(world(seed, channel=lambda y, rng: rng.integers(-1, 3, COUNT).astype(np.int32))) == []


@pytest.mark.parametrize(
    ("name", "make", "expected"),
    [
        ("refund", lambda y, rng: y * 3.0 + rng.normal(0, 0.1, COUNT), ("column", "leak", "refund")),
        ("middle", lambda y, rng: np.where(y, 0.0, rng.choice([-1, 1], COUNT)), ("column", "leak", "middle")),
        ("missing", lambda y, rng: np.where(y, np.nan, 1.0), ("column", "leak", "missing")),
        ("desk", lambda y, rng: np.where(y, 2, rng.integers(-1, 2, COUNT)).astype("i4"), ("column", "leak", "desk")),
        ("near", lambda y, rng: y * 2.4 + rng.normal(size=COUNT), ("column", "look", "near")),
        (
            "case",
            lambda y, rng: np.where(y & (rng.random(COUNT) < 0.4), 2, rng.integers(-1, 2, COUNT)).astype(np.int32),
            ("value", "look", "case"),
        ),
        ("is_fraud_2", lambda y, rng: rng.normal(size=COUNT), ("name", "look", "is_fraud_2")),
    ],
)  # fmt: skip
def test_a_column_that_tells_the_label_is_named(name: str, make: Any, expected: tuple[str, str, str]) -> None:
    assert told(world(1, **{name: make})) == [expected]


def test_a_name_is_matched_by_words_not_by_letters() -> None:
    harmless = {
        name: lambda y, rng: rng.normal(size=COUNT)
        for name in ("classic", "yield", "targeted_ads_seen", "banner")
    }
    assert told(world(2, **harmless)) == []


def test_rows_sorted_by_class_are_noticed() -> None:
    graph = world(3)
    users = graph.nodes["user"]
    assert users.labels is not None
    sorted_users = users.take(np.argsort(users.labels, kind="stable"))
    assert ("order", "leak", "the order of the rows") in told(graph.with_nodes(user=sorted_users))


def test_a_split_that_ignores_the_times_and_edges_from_the_future_are_noticed() -> None:
    graph = world(4, time=lambda y, rng: rng.permutation(COUNT).astype(np.int64))
    assert told(graph) == [("future", "look", "split")]
    by_time = mgg.by_time(graph)
    assert told(by_time) == [("future", "look", "user-pays-user")]
    users = by_time.nodes["user"]
    assert users.time is not None
    edges = by_time.edges["user", "pays", "user"]
    times = np.maximum(users.time[edges.src], users.time[edges.dst])
    dated = mgg.Graph(
        nodes=by_time.nodes, time_unit="step",
        edges={("user", "pays", "user"): mgg.EdgeTable(src=edges.src, dst=edges.dst, time=times)},
    )  # fmt: skip
    assert told(mgg.as_of(dated, mgg.Part.TRAIN)) == []


def test_twins_across_the_split_are_noticed() -> None:
    graph = world(5)
    users = graph.nodes["user"]
    twice = np.concatenate([np.arange(COUNT // 2)] * 2)
    doubled = mgg.stratified(
        mgg.Graph(
            nodes={
                "user": mgg.NodeTable(attributes=users.attributes.take(twice), labels=users.labels[twice])
            },
            edges={},
        ),  # type: ignore[index]
        seeds=[0],
    )
    (leak,) = find_leaks(doubled)
    assert (leak.kind, leak.grade) == ("twins", "leak")
    assert leak.auc == 1.0


def test_rows_of_few_values_have_twins_that_tell_nothing() -> None:
    rng = np.random.default_rng(0)
    bits = mgg.Columns.of_numbers(rng.integers(0, 2, (COUNT, 3)).astype(np.float32))
    users = mgg.NodeTable(attributes=bits, labels=(rng.random(COUNT) < 0.2).astype(np.int8))
    assert told(mgg.stratified(mgg.Graph(nodes={"user": users}, edges={}), seeds=[0])) == []


def test_a_degree_that_tells_the_label_is_noticed() -> None:
    graph = world(6)
    users = graph.nodes["user"]
    assert users.labels is not None
    fraud = np.flatnonzero(users.labels == 1)
    edges = mgg.EdgeTable(src=np.repeat(fraud, 5), dst=np.zeros(5 * len(fraud), np.int64))
    busy = mgg.Graph(nodes=graph.nodes, edges={("user", "pays", "user"): edges})
    (leak,) = find_leaks(busy)
    assert leak == Leak(kind="degree", grade="leak", what=leak.what, reason=leak.reason, auc=1.0, ap=1.0)
    assert leak.what.startswith("edges out of it")


def test_what_cannot_be_judged_is_refused() -> None:
    graph = world(7)
    with pytest.raises(ParameterError, match="which node type"):
        find_leaks(graph, of="card")
    with pytest.raises(ParameterError, match="no split"):
        find_leaks(graph.with_splits("user", None))


@pytest.mark.parametrize("blocked", [True, False])
def test_what_partners_do_later_is_noticed_when_it_tells(blocked: bool) -> None:
    """Where a stolen card is blocked, nothing more happens after the fraud."""
    rng = np.random.default_rng(3)
    card, label = rng.integers(0, 300, 3 * COUNT), (rng.random(3 * COUNT) < 0.1).astype(np.int8)
    end = np.full(300, 3 * COUNT)
    if blocked:
        np.minimum.at(end, card[label == 1], np.flatnonzero(label))
    rows = np.flatnonzero(np.arange(3 * COUNT) <= end[card])
    pays = mgg.NodeTable.bare(len(rows)).with_labels(label[rows])
    edges = mgg.EdgeTable(src=np.arange(len(rows)), dst=card[rows], time=rows)
    graph = mgg.Graph(
        nodes={"pay": pays, "card": mgg.NodeTable.bare(300)},
        edges={("pay", "by", "card"): edges},
        time_unit="step",
    )
    found = [leak for leak in find_leaks(mgg.stratified(graph, seeds=[0])) if "later" in leak.what]
    assert bool(found) == blocked
    if blocked:
        assert found[0].kind == "future"
        assert "looks ahead" in found[0].reason
