"""Augmenters of a training graph, side by side."""
