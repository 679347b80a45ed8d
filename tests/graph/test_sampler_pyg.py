"""PyG's own loader on top of the sampler, with PyG alone installed from its wheel."""

import numpy as np
import pytest
import torch
from torch_geometric.data import Data, HeteroData
from torch_geometric.loader import NodeLoader
from torch_geometric.utils import k_hop_subgraph

from marigram.errors import ParameterError
from marigram.graph.sampler_pyg import PygSampler


@pytest.fixture
def data():
    generator = torch.Generator().manual_seed(0)
    edges = torch.randint(0, 200, (2, 1500), generator=generator)
    return Data(
        x=torch.arange(200.0)[:, None],
        y=torch.arange(200),
        edge_index=edges,
        edge_attr=(edges[0] * 1000 + edges[1])[:, None],
        time=torch.arange(1500),
        num_nodes=200,
    )


@pytest.fixture
def typed(data):
    hetero = HeteroData()
    hetero["user"].x = torch.arange(50.0)[:, None]
    hetero["item"].x = torch.arange(30.0)[:, None]
    generator = torch.Generator().manual_seed(1)
    edges = torch.stack([torch.randint(0, n, (300,), generator=generator) for n in (50, 30)])
    hetero["user", "buys", "item"].edge_index = edges
    hetero["user", "buys", "item"].time = torch.arange(300)
    hetero["item", "sold", "user"].edge_index = edges.flip(0)
    return hetero


def test_batches_carry_the_attributes_of_their_nodes_and_edges(data):
    seen = []
    for batch in NodeLoader(data, PygSampler.of(data, [4, 3]), input_nodes=None, batch_size=32):
        assert (batch.x[:, 0] == batch.n_id).all()
        assert (
            batch.edge_attr[:, 0] == batch.n_id[batch.edge_index[0]] * 1000 + batch.n_id[batch.edge_index[1]]
        ).all()
        assert (batch.n_id[: batch.batch_size] == batch.input_id).all()
        assert sum(batch.num_sampled_nodes) == batch.num_nodes
        seen += batch.input_id.tolist()
    assert seen == list(range(200))


def test_all_neighbours_are_the_k_hop_subgraph(data):
    batch = next(
        iter(NodeLoader(data, PygSampler.of(data, [-1, -1]), input_nodes=torch.tensor([5, 9]), batch_size=2))
    )
    nodes, *_ = k_hop_subgraph([5, 9], 2, data.edge_index)
    assert sorted(batch.n_id.tolist()) == nodes.tolist()


def test_workers_change_nothing(data):
    sampler = PygSampler.of(data, [3, 3])
    alone, shared = (
        [batch.e_id.tolist() for batch in NodeLoader(data, sampler, None, batch_size=64, num_workers=n)]
        for n in (0, 2)
    )
    assert alone == shared


def test_seeds_with_times_see_the_past(data):
    loader = NodeLoader(
        data,
        PygSampler.of(data, [5, 5], time_attr="time"),
        input_nodes=torch.arange(100),
        input_time=torch.arange(100) * 10,
        batch_size=25,
    )
    for batch in loader:
        owner = batch.batch[batch.edge_index[1]]
        assert (batch.batch[batch.edge_index[0]] == owner).all()
        assert (batch.time <= batch.seed_time[owner]).all()


def test_typed_graphs(typed):
    sampler = PygSampler.of(typed, [3, 2], time_attr="time")
    loader = NodeLoader(
        typed, sampler, input_nodes=("item", None), input_time=torch.full((30,), 200), batch_size=10
    )
    for batch in loader:
        store = batch["user", "buys", "item"]
        users, items = batch["user"], batch["item"]
        edges = typed["user", "buys", "item"].edge_index[:, store.e_id]
        assert (users.n_id[store.edge_index[0]] == edges[0]).all()
        assert (items.n_id[store.edge_index[1]] == edges[1]).all()
        assert (store.time <= 200).all()
        assert (users.x[:, 0] == users.n_id).all()
        assert items.batch_size == 10


def test_features_may_be_mapped_from_a_file(data, tmp_path):
    np.save(tmp_path / "x.npy", data.x.numpy())
    data.x = torch.from_numpy(np.load(tmp_path / "x.npy", mmap_mode="c"))
    batch = next(iter(NodeLoader(data, PygSampler.of(data, [3]), None, batch_size=8)))
    assert (batch.x[:, 0] == batch.n_id).all()


def test_several_relations_need_types(typed):
    with pytest.raises(ParameterError, match="one relation"):
        PygSampler(PygSampler.of(typed, [1]).sampler, typed=False)
