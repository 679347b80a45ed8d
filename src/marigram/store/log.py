"""The log: everything that changed a fleet, in order, from which its state can be made again.

=============  ===========================================================================================
kind           payload
=============  ===========================================================================================
``events``     an accepted batch, columns and rejected lines (:func:`~marigram.store.journal.pack_batch`)
``feedback``   a person's word on a verdict: key, seq, label
``silent``     the moment at which keys were asked whether they fell silent
``due``        the moment at which what waited for earlier events was looked through
``lateness``   for how long events wait from here on
``rollback``   a window of time, of one key or of all, whose events are forgotten
=============  ===========================================================================================

``seq`` counts the entries from 1 without gaps; entries that retention removes are those of the oldest end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple, TypeAlias, TypeVar

import apsw
import msgspec

from marigram.errors import SnapshotError
from marigram.events.batch import Batch
from marigram.events.keys import KeyNames
from marigram.fleet.feedback import Label
from marigram.store.chunks import span_of
from marigram.store.journal import pack_batch, unpack_batch

Kind: TypeAlias = Literal["events", "feedback", "silent", "due", "lateness", "rollback"]
T = TypeVar("T")


class Word(msgspec.Struct, frozen=True):
    """What a person said of a verdict."""

    key: str
    seq: int
    label: Label


class Present(msgspec.Struct, frozen=True):
    """When time alone was asked what it brings, ns of event time."""

    now: int


class Lateness(msgspec.Struct, frozen=True):
    """For how long events wait for earlier ones, ns; 0 for not at all."""

    lateness: int


class Window(msgspec.Struct, frozen=True):
    """Events to be forgotten: ``since`` <= time < ``until`` (ns), of one key, or of all when it is None."""

    since: int
    until: int
    key: str | None = None


class Entry(NamedTuple):
    """One row of the log."""

    seq: int
    at: int
    kind: Kind
    payload: bytes

    def said(self, kind: type[T]) -> T:
        """Return the payload of an entry that is not events."""
        try:
            return msgspec.json.decode(self.payload, type=kind)
        except msgspec.DecodeError as error:
            raise SnapshotError(f"entry {self.seq} of the log is damaged: {error}") from error

    def batch(self, names: KeyNames) -> Batch:
        """Return the batch of an entry of events, its keys as codes of ``names``."""
        return unpack_batch(self.payload, names)


class Accepted(NamedTuple):
    """What a batch was found to be when it was accepted."""

    seq: int
    digest: bytes
    rows: int
    rejects: list[tuple[int, str]]


def append_events(
    connection: apsw.Connection,
    seq: int,
    at: int,
    batch: Batch,
    source: str,
    batch_id: str | None,
    digest: bytes,
) -> None:
    """Append an accepted batch."""
    first, last = span_of(batch.times)
    connection.execute(
        "INSERT INTO log VALUES (?, ?, 'events', ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(seq, at, source, batch_id, digest, len(batch), len(batch.rejects), first, last),
            pack_batch(batch),
        ),
    )


def append_said(connection: apsw.Connection, seq: int, at: int, kind: Kind, said: msgspec.Struct) -> None:
    """Append what is not events."""
    connection.execute(
        "INSERT INTO log VALUES (?, ?, ?, '', NULL, NULL, 0, 0, NULL, NULL, ?)",
        (seq, at, kind, msgspec.json.encode(said)),
    )


def accepted(connection: apsw.Connection, source: str, batch_id: str) -> Accepted | None:
    """Return what became of the batch of that name; None when it is not known (any more)."""
    row = connection.execute(
        "SELECT seq, digest, rows, rejects, payload FROM log WHERE source = ? AND batch_id = ?",
        (source, batch_id),
    ).fetchone()
    if row is None:
        return None
    seq, digest, rows, rejects, payload = row
    lines = unpack_batch(payload, KeyNames()).rejects if rejects else []
    return Accepted(seq, digest, rows, [(reject.line, reject.reason) for reject in lines])


def entries(connection: apsw.Connection, after: int, upto: int | None = None) -> Iterator[Entry]:
    """Yield the entries behind ``after`` in order, up to and with ``upto``.

    Raises
    ------
    SnapshotError
        One is missing.
    """
    expected = after + 1
    last = (1 << 62) if upto is None else upto
    question = "SELECT seq, at, kind, payload FROM log WHERE seq > ? AND seq <= ? ORDER BY seq"
    for row in connection.execute(question, (after, last)):
        entry = Entry(*row)
        if entry.seq != expected:
            raise SnapshotError(f"entry {expected} of the log is missing")
        expected += 1
        yield entry
    if upto is not None and expected <= upto:
        raise SnapshotError(f"entry {expected} of the log is missing")


def without(batch: Batch, windows: Sequence[Window]) -> Batch:
    """Return a batch without the events of these windows; events without time belong to none."""
    if batch.times is None:
        return batch
    keep = batch.times == batch.times
    for window in windows:
        inside = (batch.times >= window.since) & (batch.times < window.until)
        if window.key is not None and batch.key_codes is not None:
            inside &= batch.key_codes == batch.key_names.codes_of([window.key])[0]
        keep &= ~inside
    return Batch(
        values=batch.values[keep],
        times=batch.times[keep],
        key_codes=None if batch.key_codes is None else batch.key_codes[keep],
        key_names=batch.key_names,
        ids=None if batch.ids is None else batch.ids[keep],
        rejects=batch.rejects,
        lines=batch.lines,
        offset=batch.offset,
        notices=batch.notices,
    )


__all__ = [
    "Accepted",
    "Entry",
    "Kind",
    "Lateness",
    "Present",
    "Window",
    "Word",
    "accepted",
    "append_events",
    "append_said",
    "entries",
    "without",
]
