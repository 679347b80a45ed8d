"""What the loop adds to an alert: score, version, the two hops as of the alert's time, what was asked and said."""

from __future__ import annotations

import msgspec


class Near(msgspec.Struct, frozen=True):
    """An entity of the alert's event, and how many earlier events it had."""

    type: str
    name: str
    events_before: int


class AlertContext(msgspec.Struct, frozen=True, kw_only=True):
    """What the loop knows of the event of an alert.

    Attributes
    ----------
    event
        Its id in the loop.
    score
        Suspicion of the version in use, 0 to 1; not calibrated.
    model_version
        The version in use; 0 is the streams alone.
    rank, of
        1 for the most suspicious of so many events.
    neighbourhood
        The two hops around it as of its time, in words.
    entities
        Those of the event: the first hop.
    malicious_around, fine_around
        Earlier events within two hops that people called so.
    asked
        Place in the queue of questions, from 1; None where it is not asked about now.
    label
        What the loop learned of the event: ``malicious``, ``fine``, ``conflict`` where people differ, or ``""``.
    """

    event: str
    score: float
    model_version: int
    rank: int
    of: int
    neighbourhood: str
    entities: tuple[Near, ...]
    malicious_around: int
    fine_around: int
    asked: int | None
    label: str


__all__ = ["AlertContext", "Near"]
