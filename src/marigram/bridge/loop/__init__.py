"""The loop from alerts to labels to a graph detector and back: see :class:`marigram.bridge.loop.loop.Loop`."""
