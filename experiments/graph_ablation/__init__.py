"""The synthesizer without one part at a time."""
