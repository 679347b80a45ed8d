"""Verdict columns as JSON lines."""

from collections.abc import Callable, Iterable

import msgspec
import numpy as np

from marigram.kinds import Kind
from marigram.verdicts.fields import FIELDS, NO_TIME, Array
from marigram.wording import moment

__all__ = ["json_lines"]


def json_lines(column: Callable[[str], Array]) -> bytes:
    """Return one JSON object a row, each ended by a newline, fields in the order of ``FIELDS``."""
    columns = [_plain(name, column(name)) for name in FIELDS]
    rows = (dict(zip(FIELDS, row, strict=True)) for row in zip(*columns, strict=True))
    return msgspec.json.Encoder().encode_lines(rows)


def _plain(name: str, values: Array) -> Iterable[object]:
    if name == "kind":
        labels = [kind.label for kind in Kind]
        return [labels[code] for code in values.tolist()]
    if name == "time":
        return [None if ns == NO_TIME else moment(ns) for ns in values.tolist()]
    if name in ("changed_at", "resolves"):
        return [None if seq == -1 else seq for seq in values.tolist()]
    if values.ndim == 2:
        empty = np.isnan(values.astype(float)).all(axis=1).tolist()
        return [None if none else row for none, row in zip(empty, values.astype(float).tolist(), strict=True)]
    rows: list[object] = values.tolist()
    return rows
