"""Parquet and Arrow IPC files as record batches of bounded size, from any row on."""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, Final, Protocol

import pyarrow as pa

from .streams import BrokenStream, Stream

__all__ = ["TableFile", "open_table", "spooled"]

_BUFFER: Final = 1 << 16
"""Bytes of a column that are read at once, so that a row group of any size fits; not slower than all at once."""
_LARGE: Final = 1 << 26
"""Bytes of an Arrow batch that are too many to be read at once."""


class TableFile(Protocol):
    """A file of rows."""

    schema: pa.Schema

    def batches(
        self, columns: Sequence[str], rows: int, start: int = 0, coded: str | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Yield these columns, from row ``start`` on, at most ``rows`` at a time; may raise BrokenStream.

        The column ``coded`` may come as a dictionary of no more than ``rows`` texts.
        """


def open_table(file: str | BinaryIO, kind: str) -> TableFile:
    """Open a path, or a file that can be read in any order; raise BrokenStream when it is not of this kind."""
    try:
        if kind == "parquet":
            return _Parquet(file)
        return _Arrow(file)
    except (pa.ArrowException, OSError) as error:
        raise BrokenStream(f"not a readable {kind} file: {_first_line(error)}") from error


def spooled(stream: Stream) -> BinaryIO:
    """Return a stream as a temporary file that can be read in any order."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by whoever reads it
    buffer = memoryview(bytearray(1 << 20))
    while got := stream.readinto(buffer):
        file.write(buffer[:got])
    file.seek(0)
    return file


class _Parquet:
    def __init__(self, file: str | BinaryIO) -> None:
        self._file = file
        self.schema: pa.Schema = self._opened().schema_arrow

    def _opened(self, **options: Any) -> Any:
        import pyarrow.parquet as pq  # 20 ms that only Parquet pays

        return pq.ParquetFile(self._file, pre_buffer=False, buffer_size=_BUFFER, **options)

    def batches(
        self, columns: Sequence[str], rows: int, start: int = 0, coded: str | None = None
    ) -> Iterator[pa.RecordBatch]:
        """As the protocol says; a column whose dictionary grows too long is read as plain texts from there on."""
        if coded is not None and not pa.types.is_string(self.schema.field(coded).type):
            coded = None
        try:
            for batch in self._from(columns, rows, start, coded):
                if coded is not None and len(batch.column(coded).dictionary) > rows:
                    break
                yield batch
                start += len(batch)
            else:
                return
            yield from self._from(columns, rows, start, None)
        except (pa.ArrowException, OSError) as error:
            raise BrokenStream(f"the file is damaged: {_first_line(error)}") from error

    def _from(
        self, columns: Sequence[str], rows: int, start: int, coded: str | None
    ) -> Iterator[pa.RecordBatch]:
        metadata = self._opened().metadata
        groups = list(range(metadata.num_row_groups))
        while groups and start >= metadata.row_group(groups[0]).num_rows:
            start -= metadata.row_group(groups.pop(0)).num_rows
        file = self._opened(read_dictionary=[coded] if coded else None)
        plain = file.iter_batches(rows, row_groups=groups, columns=list(columns), use_threads=False)
        return _without(plain, start, columns)


class _Arrow:
    """The file format, which tells where each batch lies, or the stream format."""

    def __init__(self, file: str | BinaryIO) -> None:
        source = pa.OSFile(file) if isinstance(file, str) else pa.PythonFile(file, mode="r")
        self._pages: mmap.mmap | None = None
        self._stream: Any = None
        self._batches: Any = None
        try:
            self._batches = pa.ipc.open_file(source)
        except pa.ArrowInvalid:
            source.seek(0)
            self._stream = pa.ipc.open_stream(source)
            self.schema: pa.Schema = self._stream.schema
            return
        self.schema = self._batches.schema
        if isinstance(file, str) and source.size() > _LARGE * max(1, self._batches.num_record_batches):
            with open(file, "rb") as whole:
                self._pages = mmap.mmap(whole.fileno(), 0, access=mmap.ACCESS_READ)
            self._batches = pa.ipc.open_file(pa.BufferReader(pa.py_buffer(self._pages)))

    def batches(
        self,
        columns: Sequence[str],
        rows: int,
        start: int = 0,
        coded: str | None = None,  # noqa: ARG002 - a column is a dictionary here if it is one in the file
    ) -> Iterator[pa.RecordBatch]:
        """As the protocol says."""
        file = self._batches
        plain = self._stream or (file.get_batch(i) for i in range(file.num_record_batches))
        try:
            for batch in _without(plain, start, columns):
                for first in range(0, len(batch), rows):
                    yield batch.slice(first, rows)
                    if self._pages is not None and hasattr(self._pages, "madvise"):
                        self._pages.madvise(mmap.MADV_DONTNEED)  # what was read is not needed again
        except (pa.ArrowException, OSError) as error:
            raise BrokenStream(f"the file is damaged: {_first_line(error)}") from error


def _without(
    batches: Iterator[pa.RecordBatch], start: int, columns: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """The columns of the batches without their first ``start`` rows."""
    for batch in batches:
        if start < len(batch):
            yield batch.slice(start).select(list(columns))
        start = max(0, start - len(batch))


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
