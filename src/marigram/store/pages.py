"""Files of SQLite whose every page carries a checksum, so that a bit that flips on the disk is found when it is read.

SQLite leaves ``RESERVED`` bytes at the end of each page of the database to this layer, which keeps there the CRC-32
of the rest.  The write-ahead log has checksums of SQLite's own.
"""

from __future__ import annotations

import os
import zlib
from typing import TYPE_CHECKING

import apsw

if TYPE_CHECKING:
    from collections.abc import Buffer  # type: ignore[attr-defined, unused-ignore]

NAME = "marigram"
PAGE = 8192
RESERVED = 8
_HEADER = b"SQLite format 3\x00"


class PageFile(apsw.VFSFile):
    """One file; only pages of the database itself carry a checksum."""

    def __init__(self, base: str, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        super().__init__(base, name, flags)
        self._checked = bool(flags[0] & apsw.SQLITE_OPEN_MAIN_DB)
        self._log = str(name) if flags[0] & apsw.SQLITE_OPEN_WAL else None
        self._descriptor: int | None = None

    def xRead(self, amount: int, offset: int) -> bytes:
        """Read; refuse a page whose checksum does not fit."""
        data = super().xRead(amount, offset)
        if self._checked and amount == PAGE == len(data) and checksum(data) != data[-RESERVED:]:
            raise apsw.IOError(f"page {offset // PAGE + 1} is damaged: its checksum does not fit")
        return data

    def xWrite(self, data: Buffer, offset: int) -> None:
        """Write; a page of the database with its checksum."""
        if self._checked and len(data) == PAGE:
            data = bytes(data[:-RESERVED]) + checksum(data)
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:
        """Wait for the disk; for that of the log, which every commit waits for, other threads go on meanwhile."""
        if self._log is None:
            super().xSync(flags)
            return
        if self._descriptor is None:
            self._descriptor = os.open(self._log, os.O_RDWR)
        os.fdatasync(self._descriptor)

    def xClose(self) -> None:
        """Close."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        super().xClose()


class PageFiles(apsw.VFS):
    """Opens :class:`PageFile`; register it once a process by keeping it."""

    def __init__(self, name: str = NAME, base: str = "") -> None:
        self._base = base
        super().__init__(name, base)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        """Open a file."""
        return PageFile(self._base, name, flags)


def checksum(page: Buffer) -> bytes:
    """Return what the last bytes of a page must be."""
    return zlib.crc32(memoryview(page)[:-RESERVED]).to_bytes(RESERVED, "little")


__all__ = ["NAME", "PAGE", "RESERVED", "PageFile", "PageFiles", "checksum"]
