"""What columns probably mean, from their names, their types and a first look at their values.

Every guess comes with its reason, so that a person can read what was assumed and write it down otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations

import pyarrow as pa
import pyarrow.compute as pc

from marigram.errors import InputError
from marigram.graph.data.encode import column
from marigram.graph.data.schema import EventSchema, TableSchema

SAMPLE = 100_000
"""Rows that are looked at."""

FEW_VALUES = 32
"""Texts with no more values than this are categories, with more they name entities."""

_TIMES = {
    "time",
    "timestamp",
    "ts",
    "date",
    "datetime",
    "event_time",
    "created_at",
    "minute",
    "second",
    "step",
}
_LABELS = {
    "label",
    "y",
    "is_fraud",
    "isfraud",
    "fraud",
    "class",
    "is_anomaly",
    "anomaly",
    "anomalous",
    "malicious",
}
_PARTS = {"split", "part", "fold"}
_IDS = {"id", "node", "node_id", "event_id", "uuid"}
_SOURCES = {"src", "source", "from", "sender", "src_id", "source_id"}
_TARGETS = {"dst", "target", "to", "receiver", "dst_id", "target_id"}
_ENTITIES = {
    "ip",
    "host",
    "user",
    "account",
    "device",
    "card",
    "merchant",
    "customer",
    "email",
    "phone",
    "principal",
}
_WORDS = 3
"""Texts with at least this many words on average are hashed as text."""


@dataclass
class Guess:
    """Columns by their probable meaning, and why."""

    time: str | None = None
    label: str | None = None
    split: str | None = None
    ids: list[str] = field(default_factory=list)
    entities: list[str] = field(default_factory=list)
    numeric: list[str] = field(default_factory=list)
    categorical: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)


def guess_table(table: pa.Table, what: str, *, edges: bool) -> TableSchema:
    """Guess the schema of a table of nodes or of edges.

    Raises
    ------
    InputError
        The two ends of edges are not recognised.
    """
    ends = {
        end: next((n for n in table.column_names if n.lower() in names), None)
        for end, names in (("source", _SOURCES), ("target", _TARGETS))
    }
    if edges and None in ends.values():
        raise InputError(
            0, f"{what}: no columns are called source and target; say in the schema which are the ends"
        )
    rest = table.drop_columns([name for name in ends.values() if name]) if edges else table
    found = guess_columns(rest, entities=False)
    return TableSchema(
        id=None if edges else next(iter(found.ids), None),
        source=ends["source"] if edges else None,
        target=ends["target"] if edges else None,
        time=found.time, label=found.label, split=found.split,
        numeric=tuple(found.numeric), categorical=tuple(found.categorical), text=tuple(found.text),
    )  # fmt: skip


def guess_events(table: pa.Table, what: str) -> tuple[EventSchema, tuple[str, ...]]:
    """Guess the schema of events, and give the reasons.

    Labelled events become nodes, so that they can be scored; others become edges between their entities.

    Raises
    ------
    InputError
        Fewer than two columns look as if they named entities.
    """
    found = guess_columns(table, entities=True)
    labelled = found.label is not None
    if len(found.entities) < (1 if labelled else 2):
        raise InputError(
            0,
            f"{what}: of the columns {', '.join(table.column_names)} too few seem to name entities; give a schema",
        )
    entities = _types(table, found.entities)
    event = None
    if labelled:
        event = next(name for name in ("event", "row", "event_node") if name not in entities)
        found.reasons.append(f"events have labels: each becomes a node of type {event!r}")
    else:
        found.reasons.append("events have no labels: each becomes an edge between every two of its entities")
    schema = EventSchema(
        entities=entities, event=event, time=found.time, label=found.label, split=found.split,
        numeric=tuple(found.numeric), categorical=tuple(found.categorical), text=tuple(found.text),
    )  # fmt: skip
    return schema, tuple(found.reasons)


def guess_columns(table: pa.Table, *, entities: bool) -> Guess:
    """Sort the columns of a table by what they probably mean."""
    found = Guess()
    head = table.slice(0, SAMPLE)
    for name in table.column_names:
        kind, why = _meaning(name, column(head, name, "the table"), found, entities=entities)
        if kind in ("time", "label", "split"):
            setattr(found, kind, name)
        elif kind:
            getattr(found, kind).append(name)
        found.reasons.append(f"{name}: {_SAID[kind]} ({why})")
    return found


_SAID = {
    "time": "the time", "label": "the label", "split": "the split", "ids": "an id, not an attribute",
    "entities": "names entities", "numeric": "a number", "categorical": "a category", "text": "text", "": "not read",
}  # fmt: skip


def _meaning(name: str, values: pa.Array, found: Guess, *, entities: bool) -> tuple[str, str]:
    """One column's probable meaning, and why."""
    low, kind = name.lower(), values.type
    if found.time is None and (pa.types.is_temporal(kind) or low in _TIMES):
        return "time", f"its type is {kind}" if pa.types.is_temporal(kind) else "its name"
    if found.label is None and low in _LABELS:
        return "label", "its name"
    if found.split is None and low in _PARTS:
        return "split", "its name"
    if low in _IDS or (not entities and low.endswith("_id") and _distinct(values) == len(values)):
        return "ids", "its name"
    if entities and (low in _ENTITIES | _SOURCES | _TARGETS or low.endswith(("_id", "_ip", "_host"))):
        return "entities", "its name"
    if (
        pa.types.is_boolean(kind)
        or pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
    ):
        return "numeric", f"its type is {kind}"
    if not pa.types.is_string(kind):
        return "", f"{kind} is no attribute"
    return _of_text(values, entities=entities)


def _of_text(values: pa.Array, *, entities: bool) -> tuple[str, str]:
    distinct, present = _distinct(values), len(values) - values.null_count
    if not present:
        return "", "it is empty"
    if distinct == 1:
        return "", "it has one value"
    if distinct <= FEW_VALUES:
        return "categorical", f"{distinct} values"
    words = pc.mean(pc.list_value_length(pc.split_pattern_regex(values, r"\s+"))).as_py()
    if words >= _WORDS:
        return "text", f"{words:.0f} words on average"
    if distinct * 2 > present and not entities:
        return "ids", "nearly every value is another"
    if distinct == present:
        return "ids", "every value is another"
    return ("entities" if entities else "categorical"), f"{distinct:,} values in {present:,} rows"


def _distinct(values: pa.Array) -> int:
    count: int = pc.count_distinct(values).as_py()
    return count


def _types(table: pa.Table, names: list[str]) -> dict[str, tuple[str, ...]]:
    """Put columns that share at least half of the values of one of them into one node type."""
    values = {name: column(table, name, "events").unique().drop_null() for name in names}
    group = {name: name for name in names}
    for a, b in combinations(names, 2):
        if values[a].type == values[b].type and len(values[a]) and len(values[b]) and _alike(a, b, table):
            shared = pc.sum(pc.is_in(values[a], values[b])).as_py() or 0
            if shared * 2 >= min(len(values[a]), len(values[b])):
                old = group[b]
                group = {name: group[a] if of == old else of for name, of in group.items()}
    types: dict[str, list[str]] = {}
    for name, of in group.items():
        types.setdefault(of, []).append(name)
    return {_called(of, members): tuple(members) for of, members in types.items()}


def _alike(a: str, b: str, table: pa.Table) -> bool:
    """Whether equal values in two columns mean one entity: always for texts, for numbers only of source and target."""
    pair = {a.lower(), b.lower()}
    return not pa.types.is_integer(table.schema.field(a).type) or bool(pair & _SOURCES and pair & _TARGETS)


def _called(name: str, members: list[str]) -> str:
    return name if len(members) == 1 else "node" if name.lower() in _SOURCES | _TARGETS else name


__all__ = ["guess_columns", "guess_events", "guess_table"]
