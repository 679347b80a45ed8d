"""The inner loops of message passing: one pass over sorted edges each, on rows ``first`` to ``last`` - 1.

Four edges are taken at a time, so that a receiving row is loaded and stored a quarter as often. Indices are unsigned,
which spares the test for negative ones. Threads may take disjoint stretches of rows: no kernel writes elsewhere.

``slots`` says where the value of an edge lies; it is empty when values lie in the order of the edges. Where they lie
scattered, they are asked for 20 edges ahead, which makes the way back three times as fast.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from marigram.numerics.bits import prefetch
from marigram.numerics.jit import kernel, piece

_fetch: Any = prefetch  # an intrinsic takes one argument less than its definition, which no checker knows
_1, _2, _3, _4 = (np.uint64(k) for k in (1, 2, 3, 4))
_AHEAD = np.uint64(20)


@piece
def at(slots: Any, edge: Any) -> Any:
    """Where the value of an edge lies."""
    return np.uint64(slots[edge]) if len(slots) else edge


@kernel
def sum_rows(indptr: Any, indices: Any, x: Any, out: Any, first: int, last: int) -> None:
    """out[i] = Σ_j x[j] over the neighbours of i; x (columns, F), out (rows, F)."""
    width = np.uint64(x.shape[1])
    for row in range(np.uint64(first), np.uint64(last)):
        edge, stop = np.uint64(indptr[row]), np.uint64(indptr[row + _1])
        for f in range(width):
            out[row, f] = 0
        while edge + _4 <= stop:
            a, b = np.uint64(indices[edge]), np.uint64(indices[edge + _1])
            c, d = np.uint64(indices[edge + _2]), np.uint64(indices[edge + _3])
            for f in range(width):
                out[row, f] += (x[a, f] + x[b, f]) + (x[c, f] + x[d, f])
            edge += _4
        while edge < stop:
            a = np.uint64(indices[edge])
            for f in range(width):
                out[row, f] += x[a, f]
            edge += _1


@kernel
def weighted_rows(
    indptr: Any, indices: Any, slots: Any, weight: Any, x: Any, out: Any, first: int, last: int
) -> None:
    """out[i, h] = Σ_e w[e, h] x[j, h]; weight (E, H), x (columns, H, C), out (rows, H, C)."""
    heads, width = np.uint64(x.shape[1]), np.uint64(x.shape[2])
    bytes_each = weight.itemsize * weight.shape[1]
    for row in range(np.uint64(first), np.uint64(last)):
        edge, stop = np.uint64(indptr[row]), np.uint64(indptr[row + _1])
        out[row] = 0
        while edge + _4 <= stop:
            a, b = np.uint64(indices[edge]), np.uint64(indices[edge + _1])
            c, d = np.uint64(indices[edge + _2]), np.uint64(indices[edge + _3])
            if edge + _AHEAD + _4 <= len(slots):
                for k in range(edge + _AHEAD, edge + _AHEAD + _4):
                    _fetch(weight, bytes_each * slots[k])
            ea, eb, ec, ed = at(slots, edge), at(slots, edge + _1), at(slots, edge + _2), at(slots, edge + _3)
            for h in range(heads):
                wa, wb, wc, wd = weight[ea, h], weight[eb, h], weight[ec, h], weight[ed, h]
                for f in range(width):
                    out[row, h, f] += (wa * x[a, h, f] + wb * x[b, h, f]) + (
                        wc * x[c, h, f] + wd * x[d, h, f]
                    )
            edge += _4
        while edge < stop:
            a, ea = np.uint64(indices[edge]), at(slots, edge)
            for h in range(heads):
                wa = weight[ea, h]
                for f in range(width):
                    out[row, h, f] += wa * x[a, h, f]
            edge += _1


@kernel
def dot_edges(indptr: Any, indices: Any, x: Any, y: Any, out: Any, first: int, last: int) -> None:
    """out[e, h] = <x[i, h], y[j, h]>; x (rows, H, C), y (columns, H, C), out (E, H)."""
    heads, width = np.uint64(x.shape[1]), np.uint64(x.shape[2])
    zero = x.dtype.type(0)
    for row in range(np.uint64(first), np.uint64(last)):
        edge, stop = np.uint64(indptr[row]), np.uint64(indptr[row + _1])
        while edge + _4 <= stop:
            a, b = np.uint64(indices[edge]), np.uint64(indices[edge + _1])
            c, d = np.uint64(indices[edge + _2]), np.uint64(indices[edge + _3])
            for h in range(heads):
                sa, sb, sc, sd = zero, zero, zero, zero
                for f in range(width):
                    value = x[row, h, f]
                    sa += value * y[a, h, f]
                    sb += value * y[b, h, f]
                    sc += value * y[c, h, f]
                    sd += value * y[d, h, f]
                out[edge, h], out[edge + _1, h], out[edge + _2, h], out[edge + _3, h] = sa, sb, sc, sd
            edge += _4
        while edge < stop:
            a = np.uint64(indices[edge])
            for h in range(heads):
                sa = zero
                for f in range(width):
                    sa += x[row, h, f] * y[a, h, f]
                out[edge, h] = sa
            edge += _1


@kernel
def add_edges(indptr: Any, indices: Any, x: Any, y: Any, out: Any, first: int, last: int) -> None:
    """out[e, h] = x[i, h] + y[j, h]; x (rows, H), y (columns, H), out (E, H)."""
    heads = np.uint64(x.shape[1])
    for row in range(np.uint64(first), np.uint64(last)):
        for edge in range(np.uint64(indptr[row]), np.uint64(indptr[row + _1])):
            column = np.uint64(indices[edge])
            for h in range(heads):
                out[edge, h] = x[row, h] + y[column, h]


@kernel
def sum_edges(indptr: Any, slots: Any, values: Any, out: Any, first: int, last: int) -> None:
    """out[i, h] = Σ_e v[e, h] over the edges of i; values (E, H), out (rows, H)."""
    heads = np.uint64(values.shape[1])
    bytes_each = values.itemsize * values.shape[1]
    for row in range(np.uint64(first), np.uint64(last)):
        for h in range(heads):
            out[row, h] = 0
        for edge in range(np.uint64(indptr[row]), np.uint64(indptr[row + _1])):
            if edge + _AHEAD < len(slots):
                _fetch(values, bytes_each * slots[edge + _AHEAD])
            value = at(slots, edge)
            for h in range(heads):
                out[row, h] += values[value, h]


@kernel
def softmax_rows(indptr: Any, scores: Any, out: Any, first: int, last: int) -> None:
    """out[e, h] = exp(s[e, h]) / Σ over the edges of the same row; scores (E, H), out (E, H)."""
    heads = np.uint64(scores.shape[1])
    for row in range(np.uint64(first), np.uint64(last)):
        start, stop = np.uint64(indptr[row]), np.uint64(indptr[row + _1])
        for h in range(heads):
            most = scores.dtype.type(-np.inf)
            for edge in range(start, stop):
                most = max(most, scores[edge, h])
            total = scores.dtype.type(0)
            for edge in range(start, stop):
                out[edge, h] = np.exp(scores[edge, h] - most)
                total += out[edge, h]
            for edge in range(start, stop):
                out[edge, h] /= total


@kernel
def softmax_back(indptr: Any, weight: Any, gradient: Any, out: Any, first: int, last: int) -> None:
    """out = w (g - Σ w g), the sum over the edges of the same row; all (E, H)."""
    heads = np.uint64(weight.shape[1])
    for row in range(np.uint64(first), np.uint64(last)):
        start, stop = np.uint64(indptr[row]), np.uint64(indptr[row + _1])
        for h in range(heads):
            total = weight.dtype.type(0)
            for edge in range(start, stop):
                total += weight[edge, h] * gradient[edge, h]
            for edge in range(start, stop):
                out[edge, h] = weight[edge, h] * (gradient[edge, h] - total)


@kernel
def max_rows(indptr: Any, indices: Any, x: Any, out: Any, ties: Any, first: int, last: int) -> None:
    """out[i] = max_j x[j], 0 without neighbours; ties: how many have it; x (columns, F), out and ties (rows, F)."""
    width = np.uint64(x.shape[1])
    for row in range(np.uint64(first), np.uint64(last)):
        start, stop = np.uint64(indptr[row]), np.uint64(indptr[row + _1])
        for f in range(width):
            out[row, f] = 0 if start == stop else -np.inf
            ties[row, f] = 0
        for edge in range(start, stop):
            column = np.uint64(indices[edge])
            for f in range(width):
                out[row, f] = max(out[row, f], x[column, f])
        for edge in range(start, stop):
            column = np.uint64(indices[edge])
            for f in range(width):
                ties[row, f] += x[column, f] == out[row, f]


@kernel
def max_back(
    indptr: Any, indices: Any, x: Any, most: Any, shares: Any, out: Any, first: int, last: int
) -> None:
    """On the transpose: out[j] = Σ_i shares[i] over the rows i whose maximum x[j] is; shares = gradient / ties."""
    width = np.uint64(x.shape[1])
    for column in range(np.uint64(first), np.uint64(last)):
        for f in range(width):
            out[column, f] = 0
        for edge in range(np.uint64(indptr[column]), np.uint64(indptr[column + _1])):
            row = np.uint64(indices[edge])
            for f in range(width):
                if x[column, f] == most[row, f]:
                    out[column, f] += shares[row, f]


__all__ = [
    "add_edges",
    "dot_edges",
    "max_back",
    "max_rows",
    "softmax_back",
    "softmax_rows",
    "sum_edges",
    "sum_rows",
    "weighted_rows",
]
