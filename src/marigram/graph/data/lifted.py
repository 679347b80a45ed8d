"""Edges as nodes: each edge of a type becomes an event with an edge to each of its ends, so that it can be scored."""

from __future__ import annotations

import numpy as np

from marigram.errors import ParameterError
from marigram.graph.data.graph import EdgeType, Graph
from marigram.graph.data.tables import EdgeTable, NodeTable
from marigram.graph.relations import edge_times

FROM, TO, BETWEEN = "from", "to", "between"


def lifted_name(kind: EdgeType) -> str:
    """Return the node type that the edges of a type become, such as ``"user pays shop"``."""
    return " ".join(kind)


def edges_as_nodes(graph: Graph, kind: EdgeType) -> Graph:
    """Turn the edges of one type into nodes, in their order; nodes and other edges stay.

    The new type takes the edges' attributes, times, labels, splits and ids. Its nodes have an edge ``"from"`` to the
    source, ``"to"`` to the target, and ``"between"`` to the pair of both, a further new type: what source and target
    had done with one another is told of the pair.

    Parameters
    ----------
    graph
        The graph; not changed.
    kind
        Source type, relation, target type.

    Raises
    ------
    ParameterError
        There are no such edges, or a node type has the new name already.

    Examples
    --------
    >>> import numpy as np
    >>> from marigram import graph as mgg
    >>> pays = mgg.EdgeTable(src=np.array([0, 1, 1]), dst=np.array([2, 2, 2]), time=np.array([1, 2, 3]))
    >>> data = mgg.Graph(
    ...     nodes={"user": mgg.NodeTable.bare(3)}, edges={("user", "pays", "user"): pays}, time_unit="step",
    ... )
    >>> lifted = mgg.edges_as_nodes(data, ("user", "pays", "user"))
    >>> {name: table.count for name, table in lifted.nodes.items()}
    {'user': 3, 'user pays user': 3, 'user pays user: pair': 2}
    """
    if kind not in graph.edges:
        raise ParameterError(f"there are no edges of type {kind!r} in {graph!r}")
    table, event = graph.edges[kind], lifted_name(kind)
    pair = f"{event}: pair"
    if taken := {event, pair} & set(graph.nodes):
        raise ParameterError(f"the graph has a node type {sorted(taken)[0]!r} already")
    if not table.count:
        raise ParameterError(f"there is no edge of type {kind!r}")
    time, rows = edge_times(graph, kind), np.arange(table.count)
    keys = table.src * graph.nodes[kind[2]].count + table.dst
    known, place = np.unique(keys, return_inverse=True)
    nodes = {
        **graph.nodes,
        event: NodeTable(
            attributes=table.attributes, time=time, labels=table.labels, ids=table.ids,
            splits=table.splits, split=table.split,
        ),
        pair: NodeTable.bare(len(known)),
    }  # fmt: skip
    ends = {(FROM, kind[0]): table.src, (TO, kind[2]): table.dst, (BETWEEN, pair): place.astype(np.int64)}
    edges = {other: edge for other, edge in graph.edges.items() if other != kind}
    edges |= {(event, by, to): EdgeTable(src=rows, dst=dst, time=time) for (by, to), dst in ends.items()}
    return Graph(nodes=nodes, edges=edges, time_unit=graph.time_unit)


__all__ = ["edges_as_nodes", "lifted_name"]
