"""Some slots of a relation, row by row, and what they sum up to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from marigram.graph.csr import CSR
from marigram.graph.kernels.hops import gather_gaps, gather_means, gather_spread, visible_stops

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

NO_TIMES: Ints = np.empty(0, np.int64)
GAPS = ("mean gap", "std of gaps", "smallest gap", "span", "time since the last")


@final
@dataclass(frozen=True, eq=False)
class Rows:
    """Slots of a relation that are looked at together.

    Attributes
    ----------
    starts, stops
        int64 (n,): where the slots of each row begin and end.
    indices, edge
        Of each slot, the sending node and the place of the edge in its table.
    times
        Of each slot; of length 0 without times.
    slots
        Of each slot, its number in the relation; None where the slots are all of the relation's.
    """

    starts: Ints
    stops: Ints
    indices: NDArray[Any]
    edge: Ints
    times: Ints
    slots: Ints | None = None

    @classmethod
    def of(cls, csr: CSR, nodes: Ints, own: Ints) -> Rows:
        """Return the slots of some nodes; of nodes with a time (``own``, else of length 0) those no later."""
        starts, stops = csr.indptr[nodes], csr.indptr[nodes + 1]
        if len(own) and len(csr.times):
            visible_stops(starts, stops.copy(), csr.times, own, stops)
        return cls(starts, stops, csr.indices, csr.edge, csr.times)

    def leaving_out(self, tried: Ints) -> Rows:
        """Return, of the single row that this is, one row for each tried slot: all slots but that one."""
        slots = np.arange(self.starts[0], self.stops[0])
        others = np.concatenate([slots[slots != slot] for slot in tried])
        starts = np.arange(len(tried), dtype=np.int64) * (len(slots) - 1)
        times = self.times[others] if len(self.times) else self.times
        return Rows(starts, starts + len(slots) - 1, self.indices[others], self.edge[others], times, others)

    def means(self, values: Floats, at: NDArray[Any]) -> Floats:
        """Return the means over each row of ``values[at[slot]]``: (n, d)."""
        out = np.empty((len(self.starts), values.shape[1]), np.float32)
        gather_means(self.starts, self.stops, at, values, out)
        return out

    def spread(self, values: Floats, at: NDArray[Any]) -> Floats:
        """Return standard deviations, smallest and largest values over each row: (n, 3 d)."""
        out = np.empty((len(self.starts), 3 * values.shape[1]), np.float32)
        gather_spread(self.starts, self.stops, at, values, out)
        return out

    def gaps(self, own: Ints) -> Floats:
        """Return what the times of each row tell, see :data:`GAPS`: (n, 5)."""
        out = np.empty((len(self.starts), len(GAPS)), np.float32)
        gather_gaps(self.starts, self.stops, self.times, own, out)
        return out


__all__ = ["GAPS", "NO_TIMES", "Rows"]
