"""New nodes become part of a graph: appended behind the real ones of their type, and joined to them by edges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from marigram.errors import ParameterError
from marigram.graph.augmenters.links import ITSELF, Links
from marigram.graph.data import Columns, EdgeTable, Graph, NodeTable, Part

Ints = NDArray[np.int64]


@final
@dataclass(frozen=True, eq=False)
class Draft:
    """New nodes of one type.

    Attributes
    ----------
    attributes
        With the columns of the type.
    label
        Of all of them: 1 or 0.
    time
        int64 (m,), where nodes of the type have times.
    links
        Their edges to real nodes; owners are places among the new nodes.
    """

    attributes: Columns
    label: int
    time: Ints | None
    links: Sequence[Links]

    @property
    def count(self) -> int:
        """How many new nodes."""
        return self.attributes.count


def join(graph: Graph, target: str, draft: Draft) -> Graph:
    """Return the graph with the new nodes as training nodes of the shown split, in no part of any other.

    Real nodes keep their numbers; the graph that is given is not changed.
    """
    table = graph.nodes[target]
    nodes = {**graph.nodes, target: _longer(table, draft)}
    edges = dict(graph.edges)
    for links in draft.links:
        edges[links.kind] = _with_links(edges[links.kind], links, table.count)
    return replace(graph, nodes=nodes, edges=edges, order=_order(graph, target, draft.count), extra={})


def stacked(first: Columns, second: Columns) -> Columns:
    """Return the rows of both; ``ParameterError`` when they have other columns."""
    for name in ("numeric_names", "code_names", "vocabularies", "text_names"):
        if getattr(first, name) != getattr(second, name):
            raise ParameterError(f"new nodes have other columns than the graph: {name}")
    return replace(
        first,
        numeric=np.concatenate([first.numeric, second.numeric]),
        codes=np.concatenate([first.codes, second.codes]),
        text=np.concatenate([first.text, second.text]),
    )


def _longer(table: NodeTable, draft: Draft) -> NodeTable:
    labels, splits = table.labels, table.splits
    if labels is not None:
        labels = np.concatenate([labels, np.full(draft.count, draft.label, np.int8)])
    if splits is not None:
        parts = np.full((len(splits), draft.count), Part.NONE, np.int8)
        parts[table.split] = Part.TRAIN
        splits = np.concatenate([splits, parts], axis=1)
    time = table.time
    if time is not None and draft.time is not None:
        time = np.concatenate([time, draft.time])
    return NodeTable(
        attributes=stacked(table.attributes, draft.attributes),
        time=time, ids=None if table.ids is None else _longer_ids(table.ids, draft.count),
        labels=labels, splits=splits, split=table.split,
    )  # fmt: skip


def _longer_ids(ids: object, count: int) -> object:
    """Names for new nodes that no real one has."""
    import pyarrow as pa
    import pyarrow.compute as pc

    assert isinstance(ids, pa.Array)  # noqa: S101 - NodeTable has seen to it
    if pa.types.is_integer(ids.type):
        first = (pc.max(ids).as_py() or 0) + 1
        return pa.concat_arrays([ids, pa.array(range(first, first + count), ids.type)])
    taken = set(ids.to_pylist())
    names = (f"synthetic-{i}" for i in range(count + len(taken)))
    free = [name for name in names if name not in taken][:count]
    return pa.concat_arrays([ids, pa.array(free, ids.type)])


def _with_links(table: EdgeTable, links: Links, first: int) -> EdgeTable:
    """The edges and those of the links; the new nodes are numbered from ``first``."""
    here = first + links.owner
    there = np.where(links.partner == ITSELF, here, links.partner)
    src, dst = (there, here) if links.entering else (here, there)
    edge = links.edge
    if links.both:
        back = src != dst
        src, dst = np.concatenate([src, dst[back]]), np.concatenate([dst, src[back]])
        edge = np.concatenate([edge, edge[back]])
    labels, splits = table.labels, table.splits
    if labels is not None:
        labels = np.concatenate([labels, np.full(len(edge), -1, np.int8)])
    if splits is not None:
        splits = np.pad(splits, ((0, 0), (0, len(edge))), constant_values=Part.NONE)
    return EdgeTable(
        src=np.concatenate([table.src, src]), dst=np.concatenate([table.dst, dst]),
        attributes=stacked(table.attributes, table.attributes.take(edge)),
        time=None if table.time is None else np.concatenate([table.time, table.time[edge]]),
        labels=labels, splits=splits, split=table.split,
    )  # fmt: skip


def _order(graph: Graph, target: str, count: int) -> Ints | None:
    """The places in the source, new nodes behind all others."""
    last = list(graph.nodes)[-1]
    if graph.order is None and target == last:
        return None
    old = np.arange(graph.count) if graph.order is None else graph.order
    end = graph.offsets[target] + graph.nodes[target].count
    return np.concatenate([old[:end], graph.count + np.arange(count), old[end:]])


__all__ = ["Draft", "join", "stacked"]
