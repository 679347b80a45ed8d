"""The heterogeneous graph transformer: attention whose every part depends on the types at both ends, and on time.

Reference: Z. Hu, Y. Dong, K. Wang, Y. Sun, "Heterogeneous Graph Transformer", WWW 2020, section 3.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from marigram.errors import ParameterError
from marigram.graph.data import EdgeType
from marigram.graph.layers.batch import AGES, GraphBatch
from marigram.graph.messages import edge_dot, edge_softmax, weighted_sum


@final
class HgtConv(nn.Module):
    """One layer. For an edge e of relation r from node s to node t, in each of H heads of width C:

    ::

        K_e = W_K[type of s] (x_s + T(age of e))     V_e likewise          Q_t = W_Q[type of t] x_t
        α_e = softmax over all edges into t of   μ_r K_e A_r Q_t / √C      (equation 3)
        y_t = σ(γ) W_O gelu(Σ_e α_e V_e M_r) + (1 - σ(γ)) x_t              (equations 4, 5)

    The encoding T of relative time (equation 6) is sinusoidal in the class of the age, see
    :data:`~marigram.graph.layers.batch.AGES`, then linear. It enters K and V by linear maps, so it is computed for each
    relation and class once, not for each edge.

    Parameters
    ----------
    width
        Of every node's state, before and after; divisible by ``heads``.
    node_types, relations
        All that may occur.
    heads
        From 1.
    timed
        Whether ages enter.
    """

    def __init__(
        self,
        width: int,
        node_types: Sequence[str],
        relations: Sequence[EdgeType],
        heads: int = 4,
        *,
        timed: bool = False,
    ) -> None:
        super().__init__()
        if heads < 1 or width % heads:
            raise ParameterError(f"heads must divide the width {width}, got {heads}")
        self.heads = heads
        self.types = {name: number for number, name in enumerate(node_types)}  # torch forbids some names
        self.numbers = {kind: number for number, kind in enumerate(relations)}
        self.kqv = nn.ModuleList(nn.Linear(width, 3 * width) for _ in node_types)
        self.out = nn.ModuleList(nn.Linear(width, width) for _ in node_types)
        self.skip = nn.Parameter(torch.ones(len(node_types)))
        shape = (len(relations), heads, width // heads, width // heads)
        self.key_maps = nn.Parameter(nn.init.xavier_uniform_(torch.empty(shape)))
        self.value_maps = nn.Parameter(nn.init.xavier_uniform_(torch.empty(shape)))
        self.prior = nn.Parameter(torch.ones(len(relations), heads))
        self.time = nn.Linear(width, width) if timed else None
        if timed:
            self.register_buffer("waves", sinusoids(AGES, width), persistent=False)

    def forward(self, hidden: dict[str, Tensor], batch: GraphBatch) -> dict[str, Tensor]:
        """Map (n, width) for each node type to the same; a node that receives nothing keeps (1 - σ(γ)) of itself."""
        kqv = {name: self._split(self.kqv[self.types[name]](x)) for name, x in hidden.items()}
        q = batch.joined({name: parts[1] for name, parts in kqv.items()})
        keys, values = self._through_relations(batch, kqv)
        scores = edge_dot(q, keys, batch.stacked)
        if self.time is None:
            mixed = weighted_sum(edge_softmax(scores, batch.stacked), values, batch.stacked)
        else:
            age_keys, age_values = self._of_ages(batch)
            weight = edge_softmax(scores + edge_dot(q, age_keys, batch.aged), batch.stacked)
            mixed = weighted_sum(weight, values, batch.stacked)
            mixed = mixed + weighted_sum(weight, age_values, batch.aged)
        return self._update(hidden, batch.parted(gelu(mixed.flatten(1))))

    def _through_relations(
        self, batch: GraphBatch, kqv: dict[str, tuple[Tensor, ...]]
    ) -> tuple[Tensor, Tensor]:
        """Keys (scaled by the prior) and values of every relation's senders, as ``stacked`` numbers them."""
        keys, values = [], []
        for kind in batch.relations:
            k, _, v = kqv[kind[0]]
            keys.append(self._mapped(k, self._key_map(kind)))
            values.append(self._mapped(v, self.value_maps[self.numbers[kind]]))
        return torch.cat(keys), torch.cat(values)

    def _of_ages(self, batch: GraphBatch) -> tuple[Tensor, Tensor]:
        """The same of the encodings of ages, as ``aged`` numbers them."""
        assert self.time is not None  # noqa: S101 - for the type checker; the caller has asked
        encoded: Tensor = self.time(self.waves)
        keys, values = [], []
        for kind in batch.relations:
            project = self.kqv[self.types[kind[0]]]
            k, _, v = self._split(project(encoded) - project.bias)
            keys.append(self._mapped(k, self._key_map(kind)))
            values.append(self._mapped(v, self.value_maps[self.numbers[kind]]))
        return torch.cat(keys), torch.cat(values)

    def _key_map(self, kind: EdgeType) -> Tensor:
        number = self.numbers[kind]
        scale = self.prior[number] / math.sqrt(self.key_maps.shape[-1])
        return self.key_maps[number] * scale[:, None, None]

    @staticmethod
    def _mapped(x: Tensor, maps: Tensor) -> Tensor:
        """(n, H, C) by (H, C, C) to (n, H, C)."""
        return torch.bmm(x.transpose(0, 1), maps).transpose(0, 1)

    def _split(self, kqv: Tensor) -> tuple[Tensor, ...]:
        return tuple(
            part.reshape(len(part), self.heads, part.shape[1] // self.heads) for part in kqv.chunk(3, dim=1)
        )

    def _update(self, hidden: dict[str, Tensor], mixed: dict[str, Tensor]) -> dict[str, Tensor]:
        updated = {}
        for name, x in hidden.items():
            number = self.types[name]
            share = torch.sigmoid(self.skip[number])
            updated[name] = share * self.out[number](mixed[name]) + (1 - share) * x
        return updated


def sinusoids(count: int, width: int) -> Tensor:
    """Return (count, width) of sin and cos of 0, …, count - 1 at wavelengths from 2π to 2π · count."""
    steps = torch.arange((width + 1) // 2) / max((width + 1) // 2 - 1, 1)
    angles = torch.arange(count)[:, None] * float(count) ** -steps
    return torch.cat([angles.sin(), angles.cos()], dim=1)[:, :width]


__all__ = ["HgtConv", "sinusoids"]
