"""Three convolutions of one relation: what a node is, and the mean, the sum or the smoothed sum around it."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from marigram.graph.messages import Adjacency, aggregate


@final
class SageConv(nn.Module):
    """GraphSAGE with the mean (Hamilton et al., NeurIPS 2017, algorithm 1): y_i = W_1 mean_j x_j + W_2 x_i + b.

    Parameters
    ----------
    senders, receivers, out
        Widths of what senders and receivers say, and of the answer.
    """

    def __init__(self, senders: int, receivers: int, out: int) -> None:
        super().__init__()
        self.neighbours = nn.Linear(senders, out)
        self.self_ = nn.Linear(receivers, out, bias=False)

    def forward(self, sending: Tensor, receiving: Tensor, adjacency: Adjacency) -> Tensor:
        """Map (columns, senders) and (rows, receivers) to (rows, out); the narrower side of W_1 is aggregated."""
        own: Tensor = self.self_(receiving)
        weight, bias = self.neighbours.weight, self.neighbours.bias
        if weight.shape[0] < weight.shape[1]:
            return own + aggregate(sending @ weight.t(), adjacency, "mean") + bias
        said: Tensor = self.neighbours(aggregate(sending, adjacency, "mean"))
        return own + said


@final
class GinConv(nn.Module):
    """Graph isomorphism network (Xu et al., ICLR 2019, equation 4.1): y_i = MLP((1 + ε) x_i + Σ_j x_j).

    Parameters
    ----------
    width, out
        Before and after. The MLP has one hidden layer of width ``out``.
    """

    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        self.epsilon = nn.Parameter(torch.zeros(1))
        self.mlp = nn.Sequential(nn.Linear(width, out), nn.ReLU(), nn.Linear(out, out))

    def forward(self, sending: Tensor, receiving: Tensor, adjacency: Adjacency) -> Tensor:
        """Map (columns, width) and (rows, width) to (rows, out)."""
        out: Tensor = self.mlp((1 + self.epsilon) * receiving + aggregate(sending, adjacency))
        return out


@final
class GcnConv(nn.Module):
    """Graph convolution (Kipf and Welling, ICLR 2017, equation 2): Y = D^-1/2 (A + I) D^-1/2 X W + b.

    For a relation between nodes of one kind; D counts the edges that a node receives, and its loop.

    Parameters
    ----------
    width, out
        Before and after.
    """

    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(nn.init.xavier_uniform_(torch.empty(width, out)))
        self.bias = nn.Parameter(torch.zeros(out))

    def forward(self, x: Tensor, adjacency: Adjacency) -> Tensor:
        """Map (n, width) to (n, out)."""
        scale = torch.from_numpy(adjacency.csr.degrees + 1).to(x.dtype).rsqrt()[:, None]
        narrow = self.weight.shape[1] < self.weight.shape[0]
        scaled = (x @ self.weight if narrow else x) * scale
        smooth = (aggregate(scaled, adjacency) + scaled) * scale
        return (smooth if narrow else smooth @ self.weight) + self.bias


__all__ = ["GcnConv", "GinConv", "SageConv"]
