"""What must survive: the state of a run, committed so that it goes on exactly where it stopped."""

from marigram.store.checkpoint import Checkpoint, Position, examine

__all__ = ["Checkpoint", "Position", "examine"]
