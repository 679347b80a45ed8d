"""What each node passes on to its neighbours, hop by hop, and as of when.

    S_0(v) = [attributes, log(1 + degree) for each relation],
    S_k(v) = [mean of S_{k-1}(u) over the neighbours u of v by r, for each relation r].

A node with a time (an event, an account that was judged then) has one state, as of that time: nothing later enters.
A node that lasts (a card, a shop) has one for each of its edges, as of the time of the edge: what a payment is told of
its card is what the card had seen by then. Its edges are in the order of time, so one pass of running sums gives them
all. Where the nodes that are to be described have no times, nothing is later than anything, and every node has one
state.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from marigram.errors import ParameterError
from marigram.graph import room
from marigram.graph.csr import CSR
from marigram.graph.data import EdgeType, Graph
from marigram.graph.kernels.hops import rolling_counts, rolling_means
from marigram.graph.relations import latest_times, relations_of
from marigram.graph.rows import NO_TIMES, Rows

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Block = tuple[list[str], Floats]
Message = tuple[list[str], Floats, NDArray[Any]]
"""Names of columns, values, and for each slot of a relation which row of these it carries."""


@final
class States:
    """The states of one graph's nodes, each made when first asked for.

    Parameters
    ----------
    graph
        Whose.
    kept
        Node type -> which of its attributes count.
    dated
        The node types that have a time, or are events; empty to let every node see everything.
    linked
        False to leave all edges out.

    Raises
    ------
    ParameterError
        Nothing tells the time of a type that is to have one.
    """

    def __init__(
        self, graph: Graph, kept: Mapping[str, NDArray[np.bool_]], dated: tuple[str, ...], *, linked: bool
    ) -> None:
        self.graph, self.kept = graph, kept
        self.relations = relations_of(graph) if linked else {}
        self.own = {name: _times_of(graph, name) for name in dated}
        self._nodes: dict[tuple[int, str], Block] = {}
        self._slots: dict[tuple[int, EdgeType], Block] = {}
        self._asking: dict[EdgeType, CSR] = {}

    def into(self, name: str) -> dict[EdgeType, CSR]:
        """Return the relations whose receivers are of a type."""
        return {kind: csr for kind, csr in self.relations.items() if kind[2] == name}

    def of(self, k: int, name: str) -> Block:
        """Return S_k of all nodes of a type, with the names of its columns."""
        if (k, name) not in self._nodes:
            self._nodes[k, name] = self._summed(k, name) if k else self._first(name)
        return self._nodes[k, name]

    def carried(self, k: int, kind: EdgeType) -> Message:
        """Return the state S_k of its sender that each slot of a relation carries."""
        csr, sender = self.relations[kind], kind[0]
        if not self.own or sender in self.own:
            return *self.of(k, sender), csr.indices
        if not len(csr.times):  # known all along, so what changes with time is no part of it
            names, values = self._attributes(sender)
            return ([], values[:, :0], csr.indices) if k else (names, values, csr.indices)
        if (k, kind) not in self._slots:
            self._slots[k, kind] = self._by_slot(k, kind)
        return *self._slots[k, kind], np.arange(len(csr))

    def _attributes(self, name: str, rows: Ints | None = None) -> Block:
        table = self.graph.nodes[name].attributes
        values, names = (table if rows is None else table.take(rows)).matrix()
        kept = self.kept[name]
        return [n for n, keep in zip(names, kept, strict=True) if keep], values[:, kept]

    def _first(self, name: str) -> Block:
        names, into = self._attributes(name, np.empty(0, np.int64))[0], self.into(name)
        whole = room.empty((self.graph.nodes[name].count, len(names) + len(into)), np.float32)
        for start, stop in room.stretches(len(whole)):
            whole[start:stop, : len(names)] = self._attributes(name, np.arange(start, stop))[1]
            for column, csr in enumerate(into.values(), len(names)):
                whole[start:stop, column] = self._degrees(name, csr, start, stop)
        return names + [f"degree by {by}" for _, by, _ in into], whole

    def _degrees(self, name: str, csr: CSR, start: int, stop: int) -> Floats:
        """log(1 + degree) of some nodes as they can see it: (stop - start,)."""
        rows = self._rows(name, csr, start, stop)
        return np.asarray(np.log1p(rows.stops - rows.starts), np.float32)

    def _rows(self, name: str, csr: CSR, start: int, stop: int) -> Rows:
        own = self.own.get(name, NO_TIMES)
        return Rows.of(csr, np.arange(start, stop), own[start:stop])

    def _summed(self, k: int, name: str) -> Block:
        carried = [(kind[1], csr, self.carried(k - 1, kind)) for kind, csr in self.into(name).items()]
        names = [f"mean of {n} by {by}" for by, _, (said, _, _) in carried for n in said]
        whole = room.empty((self.graph.nodes[name].count, len(names)), np.float32)
        first = 0
        for _, csr, (_, values, at) in carried:
            last = first + values.shape[1]
            for start, stop in room.stretches(len(whole)):
                whole[start:stop, first:last] = self._rows(name, csr, start, stop).means(values, at)
            first = last
        return names, whole

    def _by_slot(self, k: int, kind: EdgeType) -> Block:
        """S_k of the lasting sender of each slot, as of the slot's time."""
        csr, asking = self.relations[kind], self._asked(kind)
        query = asking.indptr, asking.times, asking.edge
        names: list[str] = []
        parts = [np.empty((len(csr), 0), np.float32)]
        if not k:
            names, values = self._attributes(kind[0])
            parts.append(values[csr.indices])
        for other, seen in self.into(kind[0]).items():
            if not k:
                counts = np.empty(len(csr), np.float32)
                rolling_counts(*query, seen.indptr, seen.times, counts)
                names.append(f"degree by {other[1]}")
                parts.append(counts[:, None])
                continue
            said, values, at = self.carried(k - 1, other)
            out = np.empty((len(csr), values.shape[1]), np.float32)
            rolling_means(*query, seen.indptr, seen.times, at, values, out)
            names += [f"mean of {n} by {other[1]}" for n in said]
            parts.append(out)
        return names, np.concatenate(parts, axis=1)

    def _asked(self, kind: EdgeType) -> CSR:
        """The slots of a relation grouped by sender, in the order of time."""
        if kind not in self._asking:
            csr = self.relations[kind]
            self._asking[kind] = CSR.build(csr.indices, csr.receivers, (csr.columns, csr.rows), csr.times)
        return self._asking[kind]


def _times_of(graph: Graph, name: str) -> Ints:
    time = graph.nodes[name].time
    time = latest_times(graph, name) if time is None else time
    if time is None:
        raise ParameterError(f"nodes of type {name!r} had times in fit, here they have none")
    return time


__all__ = ["Block", "Message", "States"]
