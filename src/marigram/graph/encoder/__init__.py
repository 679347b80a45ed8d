"""The encoder, and what it is given."""

from marigram.graph.encoder.encoder import Encoder
from marigram.graph.encoder.prepared import Prepared, prepare

__all__ = ["Encoder", "Prepared", "prepare"]
