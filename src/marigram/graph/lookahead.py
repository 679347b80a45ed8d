"""How much of what stands in a graph a node with a time could not have known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from marigram.graph.data import EdgeType, Graph
from marigram.graph.relations import node_times
from marigram.graph.rows import Rows
from marigram.graph.states import States

Floats = NDArray[np.float32]


def later_edges(graph: Graph, node_type: str) -> dict[EdgeType, Floats]:
    """Return, for each relation into a type, how many edges its lasting partners have that are later than the node.

    Returns
    -------
    Relation -> float32 (n,), the mean over each node's partners, NaN without any; nothing for types without times.

    Examples
    --------
    >>> import numpy as np
    >>> from marigram import graph as mgg
    >>> pays = mgg.EdgeTable(src=np.arange(3), dst=np.zeros(3, np.int64), time=np.array([4, 6, 9]))
    >>> nodes = {"payment": mgg.NodeTable.bare(3), "card": mgg.NodeTable.bare(1)}
    >>> data = mgg.Graph(nodes=nodes, edges={("payment", "by", "card"): pays}, time_unit="step")
    >>> {kind[1]: late.tolist() for kind, late in later_edges(data, "payment").items()}
    {'rev_by': [2.0, 1.0, 0.0]}
    """
    dated = tuple(name for name in graph.nodes if node_times(graph, name) is not None)
    if node_type not in dated:
        return {}
    bare = {
        name: np.zeros(len(table.attributes.matrix()[1]), np.bool_) for name, table in graph.nodes.items()
    }
    states, found = States(graph, bare, dated, linked=True), {}
    own = states.own[node_type]
    for kind, csr in states.into(node_type).items():
        if kind[0] in dated or not len(csr.times):
            continue
        _, known, _ = states.carried(0, kind)
        total = sum(other.degrees for other in states.into(kind[0]).values())
        late = np.asarray(total)[csr.indices] - np.expm1(known.astype(np.float64)).sum(1)
        rows = Rows.of(csr, np.arange(csr.rows), own)
        found[kind] = rows.means(np.rint(late).astype(np.float32)[:, None], np.arange(len(csr)))[:, 0]
    return found


__all__ = ["later_edges"]
