"""The parts of one opened input, from a place in it to its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np

from marigram.errors import InputError

from .batch import Offset, Reject
from .decode import LineDecoder, Part
from .follow import Follower
from .inputs import Input, TableInput, TextInput, check_columns
from .keys import KeyNames
from .schema import Schema
from .streams import BrokenStream, FileStream
from .tables import TableDecoder

__all__ = ["Reading", "empty_part", "reading_of"]


class Reading(Protocol):
    """Reads one input."""

    names: KeyNames
    """Where keys get their codes; may be replaced between two parts."""
    slow_bytes: int
    """Bytes of the run that are still to be read without compiled code."""

    def parts(self) -> Iterator[Part]:
        """Yield what the input holds, in order."""


def reading_of(
    found: Input,
    schema: Schema,
    names: KeyNames,
    rows: int,
    start: Offset,
    slow_bytes: int,
    wait: Callable[[], bool] | None,
) -> Reading:
    """Return what reads ``found`` from ``start`` on, in parts of at most ``rows`` rows.

    ``wait`` is given when the end of the file is not the end of the input.
    """
    if isinstance(found, TableInput):
        return TableReading(found, schema, names, rows, start, slow_bytes)
    return TextReading(found, schema, names, rows, start, slow_bytes, wait)


class TableReading:
    """Parquet or Arrow; a damaged file ends with a reject."""

    def __init__(
        self, found: TableInput, schema: Schema, names: KeyNames, rows: int, start: Offset, slow_bytes: int
    ) -> None:
        self.names = names
        self.slow_bytes = slow_bytes
        self._found = found
        self._schema = schema
        self._rows = rows
        self._start = start.position

    def parts(self) -> Iterator[Part]:
        """Yield the rows in batches."""
        fields = self._found.table.schema
        check_columns(self._schema, fields.names, self._found.path)
        decoder = TableDecoder(self._schema, self._found.path, fields, self.names)
        row = self._start + 1
        try:
            key = self._schema.key or ()
            coded = key[0] if len(key) == 1 else None
            for batch in self._found.table.batches(self._schema.columns, self._rows, self._start, coded):
                decoder.names = self.names
                yield decoder.decode(batch, row)
                row += len(batch)
        except BrokenStream as error:
            part = empty_part(self._schema, row - 1, row)
            part.rejects.append(Reject(self._found.path, row, error.reason))
            yield part


class TextReading:
    """JSON lines or CSV, followed when ``wait`` is given."""

    def __init__(
        self,
        found: TextInput,
        schema: Schema,
        names: KeyNames,
        rows: int,
        start: Offset,
        slow_bytes: int,
        wait: Callable[[], bool] | None,
    ) -> None:
        self.names = names
        self.slow_bytes = slow_bytes
        self._found = found
        self._schema = schema
        self._rows = rows
        self._start = start
        self._wait = wait if isinstance(found.stream, FileStream) else None
        self._notices: list[str] = []
        self._again: Callable[[Follower], None] | None = None

    def parts(self) -> Iterator[Part]:
        """Yield the lines in parts; one without rows before each wait at the end of a followed file."""
        decoder = self._resumed() if self._start.position else None
        follower = Follower(self._found) if self._wait else None
        while True:
            yield from self._to_the_end(decoder, follower)
            if follower is None or self._again is None:
                return
            self._again(follower)
            self._again, decoder = None, None

    def _to_the_end(self, decoder: LineDecoder | None, follower: Follower | None) -> Iterator[Part]:
        """Read what the open file holds; afterwards ``_again`` says how to go on, if at all."""
        reader = self._found.reader
        last = follower is None
        while True:
            decoder = decoder or self._decoder(last)
            block = reader.next() if decoder else None
            if block is None and not last and reader.broken is None:
                yield self._idle()
                if not self._look_again(follower):
                    return
                last = self._again is not None
                continue
            block = block or (reader.finish() if decoder else None)
            if block is None or decoder is None:
                return
            for part in decoder.decode(block):
                reader.line = part.line
                yield self._told(part)
                decoder.names = self.names
            self.slow_bytes = decoder.slow_bytes

    def _look_again(self, follower: Follower | None) -> bool:
        """Wait; return whether to read on.  A file that was cut off is not, but ``_again`` from its beginning."""
        if self._wait is None or follower is None or not self._wait():
            return False
        path = self._found.path
        if follower.was_replaced():  # and what was still written to the old one is read first
            self._again = Follower.reopen
            self._notices.append(f"{path} was replaced by another file, which is read from its beginning")
        elif follower.was_cut():
            self._again = Follower.rewind
            self._notices.append(f"{path} was cut off and is read from its beginning")
            return False
        return True

    def _decoder(self, last: bool) -> LineDecoder | None:
        """Take the header of CSV; None when there is none yet."""
        header = self._found.header(self._schema, last)
        return None if header == [] else self._made(header)

    def _made(self, header: list[str] | None) -> LineDecoder:
        return LineDecoder(self._schema, self._found.path, header, self.names, self._rows, self.slow_bytes)

    def _resumed(self) -> LineDecoder | None:
        """Go to where the last run stopped, if the file is still the one that it read."""
        start, found = self._start, self._found
        if not found.is_file:
            return None  # a pipe has no past: what comes is new
        header = found.header(self._schema, True)
        found.reopen()
        same = found.reader.go_to(start.position, start.line)
        if same and found.reader.head(start.position) == start.head:
            return None if header == [] else self._made(header)
        if self._wait is None:
            raise InputError(0, f"{found.path} is not the file that was read before: it begins otherwise")
        self._notices.append(
            f"{found.path} was replaced since the last run and is read from its beginning; "
            f"what followed line {start.line - 1} in the file before was not read"
        )
        found.reopen()
        return None

    def _idle(self) -> Part:
        reader = self._found.reader
        return self._told(empty_part(self._schema, reader.position, reader.line))

    def _told(self, part: Part) -> Part:
        part.head = self._found.reader.head(part.position)
        part.notices, self._notices = self._notices, []
        return part


def empty_part(schema: Schema, position: int, line: int) -> Part:
    """Return no rows at a place of an input."""
    return Part(
        values=np.empty((0, schema.d)),
        times=np.empty(0, np.int64) if schema.time else None,
        codes=np.empty(0, np.int64) if schema.key else None,
        ids=np.empty(0, object) if schema.id else None,
        rejects=[],
        position=position,
        line=line,
        blank=0,
    )
