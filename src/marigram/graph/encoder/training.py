"""Teaching the variational autoencoder: sampled neighbourhoods in, the nodes and what surrounds them out.

The loss of a seed is -log p(degrees, time, features | z, class) + |surroundings - S z|² / 2 + β KL(q(z) || N(0, 1)):
what a node's neighbours are like on average must be in z, or the structure decoder could not find such neighbours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from marigram.graph.decoders.nodes import Facts, NodeColumns, NodeDecoder
from marigram.graph.distributed.team import Team
from marigram.graph.encoder.encoder import Encoder, divergence
from marigram.graph.encoder.prepared import CLASSES, UNKNOWN, Prepared
from marigram.graph.encoder.shells import shells_of
from marigram.graph.layers import GraphBatch
from marigram.graph.optimise import Checkpoint, Draw, Plan, Trace, mixed, optimise
from marigram.graph.sampler import NeighbourSampler

Ints = NDArray[np.int64]

FANOUTS = (5, 3, 2, 2)
"""Neighbours of a node and relation that are sampled, hop by hop: the means over all are among the inputs."""
SEEDS = 256
LOOKED = 512
"""Held-out nodes that are looked at."""
FORGET = 0.1
"""Share of seeds whose class is not told to the encoder."""
FOCUS = 0.6
"""Share of the steps whose seeds are of the type with labels."""


@final
@dataclass(frozen=True, eq=False)
class Posterior:
    """μ and σ of the nodes of a type, float32 (n, latent); 0 and 1 for those that may not be learned from."""

    mean: Tensor
    spread: Tensor

    def to(self, device: str) -> Posterior:
        """Return the same on a device."""
        return Posterior(self.mean.to(device), self.spread.to(device))

    def draw(self, rows: Tensor) -> Tensor:
        """Draw z of some nodes, from torch's generator."""
        mean = self.mean[rows]
        return mean + self.spread[rows] * torch.randn_like(mean)


@final
class Autoencoder(nn.Module):
    """The encoder, a decoder for each node type, and linear maps from z to the surroundings."""

    def __init__(
        self, encoder: Encoder, decoders: Mapping[str, NodeDecoder], around: Mapping[str, int], latent: int
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.numbers = {name: number for number, name in enumerate(decoders)}
        self.decoders = nn.ModuleList(decoders.values())
        self.around = nn.ModuleList(nn.Linear(latent, around[name]) for name in decoders)

    def decoder(self, name: str) -> NodeDecoder:
        """Return the decoder of a node type."""
        found = self.decoders[self.numbers[name]]
        assert isinstance(found, NodeDecoder)  # noqa: S101 - for the type checker
        return found


@final
class Batches:
    """Sampled neighbourhoods of seeds, with what is known of the seeds.

    Parameters
    ----------
    prepared
        The graph.
    hops
        How far.
    seed
        Of samples.
    """

    def __init__(self, prepared: Prepared, hops: int, seed: int) -> None:
        self.prepared = prepared
        fanouts = (FANOUTS + FANOUTS[-1:] * hops)[:hops]
        self.sampler = (
            NeighbourSampler(prepared.relations, fanouts, seed=seed) if prepared.relations else None
        )

    def around(self, name: str, seeds: Ints, epoch: int) -> list[GraphBatch]:
        """Sample around seeds of a type, a batch for each layer; the same epoch gives the same neighbours."""
        features = self.prepared.features
        if self.sampler is None:
            own = {name: features[name][torch.from_numpy(seeds)]}
            return [GraphBatch(own, {}, name)]
        times = self.prepared.times[name]
        limits = times[seeds] if len(times) else None
        self.sampler.epoch = epoch
        found = self.sampler.sample(name, seeds, limits)
        relations = self.prepared.relations
        return shells_of(
            found, features, relations, name, seeds=len(seeds), hops=self.sampler.hops, times=limits
        )


def train_autoencoder(
    model: Autoencoder,
    batches: Batches,
    facts: Mapping[str, Facts],
    learned: Mapping[str, Ints],
    held_out: Ints,
    *,
    beta: float,
    plan: Plan,
    checkpoint: Checkpoint,
) -> Trace:
    """Teach it in place.

    Parameters
    ----------
    model, batches, facts
        What learns, what it is given, and what is to come out of each type.
    learned
        Node type -> nodes to learn from.
    held_out
        Nodes of the target type to stop by.
    beta
        Weight of the divergence.
    plan, checkpoint
        How long, and where its state is kept.
    """
    prepared = batches.prepared
    draws = {name: Draw(prepared.classes[name][rows], rows) for name, rows in learned.items() if len(rows)}
    others = [name for name in draws if name != prepared.target]
    sizes = np.array([np.sqrt(len(draws[name].rows)) for name in others])

    def loss(step: int) -> Tensor:
        rng = np.random.default_rng(mixed(plan.seed, "seeds", step))
        name = prepared.target
        if others and rng.random() > FOCUS:
            name = others[int(rng.choice(len(others), p=sizes / sizes.sum()))]
        seeds = np.unique(draws[name].draw(rng, SEEDS))
        forgotten = rng.random(len(seeds)) < FORGET
        return _loss(model, batches, facts[name], name, seeds, forgotten, step + 1, beta).mean()

    looked = held_out[:LOOKED]

    def held() -> float:
        kept = np.zeros(len(looked), bool)
        return float(
            _loss(model, batches, facts[prepared.target], prepared.target, looked, kept, 0, beta).mean()
        )

    return optimise(model, loss, held if len(looked) else None, plan, checkpoint)


def _loss(
    model: Autoencoder, batches: Batches, facts: Facts, name: str, seeds: Ints, forgotten: NDArray[np.bool_],
    epoch: int, beta: float,
) -> Tensor:  # fmt: skip
    shells = batches.around(name, seeds, epoch)
    batch = shells[0]
    told = torch.from_numpy(np.where(forgotten, UNKNOWN, batches.prepared.classes[name][seeds]))
    batch.features[name][: len(seeds), -CLASSES:] = torch.nn.functional.one_hot(told, CLASSES).float()
    mean, spread = model.encoder(shells)
    z = mean + spread * torch.randn_like(mean)
    rows = torch.from_numpy(seeds)
    loss = model.decoder(name).loss(z, told, facts, rows)
    around = torch.from_numpy(batches.prepared.around[name][seeds])
    missed = around - model.around[model.numbers[name]](z)
    total: Tensor = loss + 0.5 * (missed**2).sum(1) + beta * divergence(mean, spread)
    return total


@torch.no_grad()
def encode(model: Autoencoder, batches: Batches, name: str, latent: int, team: Team) -> Posterior:
    """Return the posterior of the nodes of a type that may be learned from or joined; a team shares the work."""
    prepared = batches.prepared
    rows = np.flatnonzero(prepared.allowed[name] | prepared.partners[name])
    mean = torch.zeros(len(prepared.allowed[name]), latent)
    spread = torch.zeros_like(mean)
    model.eval()
    for start in team.own(range(0, len(rows), 2 * SEEDS)):
        some = rows[start : start + 2 * SEEDS]
        found = model.encoder(batches.around(name, some, 0))
        mean[some], spread[some] = found[0], found[1]
    team.joined(mean, spread)
    spread[~(prepared.allowed[name] | prepared.partners[name])] = 1
    return Posterior(mean, spread)


def columns_of(prepared: Prepared) -> dict[str, NodeColumns]:
    """Tell the columns of every type apart, by the nodes that may be learned from."""
    return {
        name: NodeColumns.fit(
            table, prepared.degrees[name], prepared.times[name], np.flatnonzero(prepared.allowed[name])
        )
        for name, table in prepared.graph.nodes.items()
    }


__all__ = ["Autoencoder", "Batches", "Posterior", "columns_of", "encode", "train_autoencoder"]
