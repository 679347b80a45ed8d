"""Message passing as five differentiable steps on sorted edges, each one pass over memory, forward and back.

With receiving nodes i (rows), sending nodes j (columns) and edges e = (i, j):

=====================  ==========================================  ==============================================
:func:`aggregate`      y_i = Σ_j x_j, the mean, or the maximum     back: the same over the transpose
:func:`weighted_sum`   y_i = Σ_e w_e x_j                           ∂x: weighted sum over the transpose; ∂w: edge dot
:func:`edge_dot`       s_e = <q_i, k_j>                            ∂q, ∂k: weighted sums over either form
:func:`edge_sum`       s_e = a_i + b_j                             ∂a, ∂b: sums of edge values
:func:`edge_softmax`   w_e = exp s_e / Σ of the edges into i       back: w (g - Σ w g)
=====================  ==========================================  ==============================================

They are closed under differentiation and make up every layer of :mod:`marigram.graph.layers`. No step gathers the
(E, F) table of messages that ``edge_index`` needs; the transpose is sorted once and kept. The sums of a row are in
the order of its edges, whatever the number of threads, so results repeat bit for bit.

Tensors live on the CPU, float32 or float64. One thread works unless the :class:`Adjacency` was given more: where
cores are shared, the spinning threads of OpenMP can make two slower than one by far, and these cannot spin.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable

from marigram.errors import ParameterError
from marigram.graph.csr import CSR
from marigram.graph.kernels import messages as kernels

Array = NDArray[Any]
Reduce = Literal["sum", "mean", "max"]

_IN_ORDER: NDArray[np.int64] = np.empty(0, np.int64)
_IN_ORDER.flags.writeable = False
_ALONE = 1 << 15
"""Edges below which threads cost more than they bring."""


@final
class Adjacency:
    """Who sends to whom, in both orders, for kernels: a :class:`~marigram.graph.csr.CSR` and its transpose.

    Parameters
    ----------
    csr
        The edges, grouped by the node that receives.
    threads
        How many threads share the rows, at least 1.
    """

    def __init__(self, csr: CSR, *, threads: int = 1) -> None:
        if type(threads) is not int or threads < 1:
            raise ParameterError(f"threads must be an integer of at least 1, got {threads!r}")
        self.csr = csr
        self.threads = threads

    @property
    def rows(self) -> int:
        """How many nodes receive."""
        return self.csr.rows

    @property
    def columns(self) -> int:
        """How many nodes send."""
        return self.csr.columns

    def __len__(self) -> int:
        return len(self.csr)

    @cached_property
    def inverse_degree(self) -> Tensor:
        """float64 (rows, 1): one over how many edges a node receives; 1 without any."""
        return torch.from_numpy(1.0 / np.maximum(self.csr.degrees, 1))[:, None]

    @cached_property
    def _shares(self) -> tuple[list[int], list[int]]:
        """Where the rows of the two orders are cut into stretches of equally many edges."""
        return tuple(
            np.searchsorted(csr.indptr, np.linspace(0, len(csr), self.threads + 1)[1:-1]).tolist()
            for csr in (self.csr, self.csr.transposed)
        )

    def run(self, kernel: Callable[..., None], *arguments: Array, back: bool = False) -> None:
        """Call ``kernel(indptr, *arguments, first, last)`` on all rows, or with ``back`` on all columns."""
        csr = self.csr.transposed if back else self.csr
        if self.threads == 1 or len(csr) < _ALONE:
            kernel(csr.indptr, *arguments, 0, csr.rows)
            return
        cuts = [0, *self._shares[back], csr.rows]
        with ThreadPoolExecutor(self.threads) as pool:
            work = [
                pool.submit(kernel, csr.indptr, *arguments, first, last) for first, last in pairwise(cuts)
            ]
        for share in work:
            share.result()


def aggregate(x: Tensor, adjacency: Adjacency, reduce: Reduce = "sum") -> Tensor:
    """Sum, mean or maximum over neighbours; 0 for nodes without any.

    Parameters
    ----------
    x
        (columns, F): what the sending nodes say.
    adjacency
        Who sends to whom.
    reduce
        ``"sum"``, ``"mean"`` or ``"max"``. Neighbours that share a maximum share its gradient equally.

    Returns
    -------
    Tensor
        (rows, F).
    """
    _check(x, "x", (adjacency.columns, None))
    if reduce == "max":
        most: Tensor = _Max.apply(x, adjacency)
        return most
    if reduce not in ("sum", "mean"):
        raise ParameterError(f"reduce is 'sum', 'mean' or 'max', not {reduce!r}")
    total: Tensor = _Sum.apply(x, adjacency)
    return total if reduce == "sum" else total * adjacency.inverse_degree.to(x.dtype)


def weighted_sum(weight: Tensor, x: Tensor, adjacency: Adjacency) -> Tensor:
    """Sum over neighbours with a weight for each edge and head: weight (E, H), x (columns, H, C) -> (rows, H, C)."""
    _check(x, "x", (adjacency.columns, None, None))
    _check(weight, "weight", (len(adjacency), x.shape[1]))
    out: Tensor = _WeightedSum.apply(weight, x, adjacency)
    return out


def edge_dot(q: Tensor, k: Tensor, adjacency: Adjacency) -> Tensor:
    """Inner product of both ends of each edge, by head: q (rows, H, C), k (columns, H, C) -> (E, H)."""
    _check(q, "q", (adjacency.rows, None, None))
    _check(k, "k", (adjacency.columns, *q.shape[1:]))
    out: Tensor = _EdgeDot.apply(q, k, adjacency)
    return out


def edge_sum(a: Tensor, b: Tensor, adjacency: Adjacency) -> Tensor:
    """Sum of both ends of each edge: a (rows, H), b (columns, H) -> (E, H)."""
    _check(a, "a", (adjacency.rows, None))
    _check(b, "b", (adjacency.columns, a.shape[1]))
    out: Tensor = _EdgeSum.apply(a, b, adjacency)
    return out


def edge_softmax(scores: Tensor, adjacency: Adjacency) -> Tensor:
    """Softmax over the edges into each node, by head: (E, H) -> (E, H)."""
    _check(scores, "scores", (len(adjacency), None))
    out: Tensor = _EdgeSoftmax.apply(scores, adjacency)
    return out


# --- the steps --------------------------------------------------------------------------------------------------------


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, adjacency: Adjacency) -> Tensor:
        ctx.adjacency = adjacency
        return _sum(x, adjacency)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _sum(gradient, ctx.adjacency, back=True), None


class _Max(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, adjacency: Adjacency) -> Tensor:
        out, ties = x.new_empty(adjacency.rows, x.shape[1]), x.new_empty(adjacency.rows, x.shape[1])
        adjacency.run(kernels.max_rows, adjacency.csr.indices, _array(x), _array(out), _array(ties))
        ctx.adjacency = adjacency
        ctx.save_for_backward(x, out, ties)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        x, most, ties = ctx.saved_tensors
        shares, out = gradient / ties.clamp(min=1), torch.empty_like(x, memory_format=torch.contiguous_format)
        arrays = (_array(tensor) for tensor in (x, most, shares, out))
        ctx.adjacency.run(kernels.max_back, ctx.adjacency.csr.transposed.indices, *arrays, back=True)
        return out, None


class _WeightedSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight: Tensor, x: Tensor, adjacency: Adjacency) -> Tensor:
        ctx.adjacency = adjacency
        ctx.save_for_backward(weight, x)
        return _weighted(weight, x, adjacency)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        weight, x = ctx.saved_tensors
        needs_weight, needs_x, _ = ctx.needs_input_grad
        return (
            _dots(gradient, x, ctx.adjacency) if needs_weight else None,
            _weighted(weight, gradient, ctx.adjacency, back=True) if needs_x else None,
            None,
        )


class _EdgeDot(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, adjacency: Adjacency) -> Tensor:
        ctx.adjacency = adjacency
        ctx.save_for_backward(q, k)
        return _dots(q, k, adjacency)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        q, k = ctx.saved_tensors
        needs_q, needs_k, _ = ctx.needs_input_grad
        return (
            _weighted(gradient, k, ctx.adjacency) if needs_q else None,
            _weighted(gradient, q, ctx.adjacency, back=True) if needs_k else None,
            None,
        )


class _EdgeSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, adjacency: Adjacency) -> Tensor:
        ctx.adjacency = adjacency
        out = a.new_empty(len(adjacency), a.shape[1])
        adjacency.run(kernels.add_edges, adjacency.csr.indices, _array(a), _array(b), _array(out))
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        adjacency, heads = ctx.adjacency, gradient.shape[1]
        a, b = gradient.new_empty(adjacency.rows, heads), gradient.new_empty(adjacency.columns, heads)
        values = _array(gradient)
        adjacency.run(kernels.sum_edges, _IN_ORDER, values, _array(a))
        adjacency.run(kernels.sum_edges, adjacency.csr.transposed.edge, values, _array(b), back=True)
        return a, b, None


class _EdgeSoftmax(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, scores: Tensor, adjacency: Adjacency) -> Tensor:
        out = torch.empty_like(scores, memory_format=torch.contiguous_format)
        adjacency.run(kernels.softmax_rows, _array(scores), _array(out))
        ctx.adjacency = adjacency
        ctx.save_for_backward(out)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (weight,) = ctx.saved_tensors
        out = torch.empty_like(weight)
        ctx.adjacency.run(kernels.softmax_back, _array(weight), _array(gradient), _array(out))
        return out, None


# --- what they share --------------------------------------------------------------------------------------------------


def _sum(x: Tensor, adjacency: Adjacency, *, back: bool = False) -> Tensor:
    csr = adjacency.csr.transposed if back else adjacency.csr
    out = x.new_empty(csr.rows, x.shape[1])
    adjacency.run(kernels.sum_rows, csr.indices, _array(x), _array(out), back=back)
    return out


def _weighted(weight: Tensor, x: Tensor, adjacency: Adjacency, *, back: bool = False) -> Tensor:
    csr = adjacency.csr.transposed if back else adjacency.csr
    out = x.new_empty(csr.rows, *x.shape[1:])
    slots = csr.edge if back else _IN_ORDER
    adjacency.run(
        kernels.weighted_rows, csr.indices, slots, _array(weight), _array(x), _array(out), back=back
    )
    return out


def _dots(q: Tensor, k: Tensor, adjacency: Adjacency) -> Tensor:
    out = q.new_empty(len(adjacency), q.shape[1])
    adjacency.run(kernels.dot_edges, adjacency.csr.indices, _array(q), _array(k), _array(out))
    return out


def _array(tensor: Tensor) -> Array:
    """The tensor's memory, in C order."""
    array: Array = tensor.detach().contiguous().numpy()
    return array


def _check(tensor: Tensor, name: str, shape: tuple[int | None, ...]) -> None:
    fits = len(shape) == tensor.dim() and all(
        wanted is None or wanted == size for wanted, size in zip(shape, tensor.shape, strict=True)
    )
    if not fits or tensor.device.type != "cpu" or tensor.dtype not in (torch.float32, torch.float64):
        wanted = ", ".join("any" if size is None else str(size) for size in shape)
        raise ParameterError(
            f"{name} must be float32 or float64 of shape ({wanted}) on the CPU, "
            f"got {tensor.dtype} of shape {tuple(tensor.shape)} on {tensor.device}"
        )


__all__ = ["Adjacency", "aggregate", "edge_dot", "edge_softmax", "edge_sum", "weighted_sum"]
