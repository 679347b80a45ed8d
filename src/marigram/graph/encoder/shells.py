"""What each layer needs of a sampled neighbourhood: the first all of it, the last the seeds and those next to them.

The nodes of a sample stand in the order of the hop that reached them, and each node receives edges from the next hop
alone. After layer l of L nobody asks any more for nodes beyond hop L - l, which are most of them: in that layer the
nodes of hop L - l + 1 send, and do not receive.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from marigram.graph.csr import CSR
from marigram.graph.data import EdgeType
from marigram.graph.layers import GraphBatch
from marigram.graph.sampler import Sample

Ints = NDArray[np.int64]


def shells_of(
    found: Sample,
    features: Mapping[str, Tensor],
    relations: Mapping[EdgeType, CSR],
    target: str,
    *,
    seeds: int,
    hops: int,
    times: Ints | None = None,
) -> list[GraphBatch]:
    """Return a batch for each layer; parameters as of :meth:`GraphBatch.of_sample`, and how many layers there are."""
    whole = GraphBatch.of_sample(found, features, relations, target, seeds=seeds, times=times)
    shells = []
    for layer in range(hops):
        sending, kept = (
            {name: sum(counts[:within]) for name, counts in found.node_counts.items()}
            for within in (hops - layer + 1, hops - layer)
        )
        parts = {
            kind: _first(
                whole.relations[kind].csr, found, kind, hops - layer, kept[kind[2]], sending[kind[0]]
            )
            for kind in relations
        }
        moments = None
        if times is not None and found.groups is not None:
            moments = {name: times[groups[: kept[name]]] for name, groups in found.groups.items()}
        rows = {name: x[: sending[name]] for name, x in whole.features.items()}
        shells.append(GraphBatch(rows, parts, target, seeds=seeds, moments=moments, kept=kept))
    return shells


def _first(csr: CSR, found: Sample, kind: EdgeType, hops: int, rows: int, columns: int) -> CSR:
    """The edges that the first hops drew: those into the first rows, from the first columns."""
    edges = sum(found.edge_counts[kind][:hops])
    indptr = np.minimum(csr.indptr[: rows + 1], edges)
    indptr.flags.writeable = False
    times = csr.times[:edges] if len(csr.times) else csr.times
    return CSR(indptr, csr.indices[:edges], csr.edge[:edges], times, columns)


__all__ = ["shells_of"]
