"""One shape for all networks: an encoder for each node type, residual layers, and a score for the target type.

    h_0 = ReLU(W_type x),   h_l = h_{l-1} + dropout(ReLU(layer_l(norm(h_{l-1})))),   logit = MLP(norm(h_L))

The node's own state goes past every layer, so that what it is never drowns in what surrounds it, which for anomalies is
mostly normal (O. Platonov et al., "A critical look at the evaluation of GNNs under heterophily", ICLR 2023). The kinds
differ in the layer alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, final, get_args

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout

from marigram.errors import ParameterError
from marigram.graph.data import EdgeType
from marigram.graph.layers import (
    BetaWavelets,
    ByRelation,
    GatConv,
    GcnConv,
    GinConv,
    GraphBatch,
    HgtConv,
    OnUnion,
    SageConv,
)

Kind = Literal["sage", "gat", "gin", "gcn", "bwgnn", "hgt"]
KINDS: tuple[str, ...] = get_args(Kind)


@final
@dataclass(frozen=True, kw_only=True)
class NetworkSettings:
    """What a network is built of; checked when it is made.

    Parameters
    ----------
    kind
        ``"sage"``, ``"gat"`` and ``"gin"`` learn a layer for each relation; ``"gcn"`` and ``"bwgnn"`` see one kind of
        edge between all nodes; ``"hgt"`` attends over all relations at once.
    width
        Of every hidden state, 1 to 4096. More can say more, and overfits sooner.
    layers
        From 1 to 16: how many hops a node sees (``"bwgnn"``: ``order`` hops a layer).
    heads
        Of ``"gat"`` and ``"hgt"``; divides ``width``.
    order
        Of the wavelets of ``"bwgnn"``, 1 to 8.
    dropout
        Share of states forgotten while learning, 0 to less than 1.
    timed
        Whether ``"hgt"`` sees how old edges are.
    """

    kind: Kind = "sage"
    width: int = 32
    layers: int = 2
    heads: int = 4
    order: int = 2
    dropout: float = 0.0
    timed: bool = False

    def __post_init__(self) -> None:
        ranges = {"width": (1, 4096), "layers": (1, 16), "heads": (1, self.width), "order": (1, 8)}
        if self.kind not in KINDS:
            raise ParameterError(f"kind must be one of {', '.join(KINDS)}, got {self.kind!r}")
        for name, (low, high) in ranges.items():
            value = getattr(self, name)
            if type(value) is not int or not low <= value <= high:
                raise ParameterError(f"{name} must be an integer from {low} to {high}, got {value!r}")
        if self.kind in ("gat", "hgt") and self.width % self.heads:
            raise ParameterError(f"heads must divide the width {self.width}, got {self.heads}")
        if not 0 <= self.dropout < 1:
            raise ParameterError(f"dropout must be at least 0 and less than 1, got {self.dropout!r}")

    @property
    def reach(self) -> int:
        """How many hops away a node can still change a score; of two kinds its degree tells one hop farther."""
        if self.kind in ("gcn", "bwgnn"):
            return self.layers * (self.order if self.kind == "bwgnn" else 1) + 1
        return self.layers


@final
class GraphNetwork(nn.Module):
    """Scores the nodes of one type.

    Parameters
    ----------
    settings
        What it is built of.
    widths
        Node type -> number of its features.
    relations
        All that may occur, in a fixed order.
    target
        The type that is scored.
    seed
        Of the first weights; the global generator is left as it was.

    Examples
    --------
    >>> import torch
    >>> from marigram.graph.csr import CSR
    >>> from marigram.graph.layers import GraphBatch
    >>> ring = CSR.build(rows=range(4), columns=[1, 2, 3, 0], shape=(4, 4))
    >>> kind = ("node", "to", "node")
    >>> network = GraphNetwork(NetworkSettings(kind="gin"), {"node": 3}, [kind], "node")
    >>> network(GraphBatch({"node": torch.ones(4, 3)}, {kind: ring}, "node")).shape
    torch.Size([4])
    """

    def __init__(
        self,
        settings: NetworkSettings,
        widths: Mapping[str, int],
        relations: Sequence[EdgeType],
        target: str,
        *,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if target not in widths:
            raise ParameterError(f"the target {target!r} is not one of the node types {sorted(widths)}")
        self.settings = settings
        self.target = target
        self.types = {name: number for number, name in enumerate(widths)}  # torch forbids some names
        hidden = settings.width
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            make = _LAYERS[settings.kind]
            self.encoders = nn.ModuleList(nn.Linear(width, hidden) for width in widths.values())
            self.layers = nn.ModuleList(
                make(settings, list(widths), list(relations)) for _ in range(settings.layers)
            )
            self.norms = nn.ModuleList(nn.LayerNorm(hidden) for _ in range(settings.layers + 1))
            self.head = nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 1))

    def encode(self, batch: GraphBatch) -> dict[str, Tensor]:
        """Return what the network makes of every node: node type -> (n, width)."""
        hidden = {name: self.encoders[self.types[name]](x).relu() for name, x in batch.features.items()}
        for norm, layer in zip(self.norms, self.layers, strict=False):
            said = layer({name: norm(h) for name, h in hidden.items()}, batch)
            hidden = {name: h + self._thinned(said[name].relu()) for name, h in hidden.items()}
        return hidden

    def forward(self, batch: GraphBatch) -> Tensor:
        """Return a logit for each seed of the batch: (seeds,)."""
        states = self.encode(batch)[self.target][: batch.seeds]
        logits: Tensor = self.head(self._thinned(self.norms[-1](states)))
        return logits[:, 0]

    def _thinned(self, x: Tensor) -> Tensor:
        return dropout(x, self.settings.dropout, self.training)


Layer = Callable[[NetworkSettings, list[str], list[EdgeType]], nn.Module]

_LAYERS: dict[str, Layer] = {
    "sage": lambda s, _, relations: ByRelation(lambda: SageConv(s.width, s.width, s.width), relations),
    "gat": lambda s, _, relations: ByRelation(lambda: GatConv(s.width, s.width, s.heads), relations),
    "gin": lambda s, _, relations: ByRelation(lambda: GinConv(s.width, s.width), relations),
    "gcn": lambda s, _, __: OnUnion(GcnConv(s.width, s.width)),
    "bwgnn": lambda s, _, __: OnUnion(BetaWavelets(s.width, s.width, s.order)),
    "hgt": lambda s, types, relations: HgtConv(s.width, types, relations, s.heads, timed=s.timed),
}


__all__ = ["KINDS", "GraphNetwork", "Kind", "NetworkSettings"]
