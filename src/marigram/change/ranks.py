"""Sequential ranks: for any law that does not change, they are independent and uniform.

    r_t = (#{i < t: x_i < x_t} + U_t (1 + #{i < t: x_i = x_t})) / t,      U_t uniform on [0, 1]

are independent and uniform on [0, 1] whenever the x are exchangeable: nothing of their law need be known, not even
that it has moments (Barndorff-Nielsen 1963; Vovk, *Testing randomness online*, 2021).  Values are compared by the
bin they fall into, which keeps the ranks exactly uniform and the memory fixed.  The bins, asinh-spaced about
the median, are set by the first values, which then do not count.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any

import numpy as np

from marigram.change.base import RECENT, ChangePointTest, Location, State
from marigram.change.ledger import ledger, locate, make_room
from marigram.numerics.elementary import clip, larger, median, uniform
from marigram.numerics.jit import part
from marigram.online.records import Array, Floats

START = 32
HALF = 256
"""Bins on each side of the median."""
FINE = 24.0
"""Bins for a step of 1 in asinh(4 z): a hundredth of a unit at the centre, an eighth of one at z = 3."""
LIMIT = 12.0
"""Values count as this many units from the centre at most where levels are told."""
NEAR = 3.0
"""The same where changes are located."""

HEAD = np.dtype([("t", "i8"), ("used", "i8"), ("centre", "f8"), ("unit", "f8")])
"""``t``: events since the restart; ``unit``: half the distance between the fourth value from below and from above."""


@part
def unit_of(ordered, centre):
    """Half the distance between the fourth value from below and from above; more where that is nothing."""
    n = ordered.shape[0]
    unit = 0.5 * ordered[n - 4] - 0.5 * ordered[3]
    if unit <= 0.0:
        unit = larger(abs(ordered[0] - centre), abs(ordered[n - 1] - centre))
    return larger(larger(unit, 1e-12 * abs(centre)), 1e-290)


@part
def begin(h, warm, scratch):
    """Set centre and unit by the first values of a coordinate."""
    for i in range(warm.shape[0]):
        scratch[i] = warm[i]
    h.centre = median(scratch, warm.shape[0])  # sorts
    h.unit = unit_of(scratch, h.centre)


@part
def bin_at(z):
    """The bin of a value that lies z units from the centre."""
    place = math.floor(FINE * math.asinh(clip(4.0 * z, 1e300))) + HALF
    return int(min(max(place, 0), 2 * HALF - 1))


@part
def rank(counts, place, n, u):
    """Rank in [0, 1] of a value of that bin after ``n`` others; the value joins them."""
    below = 0
    for i in range(place):
        below += counts[i]
    r = (below + u * (1.0 + counts[place])) / (n + 1.0)
    counts[place] += 1
    return r


@part
def first_values(heads, warm, x, scratch):
    """Take one of the START first events; False when they are over."""
    t = heads[0].t
    if t >= START:
        return False
    for j in range(x.shape[0]):
        warm[t, j] = x[j]
        heads[j].t += 1
        if t + 1 == START:
            begin(heads[j], warm[:, j], scratch)
    return True


@part
def mark(heads, marks, sums, total, seq):
    """Open a mark before an event is learned."""
    used = heads[0].used
    marks[used, 0] = heads[0].t - START
    marks[used, 1] = seq
    for c in range(total.shape[0]):
        sums[used, c] = total[c]
    heads[0].used += 1


@part
def take(h, counts, total, j, d, x, seq, seed):
    """Learn one coordinate of an event; returns its rank."""
    z = (x - h.centre) / h.unit
    u = uniform(seed * 1_000_000_007 + seq * d + j)
    r = rank(counts, bin_at(z), h.t - START, u)
    total[j] += clip(z, NEAR)
    total[d + j] += clip(z, LIMIT)
    h.t += 1
    return r


class RankTest(ChangePointTest):
    """A test on ranks: the base of those."""

    @abstractmethod
    def _evidence(self, d: int) -> State:
        """What the test itself keeps."""

    @abstractmethod
    def _loop(self) -> tuple[Any, Array]:
        """The compiled loop and its settings."""

    def _fresh(self, d: int) -> State:
        return {
            "heads": np.zeros(d, HEAD),
            "warm": np.zeros((START, d)),
            "counts": np.zeros((d, 2 * HALF), np.int64),
            **self._evidence(d),
            **ledger(2 * d),
            "total": np.zeros(2 * d),
        }

    def _run(self, rows: Floats, seqs: Array, start: int) -> int:
        loop, settings = self._loop()
        heads = self._state["heads"]
        while (at := int(loop(settings, *self._state.values(), rows, seqs, start))) < 0:
            start = -1 - at
            heads["used"] = make_room(self._state, int(heads["used"][0]), self.parameters.starts == "dyadic")
        return at

    def _location(self) -> Location:
        state, d = self._state, self._d
        heads = state["heads"]
        n = int(heads["t"][0]) - START
        found = np.zeros(3, np.int64)
        near = np.ascontiguousarray(state["sums"][:, :d])
        locate(state["marks"], near, int(heads["used"][0]), n, state["total"][:d], found)
        best = int(found[0])
        begun = int(state["marks"][best, 0])
        values, total = state["sums"][best, d:], state["total"][d:]
        before = heads["centre"] + heads["unit"] * values / max(begun, 1)
        shift = (total - values) / (n - begun)
        after = heads["centre"] + heads["unit"] * shift
        if n - begun <= RECENT or np.any(np.abs(shift) > LIMIT / 2):
            after = self._latest(n - begun, heads["unit"])
        seqs = state["marks"][found, 1]
        return Location(int(seqs[0]), int(seqs[1]), int(seqs[2]), before, after)


__all__ = ["HEAD", "START", "RankTest", "bin_at", "first_values", "mark", "rank", "take", "unit_of"]
