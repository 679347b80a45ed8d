"""Logs as they are delivered, turned into tables of events with the fields of a preset."""

from marigram.bridge.readers.opened import EventBatch, open_events

__all__ = ["EventBatch", "open_events"]
