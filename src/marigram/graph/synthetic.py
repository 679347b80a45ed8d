"""Synthetic nodes: what they are, whom they joined, and the graph in which they stand beside the real ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from marigram.errors import InputError, ParameterError
from marigram.graph.data import Columns, EdgeTable, EdgeType, Graph, NodeTable, Part
from marigram.graph.data.graph import TimeUnit

Ints = NDArray[np.int64]


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class Synthetic:
    """New nodes and their edges; made by :meth:`Synthesizer.sample`.

    Attributes
    ----------
    nodes
        Node type -> the new nodes, with labels where the type has labels.
    edges
        Edge type -> their edges in the numbering of the joined graph: an end below ``sizes`` of its type is a real
        node, ``sizes + i`` the new node i.
    sizes
        Node type -> how many real nodes there are.
    node_type, label
        What was asked for.
    time_unit
        What times count.
    """

    nodes: Mapping[str, NodeTable]
    edges: Mapping[EdgeType, EdgeTable]
    sizes: Mapping[str, int]
    node_type: str
    label: int
    time_unit: TimeUnit = ""

    @property
    def count(self) -> int:
        """How many new nodes there are."""
        return sum(table.count for table in self.nodes.values())

    @property
    def joined(self) -> dict[str, Ints]:
        """Node type -> the real nodes that new ones are connected to: int64, ascending."""
        found: dict[str, list[Ints]] = {}
        for kind, table in self.edges.items():
            for name, end in ((kind[0], table.src), (kind[2], table.dst)):
                found.setdefault(name, []).append(end[end < self.sizes[name]])
        return {name: np.unique(np.concatenate(ends)) for name, ends in found.items()}

    @property
    def among(self) -> dict[EdgeType, EdgeTable]:
        """Edge type -> the edges between new nodes, their ends numbered from 0."""
        found = {}
        for kind, table in self.edges.items():
            if kind[0] not in self.nodes or kind[2] not in self.nodes:
                continue
            src, dst = table.src - self.sizes[kind[0]], table.dst - self.sizes[kind[2]]
            rows = np.flatnonzero((src >= 0) & (dst >= 0))
            found[kind] = replace(table.take(rows), src=src[rows], dst=dst[rows])
        return found

    def without(self, rows: ArrayLike) -> Synthetic:
        """Return the others: new nodes of ``node_type`` at these places, and their edges, are left out.

        Raises ``ParameterError`` when there is no such place.
        """
        own = self.nodes[self.node_type]
        dropped = np.zeros(own.count, bool)
        places = np.asarray(rows, np.int64)
        if places.size and (places.min() < 0 or places.max() >= own.count):
            raise ParameterError(f"rows must lie in 0 .. {own.count - 1}")
        dropped[places] = True
        size = self.sizes[self.node_type]
        number = np.concatenate([np.arange(size), np.where(dropped, -1, size + np.cumsum(~dropped) - 1)])
        edges = {}
        for kind, table in self.edges.items():
            src = number[table.src] if kind[0] == self.node_type else table.src
            dst = number[table.dst] if kind[2] == self.node_type else table.dst
            kept = np.flatnonzero((src >= 0) & (dst >= 0))
            edges[kind] = replace(table.take(kept), src=src[kept], dst=dst[kept])
        nodes = {**self.nodes, self.node_type: own.take(np.flatnonzero(~dropped))}
        return replace(self, nodes=nodes, edges=edges)

    def join(self, data: Any) -> Graph:
        """Return the graph with the new nodes behind the real ones of their type; ``data`` is not changed.

        The new nodes are training nodes of the split that is shown, and in no part of the others. The places of real
        nodes in the order of the source stay as they are; the new ones come after all of them.

        Raises
        ------
        InputError
            It is not the graph that was learned from: types or numbers of nodes differ.
        """
        from marigram.graph.data.anything import as_graph

        graph = as_graph(data)
        for name, size in self.sizes.items():
            if name not in graph.nodes or graph.nodes[name].count != size:
                raise InputError(0, f"the synthetic nodes were made for {size:,} nodes of type {name!r}")
        nodes = {
            name: _appended(table, self.nodes[name]) if name in self.nodes else table
            for name, table in graph.nodes.items()
        }
        edges = {
            kind: _lengthened(table, self.edges[kind]) if kind in self.edges else table
            for kind, table in graph.edges.items()
        }
        return replace(graph, nodes=nodes, edges=edges, order=self._order(graph))

    def _order(self, graph: Graph) -> Ints | None:
        if graph.order is None and len(graph.nodes) == 1:
            return None
        places, after = [], graph.count
        for name in graph.nodes:
            places.append(graph.places(name))
            more = self.nodes[name].count if name in self.nodes else 0
            places.append(np.arange(after, after + more))
            after += more
        return np.concatenate(places)

    def to_graph(self) -> Graph:
        """Return the new nodes alone, with the edges among them."""
        nodes = {name: table for name, table in self.nodes.items() if table.count}
        return Graph(nodes=nodes, edges=self.among, time_unit=self.time_unit)

    def to_pyg(self) -> Any:
        """Return the new nodes as PyG ``Data``, or ``HeteroData`` when types have names, and the edges among them.

        Edges to real nodes stand beside, as ``real_edge_index``: int64 (2, E) of sources and targets in the
        numbering of the joined graph; of ``HeteroData``, a dictionary by edge type.
        """
        import torch
        from torch_geometric.data import HeteroData

        data = self.to_graph().to_pyg(hetero=len(self.sizes) > 1)
        real = {}
        for kind, table in self.edges.items():
            rows = (table.src < self.sizes[kind[0]]) | (table.dst < self.sizes[kind[2]])
            real[kind] = torch.from_numpy(np.stack([table.src[rows], table.dst[rows]]))
        data.real_edge_index = real if isinstance(data, HeteroData) else next(iter(real.values()), None)
        return data

    def __repr__(self) -> str:
        nodes = ", ".join(f"{name} {table.count:,}" for name, table in self.nodes.items())
        edges = sum(table.count for table in self.edges.values())
        real = sum(len(numbers) for numbers in self.joined.values())
        return f"Synthetic({nodes}; {edges:,} edges, {real:,} real nodes joined)"


def _appended(table: NodeTable, new: NodeTable) -> NodeTable:
    """Real nodes, then new ones."""
    splits = None
    if table.splits is not None:
        more = np.full((len(table.splits), new.count), Part.NONE, np.int8)
        more[table.split] = Part.TRAIN
        splits = np.concatenate([table.splits, more], axis=1)
    return NodeTable(
        attributes=stacked_columns(table.attributes, new.attributes),
        time=_column(table.time, new.time, 0, new.count),
        ids=_ids(table.ids, new.count),
        labels=_column(table.labels, new.labels, -1, new.count),
        splits=splits,
        split=table.split,
    )


def _lengthened(table: EdgeTable, new: EdgeTable) -> EdgeTable:
    """Real edges, then new ones, whose labels are unknown."""
    splits = table.splits
    if splits is not None:
        splits = np.concatenate([splits, np.full((len(splits), new.count), Part.NONE, np.int8)], axis=1)
    return EdgeTable(
        src=np.concatenate([table.src, new.src]),
        dst=np.concatenate([table.dst, new.dst]),
        attributes=stacked_columns(table.attributes, new.attributes),
        time=_column(table.time, new.time, 0, new.count),
        ids=_ids(table.ids, new.count),
        labels=_column(table.labels, None, -1, new.count),
        splits=splits,
        split=table.split,
    )


def stacked_columns(first: Columns, second: Columns) -> Columns:
    """Return the rows of both, one after the other, under the names of the first."""
    return replace(
        first,
        numeric=np.concatenate([first.numeric, second.numeric]),
        codes=np.concatenate([first.codes, second.codes]),
        text=np.concatenate([first.text, second.text]),
    )


def _column(
    real: NDArray[Any] | None, new: NDArray[Any] | None, fill: int, count: int
) -> NDArray[Any] | None:
    if real is None:
        return None
    return np.concatenate([real, np.full(count, fill, real.dtype) if new is None else new.astype(real.dtype)])


def _ids(ids: Any, count: int) -> Any:
    """Names for new rows that no other row has."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if ids is None:
        return None
    if pa.types.is_integer(ids.type):
        first = pc.max(ids).as_py() + 1
        more = pa.array(range(first, first + count), ids.type)
    else:
        more = pa.array([f"synthetic-{number}" for number in range(count)], pa.string()).cast(ids.type)
    return pa.concat_arrays([ids, more])


__all__ = ["Synthetic", "stacked_columns"]
