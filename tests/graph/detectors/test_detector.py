"""The detector as a whole: what it may not look at, what it says of the graph, what it gives back."""

from __future__ import annotations

import numpy as np
import pytest
from tests.graph.detectors.graphs import QUICK, planted, relabelled

from marigram import graph as mgg
from marigram.errors import InputError, ParameterError
from marigram.evaluate.metrics import average_precision, roc_auc


def test_labels_of_the_test_part_are_never_looked_at() -> None:
    graph = planted(0, by="neighbours")
    users = graph.nodes["user"]
    labels = users.labels.copy()
    rows = np.flatnonzero(users.test_mask)
    labels[rows] = np.random.default_rng(1).permutation(labels[rows])
    other = relabelled(graph, labels)
    assert (labels != users.labels).sum() > 10
    how = mgg.SelfTraining(ratio=2)
    first = mgg.NodeDetector(hops=2, trees=QUICK, self_train=how).fit(graph)
    second = mgg.NodeDetector(hops=2, trees=QUICK, self_train=how).fit(other)
    for which in ("best", "graph", "control"):
        np.testing.assert_array_equal(first.score(graph, which), second.score(other, which))
    assert first.report == second.report


def test_labels_of_the_training_part_are() -> None:
    graph = planted(0, by="neighbours")
    users = graph.nodes["user"]
    labels = users.labels.copy()
    rows = np.flatnonzero(users.train_mask)
    labels[rows] = np.random.default_rng(1).permutation(labels[rows])
    first = mgg.NodeDetector(hops=1, trees=QUICK).fit(graph).score(graph, "graph")
    second = mgg.NodeDetector(hops=1, trees=QUICK).fit(relabelled(graph, labels)).score(graph, "graph")
    assert (first != second)[graph.places("user")].any()


def test_a_graph_that_tells_helps_and_one_that_does_not_does_not() -> None:
    telling = mgg.NodeDetector(hops=2, trees=QUICK).fit(planted(1, by="neighbours"))
    silent = mgg.NodeDetector(hops=2, trees=QUICK).fit(planted(1, by="attributes"))
    assert telling.verdict == "helps"
    assert telling.uses_graph
    assert silent.verdict == "does not help"
    assert "with the graph" in telling.reason


@pytest.mark.slow
def test_noise_is_seldom_said_to_be_helped() -> None:
    """A gain whose 95 % interval is all above 0 has probability 2.5 %; of 12, more than 3 have less than 1 in 5,000."""
    verdicts = [
        mgg.NodeDetector(hops=1, seed=seed, trees=QUICK).fit(planted(seed, by="nothing", n=300)).verdict
        for seed in range(12)
    ]
    assert verdicts.count("helps") <= 3


def test_under_ten_anomalies_in_validation_are_too_few() -> None:
    graph = planted(2, by="neighbours")
    users = graph.nodes["user"]
    known = np.flatnonzero(users.val_mask & (users.labels == 1))
    labels = users.labels.copy()
    labels[known[9:]] = -1
    assert mgg.NodeDetector(hops=1, trees=QUICK).fit(relabelled(graph, labels)).verdict == "too few labels"


def test_scores_are_probabilities_in_node_order_and_nan_elsewhere() -> None:
    graph = planted(3, by="neighbours", n=2000)
    model = mgg.NodeDetector(hops=1, trees=QUICK).fit(graph)
    score = model.score(graph)
    assert score.dtype == np.float64
    assert score.shape == (graph.count,)
    assert np.isnan(score[graph.places("shop")]).all()
    users = graph.nodes["user"]
    some = score[graph.places("user")]
    assert ((some > 0) & (some < 1)).all()
    truth = users.labels[users.test_mask] == 1
    found = model.score(graph, "graph")[graph.places("user")][users.test_mask]
    spread = np.sqrt((found * (1 - found)).sum())
    assert abs(found.sum() - truth.sum()) < 4 * spread + 0.1 * truth.sum()  # 4 sigma, and a tenth for the fit


def test_an_unseen_graph_is_scored_and_the_old_one_alike() -> None:
    model = mgg.NodeDetector(hops=2, trees=QUICK).fit(planted(4, by="neighbours"))
    other = planted(5, by="neighbours", split=False)
    score = model.score(relabelled(other, np.full(600, -1)))[other.places("user")]
    assert roc_auc(other.nodes["user"].labels == 1, score) > 0.8


def test_the_same_seed_gives_the_same_scores_and_another_does_not() -> None:
    graph = planted(6, by="neighbours")
    scores = [
        mgg.NodeDetector(hops=1, seed=s, trees=QUICK).fit(graph).score(graph, "graph") for s in (0, 0, 1)
    ]
    np.testing.assert_array_equal(scores[0], scores[1])
    assert (scores[0] != scores[2])[graph.places("user")].any()


def test_data_without_masks_or_validation_hold_some_out() -> None:
    bare = planted(7, by="neighbours", split=False)
    model = mgg.NodeDetector(hops=1, trees=QUICK).fit(bare)
    assert model.validation.positives == int((bare.nodes["user"].labels == 1).sum() * 0.25)
    assert model.verdict == "helps"


def test_pyg_data_are_taken_as_they_are() -> None:
    pytest.importorskip("torch_geometric")
    graph = planted(8, by="neighbours")
    model = mgg.NodeDetector(hops=1, trees=QUICK).fit(graph.to_pyg())
    np.testing.assert_array_equal(model.score(graph.to_pyg()), model.score(graph))


def test_without_labels_what_lies_far_out_comes_first() -> None:
    rng = np.random.default_rng(0)
    graph = planted(9, by="attributes", split=False)
    odd = np.zeros(600, bool)
    odd[rng.choice(600, 20, replace=False)] = True
    x = graph.nodes["user"].attributes.numeric * 0 + rng.normal(size=(600, 3)).astype(np.float32)
    x[odd] += 5
    users = mgg.NodeTable.bare(600).with_attributes(mgg.Columns.of_numbers(x))
    bare = mgg.Graph(nodes={"user": users, "shop": graph.nodes["shop"]}, edges=graph.edges)
    model = mgg.NodeDetector("unsupervised", hops=1, node_type="user").fit(bare)
    score = model.score(bare)
    assert average_precision(odd, score[bare.places("user")]) > 0.6  # by chance .03
    assert model.verdict == "too few labels"
    assert np.isnan(score[bare.places("shop")]).all()


def test_few_anomalies_gain_from_unlabelled_nodes_or_are_left_alone() -> None:
    graph = planted(10, by="neighbours", n=1500)
    users = graph.nodes["user"]
    labels = users.labels.copy()
    known = np.flatnonzero(users.train_mask & (labels == 1))
    labels[known[8:]] = -1
    few = relabelled(graph, labels)
    plain = mgg.NodeDetector(hops=1, trees=QUICK).fit(few)
    trained = mgg.NodeDetector(hops=1, trees=QUICK, self_train=True).fit(few)
    assert trained.validation.graph_ap >= plain.validation.graph_ap


@pytest.mark.parametrize(
    "wrong",
    [{"kind": "tree"}, {"hops": 0}, {"hops": 9}, {"seed": -1}, {"self_train": 3}, {"hops": 1.5}],
)
def test_wrong_parameters_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ParameterError, match=next(iter(wrong))):
        mgg.NodeDetector(**wrong)


def test_what_cannot_be_learned_from_is_refused() -> None:
    graph = planted(11, by="nothing")
    with pytest.raises(InputError, match="no anomaly"):
        mgg.NodeDetector(trees=QUICK).fit(relabelled(graph, np.zeros(600)))
    bare = mgg.Graph(nodes={"user": mgg.NodeTable.bare(5)}, edges={})
    with pytest.raises(InputError, match="labels"):
        mgg.NodeDetector().fit(bare)
    with pytest.raises(ParameterError, match="fit first"):
        mgg.NodeDetector().score(graph)
    with pytest.raises(ParameterError, match="no node type"):
        mgg.NodeDetector(node_type="nobody").fit(graph)
