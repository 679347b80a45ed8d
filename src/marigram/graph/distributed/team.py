"""Who computes which of a step's batches, when a module learns by :func:`marigram.graph.optimise.optimise`.

Batch b of step s is the one that a run of single batches would draw in step ``s * batches + b``; the gradient of a
step is the mean of theirs. So what is learned follows from the number of batches, not from how many processes compute
them: two processes with two batches learn the very bits that one process with two batches learns.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, final

from torch import Tensor, nn
from torch import distributed as dist
from torch.nn.parallel import DistributedDataParallel

from marigram.errors import InputError, ParameterError
from marigram.graph.adamw import device_of, set_generator

if TYPE_CHECKING:
    from marigram.graph.distributed.peers import Peers

MOST_BATCHES = 1024


@final
class Team:
    """Shares out a step's batches.

    Parameters
    ----------
    batches
        Of a step, 1 to 1,024: their gradients are averaged.
    peers
        The processes that learn the same module, of which this is one; None: there are no others. Their number divides
        the number of batches.

    Raises
    ------
    ParameterError
        It does not.
    """

    def __init__(self, batches: int = 1, peers: Peers | None = None) -> None:
        self.batches, self.peers = batches, peers
        self.number, self.count = (0, 1) if peers is None else (peers.number, peers.count)
        check_shares(batches, self.count)

    @property
    def first(self) -> bool:
        """Whether this process is the one that writes and decides."""
        return self.number == 0

    def teacher(
        self, module: nn.Module, loss: Callable[[int], Tensor], seed: Callable[[int], int]
    ) -> Callable[[int], float]:
        """Return what leaves the gradient of a step in the module's parameters, and returns this process's mean loss.

        Parameters
        ----------
        module
            Learns.
        loss
            Number of a batch -> what is to be made small.
        seed
            Number of a batch -> of torch's generator.
        """
        lesson: nn.Module = _Lesson(module, loss)
        if self.peers is not None:
            lesson = self.peers.wrapped(lesson)
        own, device = range(self.number, self.batches, self.count), device_of(module)

        def teach(step: int) -> float:
            total = 0.0
            for batch in own:
                number = step * self.batches + batch
                set_generator(seed(number), device)
                with self._apart(lesson, last=batch == own[-1]):
                    value = lesson(number) / len(own)
                    if value.requires_grad:  # a graph may leave nothing to learn: no edges, no columns
                        value.backward()
                total += float(value.detach())
            return total

        return teach

    def agree(self, what: str, *facts: bytes) -> None:
        """Raise ``InputError`` in every process unless all of them know the same facts."""
        if self.peers is None:
            return
        digest = hashlib.blake2b(b"\0".join(facts), digest_size=8).digest()
        found = self.peers.all_of(int.from_bytes(digest, "little", signed=True))
        other = next((number for number, one in enumerate(found) if one != found[0]), None)
        if other is not None:
            raise InputError(0, f"learning processes 1 and {other + 1} disagree: {what}")

    def agree_on_weights(self, stage: str, module: nn.Module) -> None:
        """Raise ``InputError`` in every process unless a module is the same in all."""
        if self.peers is not None:
            weights = [tensor.detach().cpu().numpy().tobytes() for tensor in module.state_dict().values()]
            self.agree(
                f"they have other weights in stage {stage!r}; their machines compute differently", *weights
            )

    def mean(self, value: float) -> float:
        """Return the mean of a number over all processes."""
        return value if self.peers is None else self.peers.total(value) / self.count

    def decided(self, value: Callable[[], float]) -> float:
        """Return what the first process finds."""
        found = value() if self.first else 0.0
        return found if self.peers is None else self.peers.total(found)

    def own(self, parts: Any) -> Any:
        """Return those of some parts that this process computes."""
        return parts[self.number :: self.count]

    def joined(self, *parts: Tensor) -> None:
        """Fill in what others computed, in place: tensors that are 0 wherever this process has no part."""
        if self.peers is not None:
            for part in parts:
                self.peers.add(part)

    def _apart(self, lesson: nn.Module, *, last: bool) -> Any:
        """Gradients are exchanged once a step, with its last batch."""
        if last or not isinstance(lesson, DistributedDataParallel):
            return nullcontext()
        return lesson.no_sync()


@final
class _Lesson(nn.Module):
    """A loss as a module, for what averages gradients wants one."""

    def __init__(self, module: nn.Module, loss: Callable[[int], Tensor]) -> None:
        super().__init__()
        self.module, self._loss = module, loss

    def forward(self, number: int) -> Tensor:
        value = self._loss(number)
        if value.requires_grad or not dist.is_initialized():
            return value
        return value + 0 * next(self.module.parameters()).sum()  # the others wait for a gradient


def check_shares(batches: int, processes: int) -> None:
    """Raise ``ParameterError`` unless a step has 1 to 1,024 batches, and each process as many of them."""
    if type(batches) is not int or not 1 <= batches <= MOST_BATCHES:
        raise ParameterError(f"batches must be an integer from 1 to {MOST_BATCHES:,}, got {batches!r}")
    if type(processes) is not int or not 1 <= processes <= batches or batches % processes:
        raise ParameterError(
            f"processes must be an integer from 1 that divides batches ({batches}), got {processes!r}: each process "
            "computes as many of a step's batches"
        )


__all__ = ["MOST_BATCHES", "Team", "check_shares"]
