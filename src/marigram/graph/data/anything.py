"""The one door for whatever a caller has: a graph of ours, of PyG, or of networkx."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marigram.errors import InputError
from marigram.graph.data.graph import Graph


def as_graph(data: Any, *, split: int | None = None, labels: Mapping[Any, int] | None = None) -> Graph:
    """Return the data as a :class:`Graph`; what is one already comes back as it is.

    Parameters
    ----------
    data
        A :class:`Graph`, a PyG ``Data`` or ``HeteroData`` (``x, edge_index, y`` with -1 for unknown, masks), or a
        networkx graph. It is not changed.
    split
        Which of several splits the masks show; None leaves it.
    labels
        The source's labels -> ours where they differ, such as ``{2: -1}``; not for a :class:`Graph`.

    Raises
    ------
    InputError
        It is none of these, or contradicts itself.
    """
    if isinstance(data, Graph):
        return data if split is None else data.with_split(split)
    module = type(data).__module__.partition(".")[0]
    if module == "torch_geometric":
        from marigram.graph.data.pyg import from_pyg

        return from_pyg(data, split=split, labels=labels)
    if module == "networkx":
        from marigram.graph.data.networkx import from_networkx

        graph = from_networkx(data)
        return graph if split is None else graph.with_split(split)
    raise InputError(0, f"{type(data).__name__} is neither a Graph nor a PyG Data or HeteroData")


__all__ = ["as_graph"]
