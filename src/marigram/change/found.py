"""A change that a test has found: when, from where to where, and the same as a verdict."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from marigram.kinds import Kind
from marigram.verdicts import Verdict, Verdicts
from marigram.verdicts.fields import NO_TIME, Numbers


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One change of level.  Events are numbered from 0, rejected ones counted; d > 1 coordinates are lists.

    Examples
    --------
    >>> import marigram as mg
    >>> test = mg.CatoniChangePoint(delta=0.05, sigma=1.0)
    >>> (change,) = test.update_many([0.0, 0.5, -0.5] * 40 + [4.0, 4.5, 3.5] * 10)
    >>> change.changed_at, change.first <= change.changed_at <= change.last < change.seq
    (120, True)
    >>> round(change.before, 1), round(change.after, 1)
    (0.0, 4.1)
    >>> change.verdict().kind.label
    'drift'
    """

    seq: int
    """The event that proves it."""
    changed_at: int
    """Estimate of the first event of the new norm."""
    first: int
    """Earliest event from which the change may date."""
    last: int
    """Latest such event.  From ``first`` to ``last`` is what the test still accepts as the beginning."""
    before: Numbers
    """The level before: the clipped mean of the events since the last restart."""
    after: Numbers
    """The level after."""
    value: Numbers
    """The value of the event ``seq``."""
    n: int
    """Events learned before it."""
    time: int | None = None
    """Time of the event ``seq``, nanoseconds since 1970 UTC."""

    def verdict(self, key: str | int | None = None) -> Verdict:
        """The change as the ``drift`` verdict of its event; p-value and band are NaN, for no test here has them."""
        return self.table([self], key)[0]

    @staticmethod
    def table(changes: Sequence[Change], key: str | int | None = None) -> Verdicts:
        """Changes as ``drift`` verdicts, column by column."""

        def column(name: str) -> list[Numbers]:
            return [getattr(change, name) for change in changes]

        return Verdicts(
            value=np.array(column("value"), np.float64),
            kind=np.full(len(changes), Kind.DRIFT, np.uint8),
            key=None if key is None else np.full(len(changes), key, object),
            seq=column("seq"),
            n=column("n"),
            time=[NO_TIME if change.time is None else change.time for change in changes],
            changed_at=column("changed_at"),
            before=np.array(column("before"), np.float64),
            after=np.array(column("after"), np.float64),
            notice=np.ones(len(changes), np.bool_),
        )


__all__ = ["Change"]
