"""The sampler behind PyG's own loaders, which come without one where the compiled companions of PyG are not installed.

``NodeLoader(data, PygSampler.of(data, [10, 10]), input_nodes=data.train_mask, batch_size=1024)`` is all that it takes.
"""

from __future__ import annotations

from typing import Any, final

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data, HeteroData
from torch_geometric.sampler import (
    BaseSampler,
    EdgeSamplerInput,
    HeteroSamplerOutput,
    NodeSamplerInput,
    SamplerOutput,
)

from marigram.errors import ParameterError
from marigram.graph.csr import CSR
from marigram.graph.sampler import EdgeType, Fanouts, NeighbourSampler, Sample

_ONLY: EdgeType = ("node", "to", "node")
"""The one relation of a ``Data``."""


@final
class PygSampler(BaseSampler):  # type: ignore[misc]  # PyG has no types
    """A :class:`~marigram.graph.sampler.NeighbourSampler` as PyG's ``NodeLoader`` wants it.

    Parameters
    ----------
    sampler
        What draws. Its ``epoch`` may be set between the epochs of a loader.
    typed
        Whether the samples are for a ``HeteroData``; otherwise the sampler has one relation within one type.
    disjoint
        Keep the neighbourhoods of the seeds apart; a loader with ``input_time`` always does.
    """

    def __init__(self, sampler: NeighbourSampler, *, typed: bool, disjoint: bool = False) -> None:
        if not typed and (len(sampler.relations) != 1 or len(sampler.sizes) != 1):
            raise ParameterError("an untyped sampler has one relation within one node type")
        self.sampler = sampler
        self.typed = typed
        self.disjoint = disjoint

    @classmethod
    def of(
        cls,
        data: Data | HeteroData,
        fanouts: Fanouts,
        *,
        time_attr: str | None = None,
        replace: bool = False,
        disjoint: bool = False,
        seed: int = 0,
    ) -> PygSampler:
        """Sort the edges of a PyG object and return a sampler for it.

        ``time_attr`` names an integer attribute of the edges; edge types without it are seen whole. The other
        arguments are those of :class:`~marigram.graph.sampler.NeighbourSampler` and of this class.
        """
        typed = isinstance(data, HeteroData)
        stores = {kind: data[kind] for kind in data.edge_types} if typed else {_ONLY: data}
        relations = {}
        for kind, store in stores.items():
            sizes = [(data[name] if typed else data).num_nodes for name in (kind[2], kind[0])]
            times = store[time_attr].numpy() if time_attr is not None and time_attr in store else None
            sending, receiving = store.edge_index.numpy()
            relations[kind] = CSR.build(receiving, sending, (sizes[0], sizes[1]), times)
        sampler = NeighbourSampler(relations, fanouts, replace=replace, seed=seed)
        return cls(sampler, typed=typed, disjoint=disjoint)

    def sample_from_nodes(self, index: NodeSamplerInput, **_: Any) -> SamplerOutput | HeteroSamplerOutput:
        """Sample around the seeds of one batch; called by the loader."""
        times = None if index.time is None else index.time.numpy()
        node_type = index.input_type or next(iter(self.sampler.sizes))
        found = self.sampler.sample(node_type, index.node.numpy(), times, disjoint=self.disjoint)
        return _typed(found, index) if self.typed else _untyped(found, index)

    def sample_from_edges(self, index: EdgeSamplerInput, neg_sampling: Any = None) -> SamplerOutput:
        """Refuse: seeds are nodes."""
        raise NotImplementedError("this sampler starts from nodes: use NodeLoader, not LinkLoader")


def _untyped(found: Sample, index: NodeSamplerInput) -> SamplerOutput:
    ((name, nodes),) = found.nodes.items()
    (kind,) = found.edges
    return SamplerOutput(
        node=_tensor(nodes),
        row=_tensor(found.senders[kind]),
        col=_tensor(found.receivers[kind]),
        edge=_tensor(found.edges[kind]),
        batch=None if found.groups is None else _tensor(found.groups[name]),
        num_sampled_nodes=found.node_counts[name],
        num_sampled_edges=found.edge_counts[kind],
        metadata=(index.input_id, index.time),
    )


def _typed(found: Sample, index: NodeSamplerInput) -> HeteroSamplerOutput:
    return HeteroSamplerOutput(
        node={name: _tensor(nodes) for name, nodes in found.nodes.items()},
        row={kind: _tensor(ends) for kind, ends in found.senders.items()},
        col={kind: _tensor(ends) for kind, ends in found.receivers.items()},
        edge={kind: _tensor(edges) for kind, edges in found.edges.items()},
        batch=None if found.groups is None else {name: _tensor(g) for name, g in found.groups.items()},
        num_sampled_nodes=dict(found.node_counts),
        num_sampled_edges=dict(found.edge_counts),
        metadata=(index.input_id, index.time),
    )


def _tensor(values: np.ndarray[Any, Any]) -> Tensor:
    return torch.from_numpy(np.array(values, np.int64))


__all__ = ["PygSampler"]
