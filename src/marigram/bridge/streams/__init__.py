"""The streams of entities: what every principal, address and call usually does, and how far an event is from it."""

from marigram.bridge.streams.entity import EntityStreams

__all__ = ["EntityStreams"]
