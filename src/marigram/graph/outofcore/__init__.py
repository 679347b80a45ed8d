"""Graphs larger than memory: built from event tables by SQL, scored range by range."""
