"""The loop in which a network learns: weighted classes, clipped gradients, and the epoch that validates best.

Nothing global changes: the random generator and torch's number of threads are as before, and the same seed gives the
same weights. torch gets one thread unless told otherwise: where cores are shared, more were slower by an order of
magnitude, because OpenMP's threads wait by spinning.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import Module
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.nn.utils import clip_grad_norm_

from marigram.errors import ParameterError
from marigram.evaluate.metrics import average_precision
from marigram.graph.networks.network import GraphNetwork
from marigram.graph.networks.sources import NodeSource

if TYPE_CHECKING:
    from marigram.graph.distributed.peers import Peers

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]


@final
@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """How a network learns; checked when it is made.

    Parameters
    ----------
    epochs
        At most so many passes over the training nodes, from 1.
    patience
        Stop after so many epochs without a better average precision on validation, from 1.
    rate
        Of Adam; above 0.
    decay
        Of the weights (decoupled), from 0.
    clip
        Largest norm of a gradient; above 0.
    balance
        Weight of an anomaly's loss: (normal / anomalous)^balance, 0 to 1. 1 weighs both classes alike.
    seed
        Of dropout.
    threads
        Of torch, from 1, while learning.
    processes
        That learn together, each on its part of the training nodes, from 1: see :mod:`marigram.graph.distributed`.
        Each takes a batch at a time, so a step sees as many batches as there are processes.
    """

    epochs: int = 300
    patience: int = 50
    rate: float = 3e-3
    decay: float = 1e-4
    clip: float = 1.0
    balance: float = 0.5
    seed: int = 0
    threads: int = 1
    processes: int = 1

    def __post_init__(self) -> None:
        for name in ("epochs", "patience", "threads", "processes"):
            if type(getattr(self, name)) is not int or getattr(self, name) < 1:
                raise ParameterError(f"{name} must be an integer of at least 1, got {getattr(self, name)!r}")
        for name in ("rate", "clip"):
            if not 0 < getattr(self, name) < np.inf:
                raise ParameterError(f"{name} must be above 0 and finite, got {getattr(self, name)!r}")
        if not 0 <= self.decay < np.inf:
            raise ParameterError(f"decay must be at least 0 and finite, got {self.decay!r}")
        if not 0 <= self.balance <= 1:
            raise ParameterError(f"balance must be from 0 to 1, got {self.balance!r}")


@final
@dataclass(frozen=True)
class Training:
    """What came of it.

    Attributes
    ----------
    epoch
        The number of passes after which validation was best; all of them without validation.
    average_precision
        On validation after that epoch; NaN without validation.
    losses, validation
        The training loss and the validation's average precision of every epoch.
    """

    epoch: int
    average_precision: float
    losses: tuple[float, ...]
    validation: tuple[float, ...]


def train_network(
    network: GraphNetwork,
    source: NodeSource,
    labels: NDArray[Any],
    train: Ints,
    valid: Ints | None = None,
    *,
    weights: Floats | None = None,
    settings: TrainingSettings | None = None,
    peers: Peers | None = None,
) -> Training:
    """Teach a network in place; it ends with the weights of its best epoch.

    Parameters
    ----------
    network
        Learns.
    source
        Where its batches come from.
    labels
        (n,) over all nodes of the target type: 1 anomaly, 0 normal, in between a belief (for training alone).
    train, valid
        Numbers of the nodes to learn from, and to stop by. Without the latter all epochs are run.
    weights
        (n,): how much each node counts; all 1 by default.
    settings
        How it learns.
    peers
        The processes that learn the same network, of which this is one; None: there are no others.

    Raises
    ------
    ParameterError
        Training or validation lacks a class, or a label lies outside 0 to 1.
    """
    chosen = TrainingSettings() if settings is None else settings
    truth = np.asarray(labels, np.float32)
    counts = np.ones(len(truth), np.float32) if weights is None else np.asarray(weights, np.float32)
    _check(truth, train, "training")
    if valid is not None:
        _check(truth, valid, "validation")
    anomalous = float((truth * counts)[train].sum())
    boost = (float(counts[train].sum()) - anomalous) / anomalous
    emphasis = torch.tensor(boost**chosen.balance)
    with _settings_of_torch(chosen, 0 if peers is None else peers.number):
        return _learn(network, source, (truth, counts, emphasis), train, valid, chosen, peers)


def score_nodes(network: GraphNetwork, source: NodeSource, nodes: Ints, *, threads: int = 1) -> Floats:
    """Return the logit of each node of the target type in ``nodes``: float32 (len(nodes),)."""
    scores = np.empty(len(nodes), np.float32)
    was = network.training
    network.eval()
    with _threads_of_torch(threads), torch.no_grad():
        for batch, places, which in source.batches(nodes, None):
            scores[which] = network(batch)[torch.from_numpy(places)].numpy()
    network.train(was)
    return scores


def _learn(
    network: GraphNetwork,
    source: NodeSource,
    facts: tuple[Floats, Floats, Tensor],
    train: Ints,
    valid: Ints | None,
    settings: TrainingSettings,
    peers: Peers | None,
) -> Training:
    optimiser = torch.optim.AdamW(network.parameters(), settings.rate, weight_decay=settings.decay)
    model: Module = network if peers is None else peers.wrapped(network)
    losses: list[float] = []
    validation: list[float] = []
    best, best_epoch, best_weights = -np.inf, settings.epochs, None
    for epoch in range(settings.epochs):
        losses.append(_pass(model, source, facts, train, epoch, optimiser, settings.clip, peers))
        if valid is None:
            continue
        scores = _validated(network, source, valid, settings.threads, peers)
        validation.append(average_precision(facts[0][valid] == 1, scores))
        if validation[-1] > best:
            best, best_epoch = validation[-1], epoch + 1
            best_weights = copy.deepcopy(network.state_dict())
        elif epoch + 1 - best_epoch >= settings.patience:
            break
    if best_weights is not None:
        network.load_state_dict(best_weights)
    network.eval()
    return Training(best_epoch, best if valid is not None else np.nan, tuple(losses), tuple(validation))


def _validated(
    network: GraphNetwork, source: NodeSource, valid: Ints, threads: int, peers: Peers | None
) -> Floats:
    """The logits of the validation nodes, each scored by one of the processes."""
    if peers is None:
        return score_nodes(network, source, valid, threads=threads)
    return peers.gathered(score_nodes(network, source, peers.part(valid), threads=threads), len(valid))


def _pass(
    model: Module,
    source: NodeSource,
    facts: tuple[Floats, Floats, Tensor],
    train: Ints,
    epoch: int,
    optimiser: torch.optim.Optimizer,
    clip: float,
    peers: Peers | None,
) -> float:
    """One epoch; returns the mean loss of a node."""
    truth, counts, emphasis = facts
    model.train()
    own, own_counts = (train, counts[train]) if peers is None else _part(peers, train, counts)
    total = 0.0
    for batch, places, which in source.batches(own, epoch):
        optimiser.zero_grad()
        logits = model(batch)[torch.from_numpy(places)]
        weight = torch.from_numpy(own_counts[which])
        loss = binary_cross_entropy_with_logits(
            logits, torch.from_numpy(truth[own[which]]), weight, pos_weight=emphasis
        )
        loss.backward()  # type: ignore[no-untyped-call]
        clip_grad_norm_(model.parameters(), clip)
        optimiser.step()
        total += loss.item() * len(which)
    return total / len(train) if peers is None else peers.total(total) / (len(own) * peers.count)


def _part(peers: Peers, train: Ints, counts: Floats) -> tuple[Ints, Floats]:
    own, weights = peers.filled(train)
    return own, counts[own] * weights


def _check(truth: Floats, nodes: Ints, what: str) -> None:
    values = truth[nodes]
    if not ((values >= 0) & (values <= 1)).all():
        raise ParameterError(f"labels for {what} must be from 0 to 1")
    if not (values > 0.5).any() or not (values < 0.5).any():
        raise ParameterError(f"{what} needs an anomaly and a normal node at least")


@contextmanager
def _settings_of_torch(settings: TrainingSettings, process: int) -> Iterator[None]:
    """Seed and threads for the time of the block."""
    with torch.random.fork_rng(devices=[]), _threads_of_torch(settings.threads):
        torch.manual_seed(settings.seed + 1_000_003 * process)
        yield


@contextmanager
def _threads_of_torch(threads: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


__all__ = ["Training", "TrainingSettings", "score_nodes", "train_network"]
