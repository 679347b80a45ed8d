"""Diffusion in T discrete steps: noise is added step by step, and a network takes it away step by step.

Reference: J. Ho, A. Jain, P. Abbeel, "Denoising Diffusion Probabilistic Models", NeurIPS 2020; equation 4 and
algorithms 1 and 2. The schedule is the cosine of A. Nichol and P. Dhariwal, ICML 2021, equation 17, which needs
fewer steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from marigram.errors import ParameterError
from marigram.graph.diffusion.edm import Network


@final
@dataclass(frozen=True, kw_only=True)
class Ddpm:
    """x_t = √ᾱ_t x_0 + √(1 - ᾱ_t) ε, for t = 1 … T.

    Parameters
    ----------
    steps
        T, from 2.
    """

    steps: int = 100

    def __post_init__(self) -> None:
        if type(self.steps) is not int or not 2 <= self.steps <= 10_000:
            raise ParameterError(f"steps must be an integer from 2 to 10000, got {self.steps!r}")

    def kept(self) -> Tensor:
        """Return ᾱ_0 … ᾱ_T: float64 (T + 1,), from 1 to nearly 0; no step takes more than .999 of it away."""
        t = torch.arange(self.steps + 1, dtype=torch.float64) / self.steps
        f = torch.cos((t + 0.008) / 1.008 * math.pi / 2) ** 2
        alpha = (f[1:] / f[:-1]).clamp(min=1e-3)
        return torch.cat([f.new_ones(1), alpha.cumprod(0)])

    def loss(self, network: Network, y: Tensor) -> Tensor:
        """Return |ε - F(x_t, t)|² / d of each row, t and ε drawn anew (algorithm 1): (n,)."""
        t = torch.randint(1, self.steps + 1, (len(y),), device=y.device)
        kept = self.kept().to(y)[t][:, None]
        noise = torch.randn_like(y)
        guess = network(kept.sqrt() * y + (1 - kept).sqrt() * noise, self._level(t))
        return ((noise - guess) ** 2).mean(1)

    @torch.no_grad()
    def sample(
        self,
        network: Network,
        noise: Callable[[], Tensor],
        start: Tensor | None = None,
        strength: float = 1.0,
    ) -> Tensor:
        """Take the noise away (algorithm 2); parameters as of :meth:`Edm.sample`."""
        kept = self.kept().tolist()
        first = max(1, math.ceil(strength * self.steps))
        x = noise()
        if start is not None:
            x = math.sqrt(kept[first]) * start + math.sqrt(1 - kept[first]) * x
        for t in range(first, 0, -1):
            alpha = kept[t] / kept[t - 1]
            level = self._level(torch.full((len(x),), t, device=x.device))
            guess = network(x, level)
            clean = (x - math.sqrt(1 - kept[t]) * guess) / math.sqrt(kept[t])
            clean = clean.clamp(-6, 6)  # nothing standardised lies beyond; the first steps divide by nearly 0
            mean = math.sqrt(kept[t - 1]) * (1 - alpha) * clean + math.sqrt(alpha) * (1 - kept[t - 1]) * x
            x = mean / (1 - kept[t])
            if t > 1:
                x = x + math.sqrt((1 - alpha) * (1 - kept[t - 1]) / (1 - kept[t])) * noise()
        return x

    def _level(self, t: Tensor) -> Tensor:
        """What the network is told of t: from -1 to 1."""
        return 2 * t.float() / self.steps - 1


__all__ = ["Ddpm"]
