"""Inputs as one sequence of batches: many files in order, resumable after every batch.

Nothing stops a source but the end, a caller's `wait`, or, with ``strict``, the first line that cannot be used.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, Self

import msgspec

from marigram.errors import InputError, ParameterError

from .batch import Batch, Offset, Reject
from .decode import SLOW_BYTES, Part
from .follow import wait_a_moment
from .infer import infer
from .inputs import Input, TableInput, check_columns, check_growing, open_input
from .keys import KeyNames
from .lateness import reordered
from .reading import empty_part, reading_of
from .schema import Format, Schema
from .tables import check_types

__all__ = ["Source", "open_source"]

_LARGE: Final = 1 << 22
"""Bytes of a file that is read by compiled code from its beginning."""
_MOST_NAMES: Final = 1 << 20
"""Keys after which the list of names begins anew, so that a flood of keys takes bounded memory here."""


def open_source(
    paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    schema: Schema | None = None,
    *,
    format: Format | None = None,  # noqa: A002 - what the user calls it
    follow: bool = False,
    lateness: int | None = None,
    batch_rows: int = 65_536,
    start: Mapping[str, Any] | None = None,
    strict: bool = False,
    wait: Callable[[], bool] = wait_a_moment,
) -> Source:
    r"""Open files (or ``-``, standard input) as one source of batches.

    Parameters
    ----------
    paths
        Read one after the other.  CSV, JSON lines, Parquet, Arrow IPC, and gzip or zstd of them; told by their first
        bytes.
    schema
        What is known of the columns; the rest is inferred from the first rows, ``source.reasons`` say how.
    format
        Instead of looking at the first bytes.
    follow
        At the end of the last file, wait for more; it must be plain JSON lines or CSV.
    lateness
        Nanoseconds: hold events back and release them in the order of their times.
    batch_rows
        Most events of a batch.
    start
        ``offset`` of the last batch dealt with: the source goes on exactly behind it.  Give the schema as well.
    strict
        Raise InputError at the first line that cannot be used, instead of counting it.
    wait
        Called at the end of a followed file; returns whether to look again.

    Raises
    ------
    InputError
        When an input cannot be opened or has no rows to infer a schema from.
    ParameterError
        When the schema names columns that are not there or of a wrong type.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "load.csv")
    >>> _ = path.write_text("time,host,load\n2024-05-01T00:00Z,a,0.5\n2024-05-01T00:01Z,a,much\n")
    >>> source = open_source(path, Schema(values=("load",)))
    >>> for batch in source:
    ...     print(batch.keys, batch.values, [str(reject.reason) for reject in batch.rejects], batch.lines)
    ['a'] [0.5] ["load: 'much' is not a number"] 2
    """
    many = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
    names = [os.fspath(path) for path in many]
    if not names:
        raise ParameterError("no input is named")
    if batch_rows < 1:
        raise ParameterError(f"batch_rows must be at least 1, not {batch_rows}")
    for name in names:
        if name != "-" and not os.path.exists(name):
            raise InputError(0, f"no such file: {name}")
    told = schema or Schema()
    if format is not None:
        told = msgspec.structs.replace(told, format=format)
    offset = Offset() if start is None else _offset(start, names)
    return Source(names, told, offset, follow, lateness, batch_rows, strict, wait)


class Source:
    """An open source; iterate over it once.  Made by :func:`open_source`.

    Attributes
    ----------
    schema
        Complete.
    reasons
        Why each column was chosen, one sentence each; empty when nothing was inferred.
    lines, rejects, blank
        Counts so far: ``rows + rejects == lines``; blank lines and headers are not among them.
    """

    def __init__(
        self,
        paths: Sequence[str],
        told: Schema,
        start: Offset,
        follow: bool,
        lateness: int | None,
        rows: int,
        strict: bool,
        wait: Callable[[], bool],
    ) -> None:
        self._paths = paths
        self._format = told.format
        self._start = start
        self._follow = follow
        self._lateness = lateness
        self._rows = rows
        self._strict = strict
        self._wait = wait
        self._stopped = False
        self._names = KeyNames()
        self._slow_bytes = SLOW_BYTES
        self._notices: list[str] = []
        self.reasons: list[str] = []
        self.lines, self.rejects, self.blank = start.lines, start.rejects, start.blank
        self._opened: tuple[int, Input] | None = None
        if follow:
            check_growing(paths[-1], told.format)
        try:
            self.schema = self._completed(told)
            if lateness is not None and (lateness < 0 or not self.schema.time):
                why = "no column is the time" if lateness >= 0 else f"{lateness} ns is negative"
                raise ParameterError(f"lateness cannot be kept: {why}")
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> Iterator[Batch]:
        batches = self._batches()
        if self._lateness is None:
            return batches
        start = msgspec.to_builtins(self._start)
        return reordered(batches, self._lateness, start, ended=lambda: not self._stopped, rows=self._rows)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of what is open; the end of an iteration does the same."""
        if self._opened:
            self._opened[1].close()
            self._opened = None

    def _completed(self, told: Schema) -> Schema:
        """Look at the first input that has rows; infer what was not told, check what was."""
        last = len(self._paths) - 1
        for index in range(self._start.file, last + 1):
            try:
                found = self._open(index)
            except InputError:
                if index == last or self._strict:
                    raise
                continue
            schema, rows = found.looked_at(told)
            while not rows and self._followed(index) and self._look_again():
                schema, rows = found.looked_at(told)
            schema = msgspec.structs.replace(schema, format=found.kind)
            if isinstance(found, TableInput):
                check_columns(schema, found.table.schema.names, found.path)
            elif rows:
                self._check_rows(schema, rows, found.path)
            if rows and not schema.is_complete:
                schema, self.reasons = infer(rows, schema)
            if schema.is_complete:
                if isinstance(found, TableInput):
                    check_types(schema, found.table.schema)
                return schema
            self.close()
        raise InputError(0, f"no rows in {', '.join(self._paths)}")

    def _check_rows(self, schema: Schema, rows: Sequence[Mapping[str, Any]], path: str) -> None:
        """Refuse a schema none of whose values, or not whose key or time, occur in the first rows."""
        columns = list(dict.fromkeys(name for row in rows for name in row))
        missing = [column for column in schema.columns if column not in columns]
        values = schema.values or ()
        if any(column not in values for column in missing) or (values and set(values) <= set(missing)):
            check_columns(schema, columns, path)
        for column in missing:
            self._notices.append(
                f"{path}: no {column!r} in the first {len(rows)} rows; it counts as missing there"
            )

    def _followed(self, index: int) -> bool:
        return self._follow and index == len(self._paths) - 1

    def _look_again(self) -> bool:
        self._stopped = not self._wait()
        return not self._stopped

    def _open(self, index: int) -> Input:
        if self._opened and self._opened[0] == index:
            return self._opened[1]
        self.close()
        found = open_input(self._paths[index], self._format)
        self._opened = (index, found)
        return found

    def _batches(self) -> Iterator[Batch]:
        try:
            for index in range(self._start.file, len(self._paths)):
                yield from self._of_file(index, self._start if index == self._start.file else Offset())
        finally:
            self.close()

    def _of_file(self, index: int, start: Offset) -> Iterator[Batch]:
        """Yield the batches of one file; one of several that cannot be read at all is one reject."""
        part: Part | None = None
        try:
            found = self._open(index)
            if found.size > _LARGE:
                self._slow_bytes = 0
            wait = self._look_again if self._followed(index) else None
            reading = reading_of(found, self.schema, self._names, self._rows, start, self._slow_bytes, wait)
            for part in reading.parts():
                yield self._batch(index, part)
                self._slow_bytes = reading.slow_bytes
                if len(self._names) > _MOST_NAMES:
                    self._names = reading.names = KeyNames()
        except (InputError, ParameterError) as error:
            if part is not None or self._strict or start.position:
                raise
            failed = empty_part(self.schema, 0, 1)
            failed.rejects.append(Reject(self._paths[index], 0, str(error)))
            yield self._batch(index, failed)

    def _batch(self, index: int, part: Part) -> Batch:
        if part.rejects and self._strict:
            first = part.rejects[0]
            raise InputError(first.line, f"{first.reason} ({first.file})")
        self.lines += len(part.values) + len(part.rejects)
        self.rejects += len(part.rejects)
        self.blank += part.blank
        offset = Offset(
            file=index,
            path=self._paths[index],
            position=part.position,
            line=part.line,
            head=part.head,
            lines=self.lines,
            rejects=self.rejects,
            blank=self.blank,
        )
        notices, self._notices = self._notices + part.notices, []
        return Batch(
            values=part.values[:, 0] if self.schema.d == 1 else part.values,
            times=part.times,
            key_codes=part.codes,
            key_names=self._names,
            ids=part.ids,
            rejects=part.rejects,
            lines=self.lines,
            offset=msgspec.to_builtins(offset),
            notices=notices,
        )


def _offset(start: Mapping[str, Any], paths: Sequence[str]) -> Offset:
    """Read the place to resume at, and make sure that it lies in these files."""
    try:
        offset = msgspec.convert(start, Offset)
    except msgspec.ValidationError as error:
        raise ParameterError(f"start is no offset of a batch: {error}") from error
    if offset.path and (offset.file >= len(paths) or paths[offset.file] != offset.path):
        raise InputError(
            0, f"cannot resume: file number {offset.file + 1} was {offset.path}, and now it is another"
        )
    return offset
