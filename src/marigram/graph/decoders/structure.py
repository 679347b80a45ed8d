"""The structure decoder: whom a node is connected to, relation by relation.

How many partners a node has is decoded first (:class:`~marigram.graph.decoders.nodes.NodeDecoder`). Who they are is a
choice without repetition with the log-odds

    s_r(u, v) = <q_r(z_u, class of u), k_r(z_v, class of v, degree of v)> / √K + b_r(z_v, class of v, degree of v),

for each relation r into the type of u. A product of both ends can say "like joins like" and "these two kinds meet",
which a sum of both, as in the published design, cannot. It is learned as a softmax over all possible partners, or over
a sample of them with the rest accounted for. Drawing k partners costs a look at :data:`CANDIDATES` nodes at most,
however large the graph.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

Ints = NDArray[np.int64]

CANDIDATES = 1 << 15
"""Possible partners that are looked at in drawing."""
_CHUNK = 1 << 22
"""Scores at once."""


@final
class PartnerDecoder(nn.Module):
    """Scores of partners in every relation.

    Parameters
    ----------
    relations
        How many.
    context
        Width of latent and class together.
    inner
        K, the width of the product.
    hidden
        Of the maps q and k, which have one hidden layer.
    """

    def __init__(self, relations: int, context: int, inner: int = 32, hidden: int = 96) -> None:
        super().__init__()
        self.inner = inner
        self.queries = nn.ModuleList(_map(context, hidden, inner) for _ in range(relations))
        self.keys = nn.ModuleList(_map(context + 1, hidden, inner + 1) for _ in range(relations))

    def query(self, relation: int, context: Tensor) -> Tensor:
        """q of nodes: context (n, c) -> (n, K + 1), the last column 1."""
        asked = self.queries[relation](context) / math.sqrt(self.inner)
        return torch.cat([asked, asked.new_ones(len(asked), 1)], dim=1)

    def key(self, relation: int, context: Tensor, degrees: Tensor) -> Tensor:
        """k and b of nodes: context (n, c), degrees (n,) -> (n, K + 1)."""
        told: Tensor = self.keys[relation](torch.cat([context, degrees.log1p()[:, None] / 4], dim=1))
        return told

    @staticmethod
    def loss(query: Tensor, partners: Tensor, pool: Tensor, others: int) -> Tensor:
        """Return -log p of the partners of each node: (n,).

        Parameters
        ----------
        query
            (n, K + 1).
        partners
            (n, J, K + 1): keys of J true partners each.
        pool
            (P, K + 1): keys of the nodes among which the choice is; all of them, or a sample.
        others
            How many nodes the pool stands for.
        """
        right = (query[:, None] * partners).sum(2)
        found: Tensor = _Total.apply(query, pool)
        total = found + math.log(others / len(pool))
        if others > len(pool):
            total = torch.logaddexp(total, right)  # the true partner is surely among all
        return (total - right).mean(1)


class _Total(torch.autograd.Function):
    """log Σ_j exp <q_i, k_j> of each i: (n, 1). The exponentials, most of the cost, are worked out once, not twice."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, pool: Tensor) -> Tensor:
        scores = (query @ pool.t()).float()
        most = scores.amax(1, keepdim=True)
        total = scores.sub_(most).exp_().sum(1, keepdim=True)
        ctx.save_for_backward(query, pool, scores, total)
        return most + total.log()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        query, pool, scores, total = ctx.saved_tensors
        weight = (scores * (gradient / total)).to(pool.dtype)
        return (weight @ pool).to(query.dtype), (weight.t() @ query.to(pool.dtype)).to(pool.dtype)


def draw_partners(
    query: NDArray[np.float32], counts: Ints, pool: NDArray[np.float32], rng: np.random.Generator
) -> tuple[Ints, Ints]:
    """Draw ``counts[i]`` different partners for each node: (node, place in the pool), int64 (E,) both.

    By the Gumbel trick, which is drawing one after another without putting back. A node gets fewer where the pool
    is smaller.
    """
    places = np.arange(len(pool))
    if len(pool) > CANDIDATES:
        places = np.sort(rng.choice(len(pool), CANDIDATES, replace=False))
        pool = pool[places]
    nodes, chosen = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    step = max(1, _CHUNK // max(len(pool), 1))
    for start in range(0, len(query), step):
        scores = query[start : start + step] @ pool.T
        scores += rng.gumbel(size=scores.shape).astype(np.float32)
        for row, count in enumerate(np.minimum(counts[start : start + step], len(pool)).tolist()):
            if count:
                best = np.argpartition(scores[row], len(pool) - count)[len(pool) - count :]
                nodes.append(np.full(count, start + row))
                chosen.append(places[best])
    return np.concatenate(nodes), np.concatenate(chosen)


def calibrated(drawn: Ints, real: Ints) -> Ints:
    """Give drawn degrees the distribution of real ones, in the same order: (m, R) and (n, R) -> (m, R).

    Equal degrees are put in an order by their place, so that the marginal is that of the real ones whatever was drawn.
    """
    if len(real) < 2 or not len(drawn):
        return drawn
    out = np.empty_like(drawn)
    levels = (np.arange(len(drawn)) + 0.5) / len(drawn)
    for column in range(drawn.shape[1]):
        order = np.argsort(drawn[:, column], kind="stable")
        values = np.quantile(real[:, column], levels, method="hazen")
        out[order, column] = np.rint(values).astype(np.int64)
    return out


def _map(width: int, hidden: int, out: int) -> nn.Module:
    return nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, out))


def slots_of(starts: Ints, stops: Ints, wanted: Sequence[int] | Ints, seed: int, each: int) -> Ints:
    """Draw ``each`` slots of each wanted row, with repetition: int64 (n, each); every row must have one."""
    rng = np.random.default_rng(seed)
    first, last = starts[wanted], stops[wanted]
    shares = rng.random((len(first), each))
    return np.asarray(first[:, None] + (shares * (last - first)[:, None]).astype(np.int64))


__all__ = ["CANDIDATES", "PartnerDecoder", "calibrated", "draw_partners", "slots_of"]
