"""Verdicts as Parquet or Arrow files, which cannot be appended to.

One file is written under another name and gets its own when it is complete.  A file that must survive a crash is
written as pieces, ``<path>.parts/<first>-<last>.parquet``: each flush finishes one, and ``close`` joins them; large
ones by their bytes (:mod:`marigram.events.stitching`), because writing every row twice would take as long again.  A
position is the number of flushes that wrote something.  Small pieces are joined on the way, but only those that were
finished before the last flush: whoever calls ``flush`` has by then stored the position of the one before.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from marigram.errors import ParameterError
from marigram.snapshots import sync_folder
from marigram.verdicts import Verdicts, arrow_schema

from .stitching import stitched

__all__ = ["OneFile", "PartFiles"]

_ENOUGH: Final = 1 << 23
"""Bytes of a row group."""
_MANY: Final = 64
"""Small pieces that are joined into one."""
_SMALL: Final = 1 << 22
"""Bytes up to which a piece is small."""
_LARGE: Final = 1 << 26
"""Bytes of pieces from which they are joined without being read."""
_NAME = re.compile(r"([0-9]+)-([0-9]+)\.[a-z]+")


class _Writer:
    """Writes one file of tables."""

    def __init__(self, path: Path, kind: str, schema: pa.Schema) -> None:
        self._file = open(path, "wb")  # noqa: SIM115 - closed by close()
        if kind == "parquet":
            import pyarrow.parquet as pq

            texts = [field.name for field in schema if pa.types.is_string(field.type)]
            self._writer: Any = pq.ParquetWriter(
                self._file, schema, compression="zstd", use_dictionary=["kind", *texts]
            )
        else:
            self._writer = pa.ipc.new_file(self._file, schema)

    def write(self, table: pa.Table) -> None:
        self._writer.write_table(table)

    def close(self) -> None:
        """Finish the file and put it on the disk."""
        self._writer.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()


class _Rows:
    """Common part: rows are collected until they fill a row group of the file being written."""

    def __init__(self, kind: str, unfinished: Path) -> None:
        self._kind = kind
        self._unfinished = unfinished
        self._waiting: list[pa.Table] = []
        self._bytes = 0
        self._writer: _Writer | None = None

    def write(self, verdicts: Verdicts) -> None:
        """Add rows."""
        if len(verdicts):
            table = verdicts.to_arrow()
            self._waiting.append(table)
            self._bytes += table.nbytes
            if self._bytes >= _ENOUGH:
                self._hand_on()

    def _hand_on(self) -> None:
        if self._waiting:
            table = pa.concat_tables(self._waiting).combine_chunks()
            self._waiting, self._bytes = [], 0
            if self._writer is None:
                self._writer = _Writer(self._unfinished, self._kind, table.schema)
            self._writer.write(table)

    def _finish(self) -> bool:
        """Complete the unfinished file; return whether there is one."""
        self._hand_on()
        if self._writer is None:
            return False
        self._writer.close()
        self._writer = None
        return True


class OneFile(_Rows):
    """Verdicts in one file, which appears under its name when it is closed."""

    def __init__(self, path: str, kind: str) -> None:
        self._path = Path(path)
        unfinished = self._path.with_name(f".{self._path.name}.{os.getpid()}.tmp")
        unfinished.touch()  # an unusable path is told now and not after an hour
        super().__init__(kind, unfinished)

    def flush(self) -> dict[str, int]:
        """Do nothing: nothing of the file can be used before it is complete."""
        return {}

    def close(self) -> None:
        """Complete the file and give it its name."""
        if not self._finish():
            _Writer(self._unfinished, self._kind, arrow_schema()).close()
        os.replace(self._unfinished, self._path)
        sync_folder(self._path.parent)


class PartFiles(_Rows):
    """Verdicts in finished pieces, joined in the end.

    Parameters
    ----------
    path, kind
        Of the file in the end; ``parquet`` or ``arrow``.
    start
        Position to go on from; None to begin anew.
    """

    def __init__(self, path: str, kind: str, start: Mapping[str, int] | None) -> None:
        self._path = Path(path)
        self._folder = self._path.with_name(self._path.name + ".parts")
        self._done = self._path.with_name(self._path.name + ".parts.done")
        super().__init__(kind, self._folder / "unfinished")
        shutil.rmtree(self._done, ignore_errors=True)
        if start is None:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._last = 0 if start is None else self._gone_back(start)

    def _gone_back(self, start: Mapping[str, int]) -> int:
        """Remove what was written after ``start``; return the number of flushes before it."""
        last = start.get("parts", -1)
        pieces = self._pieces()
        if (
            not pieces and last > 0 and self._path.exists()
        ):  # it was joined already: it becomes the first piece
            os.replace(self._path, self._named(1, last))
        for first, end, piece in pieces:
            if first > last or any(a <= first and end <= b and (a, b) != (first, end) for a, b, _ in pieces):
                piece.unlink()
        expected = 1
        for first, end, _ in self._pieces():
            expected = end + 1 if first == expected else -1
        if last < 0 or expected != last + 1:
            raise ParameterError(f"{self._path}: its pieces are not those of position {dict(start)}")
        return last

    def _named(self, first: int, last: int) -> Path:
        return self._folder / f"{first:08d}-{last:08d}.{self._kind}"

    def _pieces(self) -> list[tuple[int, int, Path]]:
        """The finished pieces in order: first and last flush, and file."""
        found = [(_NAME.fullmatch(piece.name), piece) for piece in self._folder.iterdir()]
        return sorted((int(match[1]), int(match[2]), piece) for match, piece in found if match)

    def flush(self) -> dict[str, int]:
        """Finish a piece; return the position to resume at."""
        self._join_small()
        if self._finish():
            self._last += 1
            os.replace(self._unfinished, self._named(self._last, self._last))
            sync_folder(self._folder)
        return {"parts": self._last}

    def _join_small(self) -> None:
        """Join the small pieces at the end into one when they are many."""
        small: list[tuple[int, int, Path]] = []
        for piece in reversed(self._pieces()):
            if piece[2].stat().st_size > _SMALL:
                break
            small.insert(0, piece)
        if len(small) >= _MANY:
            self._join([piece for _, _, piece in small], self._named(small[0][0], small[-1][1]))
            for _, _, finished in small:
                finished.unlink()

    def _join(self, pieces: list[Path], into: Path) -> None:
        """Write the rows of these pieces into one file, which appears when it is complete."""
        unfinished = self._folder / "joining"
        writer: _Writer | None = None
        for piece in pieces:
            for table in _tables(piece, self._kind):
                writer = writer or _Writer(unfinished, self._kind, table.schema)
                writer.write(table)
        writer = writer or _Writer(unfinished, self._kind, arrow_schema())
        writer.close()
        os.replace(unfinished, into)
        sync_folder(into.parent)

    def _stitch(self, pieces: list[Path]) -> bool:
        """Put large pieces of Parquet one behind the other; return whether that could be done."""
        if self._kind != "parquet" or sum(piece.stat().st_size for piece in pieces) < _LARGE:
            return False
        unfinished = self._folder / "joining"
        with open(unfinished, "wb") as file:
            done = stitched(pieces, file)
            file.flush()
            os.fsync(file.fileno())
        if done:
            os.replace(unfinished, self._path)
        return done

    def close(self) -> None:
        """Join the pieces into one file."""
        self.flush()
        pieces = [piece for _, _, piece in self._pieces()]
        if len(pieces) == 1:
            os.replace(pieces[0], self._path)
        elif not self._stitch(pieces):
            self._join(pieces, self._path)
        sync_folder(self._path.parent)
        os.replace(self._folder, self._done)
        shutil.rmtree(self._done)


def _tables(piece: Path, kind: str) -> Iterator[pa.Table]:
    """The row groups of a finished piece."""
    if kind == "parquet":
        import pyarrow.parquet as pq

        with pq.ParquetFile(piece) as file:
            for i in range(file.num_row_groups):
                yield file.read_row_group(i)
        return
    with pa.OSFile(str(piece)) as source:
        reader = pa.ipc.open_file(source)
        for i in range(reader.num_record_batches):
            yield pa.Table.from_batches([reader.get_batch(i)])
