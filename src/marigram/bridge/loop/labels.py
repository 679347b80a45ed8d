"""What people said of alerts, events and entities: kept with who, when and at what cost, and what it means for nodes.

One line of JSON a word, with its checksum in front, added with a lock and an fsync; a line that a crash cut short is
left out and written over. The same word of the same person on the same thing is kept once.

====================  ==========================================  ==================================================
word                  on an event, or on an alert (a case)         on an entity
====================  ==========================================  ==================================================
``true``              its events are malicious (1)                its events from then on are malicious, in doubt
``false``             its events are fine (0)                     its events are fine, in doubt
``expected``          fine, though unusual (0)                    fine, in doubt
====================  ==========================================  ==================================================

The event that an alert is about counts whole, the others of the case less (:data:`DOUBT`). Where people differ on one
thing, nothing is learned from it, and it is told as a conflict; a person's own last word counts. What is said of an
event itself stands above what is said of its case, and that above what is said of its entities.
"""

from __future__ import annotations

import fcntl
import os
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, final

import msgspec
import numpy as np
from numpy.typing import NDArray

from marigram.errors import ParameterError, SnapshotError
from marigram.graph.data import Graph
from marigram.snapshots.files import sync_folder

Word: TypeAlias = Literal["true", "false", "expected"]
Of: TypeAlias = Literal["event", "case", "entity"]

WORDS: Final[tuple[Word, ...]] = ("true", "false", "expected")
DOUBT: Final = {"event": 1.0, "case": 4.0, "entity": 16.0}
"""Variance of a label by what it was said of, in multiples of that of an event's own."""


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """One word of one person.

    Parameters
    ----------
    of, subject
        What it is about: the id of an event, the number of a case, or ``type/name`` of an entity.
    word
        What was said.
    by, at
        Who, and when, ns since 1970 UTC.
    cost
        Labels spent, from 0: 1 for a question that somebody answered.
    note
        In the person's own words.
    origin
        The alert that it was said of elsewhere, whose one word is kept once though its peak may move.
    """

    of: Of
    subject: str
    word: Word
    by: str
    at: int
    cost: float = 1.0
    note: str = ""
    origin: str = ""

    def __post_init__(self) -> None:
        if not self.subject or not self.by:
            raise ParameterError("a label names what it is about and who says so")
        if not 0 <= self.cost < float("inf"):
            raise ParameterError(f"the cost of a label must be finite and from 0, got {self.cost!r}")


@final
class LabelBook:
    """The file of labels.

    Parameters
    ----------
    path
        Made with the first label.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    def add(self, label: Label) -> bool:
        """Keep a label durably; False when it is there, or this person said so already and nothing else since."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._locked() as handle:
            content = _read(handle)
            known, whole = _parsed(content)
            if label.origin and any(
                (k.origin, k.by, k.at) == (label.origin, label.by, label.at) for k in known
            ):
                return False
            last = [k for k in known if (k.of, k.subject, k.by) == (label.of, label.subject, label.by)]
            if last and (
                last[-1].word == label.word or (label.word, label.at) in {(k.word, k.at) for k in last}
            ):
                return False
            os.ftruncate(handle, whole)
            os.lseek(handle, whole, os.SEEK_SET)
            line = msgspec.json.encode(label)
            _write(handle, b"%08x %b\n" % (zlib.crc32(line), line))
            os.fsync(handle)
        sync_folder(self.path.parent)
        return True

    def all(self) -> list[Label]:
        """Return all labels in the order in which they were said.

        Raises
        ------
        SnapshotError
            A line before the last is damaged.
        """
        if not self.path.exists():
            return []
        return _parsed(self.path.read_bytes())[0]

    def stamp(self) -> tuple[int, int]:
        """Return what changes whenever a label is added: the time and length of the file."""
        if not self.path.exists():
            return 0, 0
        found = self.path.stat()
        return found.st_mtime_ns, found.st_size

    @contextmanager
    def _locked(self) -> Iterator[int]:
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield handle
        finally:
            os.close(handle)


@final
@dataclass(frozen=True, eq=False)
class Known:
    """What all labels together say of events.

    Attributes
    ----------
    rows
        int64 (m,): the events that something is known of, ascending.
    labels
        int8 (m,): 1 malicious, 0 fine.
    doubt
        float64 (m,): the variance of each, in multiples of that of an event's own label.
    conflicts
        On what people differ.
    unknown
        Labels of things that are not among the events.
    spent
        The cost of all labels.
    """

    rows: NDArray[np.int64]
    labels: NDArray[np.int8]
    doubt: NDArray[np.float64]
    conflicts: tuple[str, ...]
    unknown: int
    spent: float

    def over(self, count: int) -> NDArray[np.int8]:
        """Return the label of each of ``count`` events, -1 where nothing is known."""
        out = np.full(count, -1, np.int8)
        out[self.rows] = self.labels
        return out


def resolved(
    labels: Sequence[Label],
    ids: Mapping[str, int],
    cases: NDArray[Any],
    peaks: Mapping[int, int],
    entities: Mapping[str, NDArray[Any]],
    times: NDArray[Any],
) -> Known:
    """Return what labels say of events.

    Parameters
    ----------
    labels
        In the order in which they were said.
    ids
        Id of an event -> its row.
    cases
        (n,) the case of each event, -1 for none.
    peaks
        Case -> the row that it is about.
    entities
        ``type/name`` -> rows of its events.
    times
        (n,) ns.
    """
    last: dict[tuple[Of, str], dict[str, Label]] = {}
    for label in labels:
        last.setdefault((label.of, label.subject), {})[label.by] = label
    conflicts, unknown = [], 0
    said: dict[int, tuple[int, float]] = {}
    for (of, subject), people in sorted(last.items(), key=lambda item: -DOUBT[item[0][0]]):
        words = {label.word == "true" for label in people.values()}
        if len(words) > 1:
            conflicts.append(f"{of} {subject}")
            words = set()
        touched = _touched(
            of, subject, ids, cases, peaks, entities, times, min(p.at for p in people.values())
        )
        unknown += not touched
        for row, doubt in touched:
            if words:
                said[row] = (int(words == {True}), doubt)
            else:
                said.pop(row, None)
    rows = np.array(sorted(said), np.int64)
    return Known(
        rows,
        np.array([said[row][0] for row in rows.tolist()], np.int8),
        np.array([said[row][1] for row in rows.tolist()], np.float64),
        tuple(conflicts),
        unknown,
        float(sum(label.cost for label in labels)),
    )


def entity_labels(graph: Graph, event: str, labels: NDArray[Any]) -> dict[str, NDArray[np.int8]]:
    """Return labels of entities from those of their events: 1 where one is malicious and none fine, 0 where some are
    fine and none malicious, -1 where nothing is known or both are.

    Examples
    --------
    >>> import numpy as np
    >>> from marigram import graph as mgg
    >>> calls = mgg.EdgeTable(src=np.array([0, 1, 2, 2]), dst=np.array([0, 1, 1, 2]))
    >>> nodes = {"event": mgg.NodeTable.bare(3), "user": mgg.NodeTable.bare(3)}
    >>> data = mgg.Graph(nodes=nodes, edges={("event", "by", "user"): calls})
    >>> entity_labels(data, "event", np.array([1, 0, 1]))["user"].tolist()
    [1, -1, 1]
    """
    found = {}
    for name, table in graph.nodes.items():
        if name == event:
            continue
        seen = np.zeros((2, table.count), np.bool_)
        for kind, edges in graph.edges.items():
            if kind[0] == event and kind[2] == name:
                for value in (0, 1):
                    seen[value, edges.dst[labels[edges.src] == value]] = True
        found[name] = np.where(seen[0] == seen[1], -1, seen[1]).astype(np.int8)
    return found


def _touched(
    of: Of,
    subject: str,
    ids: Mapping[str, int],
    cases: NDArray[Any],
    peaks: Mapping[int, int],
    entities: Mapping[str, NDArray[Any]],
    times: NDArray[Any],
    since: int,
) -> Iterable[tuple[int, float]]:
    """Rows that a label speaks of, each with its doubt."""
    if of == "event":
        return [(ids[subject], DOUBT["event"])] if subject in ids else []
    if of == "entity":
        rows = np.asarray(entities.get(subject, np.empty(0, np.int64)))
        return [(int(row), DOUBT["entity"]) for row in rows[times[rows] <= since]]
    number = int(subject) if subject.isdecimal() else -1
    about = peaks.get(number)
    rows = np.flatnonzero(cases == number) if number >= 0 else np.empty(0, np.int64)
    return [(int(row), DOUBT["event" if row == about else "case"]) for row in rows]


def _read(handle: int) -> bytes:
    os.lseek(handle, 0, os.SEEK_SET)
    parts = []
    while part := os.read(handle, 1 << 20):
        parts.append(part)
    return b"".join(parts)


def _write(handle: int, data: bytes) -> None:
    while data:
        data = data[os.write(handle, data) :]


def _parsed(content: bytes) -> tuple[list[Label], int]:
    """The labels, and how many bytes are whole lines."""
    found: list[Label] = []
    at = 0
    while at < len(content):
        end = content.find(b"\n", at)
        line = content[at : end if end >= 0 else len(content)]
        try:
            crc, _, body = line.partition(b" ")
            if end < 0 or int(crc, 16) != zlib.crc32(body):
                raise ValueError("its checksum does not fit")
            found.append(msgspec.json.decode(body, type=Label))
        except (ValueError, msgspec.DecodeError, ParameterError) as error:
            if end >= 0 and end + 1 < len(content):
                raise SnapshotError(f"line {len(found) + 1} of the labels is damaged: {error}") from error
            break
        at = end + 1
    return found, at


__all__ = ["DOUBT", "WORDS", "Known", "Label", "LabelBook", "Word", "entity_labels", "resolved"]
