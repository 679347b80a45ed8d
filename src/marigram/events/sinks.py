"""Where verdicts go: JSON lines, CSV, Parquet, Arrow, chosen by the suffix of the path.

``flush`` puts everything written so far on the disk and returns a position; a sink opened with ``start=position``
holds exactly what was written before that flush, whatever was written after it before the process died.
"""

from __future__ import annotations

import gzip
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Protocol

import pyarrow as pa

from marigram.errors import ParameterError
from marigram.snapshots import sync_folder
from marigram.verdicts import Verdicts

from ._csv_text import csv_text
from .batch import Reject
from .parts import OneFile, PartFiles

__all__ = ["RejectSink", "Sink", "open_rejects", "open_sink"]

Position = dict[str, int]

_TEXTS: dict[str, Callable[[Verdicts, bool], bytes]] = {
    ".jsonl": lambda verdicts, _: verdicts.json_lines(),
    ".ndjson": lambda verdicts, _: verdicts.json_lines(),
    ".json": lambda verdicts, _: verdicts.json_lines(),
    ".csv": csv_text,
}
_TABLES: Final = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
}
_PACKERS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": lambda data: gzip.compress(data, compresslevel=6, mtime=0),
    ".zst": lambda data: bytes(pa.compress(data, codec="zstd", asbytes=True)),
}
_ENOUGH: Final = 1 << 23
"""Bytes that are packed or handed to the system at once."""


class Sink(Protocol):
    """Takes verdicts in order."""

    def write(self, verdicts: Verdicts) -> None:
        """Add rows."""

    def flush(self) -> Position:
        """Make everything written durable; return the position to resume at."""

    def close(self) -> None:
        """Finish the output; it is complete only now."""


def open_sink(
    path: str | os.PathLike[str], *, start: Mapping[str, int] | None = None, resumable: bool = False
) -> Sink:
    """Open an output for verdicts.

    Parameters
    ----------
    path
        Ends in .jsonl, .json, .ndjson or .csv (with .gz or .zst behind it if packed), .parquet, .pq, .arrow, .feather
        or .ipc; or ``-``: JSON lines on standard output.  What is there already is overwritten.
    start
        The position that the last ``flush`` before a crash returned: what was written after it is cut off, and the
        output goes on from there.
    resumable
        Whether the output may be opened again with ``start``.  Texts always may; Parquet and Arrow files cannot be
        appended to, so while they are written they are a folder ``<path>.parts`` of finished pieces, which ``close``
        joins into one file.

    Raises
    ------
    ParameterError
        When the suffix names no format, or ``start`` does not belong to this output.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "verdicts.jsonl")
    >>> sink = open_sink(path)
    >>> sink.write(Verdicts(value=[1.0], kind=[0]))
    >>> position = sink.flush()
    >>> sink.write(Verdicts(value=[2.0], kind=[1]))
    >>> sink.close()
    >>> len(path.read_bytes()) > position["bytes"] > 0
    True
    """
    name = os.fspath(path)
    if name == "-":
        return _Standard()
    stem, suffix = os.path.splitext(name)
    packer = _PACKERS.get(suffix.lower())
    kind = os.path.splitext(stem)[1].lower() if packer else suffix.lower()
    if kind in _TEXTS:
        return _TextSink(_Appender(name, packer, _bytes_of(start)), _TEXTS[kind])
    if kind in _TABLES and not packer:
        if resumable or start is not None:
            return PartFiles(name, _TABLES[kind], start)
        return OneFile(name, _TABLES[kind])
    known = ", ".join((*_TEXTS, *_TABLES))
    raise ParameterError(
        f"{name}: the suffix must tell the format; there are {known}, and .gz and .zst of texts"
    )


def open_rejects(path: str | os.PathLike[str], *, start: Mapping[str, int] | None = None) -> RejectSink:
    """Open a file for rejected lines: JSON lines of file, line, reason and raw, which can be mended and fed again."""
    name = os.fspath(path)
    return RejectSink(_Appender(name, _PACKERS.get(os.path.splitext(name)[1].lower()), _bytes_of(start)))


class RejectSink:
    """Takes rejects; resumable as a text sink is."""

    def __init__(self, appender: _Appender) -> None:
        self._appender = appender

    def write(self, rejects: Iterable[Reject]) -> None:
        """Add lines."""
        self._appender.add(b"".join(reject.to_json() for reject in rejects))

    def flush(self) -> Position:
        """Make everything written durable; return the position to resume at."""
        return self._appender.flush()

    def close(self) -> None:
        """Finish the file."""
        self._appender.close()


class _TextSink:
    """Verdicts as lines of text."""

    def __init__(self, appender: _Appender, text: Callable[[Verdicts, bool], bytes]) -> None:
        self._appender = appender
        self._text = text

    def write(self, verdicts: Verdicts) -> None:
        self._appender.add(self._text(verdicts, self._appender.is_empty))

    def flush(self) -> Position:
        return self._appender.flush()

    def close(self) -> None:
        self._appender.close()


class _Standard:
    """JSON lines on standard output, which nobody can take back."""

    def write(self, verdicts: Verdicts) -> None:
        sys.stdout.buffer.write(verdicts.json_lines())

    def flush(self) -> Position:
        sys.stdout.buffer.flush()
        return {}

    def close(self) -> None:
        sys.stdout.buffer.flush()


class _Appender:
    """A file that grows at its end; packed ones by whole members, so that they can be cut between two of them."""

    def __init__(self, path: str, packer: Callable[[bytes], bytes] | None, start: int | None) -> None:
        self._packer = packer
        self._waiting: list[bytes] = []
        self._bytes = 0
        self._file = open(path, "wb" if start is None else "r+b")  # noqa: SIM115 - closed by close()
        sync_folder(os.path.dirname(os.path.abspath(path)))
        self._position = start or 0
        if os.fstat(self._file.fileno()).st_size < self._position:
            self._file.close()
            raise ParameterError(f"{path} is shorter than the {self._position} bytes that were written to it")
        if start is not None:
            self._file.truncate(start)
            self._file.seek(start)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was ever added."""
        return not self._position and not self._waiting

    def add(self, data: bytes) -> None:
        if data:
            self._waiting.append(data)
            self._bytes += len(data)
            if self._bytes >= _ENOUGH:
                self._hand_on()

    def _hand_on(self) -> None:
        data, self._waiting, self._bytes = b"".join(self._waiting), [], 0
        if data:
            packed = self._packer(data) if self._packer else data
            self._file.write(packed)
            self._position += len(packed)

    def flush(self) -> Position:
        self._hand_on()
        self._file.flush()
        os.fsync(self._file.fileno())
        return {"bytes": self._position}

    def close(self) -> None:
        if not self._file.closed:
            self.flush()
            self._file.close()


def _bytes_of(start: Mapping[str, int] | None) -> int | None:
    if start is None:
        return None
    position: Any = start.get("bytes")
    if not isinstance(position, int) or position < 0:
        raise ParameterError(f"start is no position of this output: {dict(start)}")
    return position
