"""Compiled loops of the bridge."""
