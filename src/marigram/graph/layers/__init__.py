"""Layers of graph neural networks on sorted edges: each a torch module that reads like its paper.

The layers of one relation map what senders and receivers say to what receivers become; the typed layers map one
tensor for each node type to one for each node type, over a whole :class:`~marigram.graph.layers.batch.GraphBatch`.
"""

from marigram.graph.layers.attention import GatConv
from marigram.graph.layers.batch import GraphBatch
from marigram.graph.layers.convolutions import GcnConv, GinConv, SageConv
from marigram.graph.layers.transformer import HgtConv
from marigram.graph.layers.typed import ByRelation, OnUnion, TypedLayer
from marigram.graph.layers.wavelets import BetaWavelets

__all__ = [
    "BetaWavelets",
    "ByRelation",
    "GatConv",
    "GcnConv",
    "GinConv",
    "GraphBatch",
    "HgtConv",
    "OnUnion",
    "SageConv",
    "TypedLayer",
]
