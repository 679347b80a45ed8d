"""Columns of tables turned into attributes: numbers, categories, hashed text.

Every refusal names the table, the row (from 0) and the value.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from marigram.errors import InputError
from marigram.graph.data.columns import Columns
from marigram.graph.data.tables import refuse_first

BUCKETS = 32
"""Columns that the words of one text column are hashed into."""


def encode_columns(
    table: pa.Table,
    what: str,
    *,
    numeric: Sequence[str] = (),
    categorical: Sequence[str] = (),
    text: Sequence[str] = (),
    buckets: int = BUCKETS,
) -> Columns:
    """Return some columns of a table as attributes.

    Raises
    ------
    InputError
        There is no such column, or a value is no finite number.
    """
    count = table.num_rows
    numbers = np.empty((count, len(numeric)), np.float32)
    for j, name in enumerate(numeric):
        numbers[:, j] = _numbers(column(table, name, what), f"{what}, column {name!r}")
    codes = np.empty((count, len(categorical)), np.int32)
    vocabularies = []
    for j, name in enumerate(categorical):
        codes[:, j], values = _categories(column(table, name, what))
        vocabularies.append(values)
    words = np.zeros((count, buckets * len(text)), np.float32)
    for j, name in enumerate(text):
        words[:, j * buckets : (j + 1) * buckets] = hash_words(column(table, name, what), buckets)
    return Columns(
        numeric=numbers, numeric_names=tuple(numeric),
        codes=codes, code_names=tuple(categorical), vocabularies=tuple(vocabularies),
        text=words, text_names=tuple(f"{name}#{b}" for name in text for b in range(buckets)),
    )  # fmt: skip


def column(table: pa.Table, name: str, what: str) -> pa.Array:
    """Return a column as one array, texts as plain ones; refuses a name that is not there."""
    if name not in table.column_names:
        raise InputError(0, f"{what}: there is no column {name!r} among {', '.join(table.column_names)}")
    chunked = table[name]
    whole = (
        chunked.chunk(0)
        if chunked.num_chunks == 1
        else pa.concat_arrays(chunked.chunks or [pa.array([], chunked.type)])
    )
    if pa.types.is_dictionary(whole.type):
        whole = whole.dictionary_decode()
    texts = pa.types.is_large_string(whole.type) or pa.types.is_string_view(whole.type)
    return whole.cast(pa.string()) if texts else whole


def _numbers(values: pa.Array, what: str) -> NDArray[np.float32]:
    """Numbers as float32, NaN where null."""
    try:
        wide = pc.cast(values, pa.float64(), safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        bad = next((row for row, value in enumerate(values.to_pylist()) if not _is_number(value)), 0)
        raise InputError(0, f"{what}, row {bad}: {values[bad].as_py()!r} is not a number") from error
    with np.errstate(over="ignore"):
        narrow: NDArray[np.float32] = (
            pc.fill_null(wide, np.nan).to_numpy(zero_copy_only=False).astype(np.float32)
        )
    refuse_first(
        np.isinf(narrow), lambda row: f"{what}, row {row}: {values[row].as_py()} is not a finite number"
    )
    return narrow


def _is_number(value: Any) -> bool:
    if value is None:
        return True
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def _categories(values: pa.Array) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """Codes by first appearance, -1 where null, and the values as text."""
    if pa.types.is_floating(values.type):
        values = pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)
    encoded = values.cast(pa.string()).dictionary_encode()
    codes = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False).astype(np.int32)
    return codes, tuple(encoded.dictionary.to_pylist())


def hash_words(values: pa.Array, buckets: int) -> NDArray[np.float32]:
    """Count the words of each text in buckets, with a sign each, so that collisions cancel on average.

    Words are runs of letters and digits, lower-cased. Bucket and sign come from CRC-32 and are the same everywhere.
    Returns float32 ``(n, buckets)``; rows without text are 0. Weinberger et al., 2009.
    """
    counts = np.zeros((len(values), buckets), np.float32)
    lists = pc.split_pattern_regex(
        pc.utf8_lower(pc.fill_null(values.cast(pa.string()), "")), r"[^\p{L}\p{N}]+"
    )
    rows = pc.list_parent_indices(lists).to_numpy(zero_copy_only=False)
    encoded = pc.list_flatten(lists).dictionary_encode()
    hashes = np.array([zlib.crc32(word.encode()) for word in encoded.dictionary.to_pylist()], np.uint32)
    weight = np.where(hashes >> 31, -1, 1).astype(np.float32)
    weight[np.flatnonzero(pc.equal(encoded.dictionary, "").to_numpy(zero_copy_only=False))] = 0
    codes = encoded.indices.to_numpy(zero_copy_only=False)
    np.add.at(counts, (rows, (hashes % buckets)[codes]), weight[codes])
    return counts


__all__ = ["BUCKETS", "column", "encode_columns", "hash_words"]
