"""What people are sent of an alert, before it takes the form of a webhook, a chat message or a mail."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import msgspec

from marigram.wording import moment, printable

What: TypeAlias = Literal["opened", "raised", "drift", "reminder", "closed"]

WHATS: Final[tuple[What, ...]] = ("opened", "raised", "drift", "reminder", "closed")
_HEADS: Final = {
    "opened": "New alert",
    "raised": "More severe",
    "drift": "The norm moved",
    "reminder": "Still open",
    "closed": "Closed",
}


class Notice(msgspec.Struct, frozen=True):
    """One thing to tell of one alert; it is written once, and every attempt to deliver it sends the same."""

    id: str
    """Stable: a receiver that has seen it may forget a repetition."""
    alert: str
    what: What
    made: int
    """When, ns since 1970 UTC."""
    key: str
    kind: str
    severity: float | None
    opened: int
    closed: int | None
    team: str
    group: str
    labels: dict[str, str]
    text: str
    """One line: what, how much, what was expected, how surprising that is."""
    verdict: msgspec.Raw
    """The verdict that it is about, as in every other output."""

    @property
    def title(self) -> str:
        """What happened and to whom, without control characters."""
        return f"{_HEADS[self.what]}: {headline(self.kind, self.key)}"


class Envelope(msgspec.Struct, frozen=True):
    """Notices of one group that go to one channel together; it is never cut anew, so its id is stable too."""

    id: str
    channel: str
    notices: tuple[Notice, ...]
    attempts: int
    """Attempts before this one."""

    @property
    def title(self) -> str:
        """One line for all of them."""
        first = self.notices[0].title
        return first if len(self.notices) == 1 else f"{first}, and {len(self.notices) - 1} more"


def headline(kind: str, key: str) -> str:
    """Return what there is about whom.

    Examples
    --------
    >>> headline("anomaly", "web-7"), headline("missing", "web-7"), headline("drift", "")
    ('anomaly of web-7', 'no data from web-7', 'drift of the stream')
    """
    return f"{'no data from' if kind == 'missing' else f'{kind} of'} {printable(key) or 'the stream'}"


def time_text(ns: int | None) -> str | None:
    """Return a time in ISO-8601, or None of none."""
    return None if ns is None else moment(ns)


__all__ = ["WHATS", "Envelope", "Notice", "What", "headline", "time_text"]
