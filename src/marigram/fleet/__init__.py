"""One detector design over many keys: the keys' numbers, the state table, keys on disk, snapshots, labels."""

from marigram.fleet.feedback import Effect
from marigram.fleet.fleet import Fleet

__all__ = ["Effect", "Fleet"]
