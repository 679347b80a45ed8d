"""A typed graph, or a sampled part of one, as layers take it: features, and edges in the forms that kernels walk.

Beside one adjacency for each relation there are two over all nodes together, type after type: ``union``, where a
sending node is itself, for layers that know one kind of edge; and ``stacked``, where a sending node appears once for
every relation it sends through, for attention over all relations at once. What it says is worked out for each relation,
so where few send, the columns are those few.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from marigram.errors import ParameterError
from marigram.graph.csr import CSR
from marigram.graph.data import EdgeType
from marigram.graph.messages import Adjacency
from marigram.graph.sampler import Sample

Ints = NDArray[np.int64]

AGES = 64
"""Classes of age: a is of class k when 2^(k-1) <= a < 2^k; whatever the unit, all of int64 has its class."""


@final
class GraphBatch:
    """What a network sees at once.

    Parameters
    ----------
    features
        Node type -> float32 (n, d) of prepared features: finite, standardised.
    relations
        (sending type, name, receiving type) -> edges.
    target
        The node type that is scored.
    seeds
        How many first nodes of that type are scored; None for all.
    moments
        Node type -> int64 (n,): the moment at which each receiving node is looked at, from which the ages of its
        edges count. None: from the latest edge that each receives.
    threads
        How many threads share the rows in message passing.
    kept
        Node type -> how many first nodes of it receive: nothing is asked of the others but what they send. None: all.

    Raises
    ------
    ParameterError
        A relation has another number of nodes than the features.
    """

    def __init__(
        self,
        features: Mapping[str, Tensor],
        relations: Mapping[EdgeType, CSR],
        target: str,
        *,
        seeds: int | None = None,
        moments: Mapping[str, Ints] | None = None,
        threads: int = 1,
        kept: Mapping[str, int] | None = None,
    ) -> None:
        sizes = {name: len(x) for name, x in features.items()}
        self.kept = sizes if kept is None else dict(kept)
        for kind, csr in relations.items():
            for name, size, known in ((kind[0], csr.columns, sizes), (kind[2], csr.rows, self.kept)):
                if known.get(name) != size:
                    raise ParameterError(f"relation {'-'.join(kind)} has {size} nodes of type {name!r}")
        if target not in features:
            raise ParameterError(f"there are no features of the target {target!r}")
        self.features = dict(features)
        self.target = target
        self.seeds = len(features[target]) if seeds is None else seeds
        self.threads = threads
        self.relations = {kind: Adjacency(csr, threads=threads) for kind, csr in relations.items()}
        self._moments = moments

    @classmethod
    def of_sample(
        cls,
        found: Sample,
        features: Mapping[str, Tensor],
        relations: Mapping[EdgeType, CSR],
        target: str,
        *,
        seeds: int,
        times: Ints | None = None,
        threads: int = 1,
    ) -> GraphBatch:
        """Make the batch of a sample: ``features`` and ``relations`` are those of the whole graph.

        ``seeds`` is their number and ``times`` are their times, when they were sampled with times: ages then count
        from them.
        """
        parts = {kind: _part(found, kind, csr) for kind, csr in relations.items()}
        rows = {
            name: features[name].index_select(0, torch.from_numpy(nodes))
            for name, nodes in found.nodes.items()
        }
        moments = None
        if times is not None and found.groups is not None:
            moments = {name: times[groups] for name, groups in found.groups.items()}
        return cls(rows, parts, target, seeds=seeds, moments=moments, threads=threads)

    def changed(
        self, features: Mapping[str, Tensor], relations: Mapping[EdgeType, CSR] | None = None
    ) -> GraphBatch:
        """Return the batch with other features of the same nodes, and with other edges when they are given."""
        how: dict[str, Any] = {"seeds": self.seeds, "moments": self._moments, "threads": self.threads}
        how["kept"] = self.kept
        if relations is not None:
            return GraphBatch(features, relations, self.target, **how)
        same = {kind: adjacency.csr for kind, adjacency in self.relations.items()}
        other = GraphBatch(features, same, self.target, **how)
        other.relations = self.relations
        for name in ("union", "senders", "stacked", "aged"):  # sorted once, whatever the features
            if name in self.__dict__:
                other.__dict__[name] = self.__dict__[name]
        return other

    @cached_property
    def offsets(self) -> dict[str, int]:
        """Node type -> the number of its first node among all that receive."""
        ends = np.cumsum([0, *(self.kept[name] for name in self.features)]).tolist()
        return dict(zip(self.features, ends[:-1], strict=True))

    @property
    def count(self) -> int:
        """How many nodes of all types receive."""
        return sum(self.kept.values())

    def joined(self, hidden: Mapping[str, Tensor]) -> Tensor:
        """Put the types, of each the nodes that receive, one after another: (count, …)."""
        return torch.cat([hidden[name] for name in self.features])

    def parted(self, joined: Tensor) -> dict[str, Tensor]:
        """Take them apart again."""
        parts = torch.split(joined, [self.kept[name] for name in self.features])
        return dict(zip(self.features, parts, strict=True))

    @cached_property
    def union(self) -> Adjacency:
        """All relations as one, when every node receives: (count, count)."""
        starts = [self.offsets[kind[0]] for kind in self.relations]
        return self._over_all({kind: a.csr for kind, a in self.relations.items()}, starts, self.count)

    @cached_property
    def senders(self) -> dict[EdgeType, Tensor | None]:
        """Relation -> int64 (n,): the nodes that send through it; None where they are more than half of their type."""
        return {kind: _senders(adjacency.csr) for kind, adjacency in self.relations.items()}

    def sent(self, kind: EdgeType, hidden: Mapping[str, Tensor]) -> Tensor:
        """Return what the columns of a relation in ``stacked`` are: its senders, or all nodes of their type."""
        some = self.senders[kind]
        return hidden[kind[0]] if some is None else hidden[kind[0]].index_select(0, some)

    @cached_property
    def stacked(self) -> Adjacency:
        """All relations side by side: the senders of the first relation are the first columns, and so on."""
        relations = {kind: self._from_senders(kind) for kind in self.relations}
        if len(relations) == 1:
            (only,) = relations.values()
            if only.rows == self.count:  # sorted already
                order = np.arange(len(only))
                order.flags.writeable = False
                return Adjacency(replace(only, edge=order), threads=self.threads)
        starts = np.cumsum([0, *(csr.columns for csr in relations.values())]).tolist()
        return self._over_all(relations, starts[:-1], starts[-1])

    def _from_senders(self, kind: EdgeType) -> CSR:
        """A relation, its columns numbered as those of ``sent``."""
        csr, some = self.relations[kind].csr, self.senders[kind]
        if some is None:
            return csr
        number = np.empty(csr.columns, np.int32)
        number[some.numpy()] = np.arange(len(some), dtype=np.int32)
        indices = number[csr.indices]
        indices.flags.writeable = False
        return replace(csr, indices=indices, columns=len(some))

    @cached_property
    def aged(self) -> Adjacency:
        """The edges of ``stacked``, each from the column ``AGES`` · relation + class of its age; 0 without times."""
        number = np.repeat(np.arange(len(self.relations)), [len(a) for a in self.relations.values()])
        classes = np.concatenate([np.empty(0, np.int64), *map(self._ages, self.relations)])
        stacked = self.stacked.csr
        columns = (number * AGES + classes)[stacked.edge].astype(np.int32)
        columns.flags.writeable = False
        sorted_as_stacked = CSR(
            stacked.indptr, columns, stacked.edge, stacked.times, len(self.relations) * AGES
        )
        return Adjacency(sorted_as_stacked, threads=self.threads)

    def _ages(self, kind: EdgeType) -> Ints:
        csr = self.relations[kind].csr
        if not len(csr.times):
            return np.zeros(len(csr), np.int64)
        if self._moments is None:
            latest = np.zeros(csr.rows, np.int64)
            filled = csr.degrees > 0
            latest[filled] = np.maximum.reduceat(csr.times, csr.indptr[:-1][filled])
        else:
            latest = self._moments[kind[2]]
        return age_class(latest[csr.receivers] - csr.times)

    def _over_all(self, relations: Mapping[EdgeType, CSR], starts: list[int], columns: int) -> Adjacency:
        rows: list[Ints] = [np.empty(0, np.int64)]
        senders: list[Ints] = [np.empty(0, np.int64)]
        for (kind, csr), start in zip(relations.items(), starts, strict=True):
            rows.append(csr.receivers.astype(np.int64) + self.offsets[kind[2]])
            senders.append(csr.indices.astype(np.int64) + start)
        csr = CSR.build(np.concatenate(rows), np.concatenate(senders), (self.count, columns))
        return Adjacency(csr, threads=self.threads)


def _senders(csr: CSR) -> Tensor | None:
    sends = np.zeros(csr.columns, bool)
    sends[csr.indices] = True
    some = np.flatnonzero(sends)
    return torch.from_numpy(some) if 2 * len(some) <= csr.columns else None


def age_class(ages: Ints) -> Ints:
    """Return the class of each age: how many binary digits it has; 0 for none and for what lies ahead."""
    _, exponents = np.frexp(np.maximum(ages, 0).astype(np.float64))
    return np.minimum(exponents, AGES - 1).astype(np.int64)


def _part(found: Sample, kind: EdgeType, csr: CSR) -> CSR:
    """The sampled edges of a relation; receivers ascend, so they are sorted as they are."""
    rows = len(found.nodes[kind[2]])
    indptr = np.zeros(rows + 1, np.int64)
    np.cumsum(np.bincount(found.receivers[kind], minlength=rows), out=indptr[1:])
    times = csr.times[found.slots[kind]] if len(csr.times) else csr.times
    senders, slots = found.senders[kind], found.slots[kind]
    for array in (indptr, senders, slots, times):
        array.flags.writeable = False
    return CSR(indptr, senders, slots, times, len(found.nodes[kind[0]]))


__all__ = ["AGES", "GraphBatch", "age_class"]
