"""Graphs of events: data, and what learns from them. ``from marigram import graph as mgg``.

Importing this costs nothing: a name is fetched from its module when it is first used, and torch is imported only by
what computes with it.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from marigram.graph.csr import CSR
    from marigram.graph.data import Columns, EdgeTable, Graph, NodeTable, Part
    from marigram.graph.data.anything import as_graph
    from marigram.graph.data.loading import load
    from marigram.graph.relations import relations_of
    from marigram.graph.sampler import NeighbourSampler
    from marigram.graph.sampler_pyg import PygSampler

_MODULE_OF = {
    "CSR": "csr",
    "Columns": "data",
    "EdgeTable": "data",
    "Graph": "data",
    "NeighbourSampler": "sampler",
    "NodeTable": "data",
    "Part": "data",
    "PygSampler": "sampler_pyg",
    "as_graph": "data.anything",
    "load": "data.loading",
    "relations_of": "relations",
}
"""Public name -> the module under ``marigram.graph`` that defines it (PEP 562: fetched when first asked for)."""

__all__ = [
    "CSR",
    "Columns",
    "EdgeTable",
    "Graph",
    "NeighbourSampler",
    "NodeTable",
    "Part",
    "PygSampler",
    "as_graph",
    "load",
    "relations_of",
]


def __getattr__(name: str) -> object:
    """Fetch a public name from its module and keep it, so that the next use is an ordinary attribute."""
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, fetched or not."""
    return sorted(__all__)
