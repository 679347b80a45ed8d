"""Layers of one relation made layers of a typed graph: one for each relation, or one for all edges as one kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, final

import torch
from torch import Tensor, nn

from marigram.graph.data import EdgeType
from marigram.graph.layers.batch import GraphBatch


class TypedLayer(Protocol):
    """A module that maps one state for each node to one for each node that receives, type by type."""

    def __call__(self, hidden: dict[str, Tensor], batch: GraphBatch) -> dict[str, Tensor]:
        """Apply it."""


@final
class ByRelation(nn.Module):
    """Each relation has a convolution of its own; a node takes their mean over the relations that lead to its type.

    Node types that no relation leads to pass through unchanged.

    Parameters
    ----------
    make
        Makes a convolution of senders and receivers that keeps the width.
    relations
        All that may occur.
    """

    def __init__(self, make: Callable[[], nn.Module], relations: Sequence[EdgeType]) -> None:
        super().__init__()
        self.numbers = {kind: number for number, kind in enumerate(relations)}
        self.convolutions = nn.ModuleList(make() for _ in relations)

    def forward(self, hidden: dict[str, Tensor], batch: GraphBatch) -> dict[str, Tensor]:
        """Map (n, width) for each node type to the same of those nodes that receive."""
        said: dict[str, list[Tensor]] = {name: [] for name in hidden}
        receiving = {
            name: x if len(x) == batch.kept[name] else x[: batch.kept[name]] for name, x in hidden.items()
        }
        for kind, adjacency in batch.relations.items():
            convolution = self.convolutions[self.numbers[kind]]
            said[kind[2]].append(convolution(hidden[kind[0]], receiving[kind[2]], adjacency))
        return {name: _mean(parts) if parts else receiving[name] for name, parts in said.items()}


def _mean(parts: list[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.stack(parts).mean(0)


@final
class OnUnion(nn.Module):
    """One convolution over all nodes and edges, whatever their types.

    Parameters
    ----------
    convolution
        Of the states of all nodes; keeps the width.
    """

    def __init__(self, convolution: nn.Module) -> None:
        super().__init__()
        self.convolution = convolution

    def forward(self, hidden: dict[str, Tensor], batch: GraphBatch) -> dict[str, Tensor]:
        """Map (n, width) for each node type to the same."""
        joined = batch.joined(hidden)
        return batch.parted(self.convolution(joined, batch.union))


__all__ = ["ByRelation", "OnUnion", "TypedLayer"]
