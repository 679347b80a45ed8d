"""Every kind of network goes all the way: learn, score, explain, be saved, and score graphs it never saw."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.graph.detectors.graphs import QUICK, payments, planted, relabelled

from marigram import graph as mgg
from marigram.errors import InputError, ParameterError
from marigram.evaluate.metrics import roc_auc

pytest.importorskip("torch")

from marigram.graph.networks import KINDS, NetworkSettings, TrainingSettings

SMALL = NetworkSettings(width=16, layers=2)
SHORT = TrainingSettings(epochs=20, patience=8, rate=0.02)
PAYS = ("user", "pays", "user")
Make = Callable[..., mgg.Graph]


def still(seed: int, *, n: int = 400, split: bool = True) -> mgg.Graph:
    return planted(seed, by="neighbours", n=n, split=split)


def detector(kind: str, **more: object) -> mgg.NodeDetector:
    settings = {"hops": 1, "trees": QUICK, "network": SMALL, "training": SHORT} | more
    return mgg.NodeDetector(kind, **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("make", "target"), [(still, "user"), (payments, "payment")])
def test_every_kind_goes_all_the_way(make: Make, target: str, kind: str, tmp_path: Path) -> None:
    graph = make(0)
    model = detector(kind).fit(graph)
    assert (model.chosen, model.node_type) == (kind, target)
    score = model.score(graph, "graph")
    places = graph.places(target)
    assert np.isnan(np.delete(score, places)).all()
    assert ((score[places] > 0) & (score[places] < 1)).all()
    table = graph.nodes[target]
    least = 0.6 if kind == "gcn" else 0.7  # which averages users and shops alike
    assert roc_auc(table.labels[table.test_mask] == 1, score[places][table.test_mask]) > least

    model.save(tmp_path / "model")
    again = mgg.NodeDetector.load(tmp_path / "model")
    for which in ("best", "graph", "control"):
        np.testing.assert_array_equal(again.score(graph, which), model.score(graph, which))
    assert again.report == model.report
    assert (again.plan.network, again.plan.training) == (SMALL, SHORT)

    unseen = make(1, split=False)
    bare = unseen.with_nodes(**{target: unseen.nodes[target].with_labels(np.full(table.count, -1, np.int8))})
    found = again.score(bare, "graph")[unseen.places(target)]
    assert roc_auc(unseen.nodes[target].labels == 1, found) > least

    of_the_graph(model)
    node = int(places[0])
    told = model.explain(node, top=5)
    assert {name for name, _, _ in told.features} <= set(model.feature_names)
    assert told.neighbours
    assert told.edges
    assert model.explain(node, graph, top=5) == told


def test_scores_do_not_depend_on_what_came_later() -> None:
    graph = payments(2)
    model = detector("sage", training=TrainingSettings(epochs=5, rate=0.02)).fit(graph)
    when = int(graph.nodes["payment"].time[299])
    early = graph.before(when + 1)
    assert early.edge_count < 0.6 * graph.edge_count
    known = graph.nodes["payment"].time <= when
    now, then = (model.score(g, "graph")[g.places("payment")][known] for g in (graph, early))
    np.testing.assert_allclose(then, now, rtol=1e-5)


def test_labels_of_the_test_part_are_never_looked_at() -> None:
    graph = still(3)
    users = graph.nodes["user"]
    labels = users.labels.copy()
    rows = np.flatnonzero(users.test_mask)
    labels[rows] = np.random.default_rng(1).permutation(labels[rows])
    how = {"self_train": mgg.SelfTraining(ratio=2), "training": TrainingSettings(epochs=10)}
    first, second = (detector("gcn", **how).fit(g) for g in (graph, relabelled(graph, labels)))
    np.testing.assert_array_equal(first.score(graph), second.score(graph))
    assert first.report == second.report


def test_few_anomalies_gain_from_unlabelled_nodes_or_are_left_alone(tmp_path: Path) -> None:
    graph = still(4, n=500)
    users = graph.nodes["user"]
    labels = users.labels.copy()
    labels[np.flatnonzero(users.train_mask & (labels == 1))[8:]] = -1
    few = relabelled(graph, labels)
    plain, trained = (detector("sage", self_train=more).fit(few) for more in (False, True))
    assert trained.validation.graph_ap >= plain.validation.graph_ap
    trained.save(tmp_path)
    np.testing.assert_array_equal(mgg.NodeDetector.load(tmp_path).score(few), trained.score(few))


def test_without_an_anomaly_in_validation_it_learns_all_the_same() -> None:
    graph = still(5)
    users = graph.nodes["user"]
    labels = users.labels.copy()
    labels[users.val_mask & (labels == 1)] = -1
    model = detector("gin", training=TrainingSettings(epochs=12, rate=0.02)).fit(relabelled(graph, labels))
    assert model.verdict == "too few labels"
    assert model.fitted.scorers["graph"].epochs == 12


def test_a_graph_without_edges_or_with_others_is_refused() -> None:
    graph = still(7)
    with pytest.raises(InputError, match="edges"):
        detector("sage").fit(mgg.Graph(nodes=graph.nodes, edges={}))
    model = detector("sage", training=TrainingSettings(epochs=1)).fit(graph)
    fewer = mgg.Graph(nodes=graph.nodes, edges={PAYS: graph.edges[PAYS]})
    with pytest.raises(ParameterError, match="relations"):
        model.score(fewer, "graph")
    x = mgg.Columns.of_numbers(graph.nodes["user"].attributes.numeric, ("a", "b", "c"))
    other = graph.with_nodes(user=graph.nodes["user"].with_attributes(x))
    with pytest.raises(ParameterError, match="columns"):
        model.score(other, "graph")


# --- reasons ----------------------------------------------------------------------------------------------------------


def of_the_graph(model: mgg.NodeDetector) -> mgg.NodeDetector:
    """Let it explain its graph model, whichever won."""
    found = model.fitted
    scorers = {**found.scorers, "best": found.scorers["graph"]}
    model._fitted = replace(found, scorers=scorers, curves={**found.curves, "best": found.curves["graph"]})
    return model


def fitted(kind: str, graph: mgg.Graph) -> mgg.NodeDetector:
    model = detector(kind, training=TrainingSettings(epochs=8, rate=0.02)).fit(graph)
    return of_the_graph(model)


@pytest.mark.parametrize("kind", KINDS)
def test_an_edge_carries_what_the_logit_loses_when_it_is_deleted(kind: str) -> None:
    graph = still(8, n=150)
    model = fitted(kind, graph)
    scorer = model.fitted.scorers["best"]
    node = int(np.flatnonzero(graph.nodes["user"].labels == 1)[0])
    told = model.explain(node, top=1000)
    whole = scorer.logits(graph, np.array([node]))[0]
    incident = (graph.edges[PAYS].src == node) | (graph.edges[PAYS].dst == node)
    assert {row for edge_type, row, _ in told.edges if edge_type == PAYS} == set(np.flatnonzero(incident))
    for edge_type, row, carried in told.edges[:4]:
        table = graph.edges[edge_type]
        less = mgg.Graph(
            nodes=graph.nodes, edges={**graph.edges, edge_type: table.take(np.arange(table.count) != row)}
        )
        assert carried == pytest.approx(whole - scorer.logits(less, np.array([node]))[0], abs=2e-5)
    assert max(abs(carried) for *_, carried in told.edges) > 1e-4


@pytest.mark.parametrize("kind", KINDS)
def test_features_carry_the_difference_from_a_node_like_the_average(kind: str) -> None:
    graph = still(9, n=150)
    model = fitted(kind, graph)
    scorer = model.fitted.scorers["best"]
    source = scorer.sight.source(graph, scorer.network.settings)
    _, batch = source.around(5, scorer.network.settings.reach)
    average = batch.features["user"].clone()
    average[0] = 0
    base = scorer.network(batch.changed(batch.features | {"user": average})).item()
    told = model.explain(5, top=1000)
    carried = sum(c for _, _, c in told.features)
    logit = scorer.logits(graph, np.array([5]))[0]
    assert carried == pytest.approx(logit - base, abs=0.02 + 0.05 * abs(logit - base))
    values = {name: value for name, value, _ in told.features}
    assert [values[f"x{j}"] for j in range(3)] == graph.nodes["user"].attributes.numeric[5].tolist()
    edges = graph.edges[PAYS]
    degree = int((edges.src == 5).sum() + ((edges.dst == 5) & (edges.src != 5)).sum())
    assert values["degree by pays"] == pytest.approx(np.log1p(degree), rel=1e-6)


def test_samples_are_explained_as_they_are_scored() -> None:
    graph = payments(10)
    model = fitted("hgt", graph)
    node = int(graph.places("payment")[-1])
    told = model.explain(node, top=100)
    assert told.score == pytest.approx(model.score(graph)[node], rel=1e-5)
    assert {name for name, _, _ in told.features} == {
        "amount", "amount is missing", "degree by rev_of", "degree by rev_at",
    }  # fmt: skip
    assert {edge_type[1] for edge_type, _, _ in told.edges} == {"of", "at"}
    assert {(kind, name[1]) for kind, _, name, _ in told.neighbours} == {("card", "of"), ("shop", "at")}
    row = graph.nodes["payment"].count - 1
    assert {r for _, r, _ in told.edges} == {row}
