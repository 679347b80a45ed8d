"""Multi-hop neighbour sampling on sorted edges: the part of a subgraph that a few seeds need, however large the graph.

From each seed, each relation into its type gives up to k neighbours, from each of these again, hop by hop. Seeds with
a time see only edges no later than it, at every hop: what a sampled neighbourhood says of a moment was known then.
Draws are hashes of (seed of the sampler, epoch, relation, node), so that a node has the same neighbours in every
batch of an epoch, on any number of workers; see :mod:`marigram.graph.kernels.sampler`.

The relations are :class:`~marigram.graph.csr.CSR`; their arrays may be mapped from files, and are then read where
they are asked for.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from marigram.errors import ParameterError
from marigram.graph.csr import CSR
from marigram.graph.kernels.sampler import (
    choose_slots,
    key_of,
    place_seeds,
    place_senders,
    rebuild,
    salts_of,
    visible_degrees,
)

Ids = NDArray[np.int32]
Ints = NDArray[np.int64]
EdgeType = tuple[str, str, str]
Fanouts = Sequence[int] | Mapping[EdgeType, Sequence[int]]

_NONE: Ints = np.empty(0, np.int64)
_NONE.flags.writeable = False
_EMPTY = (np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0, np.int32))
_SMALLEST = 1 << 10
_MOST = 2**31 - 1


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class Sample:
    """A sampled subgraph, its nodes and edges numbered anew; the seeds are the first nodes of their type.

    Attributes
    ----------
    nodes
        Node type -> int64 (n,): the node in the graph.
    groups
        Node type -> int32 (n,): the seed whose neighbourhood the node belongs to, for disjoint samples; else None.
    senders, receivers
        Relation -> int32 (E,): both ends as numbers in ``nodes``; receivers ascend.
    edges
        Relation -> int64 (E,): the edge in its :class:`~marigram.graph.data.EdgeTable`.
    slots
        Relation -> int64 (E,): the edge in its :class:`~marigram.graph.csr.CSR`.
    node_counts, edge_counts
        By type how many nodes (the seeds first) and edges each hop added.
    """

    nodes: Mapping[str, Ints]
    groups: Mapping[str, Ids] | None
    senders: Mapping[EdgeType, Ids]
    receivers: Mapping[EdgeType, Ids]
    edges: Mapping[EdgeType, Ints]
    slots: Mapping[EdgeType, Ints]
    node_counts: Mapping[str, list[int]]
    edge_counts: Mapping[EdgeType, list[int]]


@final
class NeighbourSampler:
    """Samples neighbourhoods.

    Parameters
    ----------
    relations
        (sending type, name, receiving type) -> its edges, sorted by the receiving node.
    fanouts
        Most neighbours of a node and relation, one number a hop; -1 takes all. One list for all relations, or one
        for each, of equal length.
    replace
        Draw with replacement: then a node with any neighbour has exactly as many as asked for.
    seed, epoch
        What is drawn follows from both; 0 to 2^63 - 1. Set ``epoch`` anew to draw anew.

    Examples
    --------
    >>> import numpy as np
    >>> from marigram import graph as mgg
    >>> ring = mgg.EdgeTable(src=np.arange(6), dst=(np.arange(6) + 1) % 6)
    >>> kind = ("node", "next", "node")
    >>> data = mgg.Graph(nodes={"node": mgg.NodeTable.bare(6)}, edges={kind: ring})
    >>> found = mgg.NeighbourSampler({kind: data.csr(kind)}, [2, 2]).sample("node", [3])
    >>> found.nodes["node"].tolist(), found.senders[kind].tolist(), found.receivers[kind].tolist()
    ([3, 2, 1], [1, 2], [0, 1])
    """

    def __init__(
        self,
        relations: Mapping[EdgeType, CSR],
        fanouts: Fanouts,
        *,
        replace: bool = False,
        seed: int = 0,
        epoch: int = 0,
    ) -> None:
        self.relations = dict(relations)
        self.fanouts = _fanouts(fanouts, list(relations))
        self.replace = replace
        self.seed = _word(seed, "seed")
        self.epoch = _word(epoch, "epoch")
        self.sizes = _sizes(self.relations)

    @property
    def hops(self) -> int:
        """How many hops a sample has."""
        return max(map(len, self.fanouts.values()), default=0)

    def sample(
        self, node_type: str, seeds: ArrayLike, times: ArrayLike | None = None, *, disjoint: bool = False
    ) -> Sample:
        """Sample around seeds of one type.

        Parameters
        ----------
        node_type, seeds
            The type, and the nodes of it, integers (n,). Equal seeds stay apart.
        times
            int64 (n,): the seeds' times; edges after them are not seen. Makes the sample disjoint. Relations
            without times are seen whole.
        disjoint
            Keep the neighbourhoods of the seeds apart; otherwise a node that several reach appears once.

        Raises
        ------
        ParameterError
            The type is not an end of any relation, or a seed is not a node.
        """
        nodes = self._seeds(node_type, seeds)
        limits = _NONE if times is None else np.ascontiguousarray(times, np.int64)
        if times is not None and limits.shape != nodes.shape:
            raise ParameterError(f"{len(nodes)} seeds need as many times, got shape {limits.shape}")
        apart = disjoint or times is not None
        return _Walk(self, node_type, nodes, limits, apart).run()

    def degrees(self, found: Sample, times: ArrayLike | None = None) -> dict[EdgeType, Ints]:
        """Count the edges that lead to each node of a sample in the whole graph, sampled or not.

        Parameters
        ----------
        found, times
            A sample, and the times of its seeds as :meth:`sample` had them: then later edges do not count.

        Returns
        -------
        dict
            Relation -> int64 (n,) over the sampled nodes of its receiving type.
        """
        limits = _NONE if times is None else np.ascontiguousarray(times, np.int64)
        counts = {}
        for kind, csr in self.relations.items():
            nodes = found.nodes[kind[2]]
            groups = np.zeros(len(nodes), np.int32) if found.groups is None else found.groups[kind[2]]
            counts[kind] = np.empty(len(nodes), np.int64)
            visible_degrees(csr.indptr, csr.times, nodes, groups, limits, counts[kind])
        return counts

    def key(self, kind: EdgeType) -> np.uint64:
        """Return the word from which the draws of a relation follow."""
        return np.uint64(key_of(self.seed, self.epoch, zlib.crc32("\0".join(kind).encode())))

    def _seeds(self, node_type: str, seeds: ArrayLike) -> Ints:
        if node_type not in self.sizes:
            raise ParameterError(f"no relation has nodes of type {node_type!r}, only {sorted(self.sizes)}")
        array = np.asarray(seeds)
        if array.size == 0:
            return np.empty(0, np.int64)
        size = self.sizes[node_type]
        if (
            array.ndim != 1
            or array.dtype.kind not in "iu"
            or int(array.min()) < 0
            or int(array.max()) >= size
        ):
            raise ParameterError(
                f"seeds must be a vector of integers from 0 to {size - 1}, nodes of {node_type!r}"
            )
        return np.ascontiguousarray(array, np.int64)


class _Reached:
    """The nodes of one type in a subgraph that grows, and the table that finds them."""

    def __init__(self) -> None:
        self.nodes = np.empty(_SMALLEST, np.int64)
        self.groups = np.empty(_SMALLEST, np.int32)
        self.table = np.full(2 * _SMALLEST, -1, np.int32)
        self.count = 0
        self.counts: list[int] = []

    def reserve(self, more: int) -> None:
        """Make room for ``more`` nodes: the table stays at most half full."""
        if self.count + more <= len(self.nodes):
            return
        size = 1 << (self.count + more - 1).bit_length()
        if size > _MOST:
            raise ParameterError("a sample of 2^31 nodes or more: take fewer seeds or smaller fanouts")
        self.nodes = np.resize(self.nodes, size)
        self.groups = np.resize(self.groups, size)
        self.table = np.full(2 * size, -1, np.int32)
        rebuild(self.table, self.nodes, self.groups, self.count)


class _Walk:
    """One sample in the making."""

    def __init__(
        self, sampler: NeighbourSampler, node_type: str, seeds: Ints, limits: Ints, apart: bool
    ) -> None:
        self.sampler, self.limits, self.apart = sampler, limits, apart
        self.salts = np.zeros(len(seeds) if apart else 1, np.uint64)
        if apart:
            salts_of(seeds, limits, self.salts)
        self.reached = {name: _Reached() for name in sampler.sizes}
        self.drawn: dict[EdgeType, list[tuple[Ints, Ids, Ids]]] = {kind: [] for kind in sampler.relations}
        start = self.reached[node_type]
        start.reserve(len(seeds))
        place_seeds(seeds, apart, start.table, start.nodes, start.groups)
        start.count = len(seeds)

    def run(self) -> Sample:
        first = dict.fromkeys(self.reached, 0)
        for hop in range(self.sampler.hops):
            last = {name: found.count for name, found in self.reached.items()}
            for name, found in self.reached.items():
                found.counts.append(last[name] - first[name])
            for kind in self.sampler.relations:
                self.drawn[kind].append(self.step(kind, hop, first[kind[2]], last[kind[2]]))
            first = last
        for name, found in self.reached.items():
            found.counts.append(found.count - first[name])
        return self.result()

    def step(self, kind: EdgeType, hop: int, first: int, last: int) -> tuple[Ints, Ids, Ids]:
        """Draw the edges of a relation into the nodes that the previous hop added."""
        csr, fanout = self.sampler.relations[kind], self.sampler.fanouts[kind][hop]
        at, to = self.reached[kind[2]], self.reached[kind[0]]
        room = (last - first) * fanout
        if fanout < 0:
            here = at.nodes[first:last]
            room = int((csr.indptr[here + 1] - csr.indptr[here]).sum())
        slots, receivers = np.empty(room, np.int64), np.empty(room, np.int32)
        if room == 0:
            return slots, receivers, np.empty(0, np.int32)
        made = choose_slots(
            csr.indptr, csr.times, at.nodes, at.groups, first, last,
            self.limits, self.salts, self.sampler.key(kind), fanout, self.sampler.replace, slots, receivers,
        )  # fmt: skip
        to.reserve(made)
        senders = np.empty(made, np.int32)
        to.count = place_senders(
            csr.indices, slots, made, receivers, at.groups, to.table, to.nodes, to.groups, to.count, senders
        )
        return slots[:made], receivers[:made], senders

    def result(self) -> Sample:
        drawn = {kind: (_EMPTY, *hops) for kind, hops in self.drawn.items()}
        slots = {kind: np.concatenate([hop[0] for hop in hops]) for kind, hops in drawn.items()}
        receivers = {kind: np.concatenate([hop[1] for hop in hops]) for kind, hops in drawn.items()}
        senders = {kind: np.concatenate([hop[2] for hop in hops]) for kind, hops in drawn.items()}
        groups = {name: found.groups[: found.count] for name, found in self.reached.items()}
        return Sample(
            nodes={name: found.nodes[: found.count] for name, found in self.reached.items()},
            groups=groups if self.apart else None,
            senders=senders,
            receivers=receivers,
            edges={kind: self.sampler.relations[kind].edge[chosen] for kind, chosen in slots.items()},
            slots=slots,
            node_counts={name: found.counts for name, found in self.reached.items()},
            edge_counts={kind: [len(hop[2]) for hop in hops] for kind, hops in self.drawn.items()},
        )


def _sizes(relations: Mapping[EdgeType, CSR]) -> dict[str, int]:
    """The number of nodes of each type, on which all relations agree."""
    sizes: dict[str, int] = {}
    for kind, csr in relations.items():
        for name, size in ((kind[0], csr.columns), (kind[2], csr.rows)):
            if sizes.setdefault(name, size) != size:
                raise ParameterError(f"relations disagree on {name!r}: {sizes[name]} or {size} nodes")
    if not relations:
        raise ParameterError("a sampler needs a relation")
    return sizes


def _fanouts(fanouts: Fanouts, kinds: list[EdgeType]) -> dict[EdgeType, list[int]]:
    if not isinstance(fanouts, Mapping):
        fanouts = dict.fromkeys(kinds, fanouts)
    if set(fanouts) != set(kinds):
        raise ParameterError(f"fanouts must name the relations {kinds}, got {list(fanouts)}")
    lists = {kind: [int(wanted) for wanted in fanouts[kind]] for kind in kinds}
    if len({len(hops) for hops in lists.values()}) > 1 or any(
        w < -1 for hops in lists.values() for w in hops
    ):
        raise ParameterError("fanouts are -1 (all) or at least 0, equally many hops for every relation")
    return lists


def _word(value: int, name: str) -> int:
    if type(value) is not int or not 0 <= value < 2**63:
        raise ParameterError(f"{name} must be an integer from 0 to 2^63 - 1, got {value!r}")
    return value


__all__ = ["Fanouts", "NeighbourSampler", "Sample"]
