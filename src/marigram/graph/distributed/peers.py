"""The processes that learn one network together: each on its part of the nodes, all with the same weights.

Gradients are averaged after every step (torch's DistributedDataParallel over gloo), so all weights stay the same to
the last bit. All processes take the same number of steps: a part that is one node short of the others gets a node of
weight 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch import distributed as dist
from torch.nn import Module
from torch.nn.parallel import DistributedDataParallel

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]


@final
class Peers:
    """One process among those that learn.

    Parameters
    ----------
    number
        From 0.
    count
        Of processes.
    """

    def __init__(self, number: int, count: int) -> None:
        self.number, self.count = number, count

    @classmethod
    @contextmanager
    def met(cls, meeting: Path, number: int, count: int) -> Iterator[Peers]:
        """Meet the others at a file that all of them can write to."""
        dist.init_process_group(
            "gloo", init_method=meeting.absolute().as_uri(), rank=number, world_size=count
        )
        try:
            yield cls(number, count)
        finally:
            dist.destroy_process_group()

    def part(self, nodes: Ints) -> Ints:
        """Return this process's part of some nodes."""
        return nodes[self.number :: self.count]

    def filled(self, nodes: Ints) -> tuple[Ints, Floats]:
        """Return this process's part, as long as every other's, and what each node in it counts.

        What is there counts a little over 1 where parts had to be filled up, so that the means over all parts add up.
        """
        own, most = self.part(nodes), -(-len(nodes) // self.count)
        weights = np.full(most, most * self.count / len(nodes), np.float32)
        weights[len(own) :] = 0
        return np.concatenate([own, nodes[: most - len(own)]]), weights

    def wrapped(self, network: Module) -> Module:
        """Return the network as one whose gradients are averaged over the processes."""
        return DistributedDataParallel(network, find_unused_parameters=True)

    def total(self, value: float) -> float:
        """Return the sum of a number over all processes."""
        summed = torch.tensor(value, dtype=torch.float64)
        dist.all_reduce(summed)
        return float(summed)

    def all_of(self, number: int) -> list[int]:
        """Return a number of 64 bits of every process."""
        found = [torch.zeros(1, dtype=torch.int64) for _ in range(self.count)]
        dist.all_gather(found, torch.tensor([number]))
        return [int(one) for one in found]

    def add(self, part: Tensor) -> None:
        """Put the sum over all processes in place of a tensor."""
        dist.all_reduce(part)

    def gathered(self, part: Floats, count: int) -> Floats:
        """Return the values of all nodes, of which every process has those of its :meth:`part`."""
        whole = np.zeros(count, np.float32)
        whole[self.number :: self.count] = part
        summed: Any = torch.from_numpy(whole)
        dist.all_reduce(summed)
        return np.asarray(summed.numpy())


__all__ = ["Peers"]
