"""Edges that are scored: as nodes, with what their ends and the pair had done, and never by what comes later."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.graph.detectors.graphs import QUICK

from marigram import graph as mgg
from marigram.errors import InputError, ParameterError
from marigram.evaluate.metrics import roc_auc
from marigram.graph.hops import HopFeatures

KIND = ("user", "pays", "shop")


def payments(seed: int, *, n: int = 900, timed: bool = True, labelled: bool = True) -> mgg.Graph:
    """A tenth are first payments of a user at a shop, and anomalous; their amounts are like all others'."""
    rng = np.random.default_rng(seed)
    favourite = rng.integers(0, 30, (40, 3))
    src = rng.integers(0, 40, n)
    fresh = rng.random(n) < 0.1
    dst = np.where(fresh, 30 + np.arange(n), favourite[src, rng.integers(0, 3, n)])
    amounts = rng.lognormal(size=(n, 1)).astype(np.float32)
    amounts[rng.random(n) < 0.05] = np.nan
    labels = (fresh & (np.arange(n) > 100)).astype(np.int8)
    table = mgg.EdgeTable(
        src=src, dst=dst, attributes=mgg.Columns.of_numbers(amounts, ("amount",)),
        time=np.arange(n) if timed else None, labels=labels if labelled else None,
    )  # fmt: skip
    graph = mgg.Graph(
        nodes={"user": mgg.NodeTable.bare(40), "shop": mgg.NodeTable.bare(30 + n)},
        edges={
            KIND: table,
            ("user", "knows", "user"): mgg.EdgeTable(src=np.arange(39), dst=np.arange(1, 40)),
        },
        time_unit="step" if timed else "",
    )
    if not labelled:
        return graph
    return mgg.by_time(graph, of=KIND) if timed else mgg.stratified(graph, seeds=[seed], of=KIND)


def test_edges_become_nodes_between_their_ends() -> None:
    graph = payments(0)
    lifted = mgg.edges_as_nodes(graph, KIND)
    event, table = lifted.nodes["user pays shop"], graph.edges[KIND]
    assert event.labels is table.labels
    assert (event.test_mask == table.test_mask).all()
    np.testing.assert_array_equal(lifted.edges["user pays shop", "from", "user"].dst, table.src)
    np.testing.assert_array_equal(lifted.edges["user pays shop", "to", "shop"].dst, table.dst)
    pair = lifted.edges["user pays shop", "between", "user pays shop: pair"].dst
    same = (table.src[:, None] == table.src) & (table.dst[:, None] == table.dst)
    np.testing.assert_array_equal(pair[:, None] == pair, same)
    assert ("user", "knows", "user") in lifted.edges
    assert KIND not in lifted.edges


def test_the_past_of_the_pair_is_a_column_and_nothing_later_is() -> None:
    graph = payments(1)
    lifted = mgg.edges_as_nodes(graph, KIND)
    features = HopFeatures.fit(lifted, "user pays shop", hops=3)
    whole = features.view(lifted).rows(np.arange(900))
    table = graph.edges[KIND]
    for edge in (50, 400, 850):
        before = (table.src == table.src[edge]) & (table.dst == table.dst[edge]) & (table.time < edge)
        assert whole[edge, features.names.index("before, by between: count")] == before.sum()
        past = features.view(lifted.before(edge)).rows(np.array([edge]))
        np.testing.assert_array_equal(whole[edge], past[0])


@pytest.mark.parametrize("timed", [True, False])
def test_first_payments_are_found_where_the_attributes_tell_nothing(timed: bool) -> None:
    graph = payments(2, timed=timed)
    model = mgg.EdgeDetector(hops=2, trees=QUICK).fit(graph)
    assert model.verdict == "helps"
    score, table = model.score(graph), graph.edges[KIND]
    assert score.shape == (900,)
    assert ((score > 0) & (score < 1)).all()
    truth = table.labels[table.test_mask] == 1
    assert roc_auc(truth, score[table.test_mask]) > 0.9
    assert roc_auc(truth, model.score(graph, "control")[table.test_mask]) < 0.7


def test_it_is_saved_and_scores_an_unseen_graph_alike(tmp_path: Path) -> None:
    graph, other = payments(3), payments(4, labelled=False)
    model = mgg.EdgeDetector(hops=2, trees=QUICK, seed=1).fit(graph)
    model.save(tmp_path / "model")
    again = mgg.EdgeDetector.load(tmp_path / "model")
    np.testing.assert_array_equal(again.score(other), model.score(other))
    assert again.report == model.report
    told = again.explain(800, graph)
    assert told.score == pytest.approx(model.score(graph)[800])
    assert told.features
    with pytest.raises(ParameterError, match="needs the graph"):
        again.explain(800)
    with pytest.raises(ParameterError, match="no 900"):
        again.explain(900, graph)


def test_what_cannot_be_scored_is_refused() -> None:
    with pytest.raises(InputError, match="0 types have labels"):
        mgg.EdgeDetector().fit(payments(5, labelled=False))
    with pytest.raises(ParameterError, match="no edges of type"):
        mgg.EdgeDetector(edge_type=("a", "b", "c")).fit(payments(5))
    with pytest.raises(InputError, match="no labels"):
        mgg.EdgeDetector(edge_type=KIND).fit(payments(5, labelled=False))
    with pytest.raises(ParameterError, match="hops"):
        mgg.EdgeDetector(hops=0)
    model = mgg.EdgeDetector(hops=1, trees=QUICK).fit(payments(6))
    with pytest.raises(ParameterError, match="no edges 'user pays shop'"):
        model.score(mgg.Graph(nodes={"user": mgg.NodeTable.bare(2)}, edges={}))
