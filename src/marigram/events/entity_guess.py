"""Which columns of a table of events probably are what, with the reasons in sentences; and whether a schema fits.

Names decide first, then types and how the cells behave, as for the schema of one key (:mod:`marigram.events.infer`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from marigram.errors import InputError

from ._facts import Facts, facts_of
from .tables import plain_cells

if TYPE_CHECKING:
    from .entities import EntitySchema

__all__ = ["as_table", "check_table", "guess_settings"]

_SAMPLE: Final = 2000
_FEW: Final = 64
"""Texts of at most so many values are categories."""
_WORDS: Final = 4.0
"""Texts of so many words on average are free text."""
_TIMES: Final = frozenset(
    ("time", "timestamp", "ts", "date", "datetime", "when", "at", "start", "end", "minute", "second", "step")
)
_LABELS: Final = frozenset(
    ("label", "is_fraud", "isfraud", "fraud", "class", "is_anomaly", "anomaly", "malicious", "attack", "y")
)
_LEAKS: Final = frozenset(("label", "attack", "malicious", "fraud", "anomaly", "alert"))
_IDS: Final = frozenset(
    ("id", "event_id", "eventid", "uuid", "_id", "request_id", "transaction_id", "row_id", "line")
)
_TYPE_OF: Final = {
    "user": "account", "account": "account", "principal": "account", "actor": "account", "username": "account",
    "customer": "account", "sender": "account", "receiver": "account", "client": "account", "card": "card",
    "merchant": "merchant", "shop": "merchant", "terminal": "merchant", "device": "device", "phone": "device",
    "email": "account", "ip": "address", "address": "address", "addr": "address", "host": "host",
    "hostname": "host", "server": "host", "machine": "host", "pod": "host", "srcaddr": "address",
    "dstaddr": "address", "resource": "resource", "bucket": "resource", "file": "resource", "domain": "resource",
}  # fmt: skip
"""Word of a column's name -> node type of what it names."""
_ENDS: Final = frozenset(("src", "dst", "source", "target", "destination", "from", "to", "node"))
"""Whole names of columns that name the ends of what happens, of whatever type."""
_WHO: Final = (
    "principal",
    "actor",
    "user",
    "account",
    "customer",
    "card",
    "sender",
    "client",
    "source",
    "src",
)
_DONE: Final = (
    "action",
    "event_name",
    "eventname",
    "operation",
    "method",
    "api",
    "call",
    "command",
    "verb",
    "type",
)


@dataclass
class _Found:
    time: str | None = None
    id: str | None = None
    label: str | None = None
    entities: dict[str, str] = field(default_factory=dict)
    attributes: list[str] = field(default_factory=list)
    numbers: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)


def as_table(table: Any) -> pa.Table:
    """Return an Arrow table of anything that speaks Arrow, or of a mapping of names to columns."""
    if isinstance(table, pa.Table):
        return table
    if isinstance(table, pa.RecordBatch):
        return pa.Table.from_batches([table])
    try:
        if isinstance(table, Mapping):
            return pa.table(dict(table))
        if hasattr(table, "__arrow_c_stream__"):
            return pa.table(table)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise InputError(0, f"events: the columns do not make a table: {error}") from error
    raise InputError(0, f"events: {type(table).__name__} is not a table")


def guess_settings(table: pa.Table) -> tuple[dict[str, Any], list[str]]:
    """Return the settings of the schema that a table probably has, and why."""
    if not table.num_rows:
        raise InputError(0, "nothing to infer a schema from: there is no row")
    found, reasons = _Found(), []
    for place, name in enumerate(table.column_names):
        fact = facts_of(name, place, plain_cells(_head(table, name)))
        role, why = _role(fact, found, table.schema.field(name).type)
        reasons.append(f"{name}: {role} ({why})")
    if not found.entities:
        columns = ", ".join(table.column_names)
        raise InputError(0, f"no column seems to name entities among {columns}; say which in a schema")
    low = {name.lower(): name for name in (*found.entities, *found.attributes)}
    actor = next((low[n] for who in _WHO for n in low if who in _words(n) and low[n] in found.entities), None)
    action = next((low[name] for name in _DONE if name in low), None)
    reasons.append(f"actor: {actor or next(iter(found.entities))}")
    settings = {name: value for name, value in vars(found).items() if value}
    settings |= {name: tuple(value) for name, value in settings.items() if isinstance(value, list)}
    if found.time and table.schema.field(found.time).type in (pa.int8(), pa.int16(), pa.int32()):
        settings["unit"] = "step"
    return settings | {"actor": actor, "action": action if action != actor else None}, reasons


def check_table(schema: EntitySchema, table: pa.Table) -> list[str]:
    """Make sure that a table has the schema's columns in types that fit; see :meth:`EntitySchema.check`."""
    absent = [name for name in schema.columns if name not in table.column_names]
    if absent:
        raise InputError(0, f"events: there is no column {absent[0]!r} among {', '.join(table.column_names)}")
    notices = []
    for name in schema.numbers:
        kind = table.schema.field(name).type
        if not _is_number(kind):
            raise InputError(0, f"events: column {name!r} is of type {kind}, and should hold numbers")
    for name in (*schema.entities, *schema.attributes, *schema.text):
        kind = table.schema.field(name).type
        if pa.types.is_nested(kind) or pa.types.is_floating(kind):
            raise InputError(
                0, f"events: column {name!r} is of type {kind}, and should hold names or categories"
            )
    for name in table.column_names:
        if name in schema.left_out:
            notices.append(f"{name}: left out: {schema.left_out[name]}")
        elif name not in schema.columns:
            notices.append(f"{name}: not read: the schema does not name it")
    empty = [n for n in schema.entities if table.num_rows and table[n].null_count == table.num_rows]
    return notices + [f"{name}: names no entity in any row" for name in empty]


def _head(table: pa.Table, name: str) -> pa.Array:
    chunked = table[name].slice(0, _SAMPLE)
    return chunked.combine_chunks() if chunked.num_chunks != 1 else chunked.chunk(0)


def _words(name: str) -> frozenset[str]:
    return frozenset(name.lower().replace("-", "_").split("_"))


def _role(fact: Facts, found: _Found, kind: pa.DataType) -> tuple[str, str]:
    """Put one column where it belongs; return what it is and why."""
    if not fact.present:
        found.left_out[fact.name] = "empty"
        return "left out", "it is empty"
    named = bool(fact.words & _TIMES) or fact.low in _TIMES
    if found.time is None and (pa.types.is_temporal(kind) or fact.iso or (named and fact.numeric)):
        found.time = fact.name
        return "the time", "its cells are times" if not fact.numeric else "its name, and it holds numbers"
    if fact.low in _LABELS and found.label is None and fact.distinct <= _FEW:
        found.label = fact.name
        return "the label", "its name; streams never read it"
    if fact.words & _LEAKS:
        found.left_out[fact.name] = "by its name it tells the label"
        return "left out", "by its name it tells the label"
    if found.id is None and fact.low in _IDS and fact.distinct == fact.present:
        found.id = fact.name
        return "the event's own id", "another value in each row"
    return _content(fact, found, kind)


def _content(fact: Facts, found: _Found, kind: pa.DataType) -> tuple[str, str]:
    types = [_TYPE_OF[word] for word in (fact.low, *sorted(fact.words)) if word in _TYPE_OF]
    if fact.low in _ENDS:
        types = ["node"]
    may_name = (fact.textual or fact.whole) and "agent" not in fact.words and "type" not in fact.words
    if types and may_name and not pa.types.is_boolean(kind):
        found.entities[fact.name] = types[0]
        return f"names entities of type {types[0]}", "its name"
    if fact.numeric:
        found.numbers.append(fact.name)
        return "a number", f"its type is {kind}"
    if fact.distinct == 1 and fact.present >= 20:
        found.left_out[fact.name] = "always the same"
        return "left out", "it is always the same"
    if not fact.textual or fact.distinct <= _FEW:
        found.attributes.append(fact.name)
        return "a category", f"{fact.distinct} values"
    if sum(len(str(cell).split()) for cell in fact.cells) >= _WORDS * len(fact.cells):
        found.text.append(fact.name)
        return "free text", "several words in a cell"
    if 10 * fact.distinct >= 9 * fact.present:
        found.left_out[fact.name] = "nearly every cell is another"
        return "left out", "nearly every cell is another"
    found.entities[fact.name] = fact.name
    return f"names entities of type {fact.name}", f"{fact.distinct} values in {fact.present} rows"


def _is_number(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_null(kind)
    )
