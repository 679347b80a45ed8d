"""Which way messages go: the relations of a graph, each sorted by the node that receives.

Edges are stored once, but what a node does says as much of its partner as the other way round. So every relation
between two types is walked both ways, under two names, and a relation within one type becomes symmetric, unless it
is said to be directed. An edge without a time is as old as the younger of its ends, where nodes have times.
"""

from __future__ import annotations

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
    """Return the times of the edges of a type: their own, or else those of the younger end; None without either."""
    table = graph.edges[kind]
    if table.time is not None:
        return table.time
    ends = [(graph.nodes[kind[0]].time, table.src), (graph.nodes[kind[2]].time, table.dst)]
    known = [time[end] for time, end in ends if time is not None]
    if not known:
        return None
    return known[0] if len(known) == 1 else np.maximum(*known)


def _symmetric(src: Ints, dst: Ints, times: Ints | None, count: int) -> CSR:
    """Every edge both ways, once; unless the list has both ways already."""
    if _has_both_ways(src, dst, count):
        return CSR.build(dst, src, (count, count), times)
    loop = src == dst  # the same edge both ways
    back = np.flatnonzero(~loop)
    rows, columns = np.concatenate([dst, src[back]]), np.concatenate([src, dst[back]])
    edge = np.concatenate([np.arange(len(src)), back])
    both = CSR.build(
        rows, columns, (count, count), None if times is None else np.concatenate([times, times[back]])
    )
    return CSR._frozen(both.indptr, both.indices, edge[both.edge], both.times, count)


def _has_both_ways(src: Ints, dst: Ints, count: int) -> bool:
    forth, back = (np.sort(np.asarray(a, np.int64) * count + b) for a, b in ((src, dst), (dst, src)))
    return bool((forth == back).all()) and bool((src != dst).any())


__all__ = ["REVERSE", "edge_times", "relations_of"]
