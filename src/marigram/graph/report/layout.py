"""Where the nodes of a neighbourhood are drawn: the centre, and a ring for each hop.

A ring tells the hop at a glance and is the same in every run, which forces that pull and push do not promise.
Neighbours stand in the order of their types; each node of the outer ring stands as near as there is room to the middle
of those that it hangs on, so that a shared device stands between its users.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from marigram.graph.report.ego import Ego

Points = NDArray[np.float64]


def rings(ego: Ego, radii: tuple[float, float]) -> Points:
    """Return the places of the nodes around ``(0, 0)``: float ``(n, 2)``, the y axis pointing down.

    Parameters
    ----------
    ego
        The neighbourhood.
    radii
        Of the first and of the second ring.
    """
    hop = np.array(ego.hop)
    first, second = np.flatnonzero(hop == 1), np.flatnonzero(hop == 2)
    angles = np.zeros(len(hop))
    hanging: dict[int, list[int]] = {int(node): [] for node in second}
    for i, j, _ in ego.links:
        if hop[i] == 1 and hop[j] == 2:
            hanging[j].append(i)
    _spread_first(ego, first, hanging, angles)
    if len(second):
        wished = np.array([_middle(angles[hanging[int(node)]]) for node in second])
        angles[second] = spaced(wished)
    radius = np.array([0.0, *radii])[hop]
    return np.column_stack([radius * np.sin(angles), -radius * np.cos(angles)])


def _spread_first(ego: Ego, first: NDArray[np.int64], hanging: dict[int, list[int]], angles: Points) -> None:
    """Give each node of the first ring a sector as wide as what hangs on it, in the order of types."""
    load = dict.fromkeys(first.tolist(), 1.0)
    for parents in hanging.values():
        for parent in parents:
            load[parent] += 1.0 / len(parents)
    order = sorted(first.tolist(), key=lambda node: (ego.nodes[node][0], node))
    width = np.array([load[node] for node in order])
    if order:
        angles[order] = 2 * np.pi * (np.cumsum(width) - width / 2) / width.sum()


def _middle(angles: Points) -> float:
    """The mean direction."""
    return float(np.arctan2(np.sin(angles).sum(), np.cos(angles).sum()) % (2 * np.pi))


def spaced(wished: Points) -> Points:
    """Return angles as near to those wished for as equal room for all allows, in the same order around the circle.

    Neighbours stay at least 0.8 of an equal share apart: the least squares answer to that (isotonic regression after
    the gaps are taken out), cut at the widest gap; equal shares where the ends would meet.
    """
    count = len(wished)
    if count == 1:
        return wished
    order = np.argsort(wished, kind="stable")
    ring = wished[order]
    cut = int(np.argmax(np.diff(ring, append=ring[0] + 2 * np.pi))) + 1
    order, ring = np.roll(order, -cut), np.unwrap(np.roll(ring, -cut))
    gap = 0.8 * 2 * np.pi / count
    steps = gap * np.arange(count)
    moved = _isotonic(ring - steps) + steps
    if moved[-1] - moved[0] > 2 * np.pi - gap:
        moved = ring.mean() + 2 * np.pi * (np.arange(count) - (count - 1) / 2) / count
    placed = np.empty(count)
    placed[order] = moved
    return placed


def _isotonic(values: Points) -> Points:
    """The nearest non-decreasing sequence: pool adjacent violators."""
    blocks: list[tuple[float, int]] = []
    for value in values.tolist():
        mean, size = value, 1
        while blocks and blocks[-1][0] > mean:
            before, many = blocks.pop()
            mean, size = (before * many + mean * size) / (many + size), many + size
        blocks.append((mean, size))
    return np.concatenate([np.full(size, mean) for mean, size in blocks])


__all__ = ["rings", "spaced"]
