"""The denoiser: an MLP on latents that knows the level of noise, the class and the node type."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

WAVES = 32


@final
class Denoiser(nn.Module):
    """F(x, noise; class, type), residual: its first answer is 0.

    Parameters
    ----------
    width
        Of the latents.
    classes, types
        How many of either.
    hidden
        Width within.
    blocks
        Residual blocks, each of two layers.
    """

    waves: Tensor

    def __init__(
        self, width: int, classes: int = 3, types: int = 1, hidden: int = 128, blocks: int = 2
    ) -> None:
        super().__init__()
        self.into = nn.Linear(width, hidden)
        self.noise = nn.Sequential(nn.Linear(2 * WAVES, hidden), nn.SiLU(), nn.Linear(hidden, hidden))
        self.classes = nn.Embedding(classes, hidden)
        self.types = nn.Embedding(types, hidden)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.LayerNorm(hidden), nn.Linear(hidden, hidden), nn.SiLU(), nn.Linear(hidden, hidden)
            )
            for _ in range(blocks)
        )
        self.out = nn.Linear(hidden, width)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)
        self.register_buffer("waves", torch.exp(torch.linspace(0, math.log(100), WAVES)), persistent=False)

    def forward(self, x: Tensor, noise: Tensor, classes: Tensor, types: Tensor) -> Tensor:
        """Map (n, width), noise (n,), classes and types int64 (n,) to (n, width)."""
        angles = noise[:, None] * self.waves
        told = self.noise(torch.cat([angles.sin(), angles.cos()], dim=1))
        pairs = self.classes.weight[:, None] + self.types.weight  # few, and each row has one
        told = told + pairs.flatten(0, 1).index_select(0, classes * len(self.types.weight) + types)
        h = self.into(x)
        for block in self.blocks:
            h = h + block(h + told)
        out: Tensor = self.out(silu(h))
        return out


__all__ = ["Denoiser"]
