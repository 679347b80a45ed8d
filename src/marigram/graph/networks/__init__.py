"""Neural networks that score the nodes of a typed graph: what they see, what they are built of, how they learn."""

from marigram.graph.networks.features import FeatureScaler
from marigram.graph.networks.network import KINDS, GraphNetwork, NetworkSettings
from marigram.graph.networks.reasons import Reasons
from marigram.graph.networks.sources import NodeSource, SampledGraph, WholeGraph
from marigram.graph.networks.training import Training, TrainingSettings, score_nodes, train_network

__all__ = [
    "KINDS",
    "FeatureScaler",
    "GraphNetwork",
    "NetworkSettings",
    "NodeSource",
    "Reasons",
    "SampledGraph",
    "Training",
    "TrainingSettings",
    "WholeGraph",
    "score_nodes",
    "train_network",
]
