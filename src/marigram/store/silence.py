"""The present, in the time of the events: what a silence is measured against while a source is followed.

Events may be live or years old, so the wall clock alone says nothing. The newest event marks the present when it
arrives, and from then on the present moves with the wall clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from marigram.fleet import Fleet
from marigram.verdicts import Verdicts
from marigram.verdicts.fields import NO_TIME

_EVERY = 1_000_000_000
_SHARE = 50
"""A check takes at most this part of the time."""


class SilenceWatch:
    """Asks a fleet now and then which keys fell silent.

    Parameters
    ----------
    clock
        Nanoseconds that never go back.

    Attributes
    ----------
    newest
        Time of the newest event, ns; ``NO_TIME`` before the first that has one.
    arrived
        When it came, by the clock.
    """

    def __init__(self, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._clock = clock
        self.newest = NO_TIME
        self.arrived = 0
        self._next = 0

    def saw(self, times: NDArray[np.int64] | None) -> None:
        """Take note of a batch's times."""
        if times is not None and len(times) and int(times.max()) >= self.newest:
            self.newest, self.arrived = int(times.max()), self._clock()

    def present(self) -> int | None:
        """Return the present in event time; None when no event had a time."""
        return None if self.newest == NO_TIME else self.newest + max(0, self._clock() - self.arrived)

    def due(self, fleet: Fleet) -> Verdicts | None:
        """Return the keys that fell silent since the last call; None when it is not yet time to ask again."""
        now, present = self._clock(), self.present()
        if present is None or now < self._next:
            return None
        found = fleet.silent(present)
        self.asked(now)
        return found

    def due_at(self) -> int | None:
        """Return the present if it is time to ask; whoever asks then says so by :meth:`asked`."""
        return None if self._clock() < self._next else self.present()

    def asked(self, start: int) -> None:
        """Take note that a question begun at ``start`` was answered."""
        done = self._clock()
        self._next = done + max(_EVERY, _SHARE * (done - start))


__all__ = ["SilenceWatch"]
