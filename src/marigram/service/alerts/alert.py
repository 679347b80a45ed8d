"""What an alert is: an episode of one key, from the first notice until people can forget it.

Its id is a function of the key and the episode, so a repeated or replayed batch finds the alert that it made before.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final, Literal, TypeAlias

import msgspec

from marigram.fleet.feedback import Label

Status: TypeAlias = Literal["open", "acknowledged", "snoozed", "closed"]
Why: TypeAlias = Literal["normal", "spoke", "label", "hand", "superseded"]
AlertKind: TypeAlias = Literal["anomaly", "drift", "undecided", "unusual", "missing"]

STATUSES: Final[tuple[Status, ...]] = ("open", "acknowledged", "snoozed", "closed")
KINDS: Final[tuple[AlertKind, ...]] = ("anomaly", "drift", "undecided", "unusual", "missing")


class Told(msgspec.Struct, frozen=True):
    """A person's word on an alert, and what came of it."""

    label: Label
    by: str
    at: int
    note: str
    effect: str
    """In words: the key's threshold before and after, or why nothing was learned."""
    before: float | None
    """The key's threshold, in scales of its noise; None when nothing could be learned."""
    after: float | None


class Alert(msgspec.Struct, frozen=True):
    """One alert; times are nanoseconds since 1970 UTC."""

    id: str
    key: str
    kind: AlertKind
    """``unusual`` is rare by the key's own habits, though within the band; ``missing`` is no data."""
    status: Status
    severity: float | None
    """The largest so far; None of no data."""
    episode: int
    opened: int
    updated: int
    first_seq: int
    """Number within the key of the event that opened it; -1 of no data."""
    last_seq: int
    """That of the last event that was not calm."""
    peak_seq: int
    """That of the most severe event."""
    flagged_seq: int | None
    """That of the most severe event that a label can speak of."""
    flagged_severity: float
    events: int
    """Events that were not calm."""
    notices: int
    """Times that there was something to tell."""
    granted: int
    """Times that the team's budget and the people allowed it to be told."""
    told: int
    """Times that it was sent out, or would have been had anyone been listening: those that no silence muted."""
    calm: int
    """Calm events since the last other one."""
    team: str
    group: str
    labels: dict[str, str]
    text: str
    """The verdict in one line, without when and who."""
    verdict: msgspec.Raw
    """The verdict: that of the peak, or the one that declared the drift."""
    closed: int | None = None
    why_closed: Why | None = None
    acknowledged_by: str | None = None
    snoozed_until: int | None = None
    muted_by: str | None = None
    """The silence that kept the last notice from being sent."""
    word: Told | None = None
    """The label, if there is one."""

    @property
    def is_open(self) -> bool:
        """Does it still want something?"""
        return self.status != "closed"

    @property
    def context(self) -> dict[str, str]:
        """What patterns of channels, teams and silences can match: the labels, the key and the kind."""
        return self.labels | {"key": self.key, "kind": self.kind}


def alert_id(key: str, number: int, part: str = "episode") -> str:
    """Return the id of the alert of an episode, of a part of one, of a drift, or of a silence after some events.

    Examples
    --------
    >>> alert_id("web-7", 1) == alert_id("web-7", 1), alert_id("web-7", 1) == alert_id("web-7", 2)
    (True, False)
    """
    text = f"{part}\0{number}\0{key}"
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=10).hexdigest()


__all__ = ["KINDS", "STATUSES", "Alert", "AlertKind", "Status", "Told", "Why", "alert_id"]
