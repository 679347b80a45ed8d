"""Columns of a node's surroundings against plain Python, and what they must not see."""

from __future__ import annotations

import numpy as np
import pytest

from marigram import graph as mgg
from marigram.errors import ParameterError
from marigram.graph.hops import HopFeatures
from marigram.graph.kernels.hops import (
    gather_gaps,
    gather_means,
    gather_past,
    gather_spread,
    rolling_counts,
    rolling_means,
    visible_stops,
)
from marigram.graph.rows import Rows


def random_graph(seed: int, *, n: int = 30, edges: int = 80, d: int = 3, timed: bool = False) -> mgg.Graph:
    """One node type, one relation, with gaps in the numbers."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d)).astype(np.float32)
    x[rng.random((n, d)) < 0.1] = np.nan
    nodes = mgg.NodeTable.bare(n).with_attributes(mgg.Columns.of_numbers(x))
    time = rng.integers(0, 20, edges) if timed else None
    table = mgg.EdgeTable(src=rng.integers(0, n, edges), dst=rng.integers(0, n, edges), time=time)
    return mgg.Graph(
        nodes={"user": nodes}, edges={("user", "pays", "user"): table}, time_unit="step" if timed else ""
    )


def neighbours(graph: mgg.Graph, node: int) -> list[int]:
    """Both ways, a loop once."""
    table = graph.edges["user", "pays", "user"]
    pairs = list(zip(table.src.tolist(), table.dst.tolist(), strict=True))
    return [s for s, t in pairs if t == node] + [t for s, t in pairs if s == node and t != node]


def of_column(values: list[float], what: str) -> float:
    """A statistic of what is known, NaN of nothing."""
    known = [v for v in values if v == v]
    if not known:
        return np.nan
    return {"mean": np.mean, "std": np.std, "min": np.min, "max": np.max}[what](known)


@pytest.mark.parametrize("seed", range(3))
def test_columns_agree_with_plain_python(seed: int) -> None:
    graph = random_graph(seed)
    x = graph.nodes["user"].attributes.numeric
    features = HopFeatures.fit(graph, "user", hops=2)
    found = features.view(graph).rows(np.arange(30))
    column = {name: found[:, j] for j, name in enumerate(features.names)}
    near = [neighbours(graph, v) for v in range(30)]
    np.testing.assert_allclose(column["degree by pays"], np.log1p([len(u) for u in near]), rtol=1e-6)
    for what in ("mean", "std", "min", "max"):
        wanted = [of_column([x[u, 1] for u in near[v]], what) for v in range(30)]
        np.testing.assert_allclose(column[f"{what} of x1 by pays"], wanted, rtol=1e-4, atol=1e-6)
    first = [of_column([x[u, 0] for u in near[v]], "mean") for v in range(30)]
    second = [of_column([first[u] for u in near[v]], "mean") for v in range(30)]
    np.testing.assert_allclose(column["mean of mean of x0 by pays by pays"], second, rtol=1e-4, atol=1e-6)


def test_the_order_of_nodes_and_edges_changes_nothing() -> None:
    graph = random_graph(5)
    order = np.random.default_rng(1).permutation(30)
    place = np.argsort(order)
    table = graph.edges["user", "pays", "user"]
    shuffled = np.random.default_rng(2).permutation(table.count)
    other = mgg.Graph(
        nodes={"user": graph.nodes["user"].take(order)},
        edges={
            ("user", "pays", "user"): mgg.EdgeTable(
                src=place[table.src][shuffled], dst=place[table.dst][shuffled]
            )
        },
    )
    features = HopFeatures.fit(graph, "user", hops=4)
    here, there = features.view(graph).rows(order), features.view(other).rows(np.arange(30))
    np.testing.assert_allclose(here, there, rtol=1e-4, atol=1e-5)


def test_a_constant_column_is_left_out_and_no_hops_leave_the_graph_out() -> None:
    graph = random_graph(1)
    table = graph.nodes["user"]
    x = table.attributes.numeric.copy()
    x[:, 2] = 4
    graph = graph.with_nodes(user=table.with_attributes(mgg.Columns.of_numbers(x)))
    assert HopFeatures.fit(graph, "user", hops=0).names == ("x0", "x1")


def test_a_node_with_a_time_does_not_see_later_edges() -> None:
    graph = random_graph(3, timed=True)
    own = np.random.default_rng(0).integers(0, 20, 30)
    users = graph.nodes["user"]
    users = mgg.NodeTable(**{**vars(users), "time": own})
    graph = mgg.Graph(nodes={"user": users}, edges=graph.edges, time_unit="step")
    features = HopFeatures.fit(graph, "user", hops=1)
    early = int(np.argsort(own)[8])
    seen = features.view(graph).rows(np.array([early]))
    past = features.view(graph.before(int(own[early]))).rows(np.array([early]))
    degree = features.names.index("degree by pays")
    assert seen[0, degree] == past[0, degree]
    own_and_gaps = [j for j, n in enumerate(features.names) if "of x" in n or "gap" in n or "span" in n]
    np.testing.assert_array_equal(seen[0, own_and_gaps], past[0, own_and_gaps])


def test_an_event_gets_what_its_partner_did_before() -> None:
    amounts = np.float32([[1], [2], [6], [9]])
    events = mgg.NodeTable.bare(4).with_attributes(mgg.Columns.of_numbers(amounts))
    by = mgg.EdgeTable(src=np.arange(4), dst=np.array([0, 0, 0, 1]), time=np.array([5, 7, 7, 9]))
    graph = mgg.Graph(
        nodes={"pay": events, "card": mgg.NodeTable.bare(2)},
        edges={("pay", "of", "card"): by},
        time_unit="step",
    )
    features = HopFeatures.fit(graph, "pay", hops=1)
    found = features.view(graph).rows(np.arange(4))
    column = {name: found[:, j].tolist() for j, name in enumerate(features.names)}
    assert column["before, by of: count"] == [0, 1, 1, 0]  # events of one moment do not see each other
    assert column["before, by of: time since the last"][1:3] == [2, 2]
    assert column["before, by of: mean of x0"][1:3] == [1, 1]
    assert np.isnan(column["before, by of: mean of x0"][3])


def test_another_kind_of_graph_is_refused() -> None:
    features = HopFeatures.fit(random_graph(0), "user", hops=2)
    with pytest.raises(ParameterError, match="attributes"):
        features.view(random_graph(0, d=4))
    with pytest.raises(ParameterError, match="gap"):
        features.view(random_graph(0, timed=True))
    with pytest.raises(ParameterError, match="from 0 to 8"):
        HopFeatures.fit(random_graph(0), "user", hops=9)


def test_slots_can_be_replaced_for_one_node() -> None:
    graph = random_graph(2)
    features = HopFeatures.fit(graph, "user", hops=1)
    view = features.view(graph)
    (kind,) = view.into
    node = int(np.argmax(view.into[kind].degrees))
    rows = Rows.of(view.into[kind], np.array([node]), np.empty(0, np.int64))
    np.testing.assert_array_equal(view.rows(np.array([node]), {kind: rows}), view.rows(np.array([node])))


@pytest.mark.parametrize("seed", range(4))
def test_kernels_agree_with_their_twins(seed: int) -> None:
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 6, 12)
    stops = np.cumsum(counts)
    starts = stops - counts
    indices = rng.integers(0, 9, stops[-1]).astype(np.int32)
    values = rng.normal(size=(9, 2)).astype(np.float32)
    values[rng.random((9, 2)) < 0.2] = np.nan
    means, spread = np.empty((12, 2), np.float32), np.empty((12, 6), np.float32)
    gather_means(starts, stops, indices, values, means)
    gather_spread(starts, stops, indices, values, spread)
    times = np.concatenate([np.sort(rng.integers(0, 30, c)) for c in counts]).astype(np.int64)
    own = rng.integers(0, 40, 12)
    gaps, ends = np.empty((12, 5), np.float32), np.empty(12, np.int64)
    gather_gaps(starts, stops, times, own, gaps)
    visible_stops(starts, stops, times, own, ends)
    for i in range(12):
        some = values[indices[starts[i] : stops[i]]]
        for j in range(2):
            wanted = [of_column(some[:, j].tolist(), w) for w in ("mean", "std", "min", "max")]
            np.testing.assert_allclose([means[i, j], *spread[i, j::2]], wanted, rtol=1e-4, atol=1e-6)
        t = times[starts[i] : stops[i]]
        steps = np.diff(t)
        wanted = [steps.mean(), steps.std(), steps.min()] if len(steps) else [np.nan] * 3
        wanted += [t[-1] - t[0], own[i] - t[-1]] if len(t) else [np.nan] * 2
        np.testing.assert_allclose(gaps[i], wanted, rtol=1e-5, atol=1e-6)
        assert ends[i] - starts[i] == (t <= own[i]).sum()


@pytest.mark.parametrize("seed", range(4))
def test_the_past_of_events_agrees_with_its_twin(seed: int) -> None:
    rng = np.random.default_rng(seed)
    who, times = rng.integers(0, 3, 20), rng.integers(0, 8, 20)
    values = rng.normal(size=(20, 1)).astype(np.float32)
    csr = mgg.CSR.build(rows=who, columns=np.arange(20), shape=(3, 20), times=times)
    out = np.empty((20, 4), np.float32)
    gather_past(csr.indptr, csr.indices, csr.times, values, out)
    for event in range(20):
        before = (who == who[event]) & (times < times[event])
        wanted = [before.sum(), times[event] - times[before].max() if before.any() else np.nan]
        wanted += [of_column(values[before, 0].tolist(), w) for w in ("mean", "std")]
        np.testing.assert_allclose(out[event], wanted, rtol=1e-4, atol=1e-5)


def events(seed: int, *, dated: bool) -> mgg.Graph:
    """Payments of cards at shops, and friends among the cards; payments have times or their edges do."""
    rng = np.random.default_rng(seed)
    n, cards, shops = 60, 7, 4
    time = np.sort(rng.integers(0, 25, n))
    pays = mgg.NodeTable(
        attributes=mgg.Columns.of_numbers(rng.normal(size=(n, 2)).astype(np.float32)),
        time=time if dated else None,
    )
    known = mgg.Columns.of_numbers(rng.normal(size=(cards, 1)).astype(np.float32))
    friends = mgg.EdgeTable(
        src=rng.integers(0, cards, 12), dst=rng.integers(0, cards, 12), time=rng.integers(0, 25, 12)
    )
    home = mgg.EdgeTable(src=np.arange(cards), dst=rng.integers(0, shops, cards))
    return mgg.Graph(
        nodes={"pay": pays, "card": mgg.NodeTable(attributes=known), "shop": mgg.NodeTable.bare(shops)},
        edges={
            ("pay", "by", "card"): mgg.EdgeTable(src=np.arange(n), dst=rng.integers(0, cards, n), time=time),
            ("pay", "at", "shop"): mgg.EdgeTable(src=np.arange(n), dst=rng.integers(0, shops, n), time=time),
            ("card", "knows", "card"): friends,
            ("card", "lives near", "shop"): home,
        },
        time_unit="step",
    )


@pytest.mark.parametrize("dated", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_nothing_later_than_an_event_changes_any_of_its_columns(seed: int, dated: bool) -> None:
    graph = events(seed, dated=dated)
    features = HopFeatures.fit(graph, "pay", hops=4)
    assert features.dated == ("pay",)
    assert any("knows" in name for name in features.names)
    whole = features.view(graph).rows(np.arange(60))
    time = graph.edges["pay", "by", "card"].time
    for moment in (3, 11, 20):
        now = np.flatnonzero(time == moment)
        past = features.view(graph.before(moment)).rows(now)
        np.testing.assert_array_equal(whole[now], past)
    seen = {
        len(np.unique(whole[:, j]))
        for j, name in enumerate(features.names)
        if name.startswith("mean of degree")
    }
    assert max(seen) > 5  # what a card had seen differs from payment to payment


def test_degrees_of_partners_are_those_of_the_moment() -> None:
    graph = events(5, dated=False)
    features = HopFeatures.fit(graph, "pay", hops=2)
    found = features.view(graph).rows(np.arange(60))
    table = graph.edges["pay", "by", "card"]
    x = graph.nodes["pay"].attributes.numeric
    for pay in range(60):
        past = (table.dst == table.dst[pay]) & (table.time <= table.time[pay])
        degree = features.names.index("mean of degree by by by rev_by")
        assert found[pay, degree] == pytest.approx(np.log1p(past.sum()), rel=1e-6)
        mean = features.names.index("mean of mean of x1 by by by rev_by")
        assert found[pay, mean] == pytest.approx(x[past, 1].mean(), rel=1e-4, abs=1e-6)


def test_times_that_fit_had_are_asked_for() -> None:
    features = HopFeatures.fit(events(0, dated=True), "pay", hops=1)
    graph = events(0, dated=False)
    tables = {kind: mgg.EdgeTable(src=t.src, dst=t.dst) for kind, t in graph.edges.items()}
    with pytest.raises(ParameterError, match="had times"):
        features.view(mgg.Graph(nodes=graph.nodes, edges=tables))


@pytest.mark.parametrize("timed", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_running_sums_agree_with_their_twin(seed: int, timed: bool) -> None:
    rng = np.random.default_rng(seed)
    asked, seen = rng.integers(0, 4, 15), rng.integers(0, 4, 30)
    when, times = rng.integers(0, 9, 15), rng.integers(0, 9, 30)
    asking = mgg.CSR.build(asked, np.arange(15), (4, 15), when)
    seeing = mgg.CSR.build(seen, np.arange(30), (4, 30), times if timed else None)
    values = rng.normal(size=(30, 2)).astype(np.float32)
    values[rng.random((30, 2)) < 0.2] = np.nan
    out, counts = np.empty((15, 2), np.float32), np.empty(15, np.float32)
    query = asking.indptr, asking.times, asking.edge, seeing.indptr, seeing.times
    rolling_means(*query, seeing.indices, values, out)
    rolling_counts(*query, counts)
    for i in range(15):
        past = (seen == asked[i]) & ((times <= when[i]) | (not timed))
        assert counts[i] == pytest.approx(np.log1p(past.sum()), rel=1e-6)
        wanted = [of_column(values[past, j].tolist(), "mean") for j in range(2)]
        np.testing.assert_allclose(out[i], wanted, rtol=1e-4, atol=1e-6)
