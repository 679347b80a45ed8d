"""What a service has kept, as the loop takes it in: judged events, and what people said of its alerts.

The events are those of the stored verdicts, in the order in which they were accepted: the columns of the key name the
entities, the values are numbers. An event without an id of its own is called ``key#number``, as in its alert.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa

from marigram.bridge.loop.labels import Label, Word
from marigram.errors import ParameterError
from marigram.events.entities import EntitySchema
from marigram.events.keys import SEPARATOR
from marigram.kinds import Kind
from marigram.store.packing import unpack_verdicts
from marigram.verdicts import Verdicts

FILE: Final = "marigram.db"
MARK: Final = "log "
"""How the sources of parts begin that came from a service; the rest is the last entry of its log."""
_LEFT_OUT: Final = (Kind.REJECTED, Kind.MISSING)


class _Said(msgspec.Struct):
    label: Word
    by: str
    at: int
    note: str = ""


class _Verdict(msgspec.Struct):
    id: str | int | None = None


class _Alert(msgspec.Struct):
    id: str
    key: str
    peak_seq: int
    verdict: _Verdict
    word: _Said | None = None


def is_service(state: Path) -> bool:
    """Whether a service keeps its data in a folder."""
    return (state / FILE).is_file()


def schema_of_service(state: Path) -> EntitySchema:
    """Return the schema of a service's events; ParameterError before its first batch, or where events have no key."""
    with _reader(state) as connection:
        row = connection.execute("SELECT value FROM meta WHERE name = 'schema'").fetchone()
    told: dict[str, Any] = {} if row is None else msgspec.json.decode(str(row[0]))
    keys, values = tuple(told.get("key") or ()), tuple(told.get("values") or ())
    if not keys:
        raise ParameterError(
            f"the events of {state} name no entity yet: a loop needs a key, of one column or more"
        )
    taken = {"time", "id"}
    names = [name if name not in taken else f"{name}_" for name in (*keys, *values)]
    entities = {name: name for name in names[: len(keys)]}
    return EntitySchema(time="time", unit="ns", id="id", entities=entities, numbers=tuple(names[len(keys) :]))


def events_of_service(state: Path, schema: EntitySchema, after: int) -> tuple[pa.Table, int]:
    """Return the events behind an entry of the log, in the order of time, and the last entry."""
    with _reader(state) as connection:
        question = "SELECT seq, verdicts FROM chunk WHERE seq > ? ORDER BY seq"
        found = [(int(seq), unpack_verdicts(block)) for seq, block in connection.execute(question, (after,))]
    tables = [_table(verdicts, schema) for _, verdicts in found]
    if not tables:
        return _empty(schema), after
    return pa.concat_tables(tables).sort_by("time"), found[-1][0]


def labels_of_service(state: Path) -> list[Label]:
    """Return what people said of alerts, as labels of the events that these are about."""
    with _reader(state) as connection:
        there = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alert'").fetchone()
        rows = list(connection.execute("SELECT body FROM alert WHERE label <> ''")) if there else []
    found = []
    for (body,) in rows:
        alert = msgspec.json.decode(body, type=_Alert)
        if alert.word is not None and alert.peak_seq >= 0:
            subject = event_id(alert.key, alert.peak_seq, alert.verdict.id)
            said = alert.word
            label = Label(
                of="event", subject=subject, word=said.label, by=said.by, at=said.at, note=said.note,
                origin=alert.id,
            )  # fmt: skip
            found.append(label)
    return sorted(found, key=lambda label: label.at)


def event_id(key: str, number: int, own: str | int | None) -> str:
    """Return what an event is called."""
    return f"{key}#{number}" if own is None else str(own)


def parts_of_key(key: str, count: int) -> list[str]:
    r"""Return the columns that a key was joined from.

    Examples
    --------
    >>> parts_of_key(r"a\|b|c", 2), parts_of_key("a|b", 1)
    (['a|b', 'c'], ['a|b'])
    """
    if count == 1:
        return [key]
    parts, here, escaped = [], "", False
    for character in key:
        if escaped or (character not in (SEPARATOR, "\\")):
            here, escaped = here + character, False
        elif character == "\\":
            escaped = True
        else:
            parts.append(here)
            here = ""
    return [*parts, here]


def _reader(state: Path) -> Any:
    from marigram.store.database import open_reader  # needs the extra [serve], as a service does

    return open_reader(state / FILE)


def _table(verdicts: Verdicts, schema: EntitySchema) -> pa.Table:
    rows = verdicts[~np.isin(verdicts["kind"], _LEFT_OUT)]
    keys = ["" if key is None else str(key) for key in rows["key"]]
    names = list(schema.entities)
    parts = {key: parts_of_key(key, len(names)) for key in set(keys)}
    value = np.asarray(rows["value"], float).reshape(len(rows), -1)
    ids = [event_id(key, int(seq), own) for key, seq, own in zip(keys, rows["seq"], rows["id"], strict=True)]
    columns: dict[str, Any] = {"time": pa.array(rows["time"], pa.int64()), "id": pa.array(ids, pa.string())}
    columns |= {name: pa.array([parts[key][j] for key in keys], pa.string()) for j, name in enumerate(names)}
    columns |= {name: pa.array(value[:, j]) for j, name in enumerate(schema.numbers)}
    return pa.table(columns)


def _empty(schema: EntitySchema) -> pa.Table:
    kinds = {"time": pa.int64()} | dict.fromkeys(schema.numbers, pa.float64())
    return pa.table(
        {
            n: pa.array([], kinds.get(n, pa.string()))
            for n in ("time", "id", *schema.entities, *schema.numbers)
        }
    )


__all__ = [
    "MARK",
    "event_id",
    "events_of_service",
    "is_service",
    "labels_of_service",
    "parts_of_key",
    "schema_of_service",
]
