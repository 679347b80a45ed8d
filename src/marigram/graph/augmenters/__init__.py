"""Augmenters: whatever turns a training graph into a larger one, and the gate that asks whether it should be.

The room has another name than the function :func:`marigram.graph.augment`, which would otherwise hide it.
"""
