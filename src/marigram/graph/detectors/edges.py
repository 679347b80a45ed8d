"""Anomalous edges: payments, logins, messages that are edges between what they connect.

Each edge becomes a node (:func:`edges_as_nodes`), so that columns, split, verdict, calibration and reasons are those of
:class:`NodeDetector`: the attributes of the edge, what its source, its target and the two together had done by its
time, and the control that knows the attributes alone.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Self, final

import numpy as np
from numpy.typing import NDArray

from marigram.errors import InputError, ParameterError
from marigram.graph.data import EdgeType, Graph
from marigram.graph.data.anything import as_graph
from marigram.graph.data.lifted import edges_as_nodes, lifted_name
from marigram.graph.detectors.detector import NodeDetector, Which
from marigram.graph.detectors.explain import Explanation
from marigram.graph.detectors.trees import TreeSettings
from marigram.graph.detectors.verdict import Comparison, Verdict


@final
class EdgeDetector:
    """Finds anomalous edges from some labels, and says whether the graph helped.

    Parameters
    ----------
    hops
        How far the columns look from the edge, 1 to 8: the first hop is its ends, the second their other edges.
    seed
        Of everything random, from 0.
    edge_type
        Which edges are scored; None is the only type with labels.
    trees
        How trees grow.

    Attributes
    ----------
    nodes
        The :class:`NodeDetector` behind it, for which edges are nodes; it has all figures.
    verdict, reason, validation, report
        Of :attr:`nodes`; the control knows an edge's own attributes alone.

    Raises
    ------
    ParameterError
        A parameter is outside its range.

    Examples
    --------
    >>> import numpy as np
    >>> from marigram import graph as mgg
    >>> rng = np.random.default_rng(0)
    >>> src, dst, time = rng.integers(0, 50, 600), rng.integers(50, 60, 600), np.arange(600)
    >>> amounts = mgg.Columns.of_numbers(rng.lognormal(size=(600, 1)).astype(np.float32))
    >>> stolen = (src < 5) & (time > 100)
    >>> pays = mgg.EdgeTable(src=src, dst=dst, time=time, attributes=amounts, labels=stolen.astype(np.int8))
    >>> users = {"user": mgg.NodeTable.bare(60)}
    >>> data = mgg.Graph(nodes=users, edges={("user", "pays", "user"): pays}, time_unit="step")
    >>> data = mgg.by_time(data, of=("user", "pays", "user"))
    >>> model = mgg.EdgeDetector(hops=2, trees=mgg.TreeSettings(rounds=30, boosters=1, forest=20)).fit(data)
    >>> model.score(data).shape
    (600,)
    """

    def __init__(
        self,
        *,
        hops: int = 4,
        seed: int = 0,
        edge_type: EdgeType | None = None,
        trees: TreeSettings | None = None,
    ) -> None:
        self._asked = edge_type
        self._graph: Graph | None = None
        self.nodes = NodeDetector("trees", hops=hops, seed=seed, trees=trees)

    def fit(self, data: Any, *, tell: Callable[[str], None] | None = None) -> Self:
        """Learn from the training edges of a graph, choose by its validation edges, and return self.

        Without a split all labelled edges are for training, and a quarter of them is held out; with times
        :func:`by_time` is the honest one. ``tell`` is called at the beginning of each step.

        Raises
        ------
        InputError
            No edge type has labels, or training lacks one of the classes.
        """
        graph = as_graph(data)
        kind = self._asked if self._asked is not None else _only_labelled(graph)
        lifted = edges_as_nodes(graph, kind)
        self.nodes = NodeDetector(
            "trees",
            hops=self.nodes.plan.hops,
            seed=self.nodes.plan.seed,
            trees=self.nodes.plan.trees,
            node_type=lifted_name(kind),
        )
        self.nodes.fit(lifted, tell=tell)
        self._graph = graph
        return self

    @property
    def steps(self) -> int:
        """How many steps :meth:`fit` has."""
        return self.nodes.steps

    @property
    def verdict(self) -> Verdict:
        """Whether the graph helped."""
        return self.nodes.verdict

    @property
    def reason(self) -> str:
        """The verdict in a sentence with its figures."""
        return self.nodes.reason

    @property
    def validation(self) -> Comparison:
        """The graph model beside its control on the validation edges."""
        return self.nodes.validation

    @property
    def report(self) -> dict[str, Any]:
        """Everything that :meth:`fit` found, as plain values."""
        return self.nodes.report

    def edge_type(self, graph: Graph) -> EdgeType:
        """Return the edge type of a graph that is scored; ``ParameterError`` when the graph has none such."""
        for kind in graph.edges:
            if lifted_name(kind) == self.nodes.node_type:
                return kind
        raise ParameterError(f"the graph has no edges {self.nodes.node_type!r}: {graph!r}")

    def score(self, data: Any, which: Which = "best") -> NDArray[np.float64]:
        """Return the probability of each edge of the type to be anomalous: float64 (E,) in the order of its table.

        Parameters
        ----------
        data
            The graph of :meth:`fit` or another one with the same types and attributes. No label is looked at.
        which
            As of :meth:`NodeDetector.score`.

        Raises
        ------
        ParameterError
            The graph has other types or attributes.
        """
        lifted = self._lifted(as_graph(data))
        return self.nodes.score(lifted, which)[lifted.places(self.nodes.node_type)]

    def explain(self, edge: int, data: Any = None, *, top: int = 10) -> Explanation:
        """Say what carried the score of an edge: columns, and its neighbours as a node of :func:`edges_as_nodes`.

        Parameters
        ----------
        edge
            Its row.
        data
            Its graph; None is that of :meth:`fit`, which a loaded model does not have.
        top
            How many columns and neighbours to name.

        Raises
        ------
        ParameterError
            There is no such edge, or no graph.
        """
        graph = self._graph if data is None else as_graph(data)
        if graph is None:
            raise ParameterError("a loaded model needs the graph: explain(edge, data)")
        lifted = self._lifted(graph)
        places = lifted.places(self.nodes.node_type)
        if not 0 <= edge < len(places):
            raise ParameterError(f"there are edges 0 to {len(places) - 1}, no {edge}")
        return self.nodes.explain(int(places[edge]), lifted, top=top)

    def _lifted(self, graph: Graph) -> Graph:
        kind = self.edge_type(graph)
        return graph.keep(("lifted", kind), lambda: edges_as_nodes(graph, kind))

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the model to a folder, as :meth:`NodeDetector.save`."""
        self.nodes.save(folder)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Self:
        """Read what :meth:`save` wrote; raises as :meth:`NodeDetector.load`."""
        model = cls()
        model.nodes = NodeDetector.load(folder)
        return model


def _only_labelled(graph: Graph) -> EdgeType:
    found = [kind for kind, table in graph.edges.items() if table.labels is not None]
    if len(found) != 1:
        raise InputError(0, f"which edges are to be scored? say edge_type; {len(found)} types have labels")
    return found[0]


__all__ = ["EdgeDetector"]
