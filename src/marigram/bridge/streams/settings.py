"""What the streams of entities are set to, and what they are called."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import NamedTuple

import msgspec

from marigram.bridge.streams.tables import LEAST_KEPT
from marigram.errors import ParameterError
from marigram.events.entities import EntitySchema

__all__ = ["Settings", "Stream", "camel", "purpose_of", "streams_of"]

_SECOND = 1_000_000_000
EVERYONE = ""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of :class:`~marigram.bridge.EntityStreams`; spans of time in nanoseconds, or in the steps of the source.

    Parameters
    ----------
    alpha
        Share of events, in [1e-6, 0.1], that open a case when nothing is wrong.
    windows
        Within each of these a repetition does not count again.
    tick
        Events are counted by this.
    half_life
        In which counts and rates forget half.
    quiet
        A case is over when nothing joined it for so long.
    combination
        Whether events are also scored as vectors.
    most_pairs
        Values in contexts that are remembered, at least 1000; past it those touched longest ago are forgotten, and are
        new when they come again. So many take about 235 MB at most.
    """

    alpha: float
    windows: tuple[int, ...]
    tick: int
    half_life: int
    quiet: int
    combination: bool = True
    most_pairs: int = 1_500_000

    def __post_init__(self) -> None:
        if not 1e-6 <= self.alpha <= 0.1:
            raise ParameterError(f"alpha must lie in 1e-6 .. 0.1, not {self.alpha}")
        if not self.windows or min(*self.windows, self.tick, self.half_life, self.quiet) < 1:
            raise ParameterError("windows, tick, half_life and quiet must be at least 1")
        if self.most_pairs < LEAST_KEPT:
            raise ParameterError(f"most_pairs must be at least {LEAST_KEPT}, not {self.most_pairs}")

    @classmethod
    def usual(cls, alpha: float, unit: str) -> Settings:
        """Return the defaults for times in nanoseconds, or for steps (unit ``step``)."""
        if unit == "step":
            return cls(alpha=alpha, windows=(1, 10, 100), tick=1000, half_life=100_000, quiet=10_000)
        return cls(
            alpha=alpha,
            windows=(10 * _SECOND, 60 * _SECOND, 600 * _SECOND),
            tick=60 * _SECOND,
            half_life=7 * 86_400 * _SECOND,
            quiet=3600 * _SECOND,
        )


class Stream(NamedTuple):
    """One stream: a value in a context, a rate, a number, or a combination."""

    kind: str
    """``count``, ``rate``, ``pair``, ``number`` or ``combination``."""
    value: str
    """Column of the value, or of the entity whose rate it is."""
    context: str
    """Column of the context; empty for all events."""
    by_kind: bool
    """Whether the kinds of names are counted rather than the names."""
    entity: str
    """Column whose entity a finding names."""

    @property
    def name(self) -> str:
        """What people read."""
        if self.kind == "combination":
            return "combination"
        value = f"kind of {self.value}" if self.by_kind else self.value
        if self.kind == "rate":
            return f"rate of {value}"
        if self.kind == "pair":
            return f"rate of {value} to {self.context}"
        if self.kind == "number":
            return f"value of {value}"
        return f"{value} of {self.context}" if self.context else value

    def what(self, seen: bool) -> str:
        """The last word of a finding."""
        if self.kind == "rate":
            return "Rate"
        if self.kind == "pair":
            return "PairRate"
        if self.kind == "number":
            return f"Unusual{camel(self.value)}"
        if self.kind == "combination":
            return "Combination"
        return f"{'Rare' if seen else 'New'}{camel(self.value)}{'Kind' if self.by_kind else ''}"


def streams_of(schema: EntitySchema, combination: bool) -> tuple[Stream, ...]:
    """The streams of a schema.

    Counts: who acts; what is done by whom and by whom it is done; of what is done its attributes, and the kinds of
    the other entities, whose names would each be new. Then the rate of every entity, and, where actors and targets are
    of one type, as in connections between hosts, of every pair of them; every number, the combination.
    """
    actor, action = schema.acting, schema.acted
    of = action if action != actor else EVERYONE
    streams = [Stream("count", actor, EVERYONE, False, actor)]
    if of:
        streams += [
            Stream("count", action, actor, False, actor),
            Stream("count", actor, action, False, actor),
        ]
    rest = [name for name in schema.attributes if name != action]
    streams += [Stream("count", name, of, False, action) for name in rest]
    others = [name for name in schema.entities if name not in (actor, action)]
    streams += [Stream("count", name, of, True, name) for name in others]
    streams += [Stream("rate", name, EVERYONE, False, name) for name in schema.entities]
    if schema.reached != actor and schema.entities[schema.reached] == schema.entities[actor]:
        streams.append(Stream("pair", actor, schema.reached, False, actor))
    streams += [Stream("number", name, actor, False, actor) for name in schema.numbers]
    if combination:
        streams.append(Stream("combination", action, EVERYONE, False, actor))
    return tuple(streams)


def purpose_of(schema: EntitySchema, action: str | None) -> tuple[str, float]:
    """Name and weight of the purpose that an action fits; ``Behavior`` and 1 where none does."""
    low = (action or "").lower()
    for purpose in schema.purposes:
        if any(fnmatchcase(low, pattern.lower()) for pattern in purpose.actions):
            return purpose.name, purpose.weight
    return "Behavior", 1.0


def camel(name: str) -> str:
    """Return ``source_ip`` as ``SourceIp``."""
    return "".join(
        word[:1].upper() + word[1:] for word in name.replace("-", "_").replace(" ", "_").split("_")
    )
