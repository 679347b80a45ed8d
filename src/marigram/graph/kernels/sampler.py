"""The inner loops of neighbour sampling: which slots of a row are drawn, and which nodes they reach.

Nothing here holds a generator. Every draw is a hash of (key, node, seed node, number of the draw), so the neighbours of
a node depend neither on the other nodes of a batch, nor on their order, nor on threads or processes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from marigram.numerics.bits import prefetch
from marigram.numerics.elementary import mix
from marigram.numerics.jit import kernel, part, piece

Ids = NDArray[np.int32]
Ints = NDArray[np.int64]
Words = NDArray[np.uint64]

_fetch: Any = prefetch  # an intrinsic takes one argument less than its definition, which no checker knows
_AHEAD = 16
_STEP = np.uint64(0x9E3779B97F4A7C15)
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)


@piece
def below(state: Any, draw: int, bound: int) -> Any:
    """An integer in [0, bound) for each number of a draw; bound < 2^32, uniform to within bound / 2^32."""
    word = mix(state + np.uint64(draw + 1) * _STEP)
    return np.int64(((word >> _HALF) * np.uint64(bound)) >> _HALF)


@piece
def visible(times: Ints, start: int, stop: int, limit: int) -> int:
    """Where the edges of a row that are no later than ``limit`` end: times ascend within a row."""
    while start < stop:
        middle = (start + stop) >> 1
        if times[middle] <= limit:
            start = middle + 1
        else:
            stop = middle
    return start


@part
def choose_distinct(state: Any, start: int, degree: int, wanted: int, slots: Ints, at: int) -> None:
    """Write ``wanted`` < degree distinct slots of a row, each subset equally likely.

    Few of many: R. W. Floyd's algorithm (CACM 30, 1987), ``wanted`` draws and a search among those taken. Otherwise
    selection sampling (Knuth, TAOCP 2, algorithm S), one draw a slot.
    """
    if wanted * (wanted - 1) <= 8 * degree:
        for j in range(degree - wanted, degree):
            slot = start + below(state, j, j + 1)
            taken = at + j - (degree - wanted)
            for earlier in range(at, taken):
                if slots[earlier] == slot:
                    slot = start + j
                    break
            slots[taken] = slot
        return
    left = wanted
    for j in range(degree):
        if below(state, j, degree - j) < left:
            slots[at] = start + j
            at += 1
            left -= 1
            if left == 0:
                return


@kernel
def choose_slots(
    indptr: Ints,
    times: Ints,
    nodes: Ints,
    groups: Ids,
    first: int,
    last: int,
    limits: Ints,
    salts: Words,
    key: Any,
    fanout: int,
    replace: bool,
    slots: Ints,
    receivers: Ids,
) -> int:
    """Draw up to ``fanout`` edges (all when < 0) into each of the nodes ``first`` to ``last`` - 1 of a subgraph.

    ``times`` is empty for a relation without times, ``limits`` when there is no limit; ``salts`` has a word for each
    group. Writes slots of the relation and local receiving nodes; returns their number.
    """
    timed = len(times) > 0 and len(limits) > 0
    made = 0
    for local in range(first, last):
        if local + _AHEAD < last:
            _fetch(indptr, 8 * nodes[local + _AHEAD])
        node, group = nodes[local], groups[local]
        start, stop = indptr[node], indptr[node + 1]
        if timed:
            stop = visible(times, start, stop, limits[group])
        degree = stop - start
        take = degree if fanout < 0 or (degree < fanout and not replace) else fanout
        if degree == 0 or take == 0:
            continue
        state = mix(key ^ mix(np.uint64(node) + salts[group]))
        if replace and fanout >= 0:
            for draw in range(take):
                slots[made + draw] = start + below(state, draw, degree)
        elif take == degree:
            for draw in range(take):
                slots[made + draw] = start + draw
        else:
            choose_distinct(state, start, degree, take, slots, made)
        for draw in range(take):
            receivers[made + draw] = local
        made += take
    return made


@kernel
def visible_degrees(indptr: Ints, times: Ints, nodes: Ints, groups: Ids, limits: Ints, out: Ints) -> None:
    """How many edges into each node its seed can see."""
    timed = len(times) > 0 and len(limits) > 0
    for i in range(len(nodes)):
        start, stop = indptr[nodes[i]], indptr[nodes[i] + 1]
        out[i] = (visible(times, start, stop, limits[groups[i]]) if timed else stop) - start


@piece
def home(node: int, group: int, mask: Any) -> Any:
    """Where the search for a node of a group begins in the table."""
    return mix(np.uint64(node) ^ (np.uint64(group) << _HALF)) & mask


@piece
def place(node: int, group: int, table: Ids, nodes: Ints, groups: Ids, count: int) -> Any:
    """Return the local number of a node of a group, which is ``count`` when it is new: then it is written down."""
    mask = np.uint64(len(table) - 1)
    at = home(node, group, mask)
    while table[at] >= 0:
        local = table[at]
        if nodes[local] == node and groups[local] == group:
            return local
        at = (at + np.uint64(1)) & mask
    table[at] = count
    nodes[count] = node
    groups[count] = group
    return count


@kernel
def place_seeds(seeds: Ints, disjoint: bool, table: Ids, nodes: Ints, groups: Ids) -> None:
    """Make the seeds the first nodes of the subgraph, equal ones too; what reaches their node finds the first."""
    for i in range(len(seeds)):
        group = i if disjoint else 0
        if place(seeds[i], group, table, nodes, groups, i) != i:
            nodes[i] = seeds[i]
            groups[i] = group


@kernel
def salts_of(seeds: Ints, times: Ints, salts: Words) -> None:
    """A word for each group of a disjoint sample: what is drawn for a seed depends on its node and its time."""
    for i in range(len(seeds)):
        time = times[i] if len(times) else 0
        salts[i] = mix(np.uint64(seeds[i]) + mix(np.uint64(time) ^ _STEP))


@kernel
def key_of(seed: int, epoch: int, relation: int) -> Any:
    """The word from which all draws of a relation follow."""
    return mix(np.uint64(relation) + mix(np.uint64(epoch) + mix(np.uint64(seed) + _STEP)))


@kernel
def place_senders(
    indices: Any,
    slots: Ints,
    made: int,
    receivers: Ids,
    receiver_groups: Ids,
    table: Ids,
    nodes: Ints,
    groups: Ids,
    count: int,
    senders: Ids,
) -> int:
    """Find or add the sending node of each drawn edge; returns the number of nodes of their type now."""
    reached = np.empty(made, np.int64)
    for i in range(made):
        if i + _AHEAD < made:
            _fetch(indices, indices.itemsize * slots[i + _AHEAD])
        reached[i] = indices[slots[i]]
    mask = np.uint64(len(table) - 1)
    for i in range(made):
        if i + _AHEAD < made:
            ahead = i + _AHEAD
            _fetch(table, 4 * np.int64(home(reached[ahead], receiver_groups[receivers[ahead]], mask)))
        local = place(reached[i], receiver_groups[receivers[i]], table, nodes, groups, count)
        count += local == count
        senders[i] = local
    return count


@kernel
def rebuild(table: Ids, nodes: Ints, groups: Ids, count: int) -> None:
    """Enter the nodes of a subgraph into an empty table (all -1)."""
    mask = np.uint64(len(table) - 1)
    for local in range(count):
        at = home(nodes[local], groups[local], mask)
        while table[at] >= 0 and not (
            nodes[table[at]] == nodes[local] and groups[table[at]] == groups[local]
        ):
            at = (at + np.uint64(1)) & mask
        if table[at] < 0:  # else an equal seed came first
            table[at] = local


__all__ = ["choose_slots", "key_of", "place_seeds", "place_senders", "rebuild", "salts_of", "visible_degrees"]
