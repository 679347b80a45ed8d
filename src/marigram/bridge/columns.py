"""A table of events as streams and graphs read it: only what the schema names, entities by their names as written."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from marigram.events.entities import EntitySchema
from marigram.events.entity_guess import as_table
from marigram.graph.data.encode import column

__all__ = ["names_of", "plain_table"]


def plain_table(table: Any, schema: EntitySchema) -> pa.Table:
    """Return the columns that the schema names: entities and attributes as texts, hashed where the schema says so.

    Raises
    ------
    InputError
        A column is absent, or of a type that it may not have.
    """
    given = as_table(table)
    known = schema if schema.label in given.column_names else schema.without_label()
    known.check(given)
    columns = {name: column(given, name, "events") for name in known.columns}
    for name in (*known.entities, *known.attributes):
        columns[name] = _texts(columns[name])
    for name in known.hashed:
        columns[name] = _hashed(columns[name], known, name)
    return pa.table(columns)


def names_of(table: pa.Table, name: str) -> list[str | None]:
    """Return the cells of a column of names; None where there is none."""
    cells: list[str | None] = [cell or None for cell in table[name].to_pylist()]
    return cells


def _texts(values: pa.Array) -> pa.Array:
    """Names and categories as texts; what is missing is null, an empty text is missing too."""
    texts = values if pa.types.is_string(values.type) else values.cast(pa.string())
    return pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)


def _hashed(values: pa.Array, schema: EntitySchema, name: str) -> pa.Array:
    encoded = values.dictionary_encode()
    hashed = [schema.name(name, text) for text in encoded.dictionary.to_pylist()]
    return pa.array(hashed, pa.string()).take(encoded.indices)
