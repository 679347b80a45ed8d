"""Filters that see how far a node stands out from its surroundings: the low and the high parts of its spectrum apart.

Reference: J. Tang, J. Li, Z. Gao, J. Li, "Rethinking Graph Neural Networks for Anomaly Detection", ICML 2022: anomalies
move energy to high frequencies ("right shift"), which the low-pass filters of ordinary layers throw away.
"""

from __future__ import annotations

import math
from typing import final

import numpy as np
import torch
from torch import Tensor, nn

from marigram.errors import ParameterError
from marigram.graph.messages import Adjacency, aggregate


@final
class BetaWavelets(nn.Module):
    """Beta wavelets of order C (equations 6 and 7): C + 1 filters of the normalised Laplacian L = I - D^-1/2 A D^-1/2.

    W_p = (L / 2)^p (I - L / 2)^(C - p) / (2 B(p + 1, C + 1 - p)) for p = 0, …, C: from low-pass to high-pass, each
    local to C hops. The powers of L are computed once for all filters. Y = [W_0 X; …; W_C X] W + b.

    Parameters
    ----------
    width, out
        Before and after.
    order
        C, from 1 to 8.
    """

    coefficients: Tensor

    def __init__(self, width: int, out: int, order: int = 2) -> None:
        super().__init__()
        if not 1 <= order <= 8:
            raise ParameterError(f"order must be from 1 to 8, got {order}")
        self.register_buffer("coefficients", torch.from_numpy(beta_coefficients(order)), persistent=False)
        self.mix = nn.Linear((order + 1) * width, out)

    def forward(self, x: Tensor, adjacency: Adjacency) -> Tensor:
        """Map (n, width) to (n, out)."""
        scale = torch.from_numpy(np.maximum(adjacency.csr.degrees, 1)).to(x.dtype).rsqrt()[:, None]
        powers = [x]
        for _ in range(len(self.coefficients) - 1):
            powers.append(powers[-1] - aggregate(powers[-1] * scale, adjacency) * scale)
        filtered = torch.einsum("pk,knf->npf", self.coefficients.to(x.dtype), torch.stack(powers))
        out: Tensor = self.mix(filtered.flatten(1))
        return out


def beta_coefficients(order: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Return (C + 1, C + 1): row p holds the coefficients of W_p in the powers of L, lowest first."""
    half, rest = np.polynomial.Polynomial([0, 0.5]), np.polynomial.Polynomial([1, -0.5])
    rows = np.zeros((order + 1, order + 1))
    for p in range(order + 1):
        beta = math.factorial(p) * math.factorial(order - p) / math.factorial(order + 1)
        rows[p] = (half**p * rest ** (order - p)).coef
        rows[p] /= 2 * beta
    return rows


__all__ = ["BetaWavelets", "beta_coefficients"]
