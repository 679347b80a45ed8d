"""Estimators that learn one event at a time by clipped SGD: level, scale, context."""
