"""AdamW over all parameters as one vector, and torch's generator of one device.

    g = ∂loss / ∂w · min(1, clip / |∂loss / ∂w|)
    w <- w - rate · decay · w
    m <- m + (1 - β1) (g - m),   v <- β2 v + (1 - β2) g²
    w <- w - rate · (m / (1 - β1^t)) / (√(v / (1 - β2^t)) + ε)

(I. Loshchilov and F. Hutter, "Decoupled Weight Decay Regularization", ICLR 2019, algorithm 2.) Modules of this package
have many small parameters and steps of a few milliseconds, of which an optimiser that looks at each parameter took a
sixth. Here they share one piece of memory, so that a step is a dozen operations however many they are. A parameter
that a step has not used, the decoder of another node type say, is not touched by it, and its t stays.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

BETAS = 0.9, 0.999
EPSILON = 1e-8


@final
class AdamW:
    """Changes parameters by their gradients.

    Parameters
    ----------
    parameters
        float32, of one device. From now on they are views of one vector.
    decay
        Of the weights, decoupled.
    clip
        Largest norm of the gradient of all together.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], *, decay: float, clip: float) -> None:
        self.parameters, self.decay, self.clip = list(parameters), decay, clip
        self.ends = np.cumsum([0, *(p.numel() for p in self.parameters)]).tolist()
        with torch.no_grad():
            joined = [p.reshape(-1) for p in self.parameters]
            self.weights = torch.cat(joined) if joined else torch.empty(0)
            for p, (first, last) in zip(self.parameters, pairwise(self.ends), strict=True):
                p.data = self.weights[first:last].view(p.shape)
        self.mean, self.square = torch.zeros_like(self.weights), torch.zeros_like(self.weights)
        self.steps = np.zeros(len(self.parameters), np.int64)

    def forget(self) -> None:
        """Let go of the gradients."""
        for p in self.parameters:
            p.grad = None

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Change what has a gradient."""
        runs = self._runs()
        if not runs:
            return
        gradients = [
            torch.cat([p.grad.reshape(-1) for p in self.parameters[first:last] if p.grad is not None])
            for first, last in runs
        ]
        norm = float(torch.stack([torch.linalg.vector_norm(g) for g in gradients]).norm())
        for (first, last), gradient in zip(runs, gradients, strict=True):
            if norm > self.clip:
                gradient.mul_(self.clip / norm)
            self._change(first, last, gradient, rate)

    def _change(self, first: int, last: int, gradient: Tensor, rate: float) -> None:
        """Take the step of some parameters that follow each other and have taken equally many."""
        self.steps[first:last] += 1
        taken = int(self.steps[first])
        place = slice(self.ends[first], self.ends[last])
        weights, mean, square = self.weights[place], self.mean[place], self.square[place]
        one, two = BETAS
        mean.lerp_(gradient, 1 - one)
        square.mul_(two).addcmul_(gradient, gradient, value=1 - two)
        scale = math.sqrt(1 - two**taken)
        root = square.sqrt().add_(scale * EPSILON)
        weights.mul_(1 - rate * self.decay).addcdiv_(mean, root, value=-rate * scale / (1 - one**taken))

    def _runs(self) -> list[tuple[int, int]]:
        """Parameters with a gradient, as stretches of those that have taken equally many steps."""
        told = [
            None if p.grad is None else taken
            for p, taken in zip(self.parameters, self.steps.tolist(), strict=True)
        ]
        cuts = [0, *(k for k in range(1, len(told)) if told[k] != told[k - 1]), len(told)]
        return [(first, last) for first, last in pairwise(cuts) if first < last and told[first] is not None]

    def state(self) -> dict[str, NDArray[Any]]:
        """Return what the next step depends on, beside the parameters."""
        return {
            "mean": self.mean.cpu().numpy(),
            "square": self.square.cpu().numpy(),
            "steps": self.steps.copy(),
        }

    def take_up(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from a state."""
        self.mean.copy_(torch.from_numpy(state["mean"]))
        self.square.copy_(torch.from_numpy(state["square"]))
        self.steps = state["steps"].copy()


def set_generator(seed: int, device: str) -> None:
    """Seed the generator of the CPU, and of the GPU when that is where it is computed.

    ``torch.manual_seed`` looks for every kind of device, and notes a stack trace for each that is not in use: a
    millisecond, and memory that is never given back.
    """
    torch.default_generator.manual_seed(seed)
    if device == "cuda":
        torch.cuda.manual_seed(seed)


def device_of(module: nn.Module) -> str:
    """Return where a module is: ``"cpu"`` or ``"cuda"``."""
    return next((p.device.type for p in module.parameters()), "cpu")


__all__ = ["AdamW", "device_of", "set_generator"]
