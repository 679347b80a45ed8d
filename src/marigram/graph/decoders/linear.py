"""The published decoder of features: one linear map of the latent, with squared error."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn


@final
class LinearDecoder(nn.Module):
    """x = W c + b on standardised columns (K. Liu et al., "Data Augmentation for Supervised Graph Outlier Detection
    via Latent Diffusion Models", LoG 2024, section 3.3).

    Parameters
    ----------
    width, context
        Columns, and width of c.
    """

    def __init__(self, width: int, context: int) -> None:
        super().__init__()
        self.width = width
        self.map = nn.Linear(context, max(width, 1))  # torch warns of maps to nothing

    def loss(self, context: Tensor, values: Tensor) -> Tensor:
        """Return the squared error of each row, summed over the columns: (n,)."""
        missed: Tensor = self.map(context)[:, : self.width] - values
        return 0.5 * (missed**2).sum(1)

    @torch.no_grad()
    def draw(self, context: Tensor) -> Tensor:
        """Return what each context gives: (n, width)."""
        out: Tensor = self.map(context)[:, : self.width]
        return out


__all__ = ["LinearDecoder"]
