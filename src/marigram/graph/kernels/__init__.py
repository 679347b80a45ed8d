"""Compiled loops over sorted edges, and nothing else: an edit elsewhere in the room compiles nothing anew."""
