"""What the log leads to: a fleet, and before it the events that wait for earlier ones.

Whoever goes through the log - the books as they write it, a restart, a replay, a roll-back - does it here, so all come
to the same verdicts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from marigram.errors import ParameterError, SnapshotError
from marigram.events.batch import Batch
from marigram.events.keys import KeyNames
from marigram.fleet import Fleet
from marigram.fleet.feedback import Effect, Label
from marigram.store.log import Entry, Lateness, Present, Window, Word, without
from marigram.store.waiting import Waiting
from marigram.verdicts import Verdicts


class Course:
    """A fleet and what waits before it.

    Parameters
    ----------
    fleet
        What judges.
    waiting
        The reorder buffer; None when events are judged as they come.
    """

    def __init__(self, fleet: Fleet, waiting: Waiting | None = None) -> None:
        self.fleet = fleet
        self.waiting = waiting

    @property
    def lateness(self) -> int:
        """Nanoseconds for which events are held back, 0 for not at all."""
        return 0 if self.waiting is None else self.waiting.lateness

    @property
    def held(self) -> int:
        """How many events wait."""
        return 0 if self.waiting is None else len(self.waiting)

    # --- what changes it ----------------------------------------------------------------------------------------

    def take(self, batch: Batch) -> Verdicts:
        """Take a batch in; returns the verdicts of what is due now.  ParameterError: it is refused as a whole."""
        if self.waiting is None:
            return judge(self.fleet, batch)
        d = batch.values.shape[1] if batch.values.ndim > 1 else 1
        if len(batch) and len(self.fleet) and d != self.fleet.d:
            raise ParameterError(f"values have {d} coordinates, the events before had {self.fleet.d}")
        return self._moved(*self.waiting.take(batch))

    def until(self, present: int) -> Verdicts:
        """Judge what is due at a present, ns of event time."""
        return Verdicts.concat([]) if self.waiting is None else self._moved(*self.waiting.until(present))

    def awaits(self, present: int) -> bool:
        """Whether anything would be due at a present."""
        if self.waiting is None:
            return False
        earliest = self.waiting.earliest
        return earliest is not None and earliest <= present - self.lateness

    def set_lateness(self, lateness: int) -> Verdicts:
        """Judge all that waits, and hold events back for so many nanoseconds from now on."""
        due = Verdicts.concat([]) if self.waiting is None else judge(self.fleet, self.waiting.all())
        self.waiting = Waiting(lateness) if lateness else None
        return due

    def silent(self, now: int) -> Verdicts:
        """Ask which keys fell silent before ``now``, ns of event time."""
        return self.fleet.silent(now)

    def feedback(self, key: str, seq: int, label: Label) -> Effect:
        """Tell the fleet a person's word."""
        return self.fleet.feedback(key, seq, label)

    def forget(self, windows: Sequence[Window]) -> None:
        """Let go of events that wait and belong to some windows."""
        if self.waiting is not None and windows:
            self.waiting = self.waiting.without(lambda part: without(part, windows))

    def _moved(self, due: Batch, waiting: Waiting) -> Verdicts:
        verdicts = judge(self.fleet, due)
        self.waiting = waiting
        return verdicts

    # --- through the log ----------------------------------------------------------------------------------------

    def follow(self, entry: Entry, names: KeyNames) -> Verdicts | None:
        """Go through one entry again; returns the verdicts that it gives, None for a word."""
        if entry.kind == "events":
            return self.take(entry.batch(names))
        if entry.kind == "silent":
            return self.silent(entry.said(Present).now)
        if entry.kind == "due":
            return self.until(entry.said(Present).now)
        if entry.kind == "lateness":
            return self.set_lateness(entry.said(Lateness).lateness)
        if entry.kind == "feedback":
            word = entry.said(Word)
            self.feedback(word.key, word.seq, word.label)
            return None
        raise SnapshotError(f"entry {entry.seq} of the log is of an unknown kind: {entry.kind}")

    def follow_without(self, entry: Entry, names: KeyNames, windows: Sequence[Window]) -> Verdicts | None:
        """Go through an entry of another past: without the events of some windows, under other settings.

        A word on a verdict that this fleet did not flag has nothing to say.
        """
        if entry.kind == "rollback":
            return None
        if entry.kind == "feedback":
            try:
                return self.follow(entry, names)
            except ParameterError:
                return None
        if entry.kind == "events" and windows:
            return self.take(without(entry.batch(names), windows))
        return self.follow(entry, names)


def judge(fleet: Fleet, batch: Batch) -> Verdicts:
    """Let a fleet judge a batch."""
    keys: Any = None if batch.key_codes is None else (batch.key_codes, batch.key_names)
    return fleet.update(keys, batch.values, batch.times, batch.ids)


__all__ = ["Course", "judge"]
