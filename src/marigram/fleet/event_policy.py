"""Special events in front of a fleet: they are judged by what they are, and do not disturb what is normal.

Three categories, our reading of a practice for live traffic.  *Known* events (a calendar) and *signalled* ones (a
deployment, a campaign) are judged against past events of the same kind and key, which have a fleet of their own.  When
*the whole fleet moves* at once, keys are judged against their peers: with r_k the distance of key k from what was
expected of it, in halves of its band, and m the median of r over the keys of one time,

    |m| > 1  (half of the keys are outside, on one side)   =>   x_k is judged, and learned, as x_k - m half_k.
"""

from __future__ import annotations

import os
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from marigram.detectors.default import Detector
from marigram.errors import ParameterError, SnapshotError
from marigram.fleet.calendar import Calendar, Occasion
from marigram.fleet.columns import time_column, value_columns
from marigram.fleet.fleet import Fleet
from marigram.online._ranges import integer_in
from marigram.verdicts import Verdicts
from marigram.verdicts.fields import NO_TIME

Array = np.ndarray[Any, Any]
PEERS = "peers"
"""What ``against`` says of rows that were judged by the rest of the fleet."""
_OPEN = int(np.iinfo(np.int64).max)
_SHIFTED = ("expected", "lower", "upper", "before", "after")


class Judged(NamedTuple):
    """The verdicts of a batch, and against what each row was judged."""

    verdicts: Verdicts
    against: Array
    """(n,) object: None for the key's own history, ``"peers"``, or the kind of event."""


class EventPolicy:
    """Sits in front of a fleet: known events are judged against past events of their kind.

    A row inside an event of kind ``sale`` gets a verdict whose key is ``web-7@sale``: its ``seq``, ``n``, band and
    p-value are those of past ``sale`` rows of ``web-7``, ``learning`` while these are fewer than 64, and the row does
    not enter the baseline of ``web-7``.  When the whole fleet moves, rows keep their key, the band moves with the
    fleet, and the baseline learns what is left after the common shift.

    Parameters
    ----------
    calendar
        Known events; None for none.
    peers
        Keys of one time, at least 3, from which on their common shift is looked for; None: it never is. Rows of one
        time must then come in one batch, next to each other.

    Examples
    --------
    >>> import marigram as mg
    >>> policy = mg.EventPolicy(mg.Calendar([("sale", "2025-11-28", "2025-11-29")]))
    >>> fleet = mg.Fleet()
    >>> times = np.arange("2025-11-27", "2025-11-30", 3600, "datetime64[s]")
    >>> judged = policy.update(fleet, ["web-7"] * 72, np.zeros(72), times)
    >>> judged.verdicts[30].key, judged.against[30], judged.verdicts[71].n
    ('web-7@sale', 'sale', 47)
    """

    def __init__(self, calendar: Calendar | None = None, *, peers: int | None = None) -> None:
        if peers is not None:
            integer_in("peers", peers, 3, 2**31)
        self.calendar = Calendar() if calendar is None else calendar
        self._peers = peers
        self._signalled: list[Occasion] = []
        self._events: Fleet | None = None
        self._bands: dict[Any, tuple[Array, Array]] = {}

    def signal(self, kind: str, start: Any, end: Any = None) -> None:
        """Tell of an event from outside; without an end it lasts until :meth:`finish`."""
        finite = Calendar([(kind, start, _OPEN if end is None else end)])
        self._signalled.extend(finite.occasions)

    def finish(self, kind: str, end: Any) -> None:
        """End the events of this kind that were signalled without an end."""
        running = [one for one in self._signalled if one.kind == kind and one.end == _OPEN]
        if not running:
            raise ParameterError(f"no event {kind!r} is running")
        ended = Calendar([(kind, one.start, end) for one in running]).occasions
        self._signalled = [one for one in self._signalled if one not in running] + ended

    def update(self, fleet: Fleet, keys: Any, values: Any, times: Any, ids: Any = None) -> Judged:
        """Score and learn n events of many keys as :meth:`marigram.Fleet.update` does, special events apart."""
        rows, when = value_columns(values), time_column(times)
        names = np.asarray(keys, object)
        own = None if ids is None else np.asarray(ids, object)
        if names.shape != (len(rows),) or (when is not None and len(when) != len(rows)):
            raise ParameterError(f"{len(rows)} values, but keys of shape {names.shape} or other times")
        against = np.full(len(rows), None, object)
        if when is not None:
            against = self._calendar().kinds(when)
            against[when == NO_TIME] = None
        special = against != None  # noqa: E711 - row by row
        parts, order = [], []
        for chosen, judge in ((~special, self._ordinary), (special, self._past)):
            index = np.flatnonzero(chosen)
            if index.size:
                own_times = None if when is None else when[index]
                own_ids = None if own is None else own[index]
                parts.append(judge(fleet, names[index], rows[index], own_times, own_ids, against, index))
                order.append(index)
        if not parts:
            return Judged(fleet.update(keys, values, times, ids), against)
        return Judged(Verdicts.concat(parts)[np.argsort(np.concatenate(order))], against)

    def _calendar(self) -> Calendar:
        return Calendar([*self.calendar.occasions, *self._signalled])

    def _past(
        self,
        fleet: Fleet,
        names: Array,
        rows: Array,
        when: Array | None,
        ids: Array | None,
        against: Array,
        index: Array,
    ) -> Verdicts:
        """Rows inside events, by the history of their key and kind."""
        if self._events is None:
            self._events = Fleet(Detector.from_parameters(fleet.parameters), keys=str)
        keyed = [f"{name}@{kind}" for name, kind in zip(names, against[index], strict=True)]
        return self._events.update(keyed, rows, when, ids)

    def _ordinary(
        self,
        fleet: Fleet,
        names: Array,
        rows: Array,
        when: Array | None,
        ids: Any,
        against: Array,
        index: Array,
    ) -> Verdicts:
        """Rows outside events: by the fleet, time by time where it is asked whether all of it moved."""
        if self._peers is None or when is None:
            return fleet.update(list(names), rows, when, ids)
        cuts = np.concatenate(([0], np.flatnonzero(np.diff(when)) + 1, [len(when)]))
        parts = []
        for start, stop in pairwise(cuts.tolist()):
            here = slice(start, stop)
            shift = self._common_shift(names[here], rows[here])
            moved = np.any(shift.reshape(stop - start, -1) != 0.0, axis=1)
            against[index[here][moved]] = PEERS
            told = fleet.update(
                list(names[here]), rows[here] - shift, when[here], None if ids is None else ids[here]
            )
            self._remember(names[here], told)
            parts.append(_moved_back(told, rows[here], shift) if moved.any() else told)
        return Verdicts.concat(parts)

    def _common_shift(self, names: Array, rows: Array) -> Array:
        """What the whole fleet moved by, in the units of each row; zeros where it did not."""
        wide = rows.reshape(len(rows), -1)
        nothing = np.full(wide.shape[1], np.nan)
        known = [self._bands.get(name, (nothing, nothing)) for name in names]
        expected, half = (np.array([band[i] for band in known]) for i in (0, 1))
        ratio = np.where(half > 0.0, (wide - expected) / np.where(half > 0.0, half, 1.0), np.nan)
        middle = np.zeros(wide.shape[1])
        for j in range(wide.shape[1]):
            usable = ratio[np.isfinite(ratio[:, j]), j]
            if self._peers is not None and len(usable) >= self._peers:
                middle[j] = np.median(usable)
        middle[np.abs(middle) <= 1.0] = 0.0
        shift: Array = np.where(np.isfinite(half), middle * half, 0.0)
        return shift.reshape(rows.shape)

    def _remember(self, names: Array, told: Verdicts) -> None:
        """The newest band of each key."""
        expected = told["expected"].reshape(len(names), -1)
        half = 0.5 * (told["upper"] - told["lower"]).reshape(len(names), -1)
        for i, name in enumerate(names):
            if np.isfinite(expected[i]).all() and np.isfinite(half[i]).all():
                self._bands[name] = (expected[i].copy(), half[i])

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write calendar, signals, past events and bands to one checksummed file; the fleet has its own."""
        events = Fleet() if self._events is None else self._events
        events.note = {
            "policy": 1,
            "peers": self._peers,
            "begun": self._events is not None,
            "calendar": self.calendar.occasions,
            "signalled": self._signalled,
            "bands": [[name, e.tolist(), h.tolist()] for name, (e, h) in self._bands.items()],
        }
        events.save(path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> EventPolicy:
        """A policy as :meth:`save` left it; ``SnapshotError`` if the file is damaged or something else."""
        events = Fleet.load(path)
        note, events.note = events.note, None
        try:
            if note["policy"] != 1:
                raise SnapshotError(f"{path} is a policy of another version")
            policy = cls(Calendar([tuple(one) for one in note["calendar"]]), peers=note["peers"])
            policy._signalled = [Occasion(*one) for one in note["signalled"]]
            policy._bands = {name: (np.array(e, float), np.array(h, float)) for name, e, h in note["bands"]}
            policy._events = events if note["begun"] else None
        except (KeyError, TypeError, ValueError) as error:
            raise SnapshotError(f"{path} is a fleet, not a policy: {error}") from error
        return policy


def _moved_back(told: Verdicts, rows: Array, shift: Array) -> Verdicts:
    """The verdicts of shifted values, told of the values that came."""
    moved: dict[str, Any] = {name: told[name] + shift for name in _SHIFTED}
    same = (
        "kind",
        "key",
        "id",
        "seq",
        "n",
        "time",
        "p_value",
        "severity",
        "episode",
        "notice",
        "late",
        "changed_at",
    )
    return Verdicts(value=rows, **{name: told[name] for name in (*same, "resolves", "why")}, **moved)


__all__ = ["PEERS", "EventPolicy", "Judged"]
