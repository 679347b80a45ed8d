"""The heterogeneous graph transformer: attention whose every part depends on the types at both ends, and on time.

Reference: Z. Hu, Y. Dong, K. Wang, Y. Sun, "Heterogeneous Graph Transformer", WWW 2020, section 3.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, linear

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
    relation and class once, not for each edge. So are the products of the maps W_K A_r and W_V M_r, not for each node.

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
        """Map (n, width) for each node type to the same of those nodes that receive.

        A node to which nothing leads keeps (1 - σ(γ)) of itself.
        """
        receiving = {name: x[: batch.kept[name]] for name, x in hidden.items()}
        maps = {name: _maps(self.kqv[self.types[name]]) for name in hidden}
        queries = {name: linear(x, *_split(maps[name][1])) for name, x in receiving.items()}
        through = [self._through(kind, maps[kind[0]]) for kind in batch.relations]
        q = self._by_head([batch.joined(queries)])
        senders = [batch.sent(kind, hidden) for kind in batch.relations]
        keys = self._by_head([linear(x, *_split(k)) for x, (k, _) in zip(senders, through, strict=True)])
        values = self._by_head([linear(x, *_split(v)) for x, (_, v) in zip(senders, through, strict=True)])
        scores = edge_dot(q, keys, batch.stacked)
        if self.time is None:
            mixed = weighted_sum(edge_softmax(scores, batch.stacked), values, batch.stacked)
        else:
            ages = self.time(self.waves)
            age_keys = self._by_head([linear(ages, _split(k)[0]) for k, _ in through])
            age_values = self._by_head([linear(ages, _split(v)[0]) for _, v in through])
            weight = edge_softmax(scores + edge_dot(q, age_keys, batch.aged), batch.stacked)
            mixed = weighted_sum(weight, values, batch.stacked)
            mixed = mixed + weighted_sum(weight, age_values, batch.aged)
        return self._update(receiving, batch.parted(gelu(mixed.flatten(1))))

    def _through(self, kind: EdgeType, maps: Tensor) -> tuple[Tensor, Tensor]:
        """W_K A_r μ_r / √C and W_V M_r, each beside its bias: what a relation's senders say, in one product each."""
        number = self.numbers[kind]
        scale = self.prior[number] / math.sqrt(self.key_maps.shape[-1])
        then = torch.stack([self.key_maps[number] * scale[:, None, None], self.value_maps[number]])
        first = maps[::2].reshape(2, self.heads, -1, maps.shape[2])
        keys, values = (then.transpose(2, 3) @ first).flatten(1, 2)
        return keys, values

    def _by_head(self, parts: list[Tensor]) -> Tensor:
        """One after another, the width taken apart into heads."""
        joined = parts[0] if len(parts) == 1 else torch.cat(parts)
        return joined.view(len(joined), self.heads, joined.shape[1] // self.heads)

    def _update(self, receiving: dict[str, Tensor], mixed: dict[str, Tensor]) -> dict[str, Tensor]:
        updated = {}
        for name, x in receiving.items():
            number = self.types[name]
            updated[name] = torch.lerp(x, self.out[number](mixed[name]), torch.sigmoid(self.skip[number]))
        return updated


def _maps(project: Any) -> Tensor:
    """W_K, W_Q and W_V of a node type, each beside its bias: (3, width, width + 1)."""
    return torch.cat([project.weight, project.bias[:, None]], dim=1).view(3, len(project.bias) // 3, -1)


def _split(maps: Tensor) -> tuple[Tensor, Tensor]:
    """The map, and its bias."""
    return maps[:, :-1], maps[:, -1]


def sinusoids(count: int, width: int) -> Tensor:
    """Return (count, width) of sin and cos of 0, …, count - 1 at wavelengths from 2π to 2π · count."""
    steps = torch.arange((width + 1) // 2) / max((width + 1) // 2 - 1, 1)
    angles = torch.arange(count)[:, None] * float(count) ** -steps
    return torch.cat([angles.sin(), angles.cos()], dim=1)[:, :width]


__all__ = ["HgtConv", "sinusoids"]
