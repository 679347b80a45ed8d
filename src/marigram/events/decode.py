"""Blocks of lines to columns of events.

The first half mebibyte of a run is decided line by line in Python: a small file is done before the compiled reader
would be loaded (or, the first time on a machine, compiled).  From then on, and in large files from the beginning, the
compiled reader takes the lines, and only those that it does not understand go through the rules one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ._rows import ID, KEY, ODD, SKIP, SPANS, START, STATE, TIME, WALL_CLOCK, WHEN, Form
from ._rows import LINE as LINE_NUMBER
from ._scan_csv import scan_csv
from ._scan_json import scan_json
from .batch import Reject
from .keys import KeyNames
from .lines import Block
from .rules import LONGEST, BadLine, CsvRules, JsonRules, Row, Rules
from .schema import Schema
from .times import Zone, places_of

__all__ = ["SLOW_BYTES", "LineDecoder", "Part"]

SLOW_BYTES: Final = 1 << 19
"""Bytes of a run that are read without compiled code."""
_CLIP: Final = 4096
_MOST_NUMBERS: Final = 1 << 22
"""Numbers of one part: 32 MiB of values at most, however many coordinates an event has."""


@dataclass
class Part:
    """Columns of the events of some lines."""

    values: NDArray[np.float64]
    """(n, d)"""
    times: NDArray[np.int64] | None
    codes: NDArray[np.int64] | None
    ids: NDArray[Any] | None
    rejects: list[Reject]
    position: int
    """In the stream, after the last of the lines."""
    line: int
    """Number of the next line."""
    blank: int
    """Blank lines passed over."""
    head: int = 0
    """Checksum of the first bytes of the file."""
    notices: list[str] = field(default_factory=list)
    """What people should know."""


class LineDecoder:
    """Reads the lines of one file.

    Parameters
    ----------
    schema
        Complete.
    source
        Name of the file in rejects.
    header
        Names of the columns of CSV; None for JSON lines.
    names
        The keys of the run.
    rows
        Most rows of a part.
    slow_bytes
        Bytes still to be read without compiled code.
    """

    def __init__(
        self,
        schema: Schema,
        source: str,
        header: Sequence[str] | None,
        names: KeyNames,
        rows: int,
        slow_bytes: int = SLOW_BYTES,
    ) -> None:
        self.slow_bytes = slow_bytes
        self.names = names
        self._schema = schema
        self._source = source
        self._zone = Zone(schema.tz)
        self._rows = max(1, min(rows, _MOST_NUMBERS // schema.d))
        self._rules: Rules = JsonRules(schema) if header is None else CsvRules(schema, header)
        self._form, readable = _form(schema, header)
        self._scan: Callable[..., tuple[int, int, int]] = scan_json if header is None else scan_csv
        if not readable:
            self.slow_bytes = 1 << 62
        self._marks = np.empty((0, SPANS + 2 * (1 + len(schema.key or ()))), np.int64)

    def decode(self, block: Block) -> Iterator[Part]:
        """Yield the events of a block in parts of at most ``rows`` rows."""
        if block.reject:
            part = self._part([], [block.reject])
            part.position, part.line = block.position, block.line + 1
            yield part
            return
        checked = _is_utf8(block)
        at, line = block.begin, block.line
        while at < block.end:
            before = at
            if self.slow_bytes > 0:
                part, at = self._slowly(block, at, line)
                self.slow_bytes -= at - before
            else:
                part, at = self._quickly(block, at, line, checked)
            part.blank = part.line - line - len(part.values) - len(part.rejects)
            part.position = block.position + at - block.begin - (block.added if at == block.end else 0)
            line = part.line
            yield part

    def _slowly(self, block: Block, at: int, line: int) -> tuple[Part, int]:
        rows: list[Row] = []
        rejects: list[Reject] = []
        stop = min(block.end, at + self.slow_bytes)
        while at < stop and len(rows) + len(rejects) < self._rows:
            end = block.raw.find(b"\n", at, block.end)
            text = bytes(block.raw[at:end])
            if text.strip(b" \t\r"):
                try:
                    rows.append(self._rules.read(text))
                except BadLine as bad:
                    rejects.append(Reject(self._source, line, bad.reason, text[:_CLIP]))
            at = end + 1
            line += 1
        part = self._part(rows, rejects)
        part.line = line
        return part, at

    def _part(self, rows: list[Row], rejects: list[Reject]) -> Part:
        schema, n = self._schema, len(rows)
        return Part(
            values=np.array([row.values for row in rows], np.float64).reshape(n, schema.d),
            times=np.array([row.time for row in rows], np.int64) if schema.time else None,
            codes=self.names.codes_of(row.key for row in rows) if schema.key else None,
            ids=_objects([row.id for row in rows]) if schema.id else None,
            rejects=rejects,
            position=0,
            line=0,
            blank=0,
        )

    def _quickly(self, block: Block, at: int, line: int, checked: bool) -> tuple[Part, int]:
        schema = self._schema
        if len(self._marks) < self._rows:
            self._marks = np.empty((self._rows, self._marks.shape[1]), np.int64)
        values = np.empty((self._rows, schema.d))
        n, at, line = self._scan(block.text, at, block.end, line, checked, self._form, values, self._marks)
        values, marks = values[:n], self._marks[:n]
        odd = np.flatnonzero(marks[:, STATE] == ODD)
        rows, rejects = self._decided(block, odd)
        kept = odd[[row is not None for row in rows]]
        good = [row for row in rows if row is not None]
        if good:
            values[kept] = [row.values for row in good]
        times = self._times(marks, kept, good) if schema.time else None
        codes = self._codes(block, marks, odd, kept, good) if schema.key else None
        ids = self._ids(block, marks, kept, good) if schema.id else None
        if rejects:
            keep = np.ones(n, bool)
            keep[odd] = False
            keep[kept] = True
            values = values[keep]
            times = None if times is None else times[keep]
            codes = None if codes is None else codes[keep]
            ids = None if ids is None else ids[keep]
        return Part(values, times, codes, ids, rejects, 0, line, 0), at

    def _decided(self, block: Block, odd: NDArray[np.int64]) -> tuple[list[Row | None], list[Reject]]:
        """Read the odd lines one by one: a row, or None and a reject."""
        rows: list[Row | None] = []
        rejects: list[Reject] = []
        for start, line in self._marks[odd][:, [START, LINE_NUMBER]].tolist():
            text = bytes(block.raw[start : block.raw.find(b"\n", start, block.end)])
            try:
                rows.append(self._rules.read(text))
            except BadLine as bad:
                rows.append(None)
                rejects.append(Reject(self._source, line, bad.reason, text[:_CLIP]))
        return rows, rejects

    def _times(self, marks: NDArray[np.int64], kept: NDArray[np.int64], good: list[Row]) -> NDArray[np.int64]:
        times = marks[:, WHEN].copy()
        if not self._zone.is_utc:
            local = np.flatnonzero(marks[:, STATE] == WALL_CLOCK)
            times[local] = self._zone.to_utc_many(times[local])
        if good:
            times[kept] = [row.time for row in good]
        return times

    def _codes(
        self,
        block: Block,
        marks: NDArray[np.int64],
        odd: NDArray[np.int64],
        kept: NDArray[np.int64],
        good: list[Row],
    ) -> NDArray[np.int64]:
        spans = marks[:, SPANS + 2 :].reshape(len(marks), len(self._schema.key or ()), 2)
        spans[odd] = -1
        codes = self.names.codes_of_parts(block.text, spans)
        if good:
            codes[kept] = self.names.codes_of(row.key for row in good)
        return codes

    def _ids(
        self, block: Block, marks: NDArray[np.int64], kept: NDArray[np.int64], good: list[Row]
    ) -> NDArray[Any]:
        raw = block.raw
        spans = marks[:, SPANS : SPANS + 2].copy()
        spans[marks[:, STATE] == ODD] = -1
        empty_is_none = self._scan is scan_csv
        ids = _objects(
            [
                None if start < 0 or (start == end and empty_is_none) else raw[start:end].decode()
                for start, end in spans.tolist()
            ]
        )
        if good:
            ids[kept] = [row.id for row in good]
        return ids


def _objects(items: Sequence[Any]) -> NDArray[Any]:
    array = np.empty(len(items), object)
    array[:] = items
    return array


def _is_utf8(block: Block) -> bool:
    try:
        str(memoryview(block.raw)[block.begin : block.end], "utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _form(schema: Schema, header: Sequence[str] | None) -> tuple[Form, bool]:
    """Return what the compiled readers need, and whether they can read such lines at all."""
    roles = {column: i for i, column in enumerate(schema.values or ())}
    roles |= {column: KEY - part for part, column in enumerate(schema.key or ())}
    if schema.time:
        roles[schema.time] = TIME
    if schema.id:
        roles[schema.id] = ID
    words: list[tuple[int, int]] = []
    ends = [0]
    if header is None:
        for name in roles:
            words += _words(name)
            ends.append(len(words))
        by_place = list(roles.values())
    else:
        by_place = [
            roles.get(name, SKIP) if header.index(name) == i else SKIP for i, name in enumerate(header)
        ]
    form = Form(
        names=np.array(words, np.uint64).reshape(-1, 2),
        name_ends=np.array(ends, np.int64),
        roles=np.array(by_place, np.int64),
        memory=np.full(3, ~np.uint64(0)),
        timed=bool(schema.time),
        places=places_of(schema.time_unit) if schema.time_unit else -1,
        delimiter=ord(schema.delimiter or ","),
        longest=LONGEST,
    )
    plain = all(name.isprintable() and '"' not in name and "\\" not in name for name in roles)
    return form, plain or header is not None


def _words(name: str) -> list[tuple[int, int]]:
    """The name and the quote behind it in words of eight bytes, each with the mask of the bytes that count."""
    text = name.encode() + b'"'
    pieces = [text[i : i + 8] for i in range(0, len(text), 8)]
    return [(int.from_bytes(piece, "little"), (1 << 8 * len(piece)) - 1) for piece in pieces]
