"""The decoder of mixed columns: one choice among classes after another, each knowing those before it.

With context c (latent, class and what was decoded before) and classes x_1, x_2, … of the parts of a table,

    h_1 = b(c),   h_{j+1} = h_j + E_j[x_j],   p(x_j | c, x_1 … x_{j-1}) = softmax(V_j gelu(h_j)),

the neural autoregressive distribution estimator (H. Larochelle and I. Murray, AISTATS 2011) with a learned start. What
the latent leaves open is then drawn jointly, not column by column. Tables too wide for that choose every column from
h_1 alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, gelu

CHAINED = 96
"""Most parts that are drawn one after another."""


@final
class MixedDecoder(nn.Module):
    """Classes of every part of a table, given a context.

    Parameters
    ----------
    sizes
        The number of classes of each part.
    context
        Width of the context.
    hidden
        Width of h.
    """

    firsts: Tensor
    beyond: Tensor
    before: Tensor

    def __init__(self, sizes: Sequence[int], context: int, hidden: int = 128) -> None:
        super().__init__()
        self.sizes = list(sizes)
        self.chained = len(self.sizes) <= CHAINED
        most = max(self.sizes, default=1)
        self.start = nn.Sequential(nn.Linear(context, hidden), nn.GELU(), nn.Linear(hidden, hidden))
        scale = hidden**-0.5
        self.heads = nn.Parameter(torch.randn(len(self.sizes), hidden, most) * scale)
        self.bias = nn.Parameter(torch.zeros(len(self.sizes), most))
        self.steps = nn.Embedding(sum(self.sizes) if self.chained else 0, hidden)
        nn.init.normal_(self.steps.weight, std=0.1)
        firsts = np.cumsum([0, *self.sizes[:-1]]) if self.sizes else np.empty(0)
        self.register_buffer("firsts", torch.tensor(firsts, dtype=torch.int64), persistent=False)
        beyond = torch.arange(most)[None, :] >= torch.tensor(self.sizes, dtype=torch.int64)[:, None]
        self.register_buffer("beyond", -1e9 * beyond, persistent=False)
        chain = len(self.sizes) if self.chained else 1
        self.register_buffer("before", torch.ones(chain, chain).tril(-1)[:, :-1].clone(), persistent=False)

    def loss(self, context: Tensor, codes: Tensor) -> Tensor:
        """Return -log p of each row: context (n, c), codes int64 (n, parts) -> (n,)."""
        if not self.sizes:
            return context.new_zeros(len(context))
        if not self.chained:
            losses = cross_entropy(self._at_once(context).flatten(0, 1), codes.flatten(), reduction="none")
            return losses.view(codes.shape).sum(1)
        classes = codes.t()
        logits = self._one_by_one(context, classes)
        losses = cross_entropy(logits.flatten(0, 1), classes.flatten(), reduction="none")
        return losses.view(classes.shape).sum(0)

    @torch.no_grad()
    def draw(self, context: Tensor, rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw a row for each context: int64 (n, parts)."""
        codes = np.zeros((len(context), len(self.sizes)), np.int64)
        if not self.sizes:
            return codes
        h = self.start(context)
        for j, size in enumerate(self.sizes):
            logits = gelu(h) @ self.heads[j, :, :size] + self.bias[j, :size]
            codes[:, j] = choose(logits.double().cpu().numpy(), rng)
            if self.chained:
                h = h + self.steps(torch.from_numpy(codes[:, j]).to(h.device) + self.firsts[j])
        return codes

    def _one_by_one(self, context: Tensor, classes: Tensor) -> Tensor:
        """Logits of each part given those before it: classes int64 (parts, n) -> (parts, n, most).

        The sums h_1 + E_1[x_1] + … + E_{j-1}[x_{j-1}] of all j are one product with a triangle of ones.
        """
        states = self.start(context)[None]
        if len(self.sizes) > 1:
            taken = self.steps(classes[:-1] + self.firsts[:-1, None])
            states = states + (self.before @ taken.flatten(1)).view(len(self.sizes), *states.shape[1:])
        return torch.baddbmm((self.bias + self.beyond)[:, None], gelu(states), self.heads)

    def _at_once(self, context: Tensor) -> Tensor:
        """Logits of each part given the context alone: (n, parts, most)."""
        wide = self.heads.permute(1, 0, 2).flatten(1)
        logits = (gelu(self.start(context)) @ wide).view(len(context), *self.bias.shape)
        return logits + (self.bias + self.beyond)


def choose(logits: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw a class for each row of logits (n, K) by the Gumbel trick: int64 (n,)."""
    return np.asarray((logits + rng.gumbel(size=logits.shape)).argmax(1))


__all__ = ["MixedDecoder", "choose"]
