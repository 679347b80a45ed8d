"""The variational encoder: what a node and its surroundings are, as a Gaussian over few numbers.

    h_0 = gelu(W_type x),   h_l = h_{l-1} + layer_l(norm(h_{l-1})),   q(z | x, edges) = Normal(μ, diag σ²),
    (μ, log σ) = W [h_0, norm(h_L)]

(D. Kingma and M. Welling, "Auto-Encoding Variational Bayes", ICLR 2014; T. Kipf and M. Welling, "Variational Graph
Auto-Encoders", 2016.) The layers are heterogeneous graph transformers, which attend by node type, relation and age of
the edge, or GraphSAGE as the small alternative. The class of each node is among its inputs: normal, anomalous or
unknown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, final

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from marigram.graph.data import EdgeType
from marigram.graph.layers import ByRelation, GraphBatch, HgtConv, SageConv

EncoderKind = Literal["hgt", "sage"]

_LOWEST, _HIGHEST = -5.0, 1.0
"""Of log σ: no latent is sharper than the diffusion can be, none wider than the prior by far."""


@final
class Encoder(nn.Module):
    """Gaussians for the seeds of a batch.

    Parameters
    ----------
    kind
        ``"hgt"`` or ``"sage"``.
    widths
        Node type -> width of its inputs.
    relations
        All that may occur; without any the nodes' own inputs are all there is.
    latent, width, hops
        Of z, of every hidden state, and how far it sees.
    timed
        Whether edges have ages.
    """

    def __init__(
        self,
        kind: EncoderKind,
        widths: Mapping[str, int],
        relations: Sequence[EdgeType],
        *,
        latent: int,
        width: int,
        hops: int,
        timed: bool,
    ) -> None:
        super().__init__()
        self.types = {name: number for number, name in enumerate(widths)}
        self.into = nn.ModuleList(nn.Linear(size, width) for size in widths.values())
        self.heads = nn.ModuleList(_head(width, latent) for _ in widths)
        layers = hops if relations else 0
        self.layers = nn.ModuleList(
            _layer(kind, width, list(widths), relations, timed) for _ in range(layers)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(layers + 1))

    def forward(self, shells: Sequence[GraphBatch]) -> tuple[Tensor, Tensor]:
        """Return μ and σ of each seed: (seeds, latent) both.

        Parameters
        ----------
        shells
            A batch for each layer, the same or smaller and smaller, see :mod:`marigram.graph.encoder.shells`; one
            when there are no layers.
        """
        batch = shells[0]
        number = self.types[batch.target]
        first = {name: gelu(self.into[self.types[name]](x)) for name, x in batch.features.items()}
        hidden = first
        for norm, layer, shell in zip(self.norms, self.layers, shells, strict=False):
            hidden = {name: h[: len(shell.features[name])] for name, h in hidden.items()}
            said = layer({name: norm(h) for name, h in hidden.items()}, shell)
            hidden = {name: h[: shell.kept[name]] + gelu(said[name]) for name, h in hidden.items()}
        ends = first[batch.target][: batch.seeds], self.norms[-1](hidden[batch.target][: batch.seeds])
        mean, spread = self.heads[number](torch.cat(ends, dim=1)).chunk(2, dim=1)
        return mean, spread.clamp(_LOWEST, _HIGHEST).exp()


def _layer(
    kind: EncoderKind, width: int, types: list[str], relations: Sequence[EdgeType], timed: bool
) -> nn.Module:
    if kind == "sage":
        return ByRelation(lambda: SageConv(width, width, width), relations)
    return HgtConv(width, types, relations, heads=4, timed=timed)


def _head(width: int, latent: int) -> nn.Linear:
    """To μ and log σ; at first z says little and is sharp enough to learn from."""
    head = nn.Linear(2 * width, 2 * latent)
    nn.init.normal_(head.weight, std=0.3 * width**-0.5)
    nn.init.constant_(head.bias[latent:], -1.5)
    return head


def divergence(mean: Tensor, spread: Tensor) -> Tensor:
    """KL(Normal(μ, σ²) || Normal(0, 1)) of each row: (n,)."""
    return 0.5 * (mean**2 + spread**2 - 1 - 2 * spread.log()).sum(1)


__all__ = ["Encoder", "EncoderKind", "divergence"]
