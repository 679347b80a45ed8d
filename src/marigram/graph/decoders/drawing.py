"""From latents to whole nodes: what they are, and whom they are connected to, real or new."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray

from marigram.graph.data import EdgeTable, EdgeType, NodeTable
from marigram.graph.decoders.drafts import Draft, Known
from marigram.graph.decoders.edges import EdgeColumns, later
from marigram.graph.decoders.linear import LinearDecoder
from marigram.graph.decoders.nodes import NodeColumns, as_column, unstacked
from marigram.graph.decoders.structure import calibrated, draw_partners
from marigram.graph.decoders.training import Decoders
from marigram.graph.relations import REVERSE

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]
Ends = tuple[Ints, Ints]

FEWEST = 5
"""Real nodes of a class from which its distribution of degrees is taken over."""


@final
class Drawing:
    """Draws nodes and edges.

    Parameters
    ----------
    decoders, columns, edges, known
        What was learned: the decoders, what they decode to, and the real nodes.
    aspects
        Which decoders are used; for the others draws follow no latent.
    """

    def __init__(
        self,
        decoders: Decoders,
        columns: Mapping[str, NodeColumns],
        edges: Mapping[EdgeType, EdgeColumns],
        known: Mapping[str, Known],
        aspects: frozenset[str],
    ) -> None:
        self.decoders, self.columns, self.edges, self.known = decoders, columns, edges, known
        self.aspects = aspects

    def with_aspects(self, aspects: frozenset[str]) -> Drawing:
        """Return the same with other decoders in use."""
        return Drawing(self.decoders, self.columns, self.edges, self.known, aspects)

    # --- nodes -----------------------------------------------------------------------------------------------------

    def nodes(self, name: str, z: Floats, classes: Ints, rng: np.random.Generator) -> Draft:
        """Decode latents of one type, all of one class: the class's degrees, times within those of training."""
        known, columns = self.known[name], self.columns[name]
        context = self._context(name, z, classes)
        same = known.degrees[known.classes == classes[0]]
        if "structure" in self.aspects:
            codes = self.decoders.node(name).degrees.draw(context, rng)
            degrees = np.rint(columns.degrees.decode(codes, rng)).astype(np.int64)
            degrees = calibrated(degrees, same) if len(same) >= FEWEST else degrees
        else:
            degrees = known.degrees[rng.integers(len(known.degrees), size=len(z))]
        times = self._times(name, context, rng)
        matrix = self._features(name, context, degrees, as_column(times, len(z)), rng)
        table = NodeTable(attributes=unstacked(matrix, known.like), time=times if known.dated else None)
        return Draft(z, classes, degrees, table, times)

    def _times(self, name: str, context: torch.Tensor, rng: np.random.Generator) -> Ints:
        known, columns = self.known[name], self.columns[name]
        if not len(known.time):
            return known.time
        trained = known.time[known.joinable] if known.joinable.any() else known.time
        low, high = int(trained.min()), int(trained.max())
        if "time" not in self.aspects:
            return rng.integers(low, high, size=len(context), endpoint=True)
        values = columns.time.decode(self.decoders.node(name).time.draw(context, rng), rng)
        return np.clip(np.rint(values[:, 0]).astype(np.int64), low, high)

    def _features(
        self,
        name: str,
        context: torch.Tensor,
        degrees: Ints,
        times: NDArray[np.float64],
        rng: np.random.Generator,
    ) -> NDArray[np.float64]:
        known, columns, decoder = self.known[name], self.columns[name], self.decoders.node(name).features
        if "features" not in self.aspects:
            rows = rng.integers(len(known.values), size=(len(context), known.values.shape[1]))
            return np.asarray(np.take_along_axis(known.values, rows, axis=0))
        if isinstance(decoder, LinearDecoder):
            return np.asarray(decoder.draw(context).double().numpy() * known.scale + known.centre)
        told = torch.cat([context, columns.told(degrees, times)], dim=1)
        return columns.features.decode(decoder.draw(told, rng), rng)

    # --- edges -----------------------------------------------------------------------------------------------------

    def ends(
        self, kind: EdgeType, near: Draft, far: Draft | None, rng: np.random.Generator, *, real: bool
    ) -> Ends:
        """Choose partners in a relation: which new node each edge is of, and its partner.

        Parameters
        ----------
        kind
            The relation, into the type of the new nodes.
        near, far
            New nodes that look for partners, and new nodes that may be partners.
        real
            Whether real nodes may be partners.

        Returns
        -------
        tuple
            int64 (E,) both: places among the new nodes; numbers of partners, the new behind all real ones.
        """
        known = self.known[kind[0]]
        usable = np.flatnonzero(known.joinable) if real else np.empty(0, np.int64)
        numbers = [known.rows[usable], known.size + np.arange(0 if far is None else len(far.z))]
        partner = np.concatenate(numbers)
        column = self.relations_into(kind[2]).index(kind)
        if "structure" not in self.aspects:
            counts = np.minimum(near.degrees[:, column], len(partner))
            chosen = [rng.choice(len(partner), count, replace=False) for count in counts]
            places, picked = (
                np.repeat(np.arange(len(counts)), counts),
                np.concatenate([np.empty(0, np.int64), *chosen]),
            )
        else:
            query, pool = self._scores(kind, near, far, usable, rng)
            places, picked = draw_partners(query, near.degrees[:, column], pool, rng)
        found = partner[picked]
        if far is near and kind[0] == kind[2]:
            return _half(places, found, known.size, rng)
        return places, found

    def _scores(
        self, kind: EdgeType, near: Draft, far: Draft | None, usable: Ints, rng: np.random.Generator
    ) -> tuple[Floats, Floats]:
        known, number, partners = self.known[kind[0]], self.decoders.relations[kind], self.decoders.partners
        latents, classes = [known.latents(usable, rng)], [known.classes[usable]]
        out = [*self._out_of(kind[0])].index(kind)
        degrees = [known.sent[usable, out]]
        if far is not None:
            latents.append(far.z)
            classes.append(far.classes)
            degrees.append(self._own_degrees(kind, far))
        with torch.no_grad():
            query = partners.query(number, self._context(kind[2], near.z, near.classes))
            context = self._context(kind[0], np.concatenate(latents), np.concatenate(classes))
            pool = partners.key(number, context, torch.from_numpy(np.concatenate(degrees)).float())
        return query.numpy(), pool.numpy()

    def _own_degrees(self, kind: EdgeType, far: Draft) -> Ints:
        """How many edges new partners want: their degree in the relation walked the other way."""
        into = self.relations_into(kind[0])
        back = kind if kind in into else reversed_(kind)
        return far.degrees[:, into.index(back)]

    def table(
        self, kind: EdgeType, ends: Ends, drafts: Mapping[str, Draft], rng: np.random.Generator
    ) -> tuple[EdgeType, EdgeTable]:
        """Return the edge type and edges as it holds them, with attributes, time and direction.

        Parameters
        ----------
        kind
            The relation.
        ends
            What :meth:`ends` gave.
        drafts
            New nodes by type.
        """
        stored = kind if kind in self.edges else reversed_(kind)
        columns, backwards = self.edges[stored], stored != kind
        near, far = ends
        size = self.known[kind[2]].size
        z_near, class_near = drafts[kind[2]].z[near], drafts[kind[2]].classes[near]
        z_far, class_far = self._of_partners(kind[0], far, drafts.get(kind[0]), rng)
        contexts = [self._context(kind[2], z_near, class_near), self._context(kind[0], z_far, class_far)]
        if backwards:
            contexts.reverse()
        codes = self.decoders.edge(stored).draw(torch.cat(contexts, dim=1), rng)
        values = columns.mixed.decode(codes, rng)
        base = later(drafts[kind[2]].times, near, self._time_of(kind[0], drafts.get(kind[0])), far)
        return stored, columns.table(near + size, far, values, base, backwards=backwards)

    def walked(self, kind: EdgeType, target: str) -> EdgeType:
        """Return the relation of an edge type in which nodes of the target, or else its own targets, ask."""
        return reversed_(kind) if kind[0] == target != kind[2] else kind

    def _of_partners(
        self, name: str, numbers: Ints, draft: Draft | None, rng: np.random.Generator
    ) -> tuple[Floats, Ints]:
        known = self.known[name]
        place = np.zeros(known.size, np.int64)
        place[known.rows] = np.arange(len(known.rows))
        new = numbers >= known.size
        z, classes = (
            np.empty((len(numbers), known.mean.shape[1]), np.float32),
            np.empty(len(numbers), np.int64),
        )
        z[~new], classes[~new] = known.latents(place[numbers[~new]], rng), known.classes[place[numbers[~new]]]
        if draft is not None:
            z[new], classes[new] = (
                draft.z[numbers[new] - known.size],
                draft.classes[numbers[new] - known.size],
            )
        return z, classes

    def _time_of(self, name: str, draft: Draft | None) -> Ints:
        """Times by number, the new behind the real; of length 0 without times."""
        known = self.known[name]
        if not len(known.time):
            return known.time
        times = np.zeros(known.size, np.int64)
        times[known.rows] = known.time
        return times if draft is None else np.concatenate([times, draft.times])

    def _context(self, name: str, z: Floats, classes: Ints) -> torch.Tensor:
        return self.decoders.node(name).context(torch.from_numpy(z), torch.from_numpy(classes))

    def relations_into(self, name: str) -> list[EdgeType]:
        """Return the relations in which nodes of a type look for partners."""
        return [kind for kind in self.decoders.relations if kind[2] == name]

    def _out_of(self, name: str) -> list[EdgeType]:
        return [kind for kind in self.decoders.relations if kind[0] == name]


def reversed_(kind: EdgeType) -> EdgeType:
    """Return a relation walked the other way."""
    back = kind[1].removeprefix(REVERSE) if kind[1].startswith(REVERSE) else REVERSE + kind[1]
    return kind[2], back, kind[0]


def _half(places: Ints, found: Ints, size: int, rng: np.random.Generator) -> Ends:
    """Keep every second edge among new nodes: both of its ends have asked for it; none to itself, none twice."""
    among = found >= size
    kept = ~among | (rng.random(len(found)) < 0.5)
    kept &= found != places + size
    low, high = np.minimum(places, found - size), np.maximum(places, found - size)
    pair = np.where(among, low * (high.max(initial=0) + 1) + high, -1 - np.arange(len(found)))
    first = np.zeros(len(found), bool)
    order = np.flatnonzero(kept)
    first[order[np.unique(pair[order], return_index=True)[1]]] = True
    return places[first], found[first]


__all__ = ["Drawing", "Ends", "reversed_"]
