"""Engines: where the detector runs when one machine is too small; each in a room of its own, none imported unasked."""
