"""The records of one key side by side: the form in which a state leaves the table, for the shelf or a snapshot.

A record is a row of 8-byte words: moving words is twenty times faster than moving structures of many fields.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from marigram.detectors.state import StateTable

Array: TypeAlias = NDArray[Any]
Ints: TypeAlias = NDArray[np.int64]
Words: TypeAlias = NDArray[np.uint64]

STRETCH = 1 << 22
"""Bytes that are moved at a time."""


def layout(table: StateTable) -> np.dtype[Any]:
    """Return the dtype of one key's whole state: a field for each array of the table, whole words each."""
    sample = StateTable(table.parameters, table.d, 1)
    if table.seasonal:
        sample.make_seasonal()
    return np.dtype([(name, array.dtype, array.shape[1:]) for name, array in sample.per_key().items()])


def from_table(table: StateTable, rows: Ints, form: np.dtype[Any]) -> Words:
    """Return the (k, words) records of the keys in these rows of the table."""
    found = np.empty((len(rows), form.itemsize // 8), np.uint64)
    for place, words in _words_of(table):
        found[:, place] = words[rows]
    return found


def to_table(table: StateTable, rows: Ints, found: Words) -> None:
    """Write (k, words) records into these rows of the table."""
    for place, words in _words_of(table):
        words[rows] = found[:, place]


def widened(found: Words, narrow: np.dtype[Any], wide: np.dtype[Any]) -> Words:
    """Return records in a layout with more fields; the new ones are fresh."""
    wider = np.zeros((len(found), wide.itemsize // 8), np.uint64)
    for name in narrow.names or ():
        wider[:, _place(wide, name)] = found[:, _place(narrow, name)]
    return wider


def fields(found: Words, form: np.dtype[Any]) -> Array:
    """Return (k,) records as structures over the same memory."""
    return found.view(form).reshape(len(found))


def step(form: np.dtype[Any]) -> int:
    """Return how many records make a stretch."""
    return max(1, STRETCH // form.itemsize)


def _words_of(table: StateTable) -> list[tuple[slice, Words]]:
    """Return each array of the table as (capacity, words), and where its words lie in a record."""
    found, start = [], 0
    for array in table.per_key().values():
        words = array.view(np.uint64).reshape(table.capacity, -1)
        found.append((slice(start, start + words.shape[1]), words))
        start += words.shape[1]
    return found


def _place(form: np.dtype[Any], name: str) -> slice:
    if form.fields is None:
        raise TypeError(f"{form} has no fields")
    inner, offset = form.fields[name][:2]
    return slice(offset // 8, (offset + inner.itemsize) // 8)


__all__ = ["Words", "fields", "from_table", "layout", "step", "to_table", "widened"]
