"""One detector design over many keys: the keys' numbers, the state table, spilling to disk, snapshots."""
