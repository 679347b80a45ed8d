"""Teaching the decoders on latents that no longer change: the encoder has learned, and its answers are kept.

A step takes nodes of one type and one relation into it: what they are, whom they are connected to, and what an
edge type says. No neighbourhood is sampled any more, so a step costs a hundredth of the encoder's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from marigram.graph.data import EdgeType
from marigram.graph.decoders.edges import EDGES, EdgeColumns, later
from marigram.graph.decoders.mixed import MixedDecoder
from marigram.graph.decoders.nodes import Facts, NodeDecoder
from marigram.graph.decoders.structure import PartnerDecoder, slots_of
from marigram.graph.encoder.prepared import CLASSES, Prepared
from marigram.graph.encoder.training import FOCUS, Posterior
from marigram.graph.optimise import Checkpoint, Draw, Plan, Trace, half_precision, mixed, optimise

Ints = NDArray[np.int64]

ROWS = 256
POOL = 1024
"""Possible partners that stand for all in a step."""
EACH = 4
"""Partners of a node in a step."""
LOOKED = 1024


@final
class Decoders(nn.Module):
    """All decoders: nodes by type, partners by relation, edges by edge type."""

    def __init__(
        self,
        nodes: Mapping[str, NodeDecoder],
        relations: list[EdgeType],
        edges: Mapping[EdgeType, EdgeColumns],
        latent: int,
    ) -> None:
        super().__init__()
        self.types = {name: number for number, name in enumerate(nodes)}
        self.relations = {kind: number for number, kind in enumerate(relations)}
        self.kinds = {kind: number for number, kind in enumerate(edges)}
        context = latent + CLASSES
        self.nodes = nn.ModuleList(nodes.values())
        self.partners = PartnerDecoder(len(relations), context)
        self.edges = nn.ModuleList(
            MixedDecoder(columns.mixed.sizes, 2 * context) for columns in edges.values()
        )

    def node(self, name: str) -> NodeDecoder:
        """Return the decoder of a node type."""
        found = self.nodes[self.types[name]]
        assert isinstance(found, NodeDecoder)  # noqa: S101 - for the type checker
        return found

    def edge(self, kind: EdgeType) -> MixedDecoder:
        """Return the decoder of an edge type."""
        found = self.edges[self.kinds[kind]]
        assert isinstance(found, MixedDecoder)  # noqa: S101 - for the type checker
        return found


@final
@dataclass(frozen=True, eq=False)
class _Ends:
    """True partners of a relation: of each receiver those slots that may be learned from, and the pool."""

    starts: Ints
    stops: Ints
    senders: Ints
    pool: Ints


@final
@dataclass(frozen=True, eq=False)
class EdgeFacts:
    """Edges of a type to be decoded: near and far ends and classes, int64 (E, parts); the near type first."""

    near: Ints
    far: Ints
    codes: Tensor
    near_type: str
    far_type: str


@final
class _Contexts:
    """What decoders are given of the nodes of a type: z, drawn anew each time, and the class as three marks."""

    def __init__(self, posterior: Posterior, classes: Tensor) -> None:
        marks = torch.nn.functional.one_hot(classes, CLASSES).to(posterior.mean.dtype)
        self.mean, self.spread = torch.cat([posterior.mean, marks], dim=1), posterior.spread

    def draw(self, rows: Tensor) -> Tensor:
        """Return those of some nodes: (n, latent + classes)."""
        told, spread = self.mean.index_select(0, rows), self.spread.index_select(0, rows)
        told[:, : spread.shape[1]].addcmul_(spread, torch.randn_like(spread))
        return told


@final
class DecoderLosses:
    """Losses of the decoders on latents that are kept.

    Parameters
    ----------
    decoders, prepared, posterior, facts, edges
        What learns, the graph, the latents, and what is to come out.
    device
        Where it is computed.
    """

    def __init__(
        self,
        decoders: Decoders,
        prepared: Prepared,
        posterior: Mapping[str, Posterior],
        facts: Mapping[str, Facts],
        edges: Mapping[EdgeType, EdgeFacts],
        device: str,
    ) -> None:
        self.decoders, self.prepared, self.device = decoders, prepared, device
        self.contexts = {
            name: _Contexts(found.to(device), torch.from_numpy(prepared.classes[name]).to(device))
            for name, found in posterior.items()
        }
        self.facts = {name: found.to(device) for name, found in facts.items()}
        self.edge_facts = {
            kind: replace(found, codes=found.codes.to(device)) for kind, found in edges.items()
        }
        self.ends = {kind: _ends(prepared, kind) for kind in prepared.relations}
        self.degrees = {
            kind: torch.from_numpy(partner_degrees(prepared, kind)).to(device) for kind in prepared.relations
        }

    def of_nodes(self, name: str, rows: Ints) -> Tensor:
        """Return -log p of nodes of a type: (n,)."""
        context, chosen = self._context(name, rows), torch.from_numpy(rows).to(self.device)
        return self.decoders.node(name).loss_within(context, self.facts[name], chosen)

    def of_partners(self, kind: EdgeType, rows: Ints, seed: int) -> Tensor:
        """Return -log p of true partners, of those of the nodes that have any: (n',)."""
        ends = self.ends[kind]
        rows = rows[ends.stops[rows] > ends.starts[rows]]
        if not len(rows):
            return torch.zeros(1, device=self.device)
        number = self.decoders.relations[kind]
        partners = self.decoders.partners
        right = ends.senders[slots_of(ends.starts, ends.stops, rows, seed, EACH)]
        pool = ends.pool
        if len(pool) > POOL:
            pool = np.random.default_rng(seed).choice(pool, POOL, replace=False)
        query = partners.query(number, self._context(kind[2], rows))
        keys = self._keys(number, kind, np.concatenate([right.ravel(), pool]))
        true = keys[: right.size].view(len(rows), EACH, -1)
        return partners.loss(query, true, keys[right.size :], len(ends.pool))

    def of_edges(self, kind: EdgeType, rows: Ints) -> Tensor:
        """Return -log p of what edges of a type say: (n,)."""
        facts = self.edge_facts[kind]
        context = [
            self._context(facts.near_type, facts.near[rows]), self._context(facts.far_type, facts.far[rows])
        ]  # fmt: skip
        chosen = torch.from_numpy(rows).to(self.device)
        return self.decoders.edge(kind).loss(torch.cat(context, dim=1), facts.codes.index_select(0, chosen))

    def _keys(self, number: int, kind: EdgeType, nodes: Ints) -> Tensor:
        degrees = self.degrees[kind].index_select(0, torch.from_numpy(nodes).to(self.device))
        return self.decoders.partners.key(number, self._context(kind[0], nodes), degrees)

    def _context(self, name: str, rows: Ints) -> Tensor:
        return self.contexts[name].draw(torch.from_numpy(rows).to(self.device))


def train_decoders(
    losses: DecoderLosses, learned: Mapping[str, Ints], held_out: Ints, *, plan: Plan, checkpoint: Checkpoint
) -> Trace:
    """Teach the decoders in place; parameters as of :func:`~marigram.graph.encoder.training.train_autoencoder`."""
    prepared, target = losses.prepared, losses.prepared.target
    names = [name for name, rows in learned.items() if len(rows)]
    others = [name for name in names if name != target]
    draws = {name: Draw(prepared.classes[name][learned[name]], learned[name]) for name in names}
    into = {name: prepared.into(name) for name in names}
    edges = [kind for kind, facts in losses.edge_facts.items() if len(facts.near)]

    def loss(step: int) -> Tensor:
        with half_precision(losses.device):
            return whole(step)

    def whole(step: int) -> Tensor:
        rng = np.random.default_rng(mixed(plan.seed, "rows", step))
        name = target if not others or rng.random() < FOCUS else others[int(rng.integers(len(others)))]
        rows = draws[name].draw(rng, ROWS)
        total = losses.of_nodes(name, rows).mean()
        if into[name]:
            kind = into[name][int(rng.integers(len(into[name])))]
            total = total + losses.of_partners(kind, rows, mixed(plan.seed, "partners", step)).mean()
        if edges:
            kind = edges[int(rng.integers(len(edges)))]
            some = rng.integers(len(losses.edge_facts[kind].near), size=ROWS)
            if losses.decoders.edge(kind).sizes:
                total = total + losses.of_edges(kind, some).mean()
        return total

    looked = held_out[:LOOKED]

    def held() -> float:
        total = float(losses.of_nodes(target, looked).mean())
        return total + sum(float(losses.of_partners(kind, looked, 1).mean()) for kind in into[target])

    return optimise(losses.decoders, loss, held if len(looked) else None, plan, checkpoint)


def edge_facts(
    prepared: Prepared, seed: int
) -> tuple[dict[EdgeType, EdgeColumns], dict[EdgeType, EdgeFacts]]:
    """Tell the columns of every edge type apart, by edges between nodes that may be learned from."""
    columns, facts = {}, {}
    for kind, table in prepared.graph.edges.items():
        free = prepared.allowed[kind[0]][table.src] & prepared.allowed[kind[2]][table.dst]
        rows = np.flatnonzero(free)
        if len(rows) > EDGES:
            rows = np.sort(np.random.default_rng(seed).choice(rows, EDGES, replace=False))
        symmetric = kind[0] == kind[2]
        mirrored = symmetric and len(prepared.relations[kind]) == table.count
        base = later(prepared.times[kind[0]], table.src[rows], prepared.times[kind[2]], table.dst[rows])
        columns[kind], values = EdgeColumns.fit(table, kind, rows, base, mirrored=mirrored)
        near, far = table.dst[rows], table.src[rows]
        if columns[kind].directed:  # the last column says whether the near end is the source
            out = values[:, -1] > 0
            near, far = np.where(out, far, near), np.where(out, near, far)
        codes = torch.from_numpy(columns[kind].mixed.encode(values))
        facts[kind] = EdgeFacts(near, far, codes, kind[2], kind[0])
    return columns, facts


def partner_degrees(prepared: Prepared, kind: EdgeType) -> NDArray[np.float32]:
    """Return how many edges of a relation each sender has: float32 (n,)."""
    csr = prepared.relations[kind]
    return np.bincount(csr.indices, minlength=csr.columns).astype(np.float32)


def _ends(prepared: Prepared, kind: EdgeType) -> _Ends:
    csr = prepared.relations[kind]
    free = prepared.allowed[kind[0]]
    if prepared.graph.nodes[kind[0]].splits is None:
        free = prepared.partners[kind[0]]
    kept = free[csr.indices]
    own = prepared.times[kind[2]]
    if len(own) and len(csr.times):
        kept &= csr.times <= own[csr.receivers]
    counts = np.bincount(csr.receivers[kept], minlength=csr.rows)
    stops = np.cumsum(counts)
    return _Ends(stops - counts, stops, csr.indices[kept].astype(np.int64), np.flatnonzero(free))


__all__ = [
    "DecoderLosses", "Decoders", "EdgeFacts", "edge_facts", "partner_degrees", "train_decoders",
]  # fmt: skip
