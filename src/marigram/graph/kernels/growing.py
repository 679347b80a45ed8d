"""Grow one tree of a forest on columns that were cut into at most 256 bins once for all trees.

A node looks at some columns drawn at random. A random forest (L. Breiman, 2001) sums up each by bins and takes the cut
with the least Gini impurity, which among cuts of the same rows is the one with the largest

    sum over both sides of (p^2 + (w - p)^2) / w,   w weight, p weight of anomalies;

extremely randomised trees (P. Geurts et al., 2006) draw one cut for each column, here evenly among the bins between
the node's lowest and highest, and take the best of these.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from marigram.numerics.jit import kernel, part, piece

Ids = NDArray[np.int32]
Floats = NDArray[np.float32]

BINS = 256


@piece
def gini_of(w: Any, p: Any) -> Any:
    """What a side of weight ``w`` adds to the worth of a cut."""
    return (p * p + (w - p) * (w - p)) / w


@part
def cut_at_random(
    codes: Any, rows: Any, weight: Any, anomalous: Any, all_w: Any, all_p: Any, leaf: Any
) -> Any:
    """Return (worth, bin) of one cut of a column drawn at random; worth -1 when the column is constant, 0 in vain."""
    low, high = codes[rows[0]], codes[rows[0]]
    for row in rows:
        low, high = min(low, codes[row]), max(high, codes[row])
    if low == high:
        return -1.0, 0
    cut = low + np.random.randint(0, high - low)  # noqa: NPY002 - the compiler's own generator, seeded in grow_tree
    w, p, n = 0.0, 0.0, 0
    for i in range(len(rows)):
        below = codes[rows[i]] <= cut
        w += weight[i] * below
        p += anomalous[i] * below
        n += below
    if n < leaf or len(rows) - n < leaf:
        return 0.0, 0
    return gini_of(w, p) + gini_of(all_w - w, all_p - p), cut


@part
def cut_at_best(
    codes: Any, rows: Any, weight: Any, anomalous: Any, all_w: Any, all_p: Any, leaf: Any, sums: Any
) -> Any:
    """Return (worth, bin) of the best cut of a column; ``sums`` (256, 3) holds zeros before and after."""
    low, high = BINS - 1, 0
    for i in range(len(rows)):
        code = codes[rows[i]]
        low, high = min(low, code), max(high, code)
        sums[code, 0] += weight[i]
        sums[code, 1] += anomalous[i]
        sums[code, 2] += 1
    best, cut, w, p, n = -1.0 if low == high else 0.0, 0, 0.0, 0.0, 0.0
    for code in range(low, high):
        if sums[code, 2]:
            w += sums[code, 0]
            p += sums[code, 1]
            n += sums[code, 2]
            if len(rows) - n < leaf:
                break
            if n >= leaf:
                worth = gini_of(w, p) + gini_of(all_w - w, all_p - p)
                if worth > best:
                    best, cut = worth, code
    sums[low : high + 1] = 0
    return best, cut


@piece
def split_rows(codes: Any, cut: Any, rows: Any) -> Any:
    """Move the rows up to the cut to the front; return how many."""
    front, back = 0, len(rows) - 1
    while front <= back:
        if codes[rows[front]] <= cut:
            front += 1
        else:
            rows[front], rows[back] = rows[back], rows[front]
            back -= 1
    return front


@kernel
def grow_tree(
    codes: Any, rows: Ids, weight: Any, anomalous: Any, tried: int, leaf: int, extra: bool, seed: int,
    feature: Ids, cut: Ids, left: Ids, right: Ids, value: Floats,
) -> int:  # fmt: skip
    """Grow a tree, write its nodes from the root on, and return how many there are.

    Parameters
    ----------
    codes
        uint8 (d, n): the bin of each column of each row.
    rows
        int32 (m,): the rows that take part, each once; reordered.
    weight, anomalous
        float64 (n,): the weight of each row, and how much of it is anomalous; positive weights for ``rows``.
    tried
        Columns that a node looks at; more when all of these are constant.
    leaf
        Fewest rows in a leaf.
    feature, cut, left, right, value
        (2 m,): column (-1 in a leaf), last bin of the left child, both children, share of anomalies.
    """
    np.random.seed(seed)  # noqa: NPY002 - the compiler's own generator
    d, count, top = len(codes), 1, 1
    columns, sums = np.arange(d), np.zeros((BINS, 3))
    weights, parts = np.empty(len(rows)), np.empty(len(rows))
    starts, stops, nodes = (
        np.empty(len(rows), np.int64),
        np.empty(len(rows), np.int64),
        np.empty(len(rows), np.int64),
    )
    starts[0], stops[0], nodes[0] = 0, len(rows), 0
    while top:
        top -= 1
        here, node = rows[starts[top] : stops[top]], nodes[top]
        first, w, p = starts[top], 0.0, 0.0
        for i in range(len(here)):
            weights[i], parts[i] = weight[here[i]], anomalous[here[i]]
            w += weights[i]
            p += parts[i]
        feature[node], value[node] = -1, p / w
        if len(here) < 2 * leaf or p <= 0 or p >= w:
            continue
        best, seen, at = gini_of(w, p) * (1 + 1e-12), 0, 0
        while at < d and seen < tried:
            other = np.random.randint(at, d)  # noqa: NPY002
            columns[at], columns[other] = columns[other], columns[at]
            j = columns[at]
            at += 1
            if extra:
                worth, code = cut_at_random(codes[j], here, weights, parts, w, p, leaf)
            else:
                worth, code = cut_at_best(codes[j], here, weights, parts, w, p, leaf, sums)
            seen += worth >= 0
            if worth > best:
                best, feature[node], cut[node] = worth, j, code
        if feature[node] < 0:
            continue
        middle = first + split_rows(codes[feature[node]], cut[node], here)
        left[node], right[node] = count, count + 1
        starts[top], stops[top], nodes[top] = middle, first + len(here), count + 1
        starts[top + 1], stops[top + 1], nodes[top + 1] = first, middle, count
        top, count = top + 2, count + 2
    return count


__all__ = ["BINS", "grow_tree"]
