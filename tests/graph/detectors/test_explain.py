"""What is said to have carried a score did."""

from __future__ import annotations

import numpy as np
import pytest
from tests.graph.detectors.graphs import QUICK, planted

from marigram import graph as mgg
from marigram.errors import ParameterError

PAYS = ("user", "pays", "user")


def test_the_planted_column_comes_first() -> None:
    graph = planted(0, by="attributes")
    users = graph.nodes["user"]
    x = users.attributes.numeric.copy()
    x[:, 1:] = np.random.default_rng(0).normal(size=(600, 2))  # x0 alone tells
    graph = graph.with_nodes(user=users.with_attributes(mgg.Columns.of_numbers(x)))
    model = mgg.NodeDetector(hops=1, trees=QUICK).fit(graph)
    worst = int(np.nanargmax(model.score(graph)))
    told = model.explain(worst)
    name, value, moved = told.features[0]
    assert name == "x0"
    assert value == x[worst, 0]
    assert moved > 0
    assert told.score == model.score(graph)[worst]


def test_contributions_of_columns_sum_to_the_score() -> None:
    graph = planted(1, by="neighbours")
    model = mgg.NodeDetector(hops=1, trees=QUICK).fit(graph)
    scorer = model.fitted.scorers["best"]
    logits = scorer.logits(graph, np.arange(600))
    moved = [sum(c for _, _, c in scorer.parts(graph, v, 1).features) for v in range(40)]
    gap = logits[:40] - np.array(moved)  # what the model says of nobody in particular: the same for all
    assert gap.std() < 1e-6


def test_edges_are_what_the_score_loses_without_them() -> None:
    graph = planted(2, by="neighbours")
    model = mgg.NodeDetector(hops=1, trees=QUICK).fit(graph)
    assert model.uses_graph
    node = int(np.nanargmax(model.score(graph)))
    told = model.explain(node, top=1000)
    here = [part for part in told.edges if part[0] == PAYS]
    table = graph.edges[PAYS]
    assert {row for _, row, _ in here} == set(np.flatnonzero((table.src == node) | (table.dst == node)))
    kind, row, lost = here[0]
    kept = np.arange(table.count) != row
    less = mgg.Graph(nodes=graph.nodes, edges={**graph.edges, kind: table.take(kept)})
    scorer = model.fitted.scorers["best"]
    view = scorer.features.view(less)
    own_degree = scorer.features.names.index("degree by pays")
    x = scorer.features.view(graph).rows(np.array([node]))
    cut = view.rows(np.array([node]))
    assert cut[0, own_degree] < x[0, own_degree]
    assert lost == max((c for _, _, c in here), key=abs)


def test_neighbours_are_named_by_type() -> None:
    graph = planted(3, by="neighbours")
    model = mgg.NodeDetector(hops=1, trees=QUICK).fit(graph)
    told = model.explain(5, top=1000)
    assert {kind for kind, _, _, _ in told.neighbours} == {"user", "shop"}
    assert [abs(c) for *_, c in told.neighbours] == sorted(
        (abs(c) for *_, c in told.neighbours), reverse=True
    )


def test_only_scored_nodes_are_explained() -> None:
    graph = planted(4, by="neighbours")
    model = mgg.NodeDetector(hops=1, trees=QUICK).fit(graph)
    with pytest.raises(ParameterError, match="not of type 'user'"):
        model.explain(int(graph.places("shop")[0]))
