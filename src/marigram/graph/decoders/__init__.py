"""Decoders, one for each aspect of a graph: features, structure, times, and what edges say."""

from marigram.graph.decoders.columns import MixedColumns
from marigram.graph.decoders.mixed import MixedDecoder

__all__ = ["MixedColumns", "MixedDecoder"]
