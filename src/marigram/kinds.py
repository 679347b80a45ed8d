"""The seven answers that an event can get.

The codes are what columns, snapshots and files hold, so a number never changes its meaning; names are what people
and JSON see.
"""

from enum import IntEnum

__all__ = ["Kind"]


class Kind(IntEnum):
    """What the detector says of one event.

    Examples
    --------
    >>> Kind.DRIFT.label
    'drift'
    >>> Kind.from_label("missing") is Kind.MISSING
    True
    >>> Kind(1)
    <Kind.ANOMALY: 1>
    """

    NORMAL = 0
    """Inside the band that was expected."""
    ANOMALY = 1
    """It left the norm: a normal event of this key would do so with probability ``alpha``."""
    DRIFT = 2
    """The norm itself moved; said of exactly one event per change, the one that proves it."""
    UNDECIDED = 3
    """Outside the band again on the same side, while the change test still weighs whether the norm moved."""
    LEARNING = 4
    """One of the key's first events, at most 64: scored, but with little to compare it with."""
    MISSING = 5
    """No value came: null, NaN, or a key that fell silent."""
    REJECTED = 6
    """Not a usable number: text, infinity, or beyond 1e300 in size."""

    @property
    def label(self) -> str:
        """The name as files and people see it, in lower case."""
        return self.name.lower()

    @classmethod
    def from_label(cls, label: str) -> "Kind":
        """Return the kind of that name; an unknown one raises ``ValueError``."""
        try:
            return cls[label.upper()]
        except KeyError:
            known = ", ".join(kind.label for kind in cls)
            raise ValueError(f"no kind is called {label!r}; the kinds are {known}") from None
