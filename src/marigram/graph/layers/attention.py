"""Attention of one relation, by the sum of what both ends say."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from marigram.errors import ParameterError
from marigram.graph.messages import Adjacency, edge_softmax, edge_sum, weighted_sum


@final
class GatConv(nn.Module):
    """Graph attention (Veličković et al., ICLR 2018, equations 1 to 6), with the node itself apart.

    α_e = softmax over the edges into i of LeakyReLU(a_1·W x_i + a_2·W x_j); y_i = Σ_e α_e W x_j + R x_i + b, the heads
    side by side. The paper gives each node an edge to itself instead of R x_i, which then competes with its
    neighbours; apart, it never drowns among many.

    Parameters
    ----------
    width, out
        Before and after.
    heads
        From 1; divides ``out``.
    slope
        Of the LeakyReLU below 0.
    """

    def __init__(self, width: int, out: int, heads: int = 4, slope: float = 0.2) -> None:
        super().__init__()
        if heads < 1 or out % heads:
            raise ParameterError(f"heads must divide the width {out}, got {heads}")
        self.heads, self.slope = heads, slope
        self.project = nn.Linear(width, out, bias=False)
        self.keep = nn.Linear(width, out)
        self.to_receiver = nn.Parameter(nn.init.xavier_uniform_(torch.empty(heads, out // heads)))
        self.to_sender = nn.Parameter(nn.init.xavier_uniform_(torch.empty(heads, out // heads)))

    def forward(self, sending: Tensor, receiving: Tensor, adjacency: Adjacency) -> Tensor:
        """Map (columns, width) and (rows, width) to (rows, out)."""
        said = self._by_head(self.project(sending))
        heard = said if receiving is sending else self._by_head(self.project(receiving))
        scores = edge_sum((heard * self.to_receiver).sum(-1), (said * self.to_sender).sum(-1), adjacency)
        weight = edge_softmax(leaky_relu(scores, self.slope), adjacency)
        own: Tensor = self.keep(receiving)
        return own + weighted_sum(weight, said, adjacency).flatten(1)

    def _by_head(self, x: Tensor) -> Tensor:
        return x.view(len(x), self.heads, -1)


__all__ = ["GatConv"]
