"""The synthesizer from end to end, on graphs that are fitted in a moment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.graph.synthesis.graphs import KIND, payments, social

from marigram import graph as mgg
from marigram.errors import InputError, ParameterError, SnapshotError
from marigram.graph.data import Part
from marigram.graph.decoders.files import NAME
from marigram.graph.tensorfiles import save_tensors

QUICK = {"budget": 0.01, "hops": 2, "width": 16, "latent": 16}


def quick(graph: Any, **settings: Any) -> mgg.Synthesizer:
    return mgg.Synthesizer(**{**QUICK, **settings}).fit(graph)


@pytest.fixture(scope="module")
def users() -> mgg.Synthesizer:
    torch.set_num_threads(1)
    return mgg.Synthesizer(budget=0.1, hops=2, width=16, latent=16).fit(social())


@pytest.fixture(scope="module")
def paid() -> mgg.Synthesizer:
    torch.set_num_threads(1)
    return quick(payments(), hops=4)


def forbidden(table: mgg.NodeTable) -> np.ndarray:
    return np.flatnonzero(table.splits[0] != Part.TRAIN)


def test_no_edge_leads_to_validation_or_test_nodes(users: mgg.Synthesizer, paid: mgg.Synthesizer) -> None:
    data = social()
    for label in (0, 1):
        extra = users.sample(60, label)
        assert len(extra.joined["user"]) > 20
        assert not np.isin(extra.joined["user"], forbidden(data.nodes["user"])).any()
    entity = paid.sample(20, node_type="shop")
    assert len(entity.joined["payment"])
    assert not np.isin(entity.joined["payment"], forbidden(payments().nodes["payment"])).any()


def test_new_nodes_are_like_those_of_their_class(users: mgg.Synthesizer) -> None:
    data = social()
    labels = data.nodes["user"].labels
    sizes = data.nodes["user"].attributes.numeric[:, 0]
    relation = mgg.relations_of(data)[KIND]
    for label in (0, 1):
        extra = users.sample(200, label)
        numeric = extra.nodes["user"].attributes.numeric
        assert abs(np.nanmean(numeric[:, 0]) - np.nanmean(sizes[labels == label])) < 0.8
        np.testing.assert_array_equal(numeric[:, 1:4].sum(1), 1)
        assert (numeric[:, 4] == 2).all()
        joined = mgg.relations_of(extra.join(data))[KIND]
        ratio = joined.degrees[data.count :].mean() / relation.degrees[labels == label].mean()
        assert 0.7 < ratio < 1.35
    assert (extra.nodes["user"].labels == 1).all()


def test_new_nodes_are_connected_to_each_other_once(users: mgg.Synthesizer) -> None:
    among = users.sample(80).among[KIND]
    assert among.count > 20
    assert (among.src != among.dst).all()
    pairs = np.sort(np.stack([among.src, among.dst]), axis=0)
    assert len(np.unique(pairs, axis=1).T) == among.count


def test_joining_appends_and_changes_nothing(users: mgg.Synthesizer) -> None:
    data = social()
    before = {kind: (t.src.copy(), t.dst.copy()) for kind, t in data.edges.items()}
    extra = users.sample(30)
    joined = extra.join(data)
    assert joined.count == data.count + 30
    for kind, (src, dst) in before.items():
        np.testing.assert_array_equal(data.edges[kind].src, src)
        np.testing.assert_array_equal(joined.edges[kind].src[: len(src)], src)
        np.testing.assert_array_equal(joined.edges[kind].dst[: len(dst)], dst)
    nodes = joined.nodes["user"]
    assert nodes.train_mask[-30:].all()
    np.testing.assert_array_equal(nodes.splits[:, :-30], data.nodes["user"].splits)
    with pytest.raises(InputError, match="were made for"):
        extra.join(social(80))


def test_joining_typed_graphs_keeps_the_places_of_real_nodes(paid: mgg.Synthesizer) -> None:
    data = payments()
    joined = paid.sample(10).join(data)
    for name in data.nodes:
        np.testing.assert_array_equal(joined.places(name)[: data.nodes[name].count], data.places(name))
    np.testing.assert_array_equal(joined.places("payment")[-10:], np.arange(data.count, data.count + 10))


def test_payments_have_one_user_one_shop_and_one_time(paid: mgg.Synthesizer) -> None:
    data = payments()
    extra = paid.sample(40)
    times = []
    for kind in data.edges:
        table = extra.edges[kind]
        order = np.argsort(table.src)
        np.testing.assert_array_equal(table.src[order], np.arange(160, 200))
        times.append(table.time[order])
        assert (table.attributes.numeric >= 0).all()
    np.testing.assert_array_equal(times[0], times[1])
    trained = data.edges["payment", "by", "user"].time[data.nodes["payment"].train_mask]
    assert times[0].min() >= trained.min()
    assert times[0].max() <= trained.max()


def test_some_can_be_left_out(users: mgg.Synthesizer) -> None:
    extra = users.sample(20)
    rest = extra.without([0, 7])
    assert rest.count == 18
    size = extra.sizes["user"]
    number = np.delete(np.arange(20), [0, 7])
    kept = [
        (s, d) for s, d in zip(extra.edges[KIND].src, extra.edges[KIND].dst, strict=True)
        if not {s, d} & {size, size + 7}
    ]  # fmt: skip
    place = {size + old: size + new for new, old in enumerate(number)}
    wanted = [(place.get(s, s), place.get(d, d)) for s, d in kept]
    assert list(zip(rest.edges[KIND].src, rest.edges[KIND].dst, strict=True)) == wanted
    with pytest.raises(ParameterError, match=r"0 \.\. 19"):
        extra.without([20])


def test_pyg_gets_nodes_edges_among_them_and_edges_to_real_ones(
    users: mgg.Synthesizer, paid: mgg.Synthesizer
) -> None:
    extra = users.sample(25)
    data = extra.to_pyg()
    assert data["user"].num_nodes == 25
    assert data[KIND].edge_index.shape[1] == extra.among[KIND].count
    assert data.real_edge_index[KIND].shape[1] == extra.edges[KIND].count - extra.among[KIND].count
    hetero = paid.sample(5).to_pyg()
    assert hetero["payment"].num_nodes == 5
    assert hetero.real_edge_index["payment", "by", "user"].shape == (2, 5)


def same(one: mgg.Synthetic, other: mgg.Synthetic) -> None:
    for name in one.nodes:
        np.testing.assert_array_equal(
            one.nodes[name].attributes.numeric, other.nodes[name].attributes.numeric
        )
    for kind in one.edges:
        np.testing.assert_array_equal(one.edges[kind].src, other.edges[kind].src)
        np.testing.assert_array_equal(one.edges[kind].dst, other.edges[kind].dst)


def test_one_seed_fixes_everything() -> None:
    graph = social(100)
    one, two = quick(graph, seed=3), quick(graph, seed=3)
    same(one.sample(12), two.sample(12))
    same(one.sample(12), one.sample(12))
    assert not np.array_equal(
        one.sample(12).edges[KIND].dst[:20], one.sample(12, seed=9).edges[KIND].dst[:20]
    )
    assert not np.array_equal(
        one.sample(12).edges[KIND].dst[:20], quick(graph, seed=4).sample(12).edges[KIND].dst[:20]
    )


def test_a_saved_synthesizer_draws_the_same(
    users: mgg.Synthesizer, paid: mgg.Synthesizer, tmp_path: Path
) -> None:
    for number, fitted in enumerate((users, paid)):
        fitted.save(tmp_path / str(number))
        again = mgg.Synthesizer.load(tmp_path / str(number))
        same(fitted.sample(15, guidance=2.0), again.sample(15, guidance=2.0))
        assert again.settings == fitted.settings
    path = tmp_path / "0" / NAME
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(SnapshotError, match="damaged"):
        mgg.Synthesizer.load(tmp_path / "0")
    path.write_bytes(content[:-100])
    with pytest.raises(SnapshotError, match="cut short"):
        mgg.Synthesizer.load(tmp_path / "0")
    save_tensors(path, "synthesizer", 1, {}, {})
    with pytest.raises(SnapshotError, match="is of version 1; this marigram reads 2"):
        mgg.Synthesizer.load(tmp_path / "0")
    with pytest.raises(SnapshotError, match="no synthesizer"):
        mgg.Synthesizer.load(tmp_path)


def test_decoders_learn_in_half_precision_what_they_learn_in_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a GPU does, on the CPU: products are rounded to 8 bits, weights and losses are not."""
    whole, rounded = quick(social(), budget=0.05), []

    def always(device: str) -> torch.autocast:
        with torch.autocast(device, torch.bfloat16):
            rounded.append((torch.ones(2, 2) @ torch.ones(2, 2)).dtype)
        return torch.autocast(device, torch.bfloat16)

    monkeypatch.setattr("marigram.graph.decoders.training.half_precision", always)
    half = quick(social(), budget=0.05)
    assert set(rounded) == {torch.bfloat16}
    losses = [fitted.report["stages"][1]["losses"] for fitted in (whole, half)]
    assert losses[0] != losses[1]
    np.testing.assert_allclose(losses[0], losses[1], rtol=0.02)
    half.sample(10)


def test_a_whole_graph_of_both_classes(users: mgg.Synthesizer, paid: mgg.Synthesizer) -> None:
    graph = users.sample_graph(100, share=0.3)
    assert graph.nodes["user"].labels.sum() == 30
    assert graph.edges[KIND].count > 100
    typed = paid.sample_graph(50)
    assert {name: t.count for name, t in typed.nodes.items()} == {"payment": 50, "user": 9, "shop": 2}
    np.testing.assert_array_equal(typed.edges["payment", "by", "user"].src, np.arange(50))


def test_from_real_nodes_with_little_noise_stays_near_them(users: mgg.Synthesizer) -> None:
    gentle, wild = (users.sample(100, init="real", strength=s) for s in (0.1, 1.0))
    assert gentle.count == wild.count == 100
    with pytest.raises(ParameterError, match="strength"):
        users.sample(5, init="real", strength=0)


@pytest.mark.parametrize(
    "switch",
    [
        {"diffusion": False}, {"conditioned": False}, {"decoders": ("structure", "time")},
        {"decoders": ("features", "time")}, {"decoders": ("features", "structure")}, {"linear": True},
        {"encoder": "sage"}, {"process": "ddpm", "steps": 8}, {"hops": 1},
    ],
    ids=str,
)  # fmt: skip
def test_every_part_can_be_left_out(switch: dict[str, Any]) -> None:
    extra = quick(social(80), **switch).sample(10)
    assert extra.count == 10
    assert extra.edges[KIND].count
    assert extra.join(social(80)).count == 90


def test_what_shares_all_that_was_learned_draws_as_what_was_fitted_without_a_part() -> None:
    graph = social(80)
    whole = quick(graph)
    before = whole.sample(10)
    same(whole.without(diffusion=False).sample(10), quick(graph, diffusion=False).sample(10))
    one = {"decoders": ("structure",), "isolated": True}
    same(whole.without(**one).sample(10), quick(graph, **one).sample(10))
    same(whole.sample(10), before)
    assert not len(whole.without(wired=False).sample(10).joined["user"])
    with pytest.raises(ParameterError, match="decoders"):
        whole.without(decoders=("colour",))


def test_suspects_are_learned_from_and_never_joined() -> None:
    """Nobody knows an anomaly: the class is what its suspects are, whose size is three more than that of the others."""
    graph = social(200)
    users = graph.nodes["user"]
    assert users.labels is not None
    hidden = np.flatnonzero((users.labels == 1) & (users.splits[0] == Part.TRAIN))  # type: ignore[index]
    tested = np.flatnonzero((users.labels == 1) & users.test_mask)
    labels = users.labels.copy()
    labels[hidden[3:]] = 0
    graph = graph.with_nodes(user=users.with_labels(labels))
    synth = mgg.Synthesizer(**QUICK | {"budget": 0.1}).fit(graph, suspects=tested)
    extra = synth.sample(100)
    assert np.nanmean(extra.nodes["user"].attributes.numeric[:, 0]) > 2
    assert not np.isin(extra.joined["user"], tested).any()
    for wrong in ([200], [-1], hidden[:1]):
        with pytest.raises(InputError, match="suspect"):
            mgg.Synthesizer().fit(graph, suspects=wrong)


def test_nodes_can_be_alone_or_among_themselves() -> None:
    graph = social(80)
    assert not quick(graph, isolated=True).sample(10).edges
    unwired = quick(graph, wired=False).sample(40)
    assert not len(unwired.joined["user"])
    assert unwired.among[KIND].count


@pytest.mark.parametrize("count", [20])
def test_small_graphs_without_a_split_edges_or_attributes(count: int) -> None:
    labels = (np.arange(count) % 5 == 0).astype(np.int8)
    nodes = mgg.NodeTable.bare(count).with_labels(labels)
    lonely = mgg.Graph(nodes={"user": nodes}, edges={})
    assert quick(lonely).sample(4).join(lonely).count == count + 4
    none = np.empty(0, np.int64)
    graph = mgg.Graph(nodes={"user": nodes}, edges={KIND: mgg.EdgeTable(src=none, dst=none)})
    assert quick(graph).sample(4).join(graph).count == count + 4


def test_wrong_use_is_refused(users: mgg.Synthesizer) -> None:
    for wrong in (
        {"hops": 5},
        {"latent": 8},
        {"encoder": "gcn"},
        {"budget": 0},
        {"decoders": ("colour",)},
        {"steps": 1},
    ):
        with pytest.raises(ParameterError):
            mgg.Synthesizer(**wrong)
    with pytest.raises(ParameterError, match="fit first"):
        mgg.Synthesizer().sample(3)
    if not torch.cuda.is_available():
        with pytest.raises(ParameterError, match="no GPU here"):
            quick(social(60), device="cuda")
    for wrong in ({"n": 0}, {"n": 3, "label": 2}, {"n": 3, "node_type": "shop"}, {"n": 3, "init": "half"}):
        with pytest.raises(ParameterError):
            users.sample(**wrong)
    with pytest.raises(InputError, match="20 to learn from"):
        quick(social(30))
    graph = social(100)
    normal = np.zeros(100, np.int8)
    with pytest.raises(InputError, match="label 1"):
        quick(graph.with_nodes(user=graph.nodes["user"].with_labels(normal))).sample(3)
