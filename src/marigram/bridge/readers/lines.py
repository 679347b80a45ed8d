"""Logs of one line an event: VPC flow logs and syslog, with what OpenSSH says taken apart."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

from marigram.bridge.readers.cloudtrail import Found

__all__ = ["FLOW", "SYSLOG", "flow_of", "syslog_of"]

_RAW: Final = 4096
FLOW: Final = (
    "version", "account_id", "interface_id", "srcaddr", "dstaddr", "srcport", "dstport", "protocol", "packets",
    "bytes", "start", "end", "action", "log_status",
)  # fmt: skip
"""Fields of version 2, which is what a log without a first line of names has."""
SYSLOG: Final = ("time", "host", "program", "user", "address", "template")
_WHOLE: Final = ("packets", "bytes", "start", "end")

_OLD = re.compile(
    r"(?:<\d{1,3}>)?([A-Z][a-z]{2}) {1,2}(\d{1,2}) (\d\d):(\d\d):(\d\d) (\S+) ([^\s:\[]+)(?:\[\d+\])?: ?(.*)"
)
_NEW = re.compile(r"<\d{1,3}>1 (\S+) (\S+) (\S+) \S+ \S+ (?:-|\[.*?\]) ?(.*)")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_USER = re.compile(
    r"(?:(?:password|publickey|none|failures) for(?: invalid user)?|[Ii]nvalid user|for user|user=) ?"
    r"([^\s\[\];,=]+)(?=[\s\[]|$)"
)
_ADDRESS = re.compile(
    r"(?:rhost=|from |by |\[)(\d{1,3}(?:\.\d{1,3}){3}|[0-9a-fA-F]*:[0-9a-fA-F:]+)(?=[\s\]:]|$)"
)
_VARIABLE = re.compile(r"\b\d[\w.:-]*|\b[0-9a-fA-F]{8,}\b|(?<==)\S+|\S+\.\S+\.\S+")


def flow_of(lines: Iterator[bytes]) -> Iterator[Found]:
    """Yield the records of a flow log; lines of no data or skipped data are left out."""
    names: tuple[str, ...] = FLOW
    for number, line in enumerate(lines, 1):
        cells = line.decode(errors="replace").split()
        if not cells:
            continue
        if number == 1 and ("srcaddr" in cells or "account-id" in cells):
            names = tuple(cell.replace("-", "_") for cell in cells)
            continue
        if len(cells) != len(names):
            yield number, f"{len(cells)} fields, and {len(names)} are expected", line[:_RAW]
            continue
        fields: dict[str, Any] = {n: None if c == "-" else c for n, c in zip(names, cells, strict=True)}
        if fields.get("log_status") in ("NODATA", "SKIPDATA"):
            continue
        bad = next((n for n in _WHOLE if n in fields and not str(fields[n]).isdigit()), None)
        if bad is not None:
            yield number, f"{bad}: {fields[bad]!r} is not a whole number", line[:_RAW]
            continue
        yield number, fields | {name: int(fields[name]) for name in _WHOLE if name in fields}, b""


def syslog_of(
    lines: Iterator[bytes], now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> Iterator[Found]:
    """Yield the lines of RFC 3164 and RFC 5424; a date without a year is the last such date up to ``now``, in UTC."""
    for number, line in enumerate(lines, 1):
        text = line.decode(errors="replace").rstrip("\r\n")
        if not text.strip():
            continue
        if found := _NEW.fullmatch(text):
            moment, host, program, message = found.groups()
            yield number, _fields(moment, host, program, message), b""
        elif found := _OLD.fullmatch(text):
            *date, host, program, message = found.groups()
            when = _dated(date, now)
            if when is None:
                yield number, f"no such date: {' '.join(date[:2])}", line[:_RAW]
            else:
                yield number, _fields(when, host, program, message), b""
        else:
            yield number, "neither form of syslog: <date> <host> <program>: <message>", line[:_RAW]


def _fields(moment: str, host: str, program: str, message: str) -> dict[str, Any]:
    user, address = _USER.search(message), _ADDRESS.search(message)
    template, spans = message, [found.span(1) for found in (user, address) if found]
    for start, end in sorted(spans, reverse=True):
        template = f"{template[:start]}*{template[end:]}"
    return {
        "time": moment,
        "host": host,
        "program": program,
        "user": user.group(1) if user else None,
        "address": address.group(1) if address else None,
        "template": _VARIABLE.sub("*", template),
    }


def _dated(date: list[str], now: Callable[[], datetime]) -> str | None:
    """The date with its year, ISO 8601."""
    if date[0] not in _MONTHS:
        return None
    today = now()
    day, hour, minute, second = (int(part) for part in date[1:])
    for year in (today.year, today.year - 1, today.year - 2, today.year - 3, today.year - 4):
        try:
            found = datetime(year, _MONTHS.index(date[0]) + 1, day, hour, minute, second, tzinfo=UTC)
        except ValueError:
            continue
        if (found - today).days < 1:
            return found.isoformat()
    return None
