"""Verdicts as CSV that a spreadsheet may open."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from marigram.verdicts import Verdicts

__all__ = ["csv_text"]

_FORMULA = r"^[=+\-@\t\r]"


def csv_text(verdicts: Verdicts, header: bool) -> bytes:
    """Return a line a verdict, columns in the order of the fields, with a first line of names if ``header``.

    Nulls are empty cells, times ISO-8601.  A column of d > 1 numbers becomes d columns, ``value_0`` and so on.  Texts
    that a spreadsheet would take for a formula (beginning with = + - @, tab or return) get an apostrophe in front.
    """
    from pyarrow import csv

    columns = list(_columns(verdicts))
    table = pa.table([column for _, column in columns], names=[name for name, _ in columns])
    sink = pa.BufferOutputStream()
    csv.write_csv(table, sink, csv.WriteOptions(include_header=header))
    return bytes(sink.getvalue())


def _columns(verdicts: Verdicts) -> Iterator[tuple[str, Any]]:
    table = verdicts.to_arrow()
    for name in table.column_names:
        column = table.column(name)
        if pa.types.is_list(column.type):
            matrix = verdicts[name]
            matrix = matrix.reshape(len(matrix), -1)
            for i in range(matrix.shape[1]):
                numbers = pa.array(matrix[:, i].copy(), from_pandas=True)
                yield (name if matrix.shape[1] == 1 else f"{name}_{i}"), numbers
        elif pa.types.is_timestamp(column.type):
            yield name, pc.replace_substring(column.cast(pa.string()), " ", "T", max_replacements=1)
        elif pa.types.is_dictionary(column.type):
            yield name, column.cast(pa.string())
        elif pa.types.is_string(column.type):
            yield name, _harmless(column)
        else:
            yield name, column


def _harmless(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    quoted = pc.binary_join_element_wise(pa.scalar("'"), texts, pa.scalar(""))
    return pc.if_else(pc.match_substring_regex(texts, _FORMULA), quoted, texts)
