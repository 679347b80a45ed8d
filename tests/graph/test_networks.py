"""Networks find what was planted, whole or sampled, and change nothing but themselves."""

import numpy as np
import pytest
import torch

from marigram.errors import ParameterError
from marigram.evaluate import average_precision
from marigram.graph.csr import CSR
from marigram.graph.layers import GraphBatch
from marigram.graph.networks import (
    KINDS,
    FeatureScaler,
    GraphNetwork,
    NetworkSettings,
    SampledGraph,
    TrainingSettings,
    WholeGraph,
    score_nodes,
    train_network,
)

USERS, ITEMS = 400, 60
BUYS, SOLD, KNOWS = ("user", "buys", "item"), ("item", "rev_buys", "user"), ("user", "knows", "user")
PARTS = np.array_split(np.random.default_rng(1).permutation(USERS), 2)
QUICK = TrainingSettings(epochs=60, patience=60, rate=0.02)


def planted(timed=False):
    """Users are anomalous by the sign that those they know carry, which their own features do not tell."""
    rng = np.random.default_rng(0)
    sign = rng.normal(size=USERS).astype(np.float32)
    src, dst = rng.integers(0, USERS, (2, 5 * USERS))
    mean = np.bincount(dst, sign[src], USERS) / np.maximum(np.bincount(dst, minlength=USERS), 1)
    labels = (mean > np.quantile(mean, 0.85)).astype(np.int8)
    features = {
        "user": torch.from_numpy(np.column_stack([sign, rng.normal(size=(USERS, 2))]).astype(np.float32)),
        "item": torch.from_numpy(rng.normal(size=(ITEMS, 2)).astype(np.float32)),
    }
    users, items = rng.integers(0, USERS, 3 * USERS), rng.integers(0, ITEMS, 3 * USERS)
    times = rng.integers(0, 1000, (2, 5 * USERS)) if timed else (None, None)
    relations = {
        BUYS: CSR.build(items, users, (ITEMS, USERS)),
        SOLD: CSR.build(users, items, (USERS, ITEMS)),
        KNOWS: CSR.build(dst, src, (USERS, USERS), times[0]),
    }
    return features, relations, labels


def network_for(features, relations, seed=0, **settings):
    widths = {name: x.shape[1] for name, x in features.items()}
    return GraphNetwork(
        NetworkSettings(width=16, layers=1, **settings), widths, list(relations), "user", seed=seed
    )


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_finds_what_was_planted(kind):
    features, relations, labels = planted()
    source = WholeGraph(GraphBatch(features, relations, "user"))
    network = network_for(features, relations, kind=kind)
    train_network(network, source, labels, PARTS[0], settings=QUICK)
    skill = average_precision(labels[PARTS[1]], score_nodes(network, source, PARTS[1]))
    assert skill > (
        0.5 if kind in ("gcn", "bwgnn") else 0.7
    )  # those two see items among the users; by chance: 0.15


def test_samples_teach_too():
    features, relations, labels = planted()
    source = SampledGraph(features, relations, "user", [6], batch_size=64)
    network = network_for(features, relations)
    train_network(network, source, labels, PARTS[0], settings=TrainingSettings(epochs=30, rate=0.02))
    assert average_precision(labels[PARTS[1]], score_nodes(network, source, PARTS[1])) > 0.7


@pytest.mark.parametrize("kind", KINDS)
def test_a_sample_of_all_neighbours_scores_as_the_whole_graph(kind):
    features, relations, _ = planted()
    network = network_for(features, relations, kind=kind, timed=True)
    hops = 3 if kind == "bwgnn" else 2  # one more than the layers, for the degrees of senders
    sampled = SampledGraph(features, relations, "user", [-1] * hops, batch_size=17)
    whole = WholeGraph(GraphBatch(features, relations, "user"))
    nodes = np.arange(50)
    torch.testing.assert_close(
        *(torch.from_numpy(score_nodes(network, source, nodes)) for source in (sampled, whole)),
        rtol=1e-4,
        atol=1e-5,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_renumbered_nodes_get_the_scores_they_had(kind):
    features, relations, _ = planted()
    network = network_for(features, relations, kind=kind)
    order = {"user": np.random.default_rng(5).permutation(USERS), "item": np.arange(ITEMS)[::-1].copy()}
    moved = {
        kind: CSR.build(order[kind[2]][csr.receivers], order[kind[0]][csr.indices], (csr.rows, csr.columns))
        for kind, csr in relations.items()
    }
    renamed = {name: torch.empty_like(x) for name, x in features.items()}
    for name, x in features.items():
        renamed[name][torch.from_numpy(order[name])] = x
    before = network(GraphBatch(features, relations, "user"))
    after = network(GraphBatch(renamed, moved, "user"))[torch.from_numpy(order["user"])]
    torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_types_may_have_any_name(kind):
    features = {name: torch.randn(3, 2) for name in ("type", "a.b", "")}
    relations = {(a, "to", b): CSR.build([0, 1], [1, 2], (3, 3)) for a in features for b in features}
    network = GraphNetwork(
        NetworkSettings(kind=kind, timed=True), dict.fromkeys(features, 2), list(relations), "type"
    )
    assert network(GraphBatch(features, relations, "type")).shape == (3,)


def test_seeds_with_times_do_not_see_what_comes_later():
    features, relations, _ = planted(timed=True)
    times = np.full(USERS, 500)
    known = relations[KNOWS]
    early = known.times <= 500
    past = relations | {
        KNOWS: CSR.build(known.receivers[early], known.indices[early], (USERS, USERS), known.times[early])
    }
    sources = [
        SampledGraph(features, r, "user", [-1, -1], times=times, degrees=True) for r in (relations, past)
    ]
    network = GraphNetwork(
        NetworkSettings(kind="hgt", timed=True), sources[0].widths, list(relations), "user"
    )
    scores = [score_nodes(network, source, np.arange(40)) for source in sources]
    np.testing.assert_array_equal(*scores)


def test_nothing_global_changes_and_the_same_seed_gives_the_same_weights():
    features, relations, labels = planted()
    torch.manual_seed(7)
    generator, threads = torch.get_rng_state(), torch.get_num_threads()
    weights = []
    for _ in range(2):
        network = network_for(features, relations, dropout=0.3)
        source = SampledGraph(features, relations, "user", [3], batch_size=64)
        settings = TrainingSettings(epochs=3, seed=4, threads=threads + 1)
        train_network(network, source, labels, PARTS[0], PARTS[1], settings=settings)
        weights.append(network.state_dict())
        torch.rand(3)
    torch.set_rng_state(generator)
    assert torch.get_num_threads() == threads
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    network_for(features, relations)
    assert torch.equal(torch.get_rng_state(), generator)


def test_threads_are_given_back_after_a_failure():
    features, relations, labels = planted()
    threads = torch.get_num_threads()

    class Broken:
        def batches(self, nodes, epoch):
            raise BrokenPipeError

    settings, network = TrainingSettings(threads=threads + 1), network_for(features, relations)
    with pytest.raises(BrokenPipeError):
        train_network(network, Broken(), labels, PARTS[0], settings=settings)
    assert torch.get_num_threads() == threads


def test_it_stops_when_validation_does_not_improve_and_keeps_its_best():
    features, relations, labels = planted()
    source = WholeGraph(GraphBatch(features, relations, "user"))
    network = network_for(features, relations)
    settings = TrainingSettings(epochs=200, patience=5, rate=0.05)
    done = train_network(network, source, labels, PARTS[0], PARTS[1], settings=settings)
    assert len(done.losses) == len(done.validation) == done.epoch + 5 < 200
    assert done.average_precision == max(done.validation) == done.validation[done.epoch - 1]
    scores = score_nodes(network, source, PARTS[1])
    assert average_precision(labels[PARTS[1]], scores) == pytest.approx(done.average_precision)


def test_weights_of_zero_are_as_if_not_there():
    features, relations, labels = planted()
    source = WholeGraph(GraphBatch(features, relations, "user"))
    flipped, weights = labels.copy(), np.ones(USERS, np.float32)
    flipped[PARTS[1]] = 1 - flipped[PARTS[1]]
    weights[PARTS[1]] = 0
    network = network_for(features, relations)
    train_network(network, source, flipped, np.arange(USERS), weights=weights, settings=QUICK)
    assert average_precision(labels[PARTS[1]], score_nodes(network, source, PARTS[1])) > 0.7


# --- features ---------------------------------------------------------------------------------------------------------


def small_graph(x):
    from marigram.graph.data import Columns, EdgeTable, Graph, NodeTable

    table = NodeTable(attributes=Columns.of_numbers(np.asarray(x, np.float32)))
    edges = EdgeTable(src=np.array([0, 1]), dst=np.array([1, 2]))
    return Graph(nodes={"a": table, "b": NodeTable.bare(2)}, edges={("a", "to", "a"): edges})


def test_features_are_finite_of_one_scale_and_say_what_is_missing():
    graph = small_graph([[1, 5, np.nan], [3, 5, 2], [1000, 5, 4]])
    scaler = FeatureScaler.fit(graph, degrees=False)
    x = scaler.transform(graph, {})["a"].numpy()
    assert x.shape == (3, 4)
    np.testing.assert_allclose(x[:, 0], (np.array([1, 3, 1000]) - 334.6667) / 470.4, rtol=1e-3)
    np.testing.assert_allclose(x[:, 1:], [[0, 0, 1], [0, -1, 0], [0, 1, 0]], atol=1e-6)
    far = small_graph([[1e9, 7, 1], [0, 0, 0], [0, 0, 0]])
    assert scaler.transform(far, {})["a"][0, :2].tolist() == [10, 0]
    assert scaler.transform(graph, {})["b"].tolist() == [[1], [1]]


def test_degrees_are_features_unless_left_out():
    graph = small_graph([[0], [1], [2]])
    relations = {("a", "to", "a"): graph.csr(("a", "to", "a"))}
    x = FeatureScaler.fit(graph).transform(graph, relations)["a"]
    np.testing.assert_allclose(x[:, 1], np.log([1, 2, 2]), rtol=1e-6)


def test_a_scaler_is_its_arrays():
    graph = small_graph([[1, 5, np.nan], [3, 5, 2], [1000, 5, 4]])
    scaler = FeatureScaler.fit(graph, degrees=False)
    other = FeatureScaler.from_arrays(scaler.to_arrays())
    for name, x in scaler.transform(graph, {}).items():
        assert torch.equal(other.transform(graph, {})[name], x)
    with pytest.raises(ParameterError, match="other columns"):
        scaler.transform(small_graph([[1], [2], [3]]), {})


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        {"kind": "mlp"},
        {"width": 0},
        {"layers": 17},
        {"order": 9},
        {"dropout": 1.0},
        {"kind": "hgt", "heads": 5},
    ],
)
def test_networks_out_of_range_are_refused(settings):
    with pytest.raises(ParameterError):
        NetworkSettings(**settings)


@pytest.mark.parametrize(
    "settings",
    [{"epochs": 0}, {"rate": 0.0}, {"decay": -1.0}, {"balance": 2.0}, {"clip": np.inf}, {"threads": 0}],
)
def test_training_out_of_range_is_refused(settings):
    with pytest.raises(ParameterError):
        TrainingSettings(**settings)


def test_what_cannot_be_learned_from_is_refused():
    features, relations, labels = planted()
    source, network = WholeGraph(GraphBatch(features, relations, "user")), network_for(features, relations)
    normal = np.flatnonzero(labels == 0)
    with pytest.raises(ParameterError, match="training needs"):
        train_network(network, source, labels, normal)
    with pytest.raises(ParameterError, match="validation needs"):
        train_network(network, source, labels, PARTS[0], normal)
    with pytest.raises(ParameterError, match="from 0 to 1"):
        train_network(network, source, np.where(labels == 0, -1, 1), PARTS[0])
    with pytest.raises(ParameterError, match="target"):
        GraphNetwork(NetworkSettings(), {"a": 1}, [], "b")
    with pytest.raises(ParameterError, match="batch_size"):
        SampledGraph(features, relations, "user", [1], batch_size=0)
    with pytest.raises(ParameterError, match="needs a time"):
        SampledGraph(features, relations, "user", [1], times=np.zeros(3, np.int64))
