"""Measurements of the package: its quality and its speed, each with one command."""
