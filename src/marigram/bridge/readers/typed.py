"""Columns of a preset in one type each: times as timestamps or steps, numbers as doubles, everything else as texts."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from marigram.events.entities import EntitySchema
from marigram.events.times import parse_time
from marigram.graph.data.cells import NANOSECONDS, epoch_unit

__all__ = ["as_preset", "lacking", "typed"]


def as_preset(table: pa.Table, schema: EntitySchema, aliases: dict[str, str]) -> pa.Table:
    """A table with the schema's names in its order: as they are, or by an alias, whatever their case; absent: nulls."""
    columns = {}
    for name, found in _spelled(table, schema, aliases).items():
        columns[name] = pa.nulls(len(table), pa.string()) if found is None else table[found].combine_chunks()
    return pa.table(columns)


def lacking(table: pa.Table, schema: EntitySchema, aliases: dict[str, str]) -> frozenset[str]:
    """Columns of a schema that a table has under no name."""
    return frozenset(name for name, found in _spelled(table, schema, aliases).items() if found is None)


def _spelled(table: pa.Table, schema: EntitySchema, aliases: dict[str, str]) -> dict[str, str | None]:
    low = {name.lower(): name for name in table.column_names}
    found: dict[str, str | None] = {}
    for name in schema.columns:
        spellings = [name, *(other for other, ours in aliases.items() if ours == name)]
        found[name] = next((low[one.lower()] for one in spellings if one.lower() in low), None)
    return found


def typed(table: pa.Table, schema: EntitySchema) -> tuple[pa.Table, dict[int, str]]:
    """Return the rows that can be used, in the types that streams read, and why the others cannot.

    Times of a text or of a known unit become timestamps of nanoseconds; whole numbers that do not look like times
    since 1970 stay steps.
    """
    columns = {name: table[name].combine_chunks() for name in table.column_names}
    problems: dict[int, str] = {}
    if schema.time is not None:
        columns[schema.time] = _times(columns[schema.time], schema, problems)
    for name in schema.numbers:
        columns[name] = _numbers(columns[name], name, problems)
    for name in (*schema.entities, *schema.attributes, *schema.text, *([schema.id] if schema.id else [])):
        columns[name] = _texts(columns[name])
    whole = pa.table(columns)
    if problems:
        whole = whole.filter(pa.array([row not in problems for row in range(len(whole))]))
    return whole, problems


def _times(values: pa.Array, schema: EntitySchema, problems: dict[int, str]) -> pa.Array:
    name = schema.time
    if pa.types.is_temporal(values.type):
        moments = values.cast(pa.timestamp("ns", getattr(values.type, "tz", None)))
    elif pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        moments = _parsed(values, str(name), problems)
    else:
        numbers = pc.cast(values, pa.float64(), safe=False)
        present = pc.fill_null(pc.is_finite(numbers), False)
        filled = pc.fill_null(pc.if_else(present, numbers, 0.0), 0.0).to_numpy(zero_copy_only=False)
        moments = _counted(filled, schema, present)
    for row in np.flatnonzero(pc.is_null(moments).to_numpy(zero_copy_only=False)).tolist():
        problems.setdefault(row, f"{name}: the time is missing")
    return moments


def _counted(numbers: NDArray[np.float64], schema: EntitySchema, present: pa.Array) -> pa.Array:
    """Numbers as moments, or as steps where they count nothing known."""
    known = present.to_numpy(zero_copy_only=False)
    unit = schema.unit or epoch_unit(numbers[known].astype(np.int64), "events") or "step"
    scale = NANOSECONDS.get(unit)
    whole = np.where(known, np.round(numbers * (scale or 1)), 0).astype(np.int64)
    steps = pa.array(whole, mask=~known)
    return steps if scale is None else steps.cast(pa.timestamp("ns"))


def _parsed(values: pa.Array, name: str, problems: dict[int, str]) -> pa.Array:
    """Texts as moments of UTC; all at once where that works, else one by one."""
    for kind in (pa.timestamp("ns", "UTC"), pa.timestamp("ns")):
        try:
            return values.cast(kind)
        except pa.ArrowInvalid:
            continue
    moments: list[int | None] = []
    for row, text in enumerate(values.to_pylist()):
        try:
            moments.append(None if text is None else parse_time(text.strip(), "iso"))
        except ValueError:
            problems[row] = f"{name}: {text[:80]!r} is no time"
            moments.append(None)
    return pa.array(moments, pa.int64()).cast(pa.timestamp("ns", "UTC"))


def _numbers(values: pa.Array, name: str, problems: dict[int, str]) -> pa.Array:
    try:
        return values.cast(pa.float64(), safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        pass
    cells: list[float | None] = []
    for row, cell in enumerate(values.to_pylist()):
        try:
            cells.append(None if cell in (None, "") else float(cell))
        except (TypeError, ValueError):
            problems[row] = f"{name}: {str(cell)[:80]!r} is not a number"
            cells.append(None)
    return pa.array(cells, pa.float64())


def _texts(values: pa.Array) -> pa.Array:
    """Names and categories as texts; a double that counts whole things is written as it was."""
    if pa.types.is_floating(values.type):
        whole = pc.cast(values, pa.int64(), safe=False)
        same = pc.all(pc.fill_null(pc.equal(whole.cast(pa.float64()), values), True)).as_py()
        values = whole if same else values
    return values if pa.types.is_string(values.type) else values.cast(pa.string())
