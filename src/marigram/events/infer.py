"""Which column is what, told from the first rows, with the reasons in sentences.

Names decide first, as people who name a column ``host`` mean it; then types, and how the cells behave: a time grows,
a key repeats, an id does not.  Everything that was said already (flags, TOML) is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from marigram.errors import InputError

from ._facts import Facts, facts_of
from .schema import Schema

__all__ = ["SAMPLE_ROWS", "infer"]

SAMPLE_ROWS: Final = 200

_TIME_NAMES = (
    *(
        "timestamp",
        "time",
        "ts",
        "datetime",
        "date",
        "t",
        "when",
        "at",
        "epoch",
        "eventtime",
        "event_time",
        "@timestamp",
    ),
    *("created_at", "occurred_at", "logged_at", "start_time", "start", "date_time", "_time"),
)
_TIME_WORDS = frozenset(("time", "timestamp", "ts", "date", "datetime", "epoch", "stamp"))
_ENTITY_NAMES = (
    *(
        "key",
        "entity",
        "host",
        "hostname",
        "device",
        "account",
        "user",
        "instance",
        "node",
        "machine",
        "service",
    ),
    *(
        "customer",
        "merchant",
        "card",
        "symbol",
        "client",
        "tenant",
        "pod",
        "container",
        "source",
        "src",
        "ip",
    ),
)
_SERIES_NAMES = ("series", "metric", "sensor", "name", "measurement", "signal", "tag", "channel", "item")
_ENTITY_WORDS = frozenset((*_ENTITY_NAMES, "id", "uuid", "name"))
_VALUE_NAMES = ("value", "v", "y", "val", "reading", "measurement", "amount", "x")
_ID_NAMES = ("id", "event_id", "eventid", "uuid", "_id", "message_id", "row_id")
_LABEL_NAMES = frozenset(
    ("label", "is_anomaly", "anomaly", "target", "class", "ground_truth", "is_fraud", "outlier")
)
_INDEX_NAMES = frozenset(("", "index", "unnamed: 0", "row", "rownum", "row_number"))
_UNIT_WORDS = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}


def infer(rows: Sequence[Mapping[str, Any]], told: Schema | None = None) -> tuple[Schema, list[str]]:
    """Return the complete schema of an input and why each column was chosen.

    Parameters
    ----------
    rows
        The first rows, as mappings of column to cell: numbers, booleans, texts, None.
    told
        What is known already.

    Raises
    ------
    InputError
        When there is no row, or no column of numbers to watch.

    Examples
    --------
    >>> rows = [{"ts": f"2024-05-01T00:0{i}Z", "host": "a", "load": i / 4} for i in range(3)]
    >>> schema, reasons = infer(rows)
    >>> schema.time, schema.key, schema.values
    ('ts', ('host',), ('load',))
    >>> print(reasons[0])
    time: column 'ts' parses as ISO-8601 in all of 3 rows
    """
    if not rows:
        raise InputError(0, "nothing to infer a schema from: there is no row")
    inference = _Inference(rows, told or Schema())
    return inference.schema(), inference.reasons


class _Inference:
    """Decides column by column; what is taken is no longer free for the next decision."""

    def __init__(self, rows: Sequence[Mapping[str, Any]], told: Schema) -> None:
        names = dict.fromkeys(name for row in rows for name in row)
        self._all = {
            name: facts_of(name, place, [row.get(name) for row in rows]) for place, name in enumerate(names)
        }
        self._free = {name: fact for name, fact in self._all.items() if name not in told.columns}
        self._rows = len(rows)
        self._told = told
        self.reasons: list[str] = []

    def schema(self) -> Schema:
        time, unit = self._time()
        self._free.pop(time, None)
        ident = self._own_id() if self._told.id is None else self._told.id
        self._free.pop(ident, None)
        key = self._key() if self._told.key is None else self._told.key
        for column in key:
            self._free.pop(column, None)
        values = self._values() if self._told.values is None else self._told.values
        return msgspec.structs.replace(
            self._told, time=time, time_unit=unit, id=ident, key=key, values=values
        )

    def _time(self) -> tuple[str, Any]:
        told = self._told
        if told.time is not None:
            return told.time, told.time_unit or (self._unit_of(told.time) if told.time else None)
        found = [fact for fact in self._free.values() if fact.iso and told.time_unit in (None, "iso")]
        if found:
            best = _best(found, _TIME_NAMES)
            self.reasons.append(f"time: column {best.name!r} parses as ISO-8601 in {_of(best)} rows")
            return best.name, "iso"
        found = [fact for fact in self._free.values() if self._may_be_epoch(fact)]
        if not found:
            self.reasons.append(
                "time: no column looks like one, so no season, no lateness, no alert on silence"
            )
            return "", None
        best = _best(found, _TIME_NAMES)
        unit = told.time_unit or best.unit or ""
        order = ", and never falls" if best.grows and best.present > 1 else ""
        self.reasons.append(
            f"time: column {best.name!r} counts {_UNIT_WORDS[unit]} since 1970 by its size{order}"
        )
        return best.name, unit

    def _may_be_epoch(self, fact: Facts) -> bool:
        """Whether numbers are times: by the column's name, or being its first, whole, growing and of that size."""
        named = fact.low in _TIME_NAMES or bool(fact.words & _TIME_WORDS)
        if self._told.time_unit is not None:
            return named and fact.numeric and self._told.time_unit != "iso"
        grows = fact.place == 0 and fact.whole and fact.grows and self._rows >= 20
        varies = 2 * fact.distinct >= self._rows and fact.low not in _VALUE_NAMES
        return fact.unit is not None and (named or (grows and varies))

    def _unit_of(self, column: str) -> str:
        """Unit of the column that was named as the time."""
        fact = self._all.get(column)
        if fact is None or fact.unit is None:
            self.reasons.append(f"time_unit: {column!r} is read as ISO-8601")
            return "iso"
        self.reasons.append(f"time_unit: {column!r} counts {_UNIT_WORDS[fact.unit]} since 1970 by its size")
        return fact.unit

    def _own_id(self) -> str:
        for fact in self._free.values():
            unique = fact.present == fact.distinct == self._rows and (fact.textual or fact.whole)
            if fact.low in _ID_NAMES and unique and self._rows >= 20:
                self.reasons.append(
                    f"id: column {fact.name!r} has another value in each of {self._rows} rows"
                )
                return fact.name
        return ""

    def _key(self) -> tuple[str, ...]:
        fit = [fact for fact in self._free.values() if self._may_be_key(fact)]
        entities = [fact for fact in fit if fact.low in _ENTITY_NAMES]
        series = [fact for fact in fit if fact.low in _SERIES_NAMES]
        if entities and series:
            entity, measure = _best(entities, _ENTITY_NAMES).name, _best(series, _SERIES_NAMES).name
            self.reasons.append(
                f"key: columns {entity!r} and {measure!r} together: an entity, and what is measured of it"
            )
            return (entity, measure)
        worded = [fact for fact in fit if fact.words & _ENTITY_WORDS]
        if entities or series or worded:
            chosen = _best(entities or series or worded, (*_ENTITY_NAMES, *_SERIES_NAMES))
            self.reasons.append(f"key: column {chosen.name!r} by its name; {_variety(chosen)}")
            return (chosen.name,)
        texts = [fact for fact in fit if fact.low not in _LABEL_NAMES]
        if texts:
            others = f"; {len(texts) - 1} more columns of texts were left aside" if len(texts) > 1 else ""
            self.reasons.append(
                f"key: column {texts[0].name!r} holds texts that repeat, {_variety(texts[0])}{others}"
            )
            return (texts[0].name,)
        self.reasons.append("key: no column names an entity, so all rows belong to one")
        return ()

    def _may_be_key(self, fact: Facts) -> bool:
        """Whether a column could name an entity: texts or whole numbers that are nearly always there and repeat."""
        if 5 * fact.present < 4 * self._rows or not (fact.textual or fact.whole) or fact.iso:
            return False
        named = fact.low in (*_ENTITY_NAMES, *_SERIES_NAMES) or bool(fact.words & _ENTITY_WORDS)
        if named and (self._rows < 20 or fact.distinct < self._rows):
            return True
        return fact.textual and 2 * fact.distinct <= max(self._rows, 2)

    def _what_it_is(self, fact: Facts) -> str:
        """Return a column's name and, where it holds nothing or some numbers, why it is none of numbers."""
        if not fact.present:
            return f"{fact.name!r} (empty in all of {self._rows} rows)"
        found = sum(isinstance(cell, (int, float)) and not isinstance(cell, bool) for cell in fact.cells)
        if fact.numeric or not found:
            return repr(fact.name)
        return f"{fact.name!r} (numbers in {found} of {fact.present} rows; say --value {fact.name} to watch them)"

    def _values(self) -> tuple[str, ...]:
        numeric = [fact for fact in self._free.values() if fact.numeric]
        numeric = self._without(
            numeric, [fact for fact in numeric if fact.low in _LABEL_NAMES], "a label by its name"
        )
        numeric = self._without(
            numeric, [fact for fact in numeric if self._is_index(fact)], "it counts the rows"
        )
        if not numeric:
            columns = ", ".join(self._what_it_is(fact) for fact in self._all.values())
            raise InputError(0, f"no column of numbers to watch among {columns}")
        if len(numeric) == 1:
            self.reasons.append(f"values: column {numeric[0].name!r} is the only one of numbers")
            return (numeric[0].name,)
        named = [fact for fact in numeric if fact.low in _VALUE_NAMES]
        if named:
            best = _best(named, _VALUE_NAMES)
            self.reasons.append(
                f"values: column {best.name!r} by its name, of {len(numeric)} columns of numbers"
            )
            return (best.name,)
        few = ", ".join(repr(fact.name) for fact in numeric[:8]) + (", …" if len(numeric) > 8 else "")
        self.reasons.append(
            f"values: all {len(numeric)} columns of numbers ({few}) as one event of {len(numeric)} "
            "coordinates; name one to watch it alone"
        )
        return tuple(fact.name for fact in numeric)

    def _is_index(self, fact: Facts) -> bool:
        counting = fact.whole and fact.counts and fact.low not in _VALUE_NAMES
        return counting and (self._rows >= 20 or fact.low in _INDEX_NAMES)

    def _without(self, numeric: list[Facts], others: list[Facts], why: str) -> list[Facts]:
        """What remains without the others, if anything does."""
        rest = [fact for fact in numeric if fact not in others]
        if not rest:
            return numeric
        for fact in others:
            self.reasons.append(f"values: column {fact.name!r} is left out: {why}")
        return rest


def _best(facts: Sequence[Facts], names: Sequence[str]) -> Facts:
    """The fact whose name comes first in ``names``; of those not in it, the first column."""
    return min(
        facts, key=lambda fact: (names.index(fact.low) if fact.low in names else len(names), fact.place)
    )


def _of(fact: Facts) -> str:
    """Return in how many of its rows a column is what it is taken for."""
    fitting = len(fact.cells)
    return f"all of {fact.present}" if fitting == fact.present else f"{fitting} of {fact.present}"


def _variety(fact: Facts) -> str:
    return f"{fact.distinct} different in {fact.present} rows"
