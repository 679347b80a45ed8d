"""Labels as a set for training and evaluation: one row an alert that somebody labelled.

CSV is opened by spreadsheets, which run what begins with ``=``, ``+``, ``-``, ``@``, a tab or a carriage return; a text
that begins so gets an apostrophe in front (CWE-1236).  JSON lines and Parquet hold texts as they are.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from marigram.service.alerts.alert import Alert
from marigram.wording import moment

_RISKY: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_TIME: Final = pa.timestamp("ns", "UTC")
_SCHEMA: Final = pa.schema(
    [
        ("alert", pa.string()),
        ("key", pa.string()),
        ("label", pa.string()),
        ("kind", pa.string()),
        ("first_seq", pa.int64()),
        ("last_seq", pa.int64()),
        ("peak_seq", pa.int64()),
        ("opened", _TIME),
        ("closed", _TIME),
        ("events", pa.int64()),
        ("severity", pa.float64()),
        ("team", pa.string()),
        ("labelled_by", pa.string()),
        ("labelled_at", _TIME),
        ("note", pa.string()),
        ("threshold_before", pa.float64()),
        ("threshold_after", pa.float64()),
        ("labels", pa.string()),
        ("verdict", pa.string()),
    ]
)
"""Columns of all three forms; ``labels`` and ``verdict`` are JSON."""


def rows_of(alerts: Iterable[Alert]) -> list[dict[str, Any]]:
    """Return one row for each alert with a label."""
    return [_row(alert) for alert in alerts if alert.word is not None]


def json_lines(rows: Iterable[dict[str, Any]]) -> bytes:
    """Return rows as JSON lines: ISO-8601 times, ``labels`` and ``verdict`` as objects."""
    return b"".join(msgspec.json.encode(_opened(row)) + b"\n" for row in rows)


def csv_text(rows: Iterable[dict[str, Any]]) -> bytes:
    """Return rows as CSV that a spreadsheet can be trusted with."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(_SCHEMA.names)
    writer.writerows([[harmless(value) for value in _timed(row).values()] for row in rows])
    return out.getvalue().encode()


def parquet(rows: list[dict[str, Any]]) -> bytes:
    """Return rows as a Parquet file."""
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=_SCHEMA), sink, compression="zstd")
    return sink.getvalue()


def harmless(value: object) -> object:
    r"""Return a cell that no spreadsheet takes for a formula.

    Examples
    --------
    >>> harmless("=1+1"), harmless("\t@x"), harmless("web-7"), harmless(-1.5), harmless(None)
    ("'=1+1", "'\t@x", 'web-7', -1.5, '')
    """
    if value is None:
        return ""
    if isinstance(value, str) and value.lstrip(" ").startswith(_RISKY):
        return f"'{value}"
    return value


def _row(alert: Alert) -> dict[str, Any]:
    word = alert.word
    if word is None:
        raise ValueError(f"alert {alert.id} has no label")
    values = (
        alert.id,
        alert.key,
        word.label,
        alert.kind,
        alert.first_seq,
        alert.last_seq,
        alert.peak_seq,
        alert.opened,
        alert.closed,
        alert.events,
        alert.severity,
        alert.team,
        word.by,
        word.at,
        word.note,
        word.before,
        word.after,
        msgspec.json.encode(alert.labels).decode(),
        bytes(alert.verdict).decode(),
    )
    return dict(zip(_SCHEMA.names, values, strict=True))


def _timed(row: dict[str, Any]) -> dict[str, Any]:
    times = {name: row[name] for name in ("opened", "closed", "labelled_at")}
    return row | {name: None if ns is None else moment(ns) for name, ns in times.items()}


def _opened(row: dict[str, Any]) -> dict[str, Any]:
    return _timed(row) | {name: msgspec.Raw(row[name].encode()) for name in ("labels", "verdict")}


__all__ = ["csv_text", "harmless", "json_lines", "parquet", "rows_of"]
