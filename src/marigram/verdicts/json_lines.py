"""Verdict columns as JSON lines: columns are laid side by side by type, rows written block by block."""

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
import pyarrow as pa

from marigram.verdicts.arrow import id_array, key_array
from marigram.verdicts.fields import COLUMNS, Array, Column
from marigram.verdicts.json_kernel import (
    DOUBLE,
    DOUBLES,
    FLAG,
    INTEGER,
    KIND,
    NULL,
    POSITION,
    SINGLES,
    TEXT,
    TIME,
    write_rows,
)

__all__ = ["MOST_ROWS", "json_lines"]

MOST_ROWS: Final = 1 << 18
"""Rows that may be written at once: their texts must fit the 2 GiB that Arrow allows one array."""
_BLOCK_BYTES: Final = 1 << 21
"""Room for a block of rows, were each at its longest: small enough to stay in the cache."""
_LABEL_BYTES: Final = 20 * len(COLUMNS)
_NUMBER_BYTES: Final = 32
_ESCAPED: Final = 6
"""Bytes that one byte of a text may become."""
_VECTORS: Final = sum(column.per_coordinate for column in COLUMNS) + 1


def json_lines(column: Callable[[str], Array], d: int) -> Iterator[bytes]:
    """Yield one JSON object a row, each ended by a newline, in blocks; fields in the order of ``FIELDS``.

    ``column(name)`` gives the columns, of at most ``MOST_ROWS`` rows.
    """
    columns = _Columns(column)
    rows = len(column("kind"))
    row_bytes = _LABEL_BYTES + _NUMBER_BYTES * (len(COLUMNS) + _VECTORS * d)
    step = max(1, _BLOCK_BYTES // row_bytes)
    out = np.empty(0, np.uint8)
    for start in range(0, rows, step):
        stop = min(start + step, rows)
        room = (stop - start) * row_bytes + _ESCAPED * columns.text_bytes(start, stop) + _NUMBER_BYTES
        if len(out) < room:
            out = np.empty(room, np.uint8)
        written = write_rows(out, start, stop, *columns.arguments)
        yield out[:written].tobytes()


class _Columns:
    """The columns of a table, those of one type side by side, as the loop reads them."""

    def __init__(self, column: Callable[[str], Array]) -> None:
        self._texts: list[pa.StringArray] = []
        self._integers: list[Array] = []
        self._numbers: list[Array] = []
        self._codes: list[Array] = []
        plan = np.array([self._placed(field, column(field.name)) for field in COLUMNS])
        offsets, letters, present = self._joined_texts()
        self._offsets = offsets
        self.arguments = (
            plan,
            offsets,
            letters,
            present,
            np.column_stack(self._integers),
            np.column_stack(self._numbers),
            np.column_stack(self._codes),
        )

    def text_bytes(self, start: int, stop: int) -> int:
        """Return the length of the texts of some rows."""
        return int((self._offsets[:, stop] - self._offsets[:, start]).sum())

    def _placed(self, field: Column, values: Array) -> tuple[int, int, int]:
        """File a column under what it holds; return its writer, its first place there and how many it takes."""
        if field.dtype == "object":
            return self._named(key_array(values) if field.name == "key" else id_array(values))
        if field.dtype in ("float64", "float32"):
            return self._numeric(np.ascontiguousarray(values))
        if field.dtype in ("bool", "uint8"):
            self._codes.append(values.view(np.uint8))
            return KIND if field.name == "kind" else FLAG, len(self._codes) - 1, 1
        self._integers.append(values)
        writer = TIME if field.name == "time" else POSITION if field.null == -1 else INTEGER
        return writer, len(self._integers) - 1, 1

    def _numeric(self, values: Array) -> tuple[int, int, int]:
        """File the bits of numbers."""
        place = sum(1 if block.ndim == 1 else block.shape[1] for block in self._numbers)
        if values.dtype == np.float32:
            self._numbers.append(values.view(np.int32).astype(np.int64))
            return SINGLES, place, values.shape[1]
        self._numbers.append(values.view(np.int64))
        return (DOUBLE, place, 1) if values.ndim == 1 else (DOUBLES, place, values.shape[1])

    def _named(self, texts: pa.Array) -> tuple[int, int, int]:
        """File keys or ids, which are texts or integers or all null."""
        if texts.null_count == len(texts):
            return NULL, 0, 0
        if pa.types.is_integer(texts.type):
            self._integers.append(texts.to_numpy(zero_copy_only=False))
            return INTEGER, len(self._integers) - 1, 1
        self._texts.append(texts)
        return TEXT, len(self._texts) - 1, 1

    def _joined_texts(self) -> tuple[Array, Array, Array]:
        """Return offsets (columns, n + 1), the UTF-8 of all columns, and which are present (columns, n)."""
        n = len(self._integers[0])
        offsets = np.zeros((len(self._texts), n + 1), np.int64)
        present = np.ones((len(self._texts), n), np.bool_)
        letters = [np.frombuffer(texts.buffers()[2] or b"", np.uint8) for texts in self._texts]
        before = 0
        for i, texts in enumerate(self._texts):
            offsets[i] = np.frombuffer(texts.buffers()[1], np.int32)[: n + 1]
            offsets[i] += before
            before += len(letters[i])
            if texts.null_count:
                present[i] = texts.is_valid().to_numpy(zero_copy_only=False)
        return offsets, np.concatenate([np.empty(0, np.uint8), *letters]), present
