"""Events as the loop's models see them: what the graph and the streams knew of each when it came.

Numbers: counts of the recent past (:mod:`.recent`), the columns of up to one hop (:mod:`marigram.graph.hops`), the
evidence of each stream. Names: a hash of each entity and category, so that two events can be found to share one; the
text of a name is never looked at. Nothing later than an event enters, and no label.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from marigram.bridge.loop.recent import recent
from marigram.bridge.verdicts import EventVerdicts
from marigram.errors import InputError
from marigram.graph.data import Columns, Graph
from marigram.graph.hops import HopFeatures

Floats = NDArray[np.float32]
Hashes = NDArray[np.uint64]

HOPS = 1
"""Further hops are sums over thousands of events, and with few labels say little: see experiments/bridge."""


@final
@dataclass(frozen=True, eq=False)
class Described:
    """n events as numbers and hashed names.

    Attributes
    ----------
    names
        Of the D columns of numbers.
    groups
        For each column which group it is of: the groups count alike, however many columns they have.
    x
        float32 (n, D); NaN where there is nothing to tell.
    shared_names
        Of the C columns of names.
    shared
        uint64 (n, C): hashes of names, 0 for none.
    time
        int64 (n,): when, not decreasing.
    """

    names: tuple[str, ...]
    groups: tuple[str, ...]
    x: Floats
    shared_names: tuple[str, ...]
    shared: Hashes
    time: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.x)

    def take(self, rows: NDArray[Any]) -> Described:
        """Return some of the events."""
        return replace(self, x=self.x[rows], shared=self.shared[rows], time=self.time[rows])

    def alone(self) -> Described:
        """Return the events without what their surroundings tell: their own attributes and the streams' evidence."""
        own = [j for j, group in enumerate(self.groups) if group in ("own", "streams")]
        kept = [j for j, name in enumerate(self.shared_names) if name.startswith("attribute ")]
        return replace(
            self,
            names=tuple(self.names[j] for j in own),
            groups=tuple(self.groups[j] for j in own),
            x=self.x[:, own],
            shared_names=tuple(self.shared_names[j] for j in kept),
            shared=self.shared[:, kept],
        )


def described(graph: Graph, event: str, verdicts: EventVerdicts | None = None) -> Described:
    """Describe all events of a graph.

    Parameters
    ----------
    graph
        As :func:`marigram.bridge.graph_of` makes it: events are nodes of one type, in the order of time.
    event
        That type.
    verdicts
        What the streams said of them, row by row.

    Raises
    ------
    InputError
        The events have no times, or the verdicts are not of these events.
    """
    table = graph.nodes[event]
    time = np.maximum.accumulate(
        _times(graph, event)
    )  # one that is late counts as coming with the one before
    if verdicts is not None and len(verdicts) != table.count:
        raise InputError(0, f"{len(verdicts)} verdicts of {table.count} events")
    codes, shared = _entities(graph, event)
    blocks: list[tuple[str, list[str], Floats]] = []
    own = np.asarray(table.attributes.numeric, np.float32)
    blocks.append(("own", list(table.attributes.numeric_names), own))
    blocks.append(("recent", *recent(codes, time)))
    features = HopFeatures.fit(_plain(graph), event, hops=HOPS)
    around = features.view(_plain(graph)).rows(np.arange(table.count))
    new = [j for j, name in enumerate(features.names) if name not in table.attributes.numeric_names]
    blocks.append(("hops", [features.names[j] for j in new], around[:, new]))
    if verdicts is not None:
        evidence = np.asarray(verdicts["surprise"], np.float32)
        blocks.append(("streams", [f"evidence of {name}" for name in verdicts.streams], evidence))
    return Described(
        names=tuple(name for _, names, _ in blocks for name in names),
        groups=tuple(group for group, names, _ in blocks for _ in names),
        x=np.concatenate([x for _, _, x in blocks], axis=1),
        shared_names=tuple(shared),
        shared=np.stack(list(shared.values()), 1) if shared else np.zeros((table.count, 0), np.uint64),
        time=time,
    )


def _times(graph: Graph, event: str) -> NDArray[np.int64]:
    table = graph.nodes[event]
    if table.time is not None:
        return np.asarray(table.time, np.int64)
    time = np.full(table.count, -1, np.int64)
    for kind, edges in graph.edges.items():
        if kind[0] == event and edges.time is not None:
            time[edges.src] = edges.time
    if table.count and time.min() < 0:
        raise InputError(0, f"some nodes of type {event!r} have no time")
    return time


def _plain(graph: Graph) -> Graph:
    """The graph without categories, which enter as shared names: its columns stay the same when new ones come."""
    bare = {}
    for name, table in graph.nodes.items():
        kept = table.attributes
        bare[name] = table.with_attributes(
            Columns.of_numbers(np.asarray(kept.numeric, np.float32), kept.numeric_names)
            if len(kept.numeric_names)
            else Columns.empty(table.count)
        )
    return graph.with_nodes(**bare)


def _entities(graph: Graph, event: str) -> tuple[dict[str, NDArray[np.int64]], dict[str, Hashes]]:
    """Which entity each event has by each relation, as its number and as its hash; and hashes of its categories."""
    count = graph.nodes[event].count
    codes: dict[str, NDArray[np.int64]] = {}
    shared: dict[str, Hashes] = {}
    for kind, edges in graph.edges.items():
        if kind[0] != event:
            continue
        code = np.full(count, -1, np.int64)
        code[edges.src] = edges.dst
        ids = graph.nodes[kind[2]].ids
        names = map(str, range(graph.nodes[kind[2]].count)) if ids is None else map(str, ids.to_pylist())
        codes[kind[1]] = code
        shared[kind[1]] = _hashed(kind[1], list(names), code)
    table = graph.nodes[event].attributes
    for j, name in enumerate(table.code_names):
        told = [str(word) for word in table.vocabularies[j]]
        shared[f"attribute {name}"] = _hashed(name, told, np.asarray(table.codes[:, j], np.int64))
    return codes, shared


def _hashed(column: str, names: list[str], code: NDArray[np.int64]) -> Hashes:
    digests = [hashlib.blake2b(f"{column}\0{name}".encode(), digest_size=8).digest() for name in names]
    hashes = np.frombuffer(b"".join([*digests, bytes(8)]), "<u8").astype(np.uint64)
    return np.asarray(hashes[code])


__all__ = ["HOPS", "Described", "described"]
