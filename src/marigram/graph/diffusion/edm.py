"""Diffusion in continuous noise levels: preconditioning, loss and Heun's sampler.

Reference: T. Karras, M. Aittala, T. Aila, S. Laine, "Elucidating the Design Space of Diffusion-Based Generative
Models", NeurIPS 2022; equations 5, 7 and 8, table 1, algorithms 1 and 2. Its symbols are kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from marigram.errors import ParameterError

Network = Callable[[Tensor, Tensor], Tensor]
"""F(x (n, d), noise (n,)) -> (n, d)."""


@final
@dataclass(frozen=True, kw_only=True)
class Edm:
    """Noise of level σ is added to data of standard deviation ``sigma_data``, and taken away along an ODE.

    Parameters
    ----------
    steps
        N of the sampler, from 2. More follow the ODE more closely.
    sigma_data
        Of the standardised data.
    sigma_min, sigma_max, rho
        Where the levels of the sampler begin and end and how they are spaced: σ_i = (σ_max^{1/ρ} + i / (N - 1)
        (σ_min^{1/ρ} - σ_max^{1/ρ}))^ρ, σ_N = 0 (equation 5).
    p_mean, p_std
        In training ln σ ~ Normal(p_mean, p_std²). The paper's -1.2 is for sigma_data 0.5; here it is shifted by ln 2.
    churn
        S_churn of algorithm 2: how much fresh noise is added on the way; 0 is algorithm 1, which draws nothing.
    """

    steps: int = 32
    sigma_data: float = 1.0
    sigma_min: float = 0.004
    sigma_max: float = 80.0
    rho: float = 7.0
    p_mean: float = -0.5
    p_std: float = 1.2
    churn: float = 0.0

    def __post_init__(self) -> None:
        if type(self.steps) is not int or not 2 <= self.steps <= 10_000:
            raise ParameterError(f"steps must be an integer from 2 to 10000, got {self.steps!r}")

    def denoise(self, network: Network, x: Tensor, sigma: Tensor) -> Tensor:
        """D(x; σ) = c_skip x + c_out F(c_in x; c_noise) (equation 7, table 1): x (n, d), σ (n,) -> (n, d)."""
        s, d = sigma[:, None], self.sigma_data
        root = (s**2 + d**2).sqrt()
        c_skip, c_out, c_in = d**2 / root**2, s * d / root, 1 / root
        return c_skip * x + c_out * network(c_in * x, sigma.log() / 4)

    def loss(self, network: Network, y: Tensor) -> Tensor:
        """Return λ(σ) |D(y + n; σ) - y|² / d of each row, σ and n drawn anew (equation 2): (n,).

        By equation 8 that is |F(c_in (y + n); c_noise) - (y - c_skip (y + n)) / c_out|² / d, since λ c_out² = 1.
        """
        sigma = (self.p_mean + self.p_std * torch.randn(len(y), device=y.device)).exp()
        s, d = sigma[:, None], self.sigma_data
        noised = torch.addcmul(y, s, torch.randn_like(y))
        root = (s**2 + d**2).sqrt()
        wanted = (y - (d / root) ** 2 * noised) * (root / (s * d))
        return ((network(noised / root, sigma.log() / 4) - wanted) ** 2).mean(1)

    def levels(self, strength: float = 1.0) -> Tensor:
        """Return σ_i for the last ``strength`` of the steps, and 0: at least one step."""
        low, high = self.sigma_min ** (1 / self.rho), self.sigma_max ** (1 / self.rho)
        t = (
            high + torch.arange(self.steps, dtype=torch.float64) / (self.steps - 1) * (low - high)
        ) ** self.rho
        first = self.steps - max(1, math.ceil(strength * self.steps))
        return torch.cat([t[first:], t.new_zeros(1)])

    @torch.no_grad()
    def sample(
        self,
        network: Network,
        noise: Callable[[], Tensor],
        start: Tensor | None = None,
        strength: float = 1.0,
    ) -> Tensor:
        """Solve the ODE from noise to data (algorithm 2; algorithm 1 when ``churn`` is 0).

        Parameters
        ----------
        network
            F.
        noise
            Gives (n, d) of standard normal numbers at each call.
        start, strength
            Data to which noise of ``strength`` of the steps is added first; None begins with noise alone.
        """
        t = self.levels(strength)
        x = t[0].float() * noise()
        if start is not None:
            x = x + start
        gamma = min(self.churn / self.steps, math.sqrt(2) - 1)
        for now, then in zip(t[:-1].tolist(), t[1:].tolist(), strict=True):
            if gamma:
                raised = now * (1 + gamma)
                x = x + math.sqrt(raised**2 - now**2) * noise()
                now = raised
            slope = self._slope(network, x, now)
            ahead = x + (then - now) * slope
            if then > 0:
                slope = (slope + self._slope(network, ahead, then)) / 2
            x = x + (then - now) * slope
        return x

    def _slope(self, network: Network, x: Tensor, sigma: float) -> Tensor:
        """dx/dσ = (x - D(x; σ)) / σ."""
        return (x - self.denoise(network, x, x.new_full((len(x),), sigma))) / sigma


__all__ = ["Edm", "Network"]
