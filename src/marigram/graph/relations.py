"""Which way messages go: the relations of a graph, each sorted by the node that receives.

Edges are stored once, but what a node does says as much of its partner as the other way round. So every relation
between two types is walked both ways, under two names, and a relation within one type becomes symmetric, unless it
is said to be directed. No edge is known before both of its ends are.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from marigram.graph.csr import CSR
from marigram.graph.data import EdgeType, Graph

Ints = NDArray[np.int64]

REVERSE = "rev_"
"""What the name of a relation walked backwards begins with, as in PyG's ``ToUndirected``."""


def relations_of(graph: Graph, *, directed: bool = False) -> dict[EdgeType, CSR]:
    """Return (sending type, name, receiving type) -> edges, for every way that messages go.

    Parameters
    ----------
    graph
        The typed graph.
    directed
        Keep both ways apart also within one node type, for graphs whose direction tells something (who pays
        whom). Otherwise they are one symmetric relation; an edge list that is symmetric already is taken as it is.
    """
    return dict(graph.keep(("relations", directed), lambda: _relations(graph, directed)))


def _relations(graph: Graph, directed: bool) -> dict[EdgeType, CSR]:
    found: dict[EdgeType, CSR] = {}
    for kind, table in graph.edges.items():
        sending, name, receiving = kind
        times = edge_times(graph, kind)
        shape = (graph.nodes[receiving].count, graph.nodes[sending].count)
        if sending == receiving and not directed:
            found[kind] = _symmetric(table.src, table.dst, times, shape[0])
        elif times is table.time:
            found[kind] = graph.csr(kind)
            found[receiving, REVERSE + name, sending] = graph.csr(kind, reverse=True)
        else:
            found[kind] = CSR.build(table.dst, table.src, shape, times)
            found[receiving, REVERSE + name, sending] = CSR.build(table.src, table.dst, shape[::-1], times)
    return found


def edge_times(graph: Graph, kind: EdgeType) -> Ints | None:
    """Return since when each edge of a type is known: int64 (E,), or None where nothing has a time.

    That is its own time or, if later or if it has none, that of the younger of its ends.
    """
    table = graph.edges[kind]
    ends = [(graph.nodes[kind[0]].time, table.src), (graph.nodes[kind[2]].time, table.dst)]
    known = [time[end] for time, end in ends if time is not None]
    if table.time is not None:
        late = any((time > table.time).any() for time in known)
        known = [table.time, *known] if late else [table.time]
    return reduce(np.maximum, known) if known else None


def node_times(graph: Graph, node_type: str) -> Ints | None:
    """Return when each node of a type came into being: int64 (n,), or None where it lasts.

    Types with times tell. Without them a type is taken for events when each of its nodes has an edge with a time, and
    at most one of each relation: the latest of these is its time.
    """
    table = graph.nodes[node_type]
    if table.time is not None:
        return table.time
    ends = list(_timed_ends(graph, node_type))
    counts = [np.bincount(end, minlength=table.count) for end, _ in ends]
    if not ends or max(int(count.max()) for count in counts) > 1 or not np.logical_or.reduce(counts).all():
        return None
    return latest_times(graph, node_type)


def latest_times(graph: Graph, node_type: str) -> Ints | None:
    """Return the time of each node's latest edge: int64 (n,), the smallest integer without one; None without times."""
    ends = list(_timed_ends(graph, node_type))
    if not ends:
        return None
    latest = np.full(graph.nodes[node_type].count, np.iinfo(np.int64).min)
    for end, time in ends:
        np.maximum.at(latest, end, time)
    return latest


def _timed_ends(graph: Graph, node_type: str) -> Iterator[tuple[Ints, Ints]]:
    """The nodes of a type at the ends of edges that have times of their own, with these."""
    for kind, table in graph.edges.items():
        if table.time is not None:
            for side, end in ((kind[0], table.src), (kind[2], table.dst)):
                if side == node_type:
                    yield end, table.time


def _symmetric(src: Ints, dst: Ints, times: Ints | None, count: int) -> CSR:
    """Every edge both ways, once; unless the list has both ways already."""
    if has_both_ways(src, dst, count):
        return CSR.build(dst, src, (count, count), times)
    loop = src == dst  # the same edge both ways
    back = np.flatnonzero(~loop)
    rows, columns = np.concatenate([dst, src[back]]), np.concatenate([src, dst[back]])
    edge = np.concatenate([np.arange(len(src)), back])
    both = CSR.build(
        rows, columns, (count, count), None if times is None else np.concatenate([times, times[back]])
    )
    return CSR._frozen(both.indptr, both.indices, edge[both.edge], both.times, count)


def has_both_ways(src: Ints, dst: Ints, count: int) -> bool:
    """Tell whether a list of edges within one type of ``count`` nodes holds every edge both ways."""
    forth, back = (np.sort(np.asarray(a, np.int64) * count + b) for a, b in ((src, dst), (dst, src)))
    return bool((forth == back).all()) and bool((src != dst).any())


__all__ = ["REVERSE", "edge_times", "has_both_ways", "latest_times", "node_times", "relations_of"]
