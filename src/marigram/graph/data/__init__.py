"""Typed, timed, attributed graphs: the tables, how they are made from rows, read, written, checked and split.

A :class:`Graph` holds one :class:`NodeTable` for each node type and one :class:`EdgeTable` for each edge type
``(source type, relation, target type)``. Every edge stands once; what walks a graph asks it for :meth:`Graph.csr`,
in either direction. Nothing here needs torch: only the way to PyG imports it.
"""

from marigram.graph.data.columns import Columns
from marigram.graph.data.graph import EdgeType, Graph, TimeUnit
from marigram.graph.data.tables import EdgeTable, NodeTable, Part

__all__ = ["Columns", "EdgeTable", "EdgeType", "Graph", "NodeTable", "Part", "TimeUnit"]
