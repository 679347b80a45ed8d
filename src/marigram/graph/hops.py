"""What a node's surroundings look like, as columns for a model of tables: 1 to K hops, kind of edge by kind of edge.

The features of a node are its states S_0 to S_K (see :mod:`marigram.graph.states`), and, of its direct neighbours,
the standard deviation, the smallest and the largest value of S_0, the attributes of its edges, the gaps between their
times, and how far it stands from its neighbours. Trees on such columns are what beats graph networks at finding
anomalous nodes (J. Tang et al., "GADBench", NeurIPS 2023, whose one sum per hop this extends). No label is looked at.

A node with a time is described as of that time: no later edge, and of what lasts only what had been by then. An event
(a node with one timed edge to each partner) also gets what its partners had done strictly before it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, final

import msgspec
import numpy as np
from numpy.typing import NDArray

from marigram.errors import ParameterError
from marigram.graph.data import EdgeType, Graph
from marigram.graph.kernels.hops import gather_past
from marigram.graph.relations import node_times
from marigram.graph.rows import GAPS, NO_TIMES, Rows
from marigram.graph.states import Block, States

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

MOST_HOPS = 8
WIDE = 64
"""Types with more columns than this give means alone: three more statistics of a thousand words say little."""
MOST_COLUMNS = 8192
MOST_VALUES = 400_000_000
"""Hops end where they would have more columns, or their states more values, than this."""


@final
@dataclass(frozen=True, eq=False)
class HopFeatures:
    """Which columns there are; learned on one graph, applied to any with the same types and attributes.

    Parameters
    ----------
    target
        The node type that is described.
    hops
        0 (its own attributes alone) to 8.
    kept
        Node type -> which of its attributes vary.
    centre, scale
        Of the target's kept attributes, for distances.
    depth
        For how many hops there are means: fewer than ``hops`` where they would not fit into memory.
    dated
        Which node types have a time or are events, when the target is one of them; else none, and nothing is later.
    single
        Relations by which no node of the target has more than one edge: one value has no spread and no gaps.
    names
        What each column is, in English.

    Examples
    --------
    >>> import numpy as np
    >>> from marigram import graph as mgg
    >>> from marigram.graph.hops import HopFeatures
    >>> users = mgg.NodeTable.bare(3).with_attributes(mgg.Columns.of_numbers(np.float32([[1], [2], [6]])))
    >>> pays = mgg.EdgeTable(src=np.array([0, 1]), dst=np.array([2, 2]))
    >>> data = mgg.Graph(nodes={"user": users}, edges={("user", "pays", "user"): pays})
    >>> features = HopFeatures.fit(data, "user", hops=1)
    >>> features.names[:3]
    ('x0', 'degree by pays', 'mean of x0 by pays')
    >>> features.view(data).rows(np.array([2]))[0, :3]
    array([6.       , 1.0986123, 1.5      ], dtype=float32)
    """

    target: str
    hops: int
    kept: Mapping[str, NDArray[np.bool_]]
    centre: Floats
    scale: Floats
    depth: int = 0
    dated: tuple[str, ...] = ()
    single: frozenset[EdgeType] = frozenset()
    names: tuple[str, ...] = ()

    @classmethod
    def fit(cls, graph: Graph, target: str, *, hops: int = 4) -> HopFeatures:
        """Choose the columns; raises ``ParameterError`` when ``hops`` is not from 0 to 8."""
        if type(hops) is not int or not 0 <= hops <= MOST_HOPS:
            raise ParameterError(f"hops must be an integer from 0 to {MOST_HOPS}, got {hops!r}")
        kept = {
            name: _varies(table.attributes.matrix()[0])
            for name, table in graph.nodes.items()
            if hops or name == target
        }
        own = graph.nodes[target].attributes.matrix()[0][:, kept[target]].astype(np.float64)
        known = np.maximum((~np.isnan(own)).sum(0), 1)
        centre = np.nansum(own, axis=0) / known
        scale = np.sqrt(np.nansum((own - centre) ** 2, axis=0) / known)
        scale[scale == 0] = np.inf
        draft = cls(target, hops, kept, centre.astype(np.float32), scale.astype(np.float32))
        if hops:
            dated = tuple(name for name in graph.nodes if node_times(graph, name) is not None)
            dated = dated if target in dated else ()
            draft = replace(draft, dated=dated, depth=_depth(graph, kept, hops, dated))
            into = States(graph, kept, dated, linked=True).into(target)
            single = frozenset(kind for kind, csr in into.items() if csr.degrees.max(initial=0) <= 1)
            draft = replace(draft, single=single)
        nothing = HopView(draft, graph).blocks(np.empty(0, np.int64))
        return replace(draft, names=tuple(name for names, _ in nothing for name in names))

    def view(self, graph: Graph) -> HopView:
        """Return the columns of a graph's nodes, to be asked for some at a time; the graph keeps what they share.

        Raises
        ------
        ParameterError
            The graph has other types or attributes than the one that was learned from, or lacks times that it had.
        """
        return graph.keep(("hops", self._key), lambda: self._checked_view(graph))

    def _checked_view(self, graph: Graph) -> HopView:
        for name, kept in self.kept.items():
            if name not in graph.nodes or len(kept) != len(graph.nodes[name].attributes.matrix()[1]):
                raise ParameterError(
                    f"node type {name!r} is missing or has other attributes than it had in fit"
                )
        view = HopView(self, graph)
        names = tuple(n for names, _ in view.blocks(np.empty(0, np.int64)) for n in names)
        if names != self.names:
            other = min(set(names) ^ set(self.names), default="the order of columns")
            raise ParameterError(f"the graph has other attributes or edges than the one of fit: {other!r}")
        return view

    @cached_property
    def _key(self) -> bytes:
        """The same for the same columns."""
        meta, arrays = self.packed()
        parts = [msgspec.json.encode(meta), *(array.tobytes() for array in arrays.values())]
        return hashlib.sha256(b"".join(parts)).digest()

    def packed(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return a header and arrays, for saving."""
        meta: dict[str, Any] = {"target": self.target, "hops": self.hops, "depth": self.depth}
        meta |= {"names": list(self.names), "types": list(self.kept), "dated": list(self.dated)}
        meta["single"] = [list(kind) for kind in sorted(self.single)]
        arrays = {f"kept.{i}": kept for i, kept in enumerate(self.kept.values())}
        return meta, arrays | {"centre": self.centre, "scale": self.scale}

    @classmethod
    def unpacked(cls, meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> HopFeatures:
        """Return the features of :meth:`packed`."""
        kept = {name: arrays[f"kept.{i}"] for i, name in enumerate(meta["types"])}
        single = frozenset((sender, by, receiver) for sender, by, receiver in meta["single"])
        ends = meta["depth"], tuple(meta["dated"]), single, tuple(meta["names"])
        return cls(meta["target"], meta["hops"], kept, arrays["centre"], arrays["scale"], *ends)


@final
class HopView:
    """The features of one graph's nodes.

    Parameters
    ----------
    features
        Which columns.
    graph
        Whose.
    """

    def __init__(self, features: HopFeatures, graph: Graph) -> None:
        self.features, self.graph = features, graph
        self.states = States(graph, features.kept, features.dated, linked=bool(features.hops))
        self.into = self.states.into(features.target)
        self.own = self.states.own.get(features.target, NO_TIMES)
        self._past: list[Block] | None = None
        self._made: list[tuple[Ints, Floats]] = []

    def rows(self, nodes: Ints, slots: Mapping[EdgeType, Rows] | None = None) -> Floats:
        """Return the features of some nodes of the target type: float32 (n, D), NaN where there is nothing.

        Parameters
        ----------
        nodes
            int64 (n,), repeats allowed.
        slots
            For some relations into the target, other edges than the nodes have.
        """
        return np.concatenate([values for _, values in self.blocks(nodes, slots)], axis=1)

    def kept_rows(self, nodes: Ints) -> Floats:
        """Return the same of a large part of the nodes; it is kept until both parts are asked for together."""
        if self._made and np.array_equal(np.concatenate([known for known, _ in self._made]), nodes):
            whole = self._made[0][1] if len(self._made) == 1 else np.concatenate([x for _, x in self._made])
            self._made = self._made if len(self._made) == 1 else []
            return whole
        self._made = [*self._made[-1:], (nodes, self.rows(nodes))]
        return self._made[-1][1]

    def blocks(self, nodes: Ints, slots: Mapping[EdgeType, Rows] | None = None) -> Iterator[Block]:
        """Yield the features with their names, group by group."""
        features = self.features
        names, values = self.states.of(0, features.target)
        yield names, values[nodes]
        own = self.own[nodes] if len(self.own) else NO_TIMES
        for kind, csr in self.into.items():
            other = (slots or {}).get(kind)
            rows = other or Rows.of(csr, nodes, own)
            yield from self._surroundings(kind, rows, nodes, usual=other is None)
            yield from self._edges(kind, rows, own)
        if features.hops:
            for names, values in self._memory():
                yield names, values[nodes]

    def _surroundings(self, kind: EdgeType, rows: Rows, nodes: Ints, *, usual: bool) -> Iterator[Block]:
        sender, by, target = kind
        for k in range(self.features.depth):
            names, values, at = self.states.carried(k, kind)
            at = at if rows.slots is None else at[rows.slots]
            if usual and k + 1 < self.features.depth:  # these are part of the next state
                means = self._from_state(k + 1, kind)[nodes]
            else:
                means = rows.means(values, at)
            yield [f"mean of {name} by {by}" for name in names], means
            if k == 0 and len(names) <= WIDE and kind not in self.features.single:
                parts = [f"{part} of {name} by {by}" for part in ("std", "min", "max") for name in names]
                yield parts, rows.spread(values, at)
            if k == 0 and sender == target and len(self.features.centre):
                yield (
                    [f"distance to neighbours by {by}", f"cosine to neighbours by {by}"],
                    self._apart(self.states.of(0, target)[1][nodes], means),
                )

    def _from_state(self, k: int, kind: EdgeType) -> Floats:
        """The columns of the target's S_k that sum up one relation."""
        first = 0
        for other in self.into:
            width = self.states.carried(k - 1, other)[1].shape[1]
            if other == kind:
                return self.states.of(k, self.features.target)[1][:, first : first + width]
            first += width
        raise ParameterError(f"{kind!r} does not lead to {self.features.target!r}")

    def _apart(self, here: Floats, there: Floats) -> Floats:
        """Euclidean distance and cosine between a node and the mean of its neighbours, standardised: (n, 2)."""
        f, width = self.features, len(self.features.centre)
        a, b = (np.nan_to_num((x[:, :width] - f.centre) / f.scale) for x in (here, there))
        size = np.sqrt((a * a).sum(1) * (b * b).sum(1))
        cosine = np.divide((a * b).sum(1), size, out=np.zeros_like(size), where=size > 0)
        return np.stack([np.sqrt(((a - b) ** 2).sum(1)), cosine], axis=1)

    def _edges(self, kind: EdgeType, rows: Rows, own: Ints) -> Iterator[Block]:
        """What a node's edges by one relation say of themselves."""
        by = kind[1]
        table = self.graph.edges.get(kind) or self.graph.edges[kind[2], by.removeprefix("rev_"), kind[0]]
        values, names = table.attributes.matrix()
        single = kind in self.features.single
        if names:
            yield [f"mean of edge {name} by {by}" for name in names], rows.means(values, rows.edge)
        if names and not single:
            parts = [f"{part} of edge {name} by {by}" for part in ("std", "min", "max") for name in names]
            yield parts, rows.spread(values, rows.edge)
        if len(self.states.relations[kind].times) and not single:
            yield [f"{name} by {by}" for name in GAPS], rows.gaps(own)

    def _memory(self) -> list[Block]:
        """What the partners of events had seen before; nothing when the target is no event."""
        if self._past is None:
            self._past = []
            names, values = self.states.of(0, self.features.target)
            for kind, csr in self.states.relations.items():
                if kind[0] != self.features.target or kind[2] == kind[0] or not len(csr.times):
                    continue
                if np.bincount(csr.indices, minlength=csr.columns).max(initial=0) > 1:
                    continue
                past = np.full((csr.columns, 2 + 2 * values.shape[1]), np.nan, np.float32)
                gather_past(csr.indptr, csr.indices, csr.times, values, past)
                said = [
                    "count",
                    "time since the last",
                    *(f"mean of {n}" for n in names),
                    *(f"std of {n}" for n in names),
                ]
                self._past.append(([f"before, by {kind[1]}: {name}" for name in said], past))
        return self._past


def _varies(matrix: Floats) -> NDArray[np.bool_]:
    if not len(matrix) or not matrix.shape[1]:
        return np.zeros(matrix.shape[1], np.bool_)
    low, high = np.fmin.reduce(matrix, axis=0), np.fmax.reduce(matrix, axis=0)
    return np.asarray((low < high) | (np.isnan(matrix).any(0) & ~np.isnan(low)))


def _depth(graph: Graph, kept: Mapping[str, NDArray[np.bool_]], hops: int, dated: tuple[str, ...]) -> int:
    """For how many hops the columns and the states fit."""
    ways = [(*way, table.count) for kind, table in graph.edges.items() for way in _ways(kind)]
    into = {name: [s for s, t, _ in ways if t == name] for name in graph.nodes}
    width = {name: int(keep.sum()) + len(into[name]) for name, keep in kept.items()}
    states = {
        name: sum(count for s, _, count in ways if s == name)
        if dated and name not in dated
        else graph.nodes[name].count
        for name in kept
    }
    columns, values = max(width.values()), 0
    for k in range(hops):
        values += sum(width[name] * states[name] for name in width)
        width = {name: sum(width[s] for s in into[name]) for name in width}
        columns += max(width.values())
        if k and (columns > MOST_COLUMNS or values > MOST_VALUES):
            return k
    return hops


def _ways(kind: EdgeType) -> set[tuple[str, str]]:
    """Sending and receiving type, both ways; one way within one type."""
    return {(kind[0], kind[2]), (kind[2], kind[0])}


__all__ = ["MOST_HOPS", "HopFeatures", "HopView", "Rows"]
