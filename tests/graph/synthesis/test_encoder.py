"""The encoder, and what it is told: no label that it must not know, and nothing of how nodes are numbered."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.graph.synthesis.graphs import KIND, payments, renumbered, social

from marigram import graph as mgg
from marigram.errors import InputError
from marigram.graph.data import Part
from marigram.graph.encoder import Encoder, prepare
from marigram.graph.encoder.encoder import divergence
from marigram.graph.encoder.prepared import UNKNOWN
from marigram.graph.encoder.training import Batches
from marigram.graph.layers import GraphBatch


def encoded(graph: mgg.Graph, kind: str) -> np.ndarray:
    prepared = prepare(graph)
    torch.manual_seed(0)
    widths = {name: x.shape[1] for name, x in prepared.features.items()}
    encoder = Encoder(kind, widths, list(prepared.relations), latent=16, width=16, hops=3, timed=False)  # type: ignore[arg-type]
    with torch.no_grad():
        mean, spread = encoder([GraphBatch(prepared.features, prepared.relations, "user")] * 3)
    return torch.cat([mean, spread], dim=1).numpy()


@pytest.mark.parametrize("kind", ["hgt", "sage"])
def test_the_numbers_of_nodes_do_not_matter(kind: str) -> None:
    graph = social(60)
    order = np.random.default_rng(1).permutation(60)
    np.testing.assert_allclose(
        encoded(renumbered(graph, order), kind), encoded(graph, kind)[order], atol=2e-4
    )


@pytest.mark.parametrize("kind", ["hgt", "sage"])
def test_what_is_three_hops_away_is_seen(kind: str) -> None:
    line = mgg.EdgeTable(src=np.arange(29), dst=np.arange(1, 30))
    x = np.zeros((30, 2), np.float32)
    x[10:] = np.random.default_rng(0).normal(size=(20, 2))
    told = []
    for far in (0.0, 5.0):
        x[3] = far
        nodes = mgg.NodeTable(attributes=mgg.Columns.of_numbers(x.copy()), labels=np.zeros(30, np.int8))
        told.append(encoded(mgg.Graph(nodes={"user": nodes}, edges={KIND: line}), kind))
    assert not np.allclose(told[0][0], told[1][0], atol=1e-5)


@pytest.mark.parametrize(
    ("graph", "name"), [(social(60), "user"), (payments(), "payment")], ids=["users", "payments"]
)
@pytest.mark.parametrize("kind", ["hgt", "sage"])
def test_layers_that_see_less_and_less_say_the_same(graph: mgg.Graph, name: str, kind: str) -> None:
    prepared = prepare(graph)
    torch.manual_seed(0)
    widths = {kind: x.shape[1] for kind, x in prepared.features.items()}
    encoder = Encoder(kind, widths, list(prepared.relations), latent=16, width=16, hops=3, timed=True)  # type: ignore[arg-type]
    seeds = np.flatnonzero(prepared.allowed[name])[-2:]
    batches = Batches(prepared, 3, 0)
    shells = batches.around(name, seeds, 1)
    edges = [sum(map(len, shell.relations.values())) for shell in shells]
    assert edges[2] < edges[1] < edges[0]
    assert batches.sampler is not None
    times = prepared.times[name][seeds] if len(prepared.times[name]) else None
    batch = GraphBatch.of_sample(
        batches.sampler.sample(name, seeds, times),
        prepared.features,
        prepared.relations,
        name,
        seeds=2,
        times=times,
    )
    with torch.no_grad():
        trimmed, whole = encoder(shells), encoder([batch] * 3)
    torch.testing.assert_close(trimmed[0], whole[0])
    torch.testing.assert_close(trimmed[1], whole[1])


def test_labels_of_validation_and_test_nodes_are_not_looked_at() -> None:
    graph = social(80)
    nodes = graph.nodes["user"]
    turned = np.where(nodes.train_mask, nodes.labels, 1 - nodes.labels).astype(np.int8)
    other = graph.with_nodes(user=nodes.with_labels(turned))
    one, two = prepare(graph), prepare(other)
    np.testing.assert_array_equal(one.features["user"], two.features["user"])
    assert (one.classes["user"][~nodes.train_mask] == UNKNOWN).all()
    assert not one.allowed["user"][nodes.val_mask | nodes.test_mask].any()


def test_unlabelled_is_a_class_of_its_own_and_without_conditions_the_only_one() -> None:
    graph = payments()
    prepared = prepare(graph)
    nodes = graph.nodes["payment"]
    known = nodes.train_mask & (nodes.labels >= 0)
    np.testing.assert_array_equal(prepared.classes["payment"], np.where(known, nodes.labels, UNKNOWN))
    assert (prepare(graph, conditioned=False).classes["payment"] == UNKNOWN).all()
    assert (prepared.classes["user"] == UNKNOWN).all()


def test_a_payment_sees_nothing_later_than_itself() -> None:
    """Its inputs are the same in the graph as it was at its time."""
    graph = payments()
    time = graph.edges["payment", "by", "user"].time
    assert time is not None
    whole = prepare(graph)
    np.testing.assert_array_equal(whole.times["payment"], time)  # events have the time of their edges
    np.testing.assert_array_equal(whole.degrees["payment"], 1)


def test_who_may_be_joined() -> None:
    graph = payments()
    prepared = prepare(graph)
    assert np.array_equal(prepared.partners["payment"], graph.nodes["payment"].splits[0] == Part.TRAIN)
    edges = graph.edges["payment", "by", "user"]
    trained = np.isin(np.arange(30), edges.dst[prepared.allowed["payment"][edges.src]])
    np.testing.assert_array_equal(prepared.partners["user"], trained)  # nobody whom only test payments know


def test_the_divergence_is_that_of_gaussians() -> None:
    mean, spread = torch.tensor([[0.0, 1.0]]), torch.tensor([[1.0, 0.5]])
    normal = torch.distributions.Normal
    wanted = torch.distributions.kl_divergence(normal(mean, spread), normal(0.0, 1.0)).sum(1)
    torch.testing.assert_close(divergence(mean, spread), wanted)


def test_graphs_without_labels_or_training_nodes_are_refused() -> None:
    graph = social(40)
    nodes = graph.nodes["user"]
    with pytest.raises(InputError, match="labels"):
        prepare(graph.with_nodes(user=nodes.with_labels(None)))
    with pytest.raises(InputError, match="no labels"):
        prepare(payments(), "shop")
    with pytest.raises(InputError, match="nothing to learn from"):
        prepare(graph.with_splits("user", np.full((1, 40), Part.TEST, np.int8)))
