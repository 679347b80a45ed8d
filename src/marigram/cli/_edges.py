"""Edges named on the command line, such as ``user pays shop``: scored as nodes of a graph that has them as nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from marigram.graph import Graph


def graph_of_edges(graph: Graph, name: str) -> Graph:
    """Return the graph in which the edges of a type are nodes; ``ParameterError`` when there are no such edges."""
    from marigram.errors import ParameterError
    from marigram.graph import edges_as_nodes
    from marigram.graph.data.lifted import lifted_name

    for kind in graph.edges:
        if lifted_name(kind) == name:
            return edges_as_nodes(graph, kind)
    known = ", ".join(repr(lifted_name(kind)) for kind in graph.edges)
    raise ParameterError(f"the graph has neither nodes nor edges {name!r}; edges are {known or 'absent'}")


def with_scored(graph: Graph, node_type: str) -> Graph:
    """Return the graph, or, when a model scores edges, the one in which these are nodes."""
    return graph if node_type in graph.nodes else graph_of_edges(graph, node_type)


__all__ = ["graph_of_edges", "with_scored"]
